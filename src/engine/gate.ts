/**
 * Gates: a threshold table judged against a stage's recorded figures.
 * Guarantees: pure and quick, so a gate is judged in every run and every plan and has nothing to cache; a table
 * without a single verdict passes; nothing is measured here.
 */
import type { JsonObject } from "../platform/json.ts";
import type { GateDefinition, Verdict } from "./stage.ts";

export interface Judgement {
  readonly passed: boolean;
  readonly verdicts: readonly Verdict[];
  /** What to try, when it refused. */
  readonly advice: readonly string[];
  /** One line: "5 of 5 met", "schema_pass_rate 0.96, wanted 0.98". */
  readonly summary: string;
}

export function judge(gate: GateDefinition, figures: JsonObject): Judgement {
  const { verdicts, advice } = gate.judge(figures);
  const missed = verdicts.filter((v) => !v.passed);
  const summary = missed.length === 0 ? `${verdicts.length} of ${verdicts.length} met` : missed.map(verdictText).join(", ");
  return { passed: missed.length === 0, verdicts, advice, summary };
}

/** "schema_pass_rate 0.96, wanted 0.98"; a figure that was not measured says so. */
export function verdictText(v: Verdict): string {
  const value = v.value === null ? "not measured" : String(Number(v.value.toPrecision(6)));
  return `${v.figure} ${value}, wanted ${v.threshold}`;
}
