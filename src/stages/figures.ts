/** A report's figures by the names that gates read. */
import type { JsonValue } from "../platform/json.ts";
import type { EvaluationReport, Figures } from "../schemas/generated/evaluation-report.ts";

/** Free figures as they are, those under the grammar as `constrained_NAME`, the base's as `base_NAME`. */
export function gateFigures(report: EvaluationReport): { readonly [name: string]: JsonValue } {
  const figures = { ...prefixed(report.figures, ""), ...prefixed(report.constrained, "constrained_"), ...prefixed(report.baseline, "base_") };
  return report.kind === "benchmark" ? { ...figures, overall_score: report.overall_score } : figures;
}

const prefixed = (figures: Figures | undefined, prefix: string): Record<string, JsonValue> =>
  Object.fromEntries(Object.entries(figures ?? {}).map(([name, f]) => [prefix + name, { ...f }]));
