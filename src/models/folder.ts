/**
 * A base model in a folder of the user's, named by a project's family file: in the form of transformers, converted once to a GGUF, or
 * one GGUF, taken as it is. Every byte is compared with the file's digests when it is taken into the cache, and not read again.
 */
import { statSync } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { digestFile, digestJson } from "../platform/hash.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Family, FolderSource } from "../schemas/generated/family.ts";
import { CONVERSION, type ConvertedPlaces, convertBase, recordBase } from "./convert-base.ts";
import { fileOf } from "./family.ts";
import { shownPath } from "./family-file.ts";
import { copyListed } from "./listed-files.ts";
import { findLlamaFiles } from "./llama-files.ts";

/** The source's GGUF, where it is one. */
export const readyGguf = (source: FolderSource): string | undefined => Object.keys(source.files).find((name) => name.endsWith(".gguf"));

/** Where a source's files lie. */
export function folderOf(family: Family, source: FolderSource): string {
  const file = fileOf(family);
  if (file === undefined) throw new Error(`the family ${family.name} has a folder and no file`);
  return resolve(dirname(file), source.folder);
}

/** The first of a source's files that is not in its folder, by its size; undefined where all are. */
export const absentFile = (family: Family, source: FolderSource): string | undefined =>
  Object.entries(source.files).find(([name, { bytes }]) => statSync(join(folderOf(family, source), name), { throwIfNoEntry: false })?.size !== bytes)?.[0];

/** A word of a command as a shell reads it. */
const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command that pins a folder's model anew, with what the user may have said of it, so that the keys of all else stay. */
export function addAgain(family: Family, source: FolderSource): string {
  const ready = readyGguf(source);
  const where = folderOf(family, source);
  const words = [
    ...["forge", "models", "add", shownPath(ready === undefined ? where : join(where, ready))],
    ...["--name", family.name, "--licence", family.licence, ...templateFlags(family)],
    ...["--output", shownPath(fileOf(family) ?? ""), "--force"],
  ];
  return words.map(shellWord).join(" ");
}

const templateFlags = ({ template, chat, thinking }: Family): string[] =>
  chat?.template === "official"
    ? ["--template", "official", ...(thinking === null ? [] : ["--thinking"])]
    : ["--template", template.replace(/\.jinja$/, ""), ...(thinking?.add === undefined ? [] : ["--thinking"])];

/** Names what a source becomes: its files, and how they are converted. Hexadecimal. */
export const folderPin = (source: FolderSource): string => hexOf(digestJson({ files: { ...source.files }, conversion: CONVERSION }));

/** Checks the files and converts them; leaves weights, licence and record in `places.files`. Failures exit with 6, an abort with 130. */
export async function takeFolder(family: Family, source: FolderSource, places: ConvertedPlaces, o: Parameters<typeof convertBase>[6]): Promise<Result<void>> {
  const from = folderOf(family, source);
  const file = fileOf(family) as string; // else `folderOf` has thrown
  const taken = join(places.scratch, "taken");
  o.onProgress?.({ type: "log", level: "info", message: `reading ${family.title} from ${shownPath(from)}, once` });
  let copied: Awaited<ReturnType<typeof copyListed>>;
  try {
    copied = await copyListed(source.files, from, taken, { signal: o.signal });
  } catch (e) {
    if (!o.signal.aborted) throw e;
    return err({ code: "models/interrupted", message: `reading ${family.title} was interrupted`, hint: "Run the same command again.", exit: EXIT.interrupted });
  }
  if (!copied.ok) return err(wrongFile(copied.error.problem, copied.error.name, from, file, addAgain(family, source)));
  const origin = { repository: "folder", revision: folderPin(source) };
  const ready = readyGguf(source);
  if (ready !== undefined) {
    await rename(join(taken, ready), places.weights);
    await chmod(places.weights, 0o644);
    const digest = await digestFile(places.weights);
    await recordBase(family, { ...origin, digest }, taken, places);
    return ok(undefined);
  }
  const llama = findLlamaFiles();
  if (!llama.ok) return llama;
  return convertBase(family, taken, origin, places, source.quantization === "F16" ? "f16" : "bf16", llama.value.converter, o);
}

function wrongFile(problem: "missing" | "other", name: string, folder: string, file: string, again: string): Failure {
  const where = shownPath(folder);
  const message = problem === "missing" ? `${name} is not in ${where}, or cannot be read` : `${name} in ${where} is not the file that ${shownPath(file)} names`;
  return {
    code: "models/wrong-bytes",
    message,
    hint: `Put the file back, or describe the model anew: ${again}`,
    exit: EXIT.environment,
  };
}
