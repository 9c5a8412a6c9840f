/**
 * Weights in the form of transformers, as a GGUF: converted once on this machine, by llama.cpp's own converter, bit for bit in
 * bfloat16 or float16. What was made of what is written down beside it (base.json); a folder with a record is whole.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import type { StageEvent } from "../engine/stage.ts";
import { type Digest, isDigest } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { writeFileAtomic } from "../platform/fs.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { BaseRecord } from "../schemas/generated/base-record.ts";
import { validate } from "../schemas/generated/base-record.validate.js";
import type { Family, FolderSource, HubSource, PackageSource } from "../schemas/generated/family.ts";
import { fileOf } from "./family.ts";

/** Raised when the conversion gives other bytes for the same files; what older versions made stays unused. */
export const CONVERSION = 1;
const RECORD = "base.json";

/** `files` becomes the base model's folder. */
export interface ConvertedPlaces {
  readonly files: string;
  readonly weights: string;
  readonly licence: string;
  readonly scratch: string;
}

/** Bytes of a source's files. */
export const filesBytes = (source: HubSource | PackageSource | FolderSource): number => Object.values(source.files).reduce((sum, file) => sum + file.bytes, 0);

/** The standard text of a family's licence, which comes with forge: a repository on the hub often has none. */
export const licenceText = (family: Family): string => join(packageRoot(), "templates", "licences", `${family.licence}.txt`);

/** Names that a licence has among a model's files. */
export const LICENCE_FILES: readonly string[] = ["LICENSE", "LICENCE", "LICENSE.txt", "LICENCE.txt"];

/**
 * Leaves the licence's text at `to`: the model's own file in `folder` where there is one, else the standard text, else a note that says
 * that it has to be found.
 */
async function placeLicence(family: Family, folder: string, to: string): Promise<void> {
  const own = fileOf(family) === undefined ? undefined : LICENCE_FILES.map((name) => join(folder, name)).find((path) => existsSync(path));
  const text = own ?? licenceText(family);
  if (existsSync(text)) return copyFile(text, to);
  const from = family.hub_id === undefined ? "where the model was published" : `https://huggingface.co/${family.hub_id}`;
  writeFileAtomic(
    to,
    `${family.title} is under the licence ${family.licence}. Its text was not among the model's files.\nFind it (${from}) and put it here before you hand this on.\n`,
  );
}

/** Writes down what a base model's weights are, and puts its licence beside them. `folder`: the files that it was made of. */
export async function recordBase(
  family: Family,
  { digest, repository, revision }: Pick<BaseRecord, "repository" | "revision"> & { readonly digest: Digest },
  folder: string,
  places: ConvertedPlaces,
): Promise<void> {
  await placeLicence(family, folder, places.licence);
  const record: BaseRecord = { v: 1, repository, revision, digest, bytes: statSync(places.weights).size };
  writeFileAtomic(join(places.files, RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

/** What was recorded of the base model in a folder of the cache, if it is whole. */
export function baseRecord(folder: string, weights: string): BaseRecord | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(join(folder, RECORD), "utf8"));
    if (!validate(record)) return undefined;
    const known = record as BaseRecord;
    return statSync(weights).size === known.bytes ? known : undefined;
  } catch {
    return undefined; // Not there, or not whole.
  }
}

/** What a conversion adds to the vocabulary (python/forge_steps/new_tokens.py): nothing, or the words around a thought. */
export function addedTokens({ thinking }: Pick<Family, "thinking">): { readonly add?: { readonly tokens: string[]; readonly slots: string[] } } {
  return thinking?.add === undefined ? {} : { add: { tokens: [thinking.open, thinking.close], slots: [...thinking.add] } };
}

/** Leaves weights, licence and record in `places.files`. Failures exit with 6, an abort with 130. */
export async function convertBase(
  family: Family,
  folder: string,
  origin: Pick<BaseRecord, "repository" | "revision">,
  places: ConvertedPlaces,
  weights: "bf16" | "f16",
  converter: { readonly checkout: string } | { readonly bundle: string; readonly cache: string },
  o: { readonly signal: AbortSignal; readonly onProgress?: (event: StageEvent) => void },
): Promise<Result<void>> {
  const { runStep } = await import("../runners/local.ts");
  o.onProgress?.({ type: "log", level: "info", message: `converting ${family.title} to GGUF, once` });
  const made = await runStep(
    "convert_base",
    {
      v: 1,
      folder,
      output: places.weights,
      pre_tokenizer: family.tokenizer,
      ...(weights === "bf16" ? {} : { weights }),
      // transformers takes a llama of the very name `mistral` for another architecture.
      metadata: { "general.name": family.title === "mistral" ? "Mistral" : family.title, "general.license": family.licence.toLowerCase() },
      converter: { ...converter },
      ...addedTokens(family),
    },
    { scratch: places.scratch, logFile: join(places.scratch, "convert.log"), signal: o.signal, ...(o.onProgress && { onEvent: o.onProgress }) },
  );
  if (!made.ok) return err({ ...made.error, exit: made.error.exit === EXIT.interrupted ? EXIT.interrupted : EXIT.environment });
  const { bytes, sha256 } = made.value;
  const digest = `sha256:${String(sha256)}`;
  if (typeof bytes !== "number" || !isDigest(digest))
    return err({ code: "step/protocol", message: "the step `convert_base` did not say what it made", exit: EXIT.failed });
  await recordBase(family, { ...origin, digest }, folder, places);
  return ok(undefined);
}
