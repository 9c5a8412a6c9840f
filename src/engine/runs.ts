/**
 * The runs that a project keeps, each told by the first and last line of its diary (`events.jsonl`), so that a run of a
 * million events costs as little as one of ten. Writes nothing; needs no lock.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "../schemas/generated/run-event.ts";
import { lockHolder } from "./lock.ts";

export interface RunSummary {
  readonly id: string;
  /** ISO 8601, UTC; empty where the diary is empty. */
  readonly startedAt: string;
  /** The recipe's name. */
  readonly name: string;
  readonly variant?: string;
  /** `cut off`: killed, or the machine went down, before it could say how it ended. */
  readonly state: "finished" | "running" | "cut off";
  /** Until its end, or its last word. */
  readonly seconds: number;
  readonly exit?: number;
  /** Nodes by how they ended: done, cached, passed, refused, failed, interrupted, skipped. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Longest event that is looked for at either end of a diary, in bytes. */
const LONGEST = 1 << 18;

/** `20260131T235959Z-0a1b`: sorts by time. */
const RUN_ID = /^\d{8}T\d{6}Z-[0-9a-f]{4}$/;

/** Ids of the runs that are kept, oldest first; `events.jsonl` and the stages' logs lie in `.mcp-forge/runs/<id>`. What else lies there is nobody's run. */
export function listRuns(projectRoot: string): string[] {
  const folder = join(projectRoot, ".mcp-forge", "runs");
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => RUN_ID.test(name))
        .sort()
    : [];
}

/** Every run that is kept, oldest first. */
export function readRuns(projectRoot: string): RunSummary[] {
  const ids = listRuns(projectRoot);
  const busy = lockHolder(projectRoot) !== undefined;
  return ids.map((id, i) => summarize(projectRoot, id, busy && i === ids.length - 1));
}

function summarize(projectRoot: string, id: string, mayRun: boolean): RunSummary {
  const { first, last } = ends(join(projectRoot, ".mcp-forge", "runs", id, "events.jsonl"));
  const begun = first?.type === "run-started" ? first : undefined;
  const end = last?.type === "run-finished" ? last : undefined;
  const seconds = end?.seconds ?? (first !== undefined && last !== undefined ? (Date.parse(last.time) - Date.parse(first.time)) / 1000 : 0);
  return {
    id,
    startedAt: first?.time ?? "",
    name: begun?.name ?? "",
    ...(begun?.variant !== undefined && { variant: begun.variant }),
    state: end !== undefined ? "finished" : mayRun ? "running" : "cut off",
    seconds: Number.isFinite(seconds) ? seconds : 0,
    ...(end !== undefined && { exit: end.exit }),
    counts: end?.counts ?? {},
  };
}

/** The first and the last whole event of a diary. */
function ends(path: string): { first?: RunEvent; last?: RunEvent } {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return {};
  }
  try {
    const { size } = fstatSync(fd);
    const read = (from: number): string[] => {
      const buffer = Buffer.alloc(Math.min(LONGEST, size - from));
      readSync(fd, buffer, 0, buffer.length, from);
      return buffer.toString("utf8").split("\n");
    };
    return { first: firstEvent(read(0)), last: firstEvent(read(Math.max(0, size - LONGEST)).reverse()) };
  } finally {
    closeSync(fd);
  }
}

function firstEvent(lines: readonly string[]): RunEvent | undefined {
  for (const line of lines) {
    try {
      const value = JSON.parse(line) as RunEvent;
      if (typeof value.type === "string" && typeof value.time === "string") return value;
    } catch {
      // Cut off by a kill, or by where the reading began.
    }
  }
  return undefined;
}
