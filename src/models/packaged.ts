/**
 * A base model whose files come with forge (models/FOLDER): checked byte for byte, then converted once to a GGUF. Needs no network
 * but for forge's own Python environment.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { digestJson, hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { digestFile } from "../platform/hash.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, type Result } from "../platform/result.ts";
import type { Family, PackageSource } from "../schemas/generated/family.ts";
import { CONVERSION, type ConvertedPlaces, convertBase } from "./convert-base.ts";
import { findLlamaFiles } from "./llama-files.ts";

/** Names what a source becomes: its files, and how they are converted. Hexadecimal. */
export const packagePin = (source: PackageSource): string => hexOf(digestJson({ files: { ...source.files }, conversion: CONVERSION }));

/** Where a source's files lie. `root` is for tests. */
export const packagedFolder = (source: PackageSource, root = join(packageRoot(), "models")): string => join(root, source.folder);

/** Checks the files and converts them; leaves weights, licence and record in `places.files`. Failures exit with 6, an abort with 130. */
export async function takePackaged(
  family: Family,
  source: PackageSource,
  places: ConvertedPlaces,
  o: Parameters<typeof convertBase>[5] & { readonly packaged?: string },
): Promise<Result<void>> {
  const llama = findLlamaFiles();
  if (!llama.ok) return llama;
  // The converter sees the listed files and no others, and may write beside them.
  const folder = join(places.scratch, "packaged");
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of Object.entries(source.files)) {
    const from = join(packagedFolder(source, o.packaged), name);
    const digest = await digestFile(from).catch(() => undefined);
    if (digest !== `sha256:${file.sha256}`)
      return err({
        code: "models/wrong-bytes",
        message: `${name} of ${family.title} is ${digest === undefined ? "missing from" : "not what it should be in"} the installed package`,
        hint: "Install mcp-forge again.",
        exit: EXIT.environment,
      });
    copyFileSync(from, join(folder, name));
  }
  return convertBase(family, folder, { repository: `models/${source.folder}`, revision: packagePin(source) }, places, llama.value.converter, o);
}
