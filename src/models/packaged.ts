/**
 * A base model whose files come with forge (models/FOLDER): checked byte for byte, then converted once to a GGUF. Needs no network
 * but for forge's own Python environment.
 */
import { join } from "node:path";
import { digestJson, hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, type Result } from "../platform/result.ts";
import type { Family, PackageSource } from "../schemas/generated/family.ts";
import { CONVERSION, type ConvertedPlaces, convertBase } from "./convert-base.ts";
import { copyListed } from "./listed-files.ts";
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
  o: Parameters<typeof convertBase>[6] & { readonly packaged?: string },
): Promise<Result<void>> {
  const llama = findLlamaFiles();
  if (!llama.ok) return llama;
  // The converter sees the listed files and no others, and may write beside them.
  const folder = join(places.scratch, "packaged");
  const copied = await copyListed(source.files, packagedFolder(source, o.packaged), folder);
  if (!copied.ok)
    return err({
      code: "models/wrong-bytes",
      message: `${copied.error.name} of ${family.title} is ${copied.error.problem === "missing" ? "missing from" : "not what it should be in"} the installed package`,
      hint: "Install mcp-forge again.",
      exit: EXIT.environment,
    });
  return convertBase(family, folder, { repository: `models/${source.folder}`, revision: packagePin(source) }, places, "bf16", llama.value.converter, o);
}
