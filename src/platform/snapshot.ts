/**
 * A snapshot of a file or folder: its digest, and for every entry the size, times and inode that it had when it
 * was hashed, so that later a stat can stand in for reading the bytes again.
 *
 * Guarantees: `matchesSnapshot` reads no content and says `true` only when no entry's size, mtime, ctime, inode or
 * type differs and none was so fresh when it was hashed that a change within the same tick of the file system's
 * clock could hide (git's "racy" rule, Documentation/technical/racy-git.txt). `refreshSnapshot` then reads only the
 * entries in doubt. Added or removed entries show in their folder's times.
 */
import { createHash } from "node:crypto";
import { createReadStream, lstatSync, type Stats } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize, sep } from "node:path";
import { type Digest, isDigest } from "./digest.ts";
import { hashOnThread } from "./hash-threads.ts";

/** One entry: `[path, type, size, mtime (ms), ctime (ms), inode, digest or link target]`; the root's path is "". */
export type SnapshotEntry = readonly [path: string, type: EntryType, size: number, mtimeMs: number, ctimeMs: number, inode: number, content: string];
/** File, executable file, directory, symbolic link. */
export type EntryType = "f" | "x" | "d" | "l";

export interface Snapshot {
  readonly kind: "file" | "folder";
  readonly digest: Digest;
  /** Sum of the sizes of all files. */
  readonly bytes: number;
  /** Wall clock, in ms, just before the first byte was read. */
  readonly hashedAt: number;
  /** Sorted by path. */
  readonly entries: readonly SnapshotEntry[];
}

/** What no artifact may hold: devices, sockets, links that lead out of the tree, names that are not UTF-8. */
export class UnfitTreeError extends Error {
  override readonly name = "UnfitTreeError";
}

/** Linux stamps files with the time of the last timer tick: 10 ms at HZ=100. A file this old (ms) can be hashed without being racy. */
export const TICK_MS = 20;
/** FAT keeps times in steps of two seconds. */
const COARSE_TICK_MS = 2000;
/** Files that are read at the same time within one folder. */
const PARALLEL_READS = 8;
const SMALL_FILE = 1 << 18;
/** Up to this size, passing a file to a thread and back takes longer than hashing it. */
const TINY_FILE = 1 << 14;
/** From so many bytes on, files are hashed on threads of their own: starting one takes as long as hashing 16 MB. */
const WORTH_THREADS = 1 << 25;

const typeOf = (s: Stats): EntryType | undefined =>
  s.isFile() ? ((s.mode & 0o111) !== 0 ? "x" : "f") : s.isDirectory() ? "d" : s.isSymbolicLink() ? "l" : undefined;

/** Whether an entry may have changed after it was read without its times showing it. */
function isRacy(mtimeMs: number, ctimeMs: number, hashedAt: number): boolean {
  const newest = Math.max(mtimeMs, ctimeMs);
  const tick = Number.isInteger(newest / 1000) ? COARSE_TICK_MS : TICK_MS;
  return newest + tick > hashedAt;
}

/** Hashes a file or folder. Rejects with the file system's error or `UnfitTreeError`. */
export const takeSnapshot = (path: string): Promise<Snapshot> => refreshSnapshot(path, undefined);

/** Like `takeSnapshot`, reading only the files whose stat differs from the old snapshot's, or was racy in it. */
export async function refreshSnapshot(path: string, old: Snapshot | undefined): Promise<Snapshot> {
  const hashedAt = Date.now();
  const known = new Map(old?.entries.map((e) => [e[0], e]));
  const found: { path: string; type: EntryType; stats: Stats }[] = [];
  await list(path, "", found);
  found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const entries = new Array<SnapshotEntry>(found.length);
  const among = found.reduce((sum, f) => sum + (f.type === "d" || f.type === "l" ? 0 : f.stats.size), 0);
  let next = 0;
  const worker = async () => {
    while (next < found.length) {
      const i = next++;
      const { path: rel, type, stats } = found[i] as (typeof found)[number];
      const before = known.get(rel);
      const fits =
        old !== undefined && before !== undefined && before[1] === type && sameStat(before, stats) && !isRacy(stats.mtimeMs, stats.ctimeMs, old.hashedAt);
      let content = "";
      if (type === "l") content = await linkTarget(path, rel);
      else if (type !== "d") content = fits ? before[6] : await hashFile(join(path, rel), stats.size, among);
      entries[i] = [rel, type, stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino, content];
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_READS, found.length) }, worker));
  const isFile = entries[0]?.[1] !== "d";
  const bytes = entries.reduce((sum, e) => sum + (e[1] === "f" || e[1] === "x" ? e[2] : 0), 0);
  const digest = isFile ? (entries[0]?.[6] as Digest) : treeDigest(entries);
  return { kind: isFile ? "file" : "folder", digest, bytes, hashedAt, entries };
}

