/**
 * A store that an older version of this program wrote, brought to today's form.
 * Guarantees: a kill half-way leaves a store that reads as before and is migrated again; no artifact is read or touched.
 *
 * Version 1 kept a snapshot's entries as arrays; since version 2 they lie in columns (platform/snapshot.ts).
 */
import { readFileSync } from "node:fs";
import { writeFileAtomic } from "../platform/fs.ts";
import { type EntryType, packEntries, parseSnapshot, type Snapshot, type SnapshotEntry } from "../platform/snapshot.ts";

/** `[path, type, size, mtime, ctime, inode, digest or link target]`. */
type EntryOfVersion1 = readonly [string, EntryType, number, number, number, number, string];

/** A snapshot of either version; undefined for what is none. */
export function parseAnySnapshot(value: unknown): Snapshot | undefined {
  const today = parseSnapshot(value);
  if (today !== undefined || value === null || typeof value !== "object") return today;
  const { entries, ...rest } = value as { entries?: unknown };
  if (!Array.isArray(entries) || !entries.every(isEntryOfVersion1)) return undefined;
  const packed = packEntries(
    entries.map(([path, type, size, mtimeMs, ctimeMs, inode, content]): SnapshotEntry => ({ path, type, size, mtimeMs, ctimeMs, inode, content })),
  );
  return parseSnapshot({ ...rest, ...packed });
}

/** Rewrites the snapshots at these paths that are of version 1; what cannot be read stays, and costs its artifact one reading. Throws the file system's error on writing. */
export function migrateSnapshots(paths: readonly string[]): void {
  for (const path of paths) {
    let snapshot: Snapshot | undefined;
    try {
      snapshot = parseAnySnapshot(JSON.parse(readFileSync(path, "utf8")));
    } catch {
      continue;
    }
    if (snapshot !== undefined) writeFileAtomic(path, JSON.stringify(snapshot), { durable: false });
  }
}

function isEntryOfVersion1(e: unknown): e is EntryOfVersion1 {
  return Array.isArray(e) && e.length === 7 && typeof e[0] === "string" && typeof e[6] === "string" && [2, 3, 4, 5].every((i) => typeof e[i] === "number");
}
