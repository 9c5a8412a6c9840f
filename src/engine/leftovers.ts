/**
 * What lies in a project beside its artifacts and takes room: what interrupted stages left to go on from, artifacts that
 * somebody edited and that were set aside, and the logs of runs. Reads only; follows no links.
 *
 * Guarantee: what cannot be looked at counts as fresh, so that nobody takes it for old.
 */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import type { StageRecord } from "./record.ts";
import { listRuns } from "./runs.ts";
import type { Store } from "./store.ts";

export interface Leftover {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  /** When it was last written to, or set aside (milliseconds since 1970). */
  readonly at: number;
}

export interface SetAside extends Leftover {
  /** The stages that had made it, as far as records tell. */
  readonly stages: readonly string[];
}

/** What stages that did not finish go on from (checkpoints, paid answers). */
export function scratchOf(projectRoot: string): Leftover[] {
  const folder = join(projectRoot, ".mcp-forge", "scratch");
  return names(folder).map((name) => measured(join(folder, name)));
}

/** The logs of every run, the newest at the end. */
export const runLogs = (projectRoot: string): Leftover[] => listRuns(projectRoot).map((run) => measured(join(projectRoot, ".mcp-forge", "runs", run)));

/** Artifacts that were edited and set aside. */
export function setAside(projectRoot: string, store: Store, records: readonly StageRecord[]): SetAside[] {
  const folder = join(projectRoot, ".mcp-forge", "store", "damaged");
  return store.damaged(Number.POSITIVE_INFINITY).map((name) => {
    const digest = `sha256:${name.replace(/-\d+$/, "")}` as Digest;
    const makers = records.filter((r) => Object.values(r.outputs).some((o) => o.digest === digest)).map((r) => r.node);
    const { path, bytes } = measured(join(folder, name));
    // Its files' times are those of the edit; the folder's is that of the move.
    return { path, bytes, at: lstatSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Number.POSITIVE_INFINITY, stages: [...new Set(makers)].sort() };
  });
}

/** Size of a file or folder, and when anything in it was last written to. */
function measured(path: string): Leftover {
  let [bytes, at] = [0, 0];
  const open = [path];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    try {
      const stats = lstatSync(next);
      at = Math.max(at, stats.mtimeMs);
      if (stats.isFile()) bytes += stats.size;
      if (stats.isDirectory()) for (const name of readdirSync(next)) open.push(join(next, name));
    } catch (e) {
      if (errorCode(e) !== "ENOENT") at = Number.POSITIVE_INFINITY;
    }
  }
  return { path, bytes, at };
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
