/**
 * The figures of a run of loops: rates with their numerators, denominators and intervals, tables by tool
 * and scenario, latency, one overall score. Each rate is a row of a table here; its two numbers are those
 * of docs/evaluation.md.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Distribution, Figure, Figures, GroupFigures, Latency } from "../schemas/generated/evaluation-report.ts";
import type { Judgement, LoopRecord } from "../schemas/generated/loop-record.ts";
import { clusteredInterval } from "./interval.ts";

/** Adds a case to a rate: [numerator, denominator]. */
type Count = (j: Judgement) => readonly [numerator: number, denominator: number];

const rate = (applies: (j: Judgement) => boolean, good: (j: Judgement) => boolean): Count => {
  return (j) => (applies(j) ? [good(j) ? 1 : 0, 1] : [0, 0]);
};
const callDue = (j: Judgement): boolean => j.due === "call";

/** Rates that the first output decides. */
const FIRST_TURN: Readonly<Record<string, Count>> = {
  /** Outputs that parse as a call / cases where a call is due or was tried. */
  tool_call_parse_rate: rate(
    (j) => callDue(j) || j.attempted,
    (j) => j.parsed,
  ),
  /** Parsed calls whose arguments pass the tool's schema / parsed calls. */
  schema_conformance_rate: (j) => [j.conforming_calls, j.parsed_calls],
  /** First call names a right tool / cases where a call is due. */
  tool_selection_accuracy: rate(callDue, (j) => j.tool_right),
  /** Arguments accepted, rightly left-out ones included / arguments due or optional in the expected call. */
  slots_right: (j) => (callDue(j) ? [j.slots_right, j.slots_due] : [0, 0]),
  /** Every argument accepted, none missing or extra / cases where a call is due. */
  exact_arguments: rate(callDue, (j) => j.exact),
  /** No call made or tried / cases where none is due. */
  no_tool_correctness: rate(
    (j) => j.due === "none",
    (j) => !j.attempted,
  ),
};

/** Rates that need the whole loop. */
const WHOLE_LOOP: Readonly<Record<string, Count>> = {
  /** Loops that end in an answer within the step limit, no invalid step / loops started. */
  loop_completion_rate: rate(
    () => true,
    (j) => j.completed,
  ),
  /** Error loops whose answer says what failed and invents no result / error loops. */
  error_handling_rate: rate(
    (j) => j.error_loop,
    (j) => j.error_handled,
  ),
  /** Answers that hold the result's values and no number from nowhere / answers to a result. */
  answer_grounded_rate: rate(
    (j) => j.grounded !== null,
    (j) => j.grounded === true,
  ),
};

/** Rates whose mean is the overall score: every rate of the gates, and slots_right for the arguments. */
const SCORED = [
  "tool_call_parse_rate",
  "schema_conformance_rate",
  "tool_selection_accuracy",
  "slots_right",
  "loop_completion_rate",
  "error_handling_rate",
  "no_tool_correctness",
];

/** Floors for a release (docs/evaluation.md). */
const RELEASE = { call: 200, none: 50, error: 40 };

/** Every figure of whole loops. */
export const allFigures = (records: readonly LoopRecord[]): Figures => measure(records, { ...FIRST_TURN, ...WHOLE_LOOP });

/** The figures that a first output decides, for baseline and constrained passes. */
export const firstTurnFigures = (records: readonly LoopRecord[]): Figures => measure(records, FIRST_TURN);

function measure(records: readonly LoopRecord[], counts: Readonly<Record<string, Count>>): Figures {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, figure(records, count)]));
}

function figure(records: readonly LoopRecord[], count: Count): Figure {
  const items = records.map((r) => {
    const [numerator, denominator] = count(r.judgement);
    return { numerator, denominator, cluster: r.cluster };
  });
  const numerator = items.reduce((s, i) => s + i.numerator, 0);
  const n = items.reduce((s, i) => s + i.denominator, 0);
  const interval = clusteredInterval(items);
  return {
    value: n === 0 ? null : atMost(numerator / n),
    numerator,
    n,
    low: interval && round(interval.low),
    high: interval && round(interval.high),
    clusters: interval?.clusters ?? 0,
  };
}

/** The figures of each group of records: one row a tool, a scenario, …, in the order of first appearance. */
export function figuresBy(records: readonly LoopRecord[], key: (r: LoopRecord) => string | null): GroupFigures[] {
  const groups = new Map<string, LoopRecord[]>();
  for (const r of records) {
    const name = key(r);
    if (name !== null) groups.set(name, [...(groups.get(name) ?? []), r]);
  }
  return [...groups].map(([name, of]) => ({
    name,
    cases: of.length,
    ok: of.filter((r) => r.ok).length,
    figures: of.every((r) => r.first_turn_only) ? firstTurnFigures(of) : allFigures(of),
  }));
}

