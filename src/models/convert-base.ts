/**
 * Weights in the form of transformers, as a GGUF: converted once on this machine, by llama.cpp's own converter, bit for bit in
 * bfloat16. What was made of what is written down beside it (base.json); a folder with a record is whole.
 */
import { readFileSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import type { StageEvent } from "../engine/stage.ts";
import { isDigest } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { writeFileAtomic } from "../platform/fs.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { BaseRecord } from "../schemas/generated/base-record.ts";
import { validate } from "../schemas/generated/base-record.validate.js";
import type { Family, HubSource, PackageSource } from "../schemas/generated/family.ts";

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
export const filesBytes = (source: HubSource | PackageSource): number => Object.values(source.files).reduce((sum, file) => sum + file.bytes, 0);

/** The standard text of a family's licence, which comes with forge: a repository on the hub often has none. */
export const licenceText = (family: Family): string => join(packageRoot(), "templates", "licences", `${family.licence}.txt`);

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

/** Leaves weights, licence and record in `places.files`. Failures exit with 6, an abort with 130. */
export async function convertBase(
  family: Family,
  folder: string,
  origin: Pick<BaseRecord, "repository" | "revision">,
  places: ConvertedPlaces,
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
      metadata: { "general.name": family.title, "general.license": family.licence.toLowerCase() },
      converter: { ...converter },
    },
    { scratch: places.scratch, logFile: join(places.scratch, "convert.log"), signal: o.signal, ...(o.onProgress && { onEvent: o.onProgress }) },
  );
  if (!made.ok) return err({ ...made.error, exit: made.error.exit === EXIT.interrupted ? EXIT.interrupted : EXIT.environment });
  const { bytes, sha256 } = made.value;
  const digest = `sha256:${String(sha256)}`;
  if (typeof bytes !== "number" || !isDigest(digest))
    return err({ code: "step/protocol", message: "the step `convert_base` did not say what it made", exit: EXIT.failed });
  const record: BaseRecord = { v: 1, ...origin, digest, bytes };
  await copyFile(licenceText(family), places.licence);
  writeFileAtomic(join(places.files, RECORD), `${JSON.stringify(record, null, 2)}\n`);
  return ok(undefined);
}
