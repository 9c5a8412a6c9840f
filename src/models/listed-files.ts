/**
 * Copies the listed files of a folder, and no others, each checked byte for byte as it was copied: what is converted is what was
 * checked, whatever happens to the originals meanwhile.
 */
import { constants, mkdirSync } from "node:fs";
import { copyFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../platform/fs.ts";
import { digestFile, digestFileUntil } from "../platform/hash.ts";
import { err, ok, type Result } from "../platform/result.ts";

export interface WrongFile {
  readonly name: string;
  readonly problem: "missing" | "other";
}

/** Errors of the file system that mean the original, and not the disk that is written to. */
const UNREADABLE = new Set(["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EISDIR", "ELOOP"]);

/**
 * Copies (by reference, where the file system can) into `to`, which is made. The first file that is not what is listed is the failure; one of another
 * size, or that is no file, is not copied. Rejects with the signal's reason when it is aborted.
 */
export async function copyListed(
  files: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>,
  from: string,
  to: string,
  o: { readonly signal?: AbortSignal } = {},
): Promise<Result<void, WrongFile>> {
  mkdirSync(to, { recursive: true });
  for (const [name, { sha256, bytes }] of Object.entries(files)) {
    o.signal?.throwIfAborted();
    try {
      const found = await stat(join(from, name));
      if (!found.isFile()) return err({ name, problem: "missing" });
      if (found.size !== bytes) return err({ name, problem: "other" });
      await copyFile(join(from, name), join(to, name), constants.COPYFILE_FICLONE);
    } catch (e) {
      if (UNREADABLE.has(errorCode(e))) return err({ name, problem: "missing" });
      throw e;
    }
    const copy = join(to, name);
    const digest = await (o.signal === undefined ? digestFile(copy) : digestFileUntil(copy, o.signal));
    if (digest !== `sha256:${sha256}`) return err({ name, problem: "other" });
  }
  return ok(undefined);
}
