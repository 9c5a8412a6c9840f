/**
 * Content digests (SHA-256).
 * Guarantees: the same bytes give the same digest on every machine; a file's digest equals that of the same
 * text; a folder's digest depends on names, contents, the executable bit and link targets, on nothing else (no
 * times, owners, sizes on disk, order of listing). The main thread stays responsive while large files are read.
 */
import { stat } from "node:fs/promises";
import type { Digest } from "./digest.ts";
import { hashFile, takeSnapshot } from "./snapshot.ts";

export { type Digest, digestJson, digestText, hexOf, isDigest } from "./digest.ts";

/** Digest of a file's bytes. Rejects with the file system's error when it cannot be read. */
export async function digestFile(path: string): Promise<Digest> {
  const { size } = await stat(path);
  return hashFile(path, size, size);
}

/**
 * Digest of a folder (or of a file: then the same as `digestFile`). Rejects with the file system's error, or with
 * `UnfitTreeError` when it holds something no artifact may hold (a device, a link that leads outside).
 */
export const digestTree = async (path: string): Promise<Digest> => (await takeSnapshot(path)).digest;
