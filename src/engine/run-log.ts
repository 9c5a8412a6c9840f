/**
 * Reads what a run left: its events, and the log files of its stages. For people and scripts that come after it;
 * writes nothing. A line that a kill cut off is skipped. Log files are read from their end, so that one of GBs costs
 * no memory.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { RunEvent } from "../schemas/generated/run-event.ts";
import { lockHolder } from "./lock.ts";
import { listRuns } from "./runs.ts";

export interface LoggedEvent {
  /** HH:MM:SS, UTC. */
  readonly time: string;
  /** In words; undefined for what comes in floods. */
  readonly text?: string;
  readonly value: RunEvent;
}

export interface RunLog {
  readonly events: readonly LoggedEvent[];
  readonly files: readonly { readonly path: string; readonly lines: readonly string[]; readonly cut: boolean }[];
}

/** Most bytes of a log that are looked at for its last lines. */
const TAIL_BYTES = 1 << 20;

/** @param o.stage an id or the part before its colon; then the stage's log files are read too. Fails (exit 4) where the run has no such stage. */
export function readRunLog(projectRoot: string, run: string, o: { readonly stage?: string; readonly lines: number }): Result<RunLog> {
  const folder = join(projectRoot, ".mcp-forge", "runs", run);
  const file = join(folder, "events.jsonl");
  const all = existsSync(file) ? readFileSync(file, "utf8").split("\n").flatMap(parse) : [];
  const known = [...new Set(all.flatMap(nodesOf))];
  if (o.stage !== undefined && !known.some((id) => isOf(o.stage, id))) return err(unknownStage(run, o.stage, known));
  const events = all.filter((e) => isOf(o.stage, nodeOf(e))).map(logged);
  const ids = known.filter((id) => isOf(o.stage, id));
  return ok({ events, files: o.stage === undefined ? [] : logsOf(folder, ids).map((path) => tail(projectRoot, path, o.lines)) });
}

const FOLLOW_MS = 200;

/**
 * Hands out what a run says, from its beginning until it has ended (said so, or a newer one has begun, or nobody holds the
 * project's lock any more) or `signal` aborts. With a stage, only what is about it, and its logs' lines (from the last
 * `lines` on) beside; fails (exit 4), having handed out nothing, where the run has no such stage.
 */
export async function followRunLog(
  projectRoot: string,
  run: string,
  o: {
    readonly stage?: string;
    readonly lines: number;
    readonly signal: AbortSignal;
    readonly onEvent: (event: LoggedEvent) => void;
    readonly onLine: (line: string) => void;
  },
): Promise<Result<void>> {
  const folder = join(projectRoot, ".mcp-forge", "runs", run);
  const diary = new GrowingFile(join(folder, "events.jsonl"));
  const logs = new Map<string, GrowingFile>();
  const seen = new Set<string>();
  let begun = false;
  let finished = false;
  for (;;) {
    // Asked before reading: what a run that has just ended said last is then still read.
    const over = lockHolder(projectRoot) === undefined || listRuns(projectRoot).at(-1) !== run;
    for (const event of diary.read().flatMap(parse)) {
      if (event.type === "run-started") {
        begun = true;
        const known = nodesOf(event);
        if (o.stage !== undefined && !known.some((n) => isOf(o.stage, n))) return err(unknownStage(run, o.stage, known));
      }
      const id = nodeOf(event);
      if (id !== undefined && isOf(o.stage, id)) seen.add(id);
      if (isOf(o.stage, id)) o.onEvent(logged(event));
      finished ||= event.type === "run-finished";
    }
    for (const path of o.stage === undefined ? [] : logsOf(folder, [...seen])) {
      const log = logs.get(path) ?? new GrowingFile(path, o.lines);
      logs.set(path, log);
      log.read().forEach(o.onLine);
    }
    if (finished || over || o.signal.aborted) {
      return o.stage === undefined || begun || o.signal.aborted ? ok(undefined) : err(unknownStage(run, o.stage, []));
    }
    await sleep(FOLLOW_MS, undefined, { signal: o.signal }).catch(() => undefined);
  }
}

/** The nodes that an event tells of: all of the run's, or the one that it is about. */
const nodesOf = (event: RunEvent): string[] => (event.type === "run-started" ? event.nodes.map((n) => n.id) : [nodeOf(event) ?? []].flat());
const nodeOf = (event: RunEvent): string | undefined => ("node" in event && typeof event.node === "string" ? event.node : undefined);
const isOf = (stage: string | undefined, id: string | undefined): boolean => stage === undefined || id === stage || id?.startsWith(`${stage}:`) === true;
const logged = (value: RunEvent): LoggedEvent => ({ time: value.time.slice(11, 19), value, text: words(value) });

