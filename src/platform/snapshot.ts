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
import { type Digest, hexOf, isDigest } from "./digest.ts";
import { hashOnThread } from "./hash-threads.ts";

/** One entry; the root's path is "". */
export interface SnapshotEntry {
  readonly path: string;
  readonly type: EntryType;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
  /** Digest of a file, target of a link, "" for a folder. */
  readonly content: string;
}
/** File, executable file, directory, symbolic link. */
export type EntryType = "f" | "x" | "d" | "l";

/**
 * What is kept, as JSON, is this very object. Its entries, in order of path, lie in columns: to read 10,000 of them
 * as arrays of their own takes half as long as to ask the file system about each.
 */
export interface Snapshot {
  readonly kind: "file" | "folder";
  readonly digest: Digest;
  /** Sum of the sizes of all files. */
  readonly bytes: number;
  /** Wall clock, in ms, just before the first byte was read. */
  readonly hashedAt: number;
  /** Joined by "//", which no path holds. */
  readonly paths: string;
  /** One letter an entry. */
  readonly types: string;
  /** Base64 of four doubles an entry, in the machine's order of bytes: size, mtime, ctime, inode. */
  readonly stats: string;
  /** The files' digests in hex, 64 letters each, without anything between. */
  readonly digests: string;
  /** The links' targets. */
  readonly targets: readonly string[];
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

const BETWEEN_PATHS = "//";
const HEX_DIGITS = 64;
const STATS = 4;

const typeOf = (s: Stats): EntryType | undefined =>
  s.isFile() ? ((s.mode & 0o111) !== 0 ? "x" : "f") : s.isDirectory() ? "d" : s.isSymbolicLink() ? "l" : undefined;

/** Whether an entry may have changed after it was read without its times showing it. */
function isRacy(mtimeMs: number, ctimeMs: number, hashedAt: number): boolean {
  const newest = Math.max(mtimeMs, ctimeMs);
  const tick = Number.isInteger(newest / 1000) ? COARSE_TICK_MS : TICK_MS;
  return newest + tick > hashedAt;
}

/**
 * Resolves when what was written before this call is no longer racy for a snapshot that is taken then. Judged by the clock that snapshots are
 * dated with: it and the timers' one each count whole milliseconds, so a timer of `TICK_MS + 1` can end up to one too early, and since Linux 6.13
 * (multigrain timestamps) a file that is watched is stamped with the exact time, which leaves no slack for that. Waits three times at most, for a
 * clock that is set back meanwhile.
 */
export async function untilSettled(): Promise<void> {
  const settled = Date.now() + TICK_MS + 1;
  for (let left = settled - Date.now(), tries = 3; left > 0 && tries > 0; left = settled - Date.now(), tries--)
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, TICK_MS + 1)));
}

/** Hashes a file or folder. Rejects with the file system's error or `UnfitTreeError`. */
export const takeSnapshot = (path: string): Promise<Snapshot> => refreshSnapshot(path, undefined);

/** Like `takeSnapshot`, reading only the files whose stat differs from the old snapshot's, or was racy in it. */
export async function refreshSnapshot(path: string, old: Snapshot | undefined): Promise<Snapshot> {
  const hashedAt = Date.now();
  const known = new Map(old === undefined ? [] : snapshotEntries(old).map((e) => [e.path, e]));
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
        old !== undefined && before !== undefined && before.type === type && sameStat(before, stats) && !isRacy(stats.mtimeMs, stats.ctimeMs, old.hashedAt);
      let content = "";
      if (type === "l") content = await linkTarget(path, rel);
      else if (type !== "d") content = fits ? before.content : await hashFile(join(path, rel), stats.size, among);
      entries[i] = { path: rel, type, size: stats.size, mtimeMs: stats.mtimeMs, ctimeMs: stats.ctimeMs, inode: stats.ino, content };
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_READS, found.length) }, worker));
  const isFile = entries[0]?.type !== "d";
  const bytes = entries.reduce((sum, e) => sum + (isContent(e.type) ? e.size : 0), 0);
  const digest = isFile ? (entries[0]?.content as Digest) : treeDigest(entries);
  return { kind: isFile ? "file" : "folder", digest, bytes, hashedAt, ...packEntries(entries) };
}