/** Mean of the scored rates that were measured; null when none was. */
export function overallScore(figures: Figures): number | null {
  const values = SCORED.map((name) => figures[name]?.value).filter((v) => typeof v === "number");
  return values.length === 0 ? null : round(values.reduce((s, v) => s + v, 0) / values.length);
}

/** This model's value minus the base model's, for the figures that both have. */
export function compare(figures: Figures, baseline: Figures): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [name, figure] of Object.entries(figures)) {
    const base = baseline[name]?.value;
    if (figure.value !== null && base !== undefined && base !== null) out[name] = round(figure.value - base);
  }
  return out;
}

/** Latency of the run, its warm-up left out; null when nothing is left. Clocks differ: no part of what must repeat. */
export function latency(records: readonly LoopRecord[], sideBySide: number): Latency | null {
  const warm = records.filter((r) => !r.warm_up && r.steps.length > 0);
  const steps = warm.flatMap((r) => r.steps);
  const first = distribution(warm.flatMap((r) => r.steps[0]?.ms ?? []));
  const loop = distribution(warm.filter((r) => !r.first_turn_only).map((r) => r.ms));
  const token = distribution(steps.map((s) => s.first_token_ms));
  if (first === null || token === null) return null;
  const generating = steps.reduce((s, x) => s + x.ms - x.first_token_ms, 0);
  const tokens = steps.reduce((s, x) => s + x.tokens - 1, 0);
  return {
    first_turn: first,
    ...(loop !== null && { loop }),
    first_token: token,
    tokens_per_second: generating <= 0 ? 0 : Math.round((tokens / generating) * 10_000) / 10,
    side_by_side: sideBySide,
    warm_up: records.filter((r) => r.warm_up).length,
  };
}

/** Smallest, largest, mean, and nearest-rank percentiles; null of nothing. */
export function distribution(values: readonly number[]): Distribution | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => Math.round(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] as number);
  const mean = Math.round(sorted.reduce((s, v) => s + v, 0) / sorted.length);
  return { n: sorted.length, min: at(0), max: at(1), mean, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** What a reader should know about the figures before believing them. */
export function notesOn(figures: Figures, records: readonly LoopRecord[]): string[] {
  const notes: string[] = [];
  for (const [name, { n, value }] of Object.entries(figures)) {
    if (value === null) notes.push(`${name}: not measured, no case asks for it`);
    else if (n < 50) notes.push(`${name}: n = ${n}; ${resolution(0.98, n)}`);
  }
  const calls = records.filter((r) => r.judgement.due === "call").length;
  const none = records.filter((r) => r.judgement.due === "none").length;
  const errors = records.filter((r) => r.judgement.error_loop).length;
  if (calls < RELEASE.call || none < RELEASE.none || errors < RELEASE.error)
    notes.push(`${calls} calls due, ${none} not due, ${errors} error loops; a release wants ${RELEASE.call}, ${RELEASE.none} and ${RELEASE.error}`);
  const noTool = figures.no_tool_correctness;
  if (noTool?.value !== null && noTool !== undefined && noTool.value < 0.8)
    notes.push("the model calls tools where none is due: raise the weight of no_tool samples");
  return notes;
}

/** What a threshold means at this n: `0.98 at n = 20 is 20 of 20`. */
export const resolution = (threshold: number, n: number): string => `${threshold} at n = ${n} is ${Math.ceil(threshold * n - 1e-9)} of ${n}`;

/** Figures as a stage records them: name → {value, n, low, high}; `prefix` before each name (`constrained_`). */
export function recordedFigures(figures: Figures, prefix = ""): JsonObject {
  const rows = Object.entries(figures).map(([name, { value, n, low, high }]): [string, JsonValue] => [prefix + name, { value, n, low, high }]);
  return Object.fromEntries(rows);
}

const HEADLINE: readonly (readonly [name: string, word: string])[] = [
  ["tool_call_parse_rate", "parse"],
  ["tool_selection_accuracy", "tool"],
  ["exact_arguments", "exact"],
  ["no_tool_correctness", "no call"],
  ["loop_completion_rate", "loops"],
  ["error_handling_rate", "errors"],
];

/** One line for people: `parse 0.99, tool 0.97, exact 0.81, no call 0.93`. */
export function headline(figures: Figures): string {
  const parts = HEADLINE.flatMap(([name, word]) => {
    const value = figures[name]?.value;
    return value === undefined || value === null ? [] : [`${word} ${value.toFixed(2)}`];
  });
  return parts.join(", ") || "nothing measured";
}

const round = (x: number): number => Math.round(x * 10_000) / 10_000;

/** Rounded, but never up to a threshold that was not reached: those have at most three decimals. */
function atMost(x: number): number {
  const r = round(x);
  return r > x && Math.round(r * 10_000) % 10 === 0 ? round(r - 0.0001) : r;
}
