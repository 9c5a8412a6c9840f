/** What came of a synthesis plan: samples made against samples planned, by scenario and tool, and why those that are missing are. */
import type { CellOutcome, PlanOutcome } from "../schemas/generated/qa-report.ts";
import type { GenerationStatistics, Sample, SynthesisPlan } from "./types.ts";

/** Slots that a report names one by one. */
const NAMED = 200;

/** Reason of samples that were made and taken out again: the only thing between `generate` and `qa` that takes any (stages/decontaminate.ts). */
export const OVERLAPS = "taken out: it says what a case of `evaluation.cases` says";

/** The cell of a sample or a slot. What no tool is for is about none, whatever tool came before it. */
export const cellOf = (scenario: string, tool: string | null): string => (scenario === "no_tool" || tool === null ? scenario : `${scenario}\u0000${tool}`);

export const cellOfSample = ({ scenario, tool_name }: Pick<Sample, "scenario" | "tool_name">): string => cellOf(scenario, tool_name);

/** @param made samples by cell */
export function planOutcome(
  plan: SynthesisPlan,
  statistics: GenerationStatistics | undefined,
  made: ReadonlyMap<string, number>,
  heldout: number,
): PlanOutcome {
  const cells = new Map<string, CellOutcome & { readonly why: Record<string, number> }>();
  const cellOfSlot = new Map<string, string>();
  for (const { id, scenario, tool } of plan.train) {
    const name = cellOf(scenario, tool);
    cellOfSlot.set(id, name);
    const cell = cells.get(name);
    if (cell === undefined) cells.set(name, { scenario, tool: scenario === "no_tool" ? null : tool, planned: 1, made: made.get(name) ?? 0, short: 0, why: {} });
    else cell.planned++;
  }
  for (const { slot, reason } of statistics?.short ?? []) {
    const why = cells.get(cellOfSlot.get(slot) ?? "")?.why;
    if (why !== undefined) why[reason] = (Object.hasOwn(why, reason) ? (why[reason] as number) : 0) + 1;
  }
  for (const cell of cells.values()) {
    cell.short = Math.max(0, cell.planned - cell.made);
    const unsaid = cell.short - Object.values(cell.why).reduce((a, b) => a + b, 0);
    if (unsaid > 0) cell.why[OVERLAPS] = unsaid;
  }
  // Scenario by scenario, in the order in which the plan comes upon them.
  const scenarios = [...new Set([...cells.values()].map((c) => c.scenario))];
  const outcomes = [...cells.values()].sort((a, b) => scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario));
  return {
    planned: plan.train.length,
    made: outcomes.reduce((n, c) => n + c.made, 0),
    heldout_planned: plan.evaluation.length,
    heldout_made: heldout,
    cells: outcomes,
    short_total: statistics?.short.length ?? 0,
    short: (statistics?.short ?? []).slice(0, NAMED).map(({ slot, reason }) => ({ slot, reason })),
  };
}

/** Cells that are named in a sentence. */
const SAID = 6;

/** What is short, as people say it: `no_tool 1 of 9 (every attempt failed: near_heldout)`; undefined where nothing is. */
export function shortInWords({ cells }: PlanOutcome): string | undefined {
  const short = cells.filter((c) => c.short > 0).sort((a, b) => b.short - a.short);
  if (short.length === 0) return undefined;
  const said = short.slice(0, SAID).map((c) => `${c.scenario}${c.tool === null ? "" : ` ${c.tool}`} ${c.made} of ${c.planned}${because(c.why)}`);
  return said.join(", ") + (short.length > SAID ? ` and ${short.length - SAID} more` : "");
}

/** Reasons with their numbers: `3 duplicate; 1 the teacher found no wording that fits`. */
export const reasonsOf = (why: Readonly<Record<string, number>>): string =>
  Object.entries(why)
    .map(([reason, n]) => `${n} ${bare(reason)}`)
    .join("; ");

/** Said of nearly all reasons. */
const bare = (reason: string): string => reason.replace(/^every attempt failed: /, "");

/** Reasons by their number, the most frequent first. */
const because = (why: Readonly<Record<string, number>>): string => {
  const reasons = Object.entries(why).sort(([, a], [, b]) => b - a);
  return reasons.length === 0 ? "" : ` (${reasons.map(([reason]) => bare(reason)).join(", ")})`;
};

/** Reasons of what is short, all cells together, the most frequent first; without the words around them. */
export function shortReasons({ cells }: PlanOutcome): string[] {
  const counts = new Map<string, number>();
  for (const { why } of cells) for (const [reason, n] of Object.entries(why)) counts.set(reason, (counts.get(reason) ?? 0) + n);
  return [...counts].sort(([, a], [, b]) => b - a).map(([reason]) => bare(reason));
}
