/**
 * Reads what a run left: its events, and the log files of its stages. For people and scripts that come after it;
 * writes nothing. A line that a kill cut off is skipped. Log files are read from their end, so that one of GBs costs
 * no memory.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join, relative } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { RunEvent } from "../schemas/generated/run-event.ts";

export interface RunLog {
  readonly events: readonly { readonly time: string; readonly text?: string; readonly value: RunEvent }[];
  readonly files: readonly { readonly path: string; readonly lines: readonly string[]; readonly cut: boolean }[];
}

/** Most bytes of a log that are looked at for its last lines. */
const TAIL_BYTES = 1 << 20;

/** @param o.stage an id or the part before its colon; then the stage's log files are read too. Fails (exit 4) where the run has no such stage. */
export function readRunLog(projectRoot: string, run: string, o: { readonly stage?: string; readonly lines: number }): Result<RunLog> {
  const folder = join(projectRoot, ".mcp-forge", "runs", run);
  const file = join(folder, "events.jsonl");
  const all = existsSync(file) ? parse(readFileSync(file, "utf8")) : [];
  const of = (event: RunEvent): string | undefined => ("node" in event && typeof event.node === "string" ? event.node : undefined);
  const isIt = (id: string | undefined): boolean => o.stage === undefined || id === o.stage || id?.startsWith(`${o.stage}:`) === true;
  const known = [...new Set(all.flatMap((e) => of(e) ?? []))];
  if (o.stage !== undefined && !known.some(isIt))
    return err({
      code: "engine/unknown-node",
      message: `the run ${run} has no stage called ${JSON.stringify(o.stage.slice(0, 100))}`,
      hint: known.length === 0 ? "it ended before its first stage" : `choose one of ${known.join(", ")}`,
      exit: EXIT.usage,
    });
  const events = all.filter((e) => isIt(of(e))).map((value) => ({ time: value.time.slice(11, 19), value, text: words(value) }));
  const logs = o.stage === undefined || !existsSync(folder) ? [] : readdirSync(folder).filter((name) => name.endsWith(".log"));
  const names = new Set(known.filter(isIt).map((id) => `${id.replace(/[^\w.-]/g, "-")}.log`));
  return ok({ events, files: logs.filter((name) => names.has(name)).map((name) => tail(projectRoot, join(folder, name), o.lines)) });
}

function parse(text: string): RunEvent[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as RunEvent];
    } catch {
      return [];
    }
  });
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
