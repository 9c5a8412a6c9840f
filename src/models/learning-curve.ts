/**
 * The learning curve of a training: what the step told line by line (python/forge_steps/learning_curve.py), as rows, and those as CSV. Units:
 * `seconds` of training so far, interruptions not counted; `tokens_per_second` of the step alone; `eval_loss` where the step was followed by
 * an evaluation; `gpu_memory_bytes`, of a GPU alone, the most that was held in it during the step.
 */
import { parseJsonLines } from "../platform/json.ts";

export const CURVE_COLUMNS = [
  "step",
  "examples",
  "loss",
  "eval_loss",
  "learning_rate",
  "grad_norm",
  "tokens_per_second",
  "seconds",
  "gpu_memory_bytes",
] as const;

export type CurveRow = Readonly<Partial<Record<(typeof CURVE_COLUMNS)[number], number>>>;

/** The rows of the lines, a row a step, in the steps' order. Half a last line, of a process that was killed, counts for nothing. */
export function readCurve(text: string): CurveRow[] {
  const rows = new Map<number, Record<string, number>>();
  for (const line of parseJsonLines<Record<string, unknown>>(text.slice(0, text.lastIndexOf("\n") + 1))) {
    const { step } = line;
    if (typeof step !== "number") continue;
    const row = rows.get(step) ?? {};
    for (const name of CURVE_COLUMNS) if (typeof line[name] === "number") row[name] = line[name];
    rows.set(step, row);
  }
  return [...rows.values()];
}

/** A header and a line a row (RFC 4180); what was not measured is empty, and memory of a GPU no column where none trained. */
export function curveCsv(rows: readonly CurveRow[]): string {
  const columns = CURVE_COLUMNS.filter((name) => name !== "gpu_memory_bytes" || rows.some((row) => row[name] !== undefined));
  return [columns.join(","), ...rows.map((row) => columns.map((name) => row[name] ?? "").join(","))].map((line) => `${line}\n`).join("");
}