/** A snapshot read from disk, if it is one. What is wrong inside only costs a second reading. */
export function parseSnapshot(value: unknown): Snapshot | undefined {
  if (value === null || typeof value !== "object") return undefined;
  const s = value as Partial<Snapshot>;
  return isDigest(s.digest) && Array.isArray(s.entries) && s.entries.every(Array.isArray) && typeof s.hashedAt === "number" && typeof s.bytes === "number"
    ? (s as Snapshot)
    : undefined;
}

/** Whether everything is, by stat alone, as it was when hashed. Never throws: what cannot be read does not match. */
export function matchesSnapshot(path: string, snapshot: Snapshot): boolean {
  try {
    for (const entry of snapshot.entries) {
      const stats = lstatSync(entry[0] === "" ? path : join(path, entry[0]));
      if (!sameStat(entry, stats) || typeOf(stats) !== entry[1] || isRacy(entry[3], entry[4], snapshot.hashedAt)) return false;
    }
    return snapshot.entries.length > 0;
  } catch {
    return false;
  }
}

const sameStat = (e: SnapshotEntry, s: Stats): boolean => (e[1] === "d" || e[2] === s.size) && e[3] === s.mtimeMs && e[4] === s.ctimeMs && e[5] === s.ino;

async function list(root: string, rel: string, into: { path: string; type: EntryType; stats: Stats }[]): Promise<void> {
  const path = rel === "" ? root : join(root, rel);
  const stats = lstatSync(path);
  const type = typeOf(stats);
  if (type === undefined) throw new UnfitTreeError(`${rel || root} is neither a file, a folder nor a link`);
  if (rel === "" && type === "l") throw new UnfitTreeError(`${root} is a symbolic link`);
  into.push({ path: rel, type, stats });
  if (type !== "d") return;
  for (const name of await readdir(path)) {
    if (name.includes("\ufffd")) throw new UnfitTreeError(`the name of a file in ${rel || "the folder"} is not UTF-8`);
    await list(root, rel === "" ? name : `${rel}/${name}`, into);
  }
}

/** The target of a link inside a tree, if it stays inside. */
async function linkTarget(root: string, rel: string): Promise<string> {
  const target = await readlink(join(root, rel));
  const landing = normalize(join(dirname(rel), target));
  if (isAbsolute(target) || landing === ".." || landing.startsWith(`..${sep}`)) throw new UnfitTreeError(`the link ${rel} leads out of its folder`);
  return target;
}

/** Digest of one file. `among` is the size of all that are hashed together: a thread costs more than it saves on little. */
export async function hashFile(path: string, size: number, among: number): Promise<Digest> {
  if (size > TINY_FILE && among > WORTH_THREADS) return `sha256:${await hashOnThread(path)}` as Digest;
  const hash = createHash("sha256");
  if (size <= SMALL_FILE) hash.update(await readFile(path));
  else for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}` as Digest;
}

/** Over one line `JSON([path, type, content])` an entry, in order of path; the root's own line stands for "a folder". */
function treeDigest(entries: readonly SnapshotEntry[]): Digest {
  const hash = createHash("sha256");
  for (const e of entries) hash.update(`${JSON.stringify([e[0], e[1], e[6]])}\n`);
  return `sha256:${hash.digest("hex")}` as Digest;
}
