/** The last words of a single step: a line a test, the gates, what was written where. */
import { readFile } from "node:fs/promises";
import type { RunOutcome } from "../../engine/apply.ts";
import { EXIT } from "../../platform/exit.ts";
import { parseJsonLines } from "../../platform/json.ts";
import { safeText } from "../../platform/redact.ts";
import type { LoopRecord } from "../../schemas/generated/loop-record.ts";
import type { PreparedStep } from "../../stages/single/steps.ts";
import type { Terminal } from "../terminal.ts";
import { cut, duration, oneLine } from "../words.ts";
import { gateTable } from "./gate-table.ts";

type Paint = Pick<Terminal, "paint" | "columns">;

export async function stepWords(run: RunOutcome, step: PreparedStep, written: readonly string[], terminal: Paint): Promise<string> {
  const { paint } = terminal;
  const lines: string[] = [];
  const shown = step.records === undefined ? undefined : run.nodes.find((n) => n.id === step.records?.stage)?.outputs[step.records.output];
  if (shown !== undefined && step.records?.output === "records")
    lines.push("", ...checkLines(parseJsonLines<LoopRecord>(await readFile(shown, "utf8")), terminal));
  else if (shown !== undefined) lines.push("", safeText(await readFile(shown, "utf8")).trimEnd());
  const table = gateTable(run, terminal);
  if (table.length > 0) lines.push("", ...table, "");
  const last = run.nodes.findLast((n) => n.status === "done");
  if (run.exit === EXIT.ok)
    lines.push(`${paint("green", "done")} in ${duration(run.seconds)}${table.length === 0 && last !== undefined ? `: ${safeText(last.summary)}` : ""}`);
  else if (run.exit === EXIT.gate) {
    const refused = run.gates.filter((g) => !g.passed);
    lines.push(`${paint("red", "refused")} after ${duration(run.seconds)}: ${refused.map((g) => g.id).join(", ")}`);
    for (const advice of new Set(refused.flatMap((g) => g.advice))) lines.push(`  try: ${advice}`);
  } else
    lines.push(
      `${paint(run.exit === EXIT.interrupted ? "yellow" : "red", run.exit === EXIT.interrupted ? "stopped" : "failed")} after ${duration(run.seconds)}`,
    );
  if (written.length > 0) lines.push(`wrote ${written.map((w) => safeText(w)).join(", ")}`);
  return `${lines.join("\n")}\n`;
}

/** `✓ parse ✓ schema ✓ tool ✓ loop  question`, one line a test; a dash where there was nothing to check. */
export function checkLines(records: readonly LoopRecord[], terminal: Paint): string[] {
  const { paint } = terminal;
  const mark = (passed: boolean | null): string => (passed === null ? paint("dim", "-") : passed ? paint("green", "✓") : paint("red", "✗"));
  return records.map((r) => {
    const j = r.judgement;
    const called = j.attempted;
    const checks: readonly (readonly [string, boolean | null])[] = [
      ["parse", called || j.due === "call" ? j.parsed : null],
      ["schema", j.parsed_calls === 0 ? null : j.conforming_calls === j.parsed_calls],
      [j.due === "none" ? "no call" : "tool", j.due === "none" ? !called : j.tool_right],
      ["loop", j.completed],
      ["answer", j.error_loop ? j.error_handled : j.grounded],
    ];
    const question = cut(oneLine(safeText(r.question)), Math.max(20, terminal.columns - 58));
    return `${mark(r.ok)} ${checks.map(([name, passed]) => `${mark(passed)} ${name}`).join("  ")}  ${paint("dim", question)}`;
  });
}
