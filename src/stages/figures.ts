/** A report's figures by the names that gates read. */
import { overallScore } from "../evaluation/figures.ts";
import type { JsonValue } from "../platform/json.ts";
import type { EvaluationReport, Figures } from "../schemas/generated/evaluation-report.ts";

/** Free figures as they are, those under the grammar as `constrained_NAME`, the base's as `base_NAME`. */
export function gateFigures(report: EvaluationReport): { readonly [name: string]: JsonValue } {
  const figures = { ...prefixed(report.figures, ""), ...prefixed(report.constrained, "constrained_"), ...prefixed(report.baseline, "base_") };
  if (report.kind !== "benchmark") return figures;
  const scored = { ...figures, overall_score: overallScore(report.figures) };
  // First outputs have fewer figures: a mean of those says something else.
  const whole = report.constrained?.loop_completion_rate === undefined ? undefined : report.constrained;
  return whole === undefined ? scored : { ...scored, constrained_overall_score: overallScore(whole) };
}

const prefixed = (figures: Figures | undefined, prefix: string): Record<string, JsonValue> =>
  Object.fromEntries(Object.entries(figures ?? {}).map(([name, f]) => [prefix + name, { ...f }]));