/** The columns of some entries, which are in order of path. */
export function packEntries(entries: readonly SnapshotEntry[]): Pick<Snapshot, "paths" | "types" | "stats" | "digests" | "targets"> {
  const stats = new Float64Array(entries.flatMap((e) => [e.size, e.mtimeMs, e.ctimeMs, e.inode]));
  return {
    paths: entries.map((e) => e.path).join(BETWEEN_PATHS),
    types: entries.map((e) => e.type).join(""),
    stats: Buffer.from(stats.buffer).toString("base64"),
    digests: entries.map((e) => (isContent(e.type) ? hexOf(e.content as Digest) : "")).join(""),
    targets: entries.filter((e) => e.type === "l").map((e) => e.content),
  };
}

/** The entries out of their columns, in order of path; none when the columns do not fit each other (a file of another version or edited). */
export function snapshotEntries(snapshot: Snapshot): SnapshotEntry[] {
  const { paths, types, stats } = columns(snapshot);
  if (stats.length !== STATS * paths.length || snapshot.digests.length !== HEX_DIGITS * [...types].filter((t) => isContent(t as EntryType)).length) return [];
  let files = 0;
  let links = 0;
  return paths.map((path, i) => {
    const [size, mtimeMs, ctimeMs, inode] = stats.subarray(STATS * i) as unknown as [number, number, number, number];
    const type = types[i] as EntryType;
    let content = "";
    if (type === "l") content = snapshot.targets[links++] ?? "";
    else if (isContent(type)) content = `sha256:${snapshot.digests.slice(HEX_DIGITS * files, HEX_DIGITS * ++files)}`;
    return { path, type, size, mtimeMs, ctimeMs, inode, content };
  });
}

function columns(snapshot: Snapshot): { paths: string[]; types: string; stats: Float64Array } {
  const bytes = Buffer.from(snapshot.stats, "base64");
  const whole = bytes.length - (bytes.length % Float64Array.BYTES_PER_ELEMENT);
  // Copied: a small buffer's place in its pool need not suit doubles.
  return { paths: snapshot.paths.split(BETWEEN_PATHS), types: snapshot.types, stats: new Float64Array(new Uint8Array(bytes).buffer.slice(0, whole)) };
}

/** A snapshot read from disk, if it is one. What is wrong inside only costs a second reading. */
export function parseSnapshot(value: unknown): Snapshot | undefined {
  if (value === null || typeof value !== "object") return undefined;
  const s = value as Partial<Record<keyof Snapshot, unknown>>;
  const texts = [s.paths, s.types, s.stats, s.digests].every((text) => typeof text === "string");
  return texts && isDigest(s.digest) && Array.isArray(s.targets) && typeof s.hashedAt === "number" && typeof s.bytes === "number"
    ? (value as Snapshot)
    : undefined;
}

/** Whether everything is, by stat alone, as it was when hashed. Never throws: what cannot be read does not match. */
export function matchesSnapshot(path: string, snapshot: Snapshot): boolean {
  const { paths, types, stats } = columns(snapshot);
  if (paths.length !== types.length || stats.length !== STATS * paths.length) return false;
  try {
    for (const [i, rel] of paths.entries()) {
      const now = lstatSync(rel === "" ? path : `${path}/${rel}`);
      const at = STATS * i;
      const [mtimeMs, ctimeMs] = [stats[at + 1] as number, stats[at + 2] as number];
      const type = types[i];
      if (type !== typeOf(now) || (type !== "d" && stats[at] !== now.size) || mtimeMs !== now.mtimeMs || ctimeMs !== now.ctimeMs || stats[at + 3] !== now.ino)
        return false;
      if (isRacy(mtimeMs, ctimeMs, snapshot.hashedAt)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether nothing was written between two looks at the same place, not even to be put back: same bytes, and no entry's size, times or inode
 * differs. Unlike `matchesSnapshot` it does not ask how fresh an entry was.
 */
export const stoodStill = (before: Snapshot, now: Snapshot): boolean =>
  before.digest === now.digest && before.paths === now.paths && before.types === now.types && before.stats === now.stats;

const isContent = (type: EntryType): boolean => type === "f" || type === "x";

const sameStat = (e: SnapshotEntry, s: Stats): boolean =>
  (e.type === "d" || e.size === s.size) && e.mtimeMs === s.mtimeMs && e.ctimeMs === s.ctimeMs && e.inode === s.ino;

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
  for (const e of entries) hash.update(`${JSON.stringify([e.path, e.type, e.content])}\n`);
  return `sha256:${hash.digest("hex")}` as Digest;
}
