/**
 * Content digests (SHA-256).
 * Guarantees: the same bytes give the same digest on every machine; a file's digest equals that of the same
 * text; a folder's digest depends on names, contents, the executable bit and link targets, on nothing else (no
 * times, owners, sizes on disk, order of listing). The main thread stays responsive while large files are read.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Digest } from "./digest.ts";
import { hashFile, takeSnapshot } from "./snapshot.ts";

export { type Digest, digestJson, digestText, hexOf, isDigest } from "./digest.ts";

/** Read at once; a stream's own 64 KiB cost time with large files. */
const CHUNK = 1 << 20;

/** Digest of a file's bytes. Rejects with the file system's error when it cannot be read. */
export async function digestFile(path: string): Promise<Digest> {
  const { size } = await stat(path);
  return hashFile(path, size, size);
}

/** The same, given up when the signal is aborted: then it rejects with the signal's reason. One thread, so that it can end at any byte. */
export async function digestFileUntil(path: string, signal: AbortSignal): Promise<Digest> {
  signal.throwIfAborted();
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { signal, highWaterMark: CHUNK })) hash.update(chunk as Buffer);
  } catch (e) {
    signal.throwIfAborted();
    throw e;
  }
  signal.throwIfAborted();
  return `sha256:${hash.digest("hex")}` as Digest;
}

/**
 * Digest of a folder (or of a file: then the same as `digestFile`). Rejects with the file system's error, or with
 * `UnfitTreeError` when it holds something no artifact may hold (a device, a link that leads outside).
 */
export const digestTree = async (path: string): Promise<Digest> => (await takeSnapshot(path)).digest;