const unknownStage = (run: string, stage: string, known: readonly string[]): Failure => ({
  code: "engine/unknown-node",
  message: `the run ${run} has no stage called ${JSON.stringify(stage.slice(0, 100))}`,
  hint: known.length === 0 ? "it ended before its first stage" : `choose one of ${known.join(", ")}`,
  exit: EXIT.usage,
});

/** The log files that these nodes have in a run's folder. */
function logsOf(folder: string, ids: readonly string[]): string[] {
  const names = new Set(ids.map((id) => `${id.replace(/[^\w.-]/g, "-")}.log`));
  return (existsSync(folder) ? readdirSync(folder) : []).filter((name) => names.has(name)).map((name) => join(folder, name));
}

function parse(line: string): RunEvent[] {
  try {
    return line === "" ? [] : [JSON.parse(line) as RunEvent];
  } catch {
    return [];
  }
}

/** A file that another process appends to, read line by line as it grows. */
class GrowingFile {
  readonly #path: string;
  readonly #lines: number | undefined;
  #offset = 0;
  #rest = Buffer.alloc(0);

  /** @param lines of what stands there at first, only so many are read */
  constructor(path: string, lines?: number) {
    this.#path = path;
    this.#lines = lines;
  }

  /** The lines that became whole since the last call. */
  read(): string[] {
    let fd: number;
    try {
      fd = openSync(this.#path, "r");
    } catch {
      return [];
    }
    try {
      const { size } = fstatSync(fd);
      const first = this.#offset === 0;
      if (first && this.#lines !== undefined) this.#offset = Math.max(0, size - TAIL_BYTES);
      const fresh = Buffer.alloc(Math.max(0, size - this.#offset));
      this.#offset += readSync(fd, fresh, 0, fresh.length, this.#offset);
      const bytes = Buffer.concat([this.#rest, fresh]);
      const end = bytes.lastIndexOf(10) + 1;
      this.#rest = bytes.subarray(end);
      const lines = end === 0 ? [] : bytes.toString("utf8", 0, end - 1).split("\n");
      return first && this.#lines !== undefined ? lines.slice(lines.length - Math.min(lines.length, this.#lines)) : lines;
    } finally {
      closeSync(fd);
    }
  }
}

/** An event in words; undefined for what comes in floods. */
function words(e: RunEvent): string | undefined {
  switch (e.type) {
    case "run-started":
      return "run started";
    case "run-finished":
      return `run finished, exit ${e.exit}`;
    case "stage-cached":
      return `${e.node}: unchanged`;
    case "stage-started":
      return `${e.node}: started${e.reasons.length > 0 ? `: ${e.reasons.join("; ")}` : ""}`;
    case "stage-log":
      return `${e.node}: ${e.level}: ${e.message}`;
    case "stage-finished":
      return `${e.node}: done in ${e.seconds.toFixed(1)} s${e.summary ? `: ${e.summary}` : ""}`;
    case "stage-failed":
      return `${e.node}: ${e.interrupted ? "stopped" : "failed"} after ${e.seconds.toFixed(1)} s: ${e.failure.message}${e.failure.hint ? ` (${e.failure.hint})` : ""}`;
    case "gate-judged":
      return `${e.node}: ${e.passed ? "passed" : "refused"}: ${e.verdicts.map((v) => `${v.figure} ${v.value ?? "not measured"} (${v.threshold})`).join(", ")}`;
    case "node-skipped":
      return `${e.node}: not reached: ${e.reason}`;
    case "view-written":
      return `${e.node}: ${e.kept === undefined ? `wrote ${e.path}` : `${e.path} had been edited by hand: that copy is now ${e.kept}`}`;
    case "notice":
      return `${e.level}: ${e.message}`;
    case "lock-waiting":
      return `waiting for ${e.holder}`;
    default:
      return undefined;
  }
}

function tail(projectRoot: string, path: string, lines: number): RunLog["files"][number] {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(0, size - TAIL_BYTES);
    const buffer = Buffer.alloc(size - from);
    readSync(fd, buffer, 0, buffer.length, from);
    const all = buffer.toString("utf8").split("\n");
    if (from > 0) all.shift();
    if (all.at(-1) === "") all.pop();
    return { path: relative(projectRoot, path), lines: lines === 0 ? [] : all.slice(-lines), cut: from > 0 || all.length > lines };
  } finally {
    closeSync(fd);
  }
}
