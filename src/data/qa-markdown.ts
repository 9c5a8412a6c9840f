/** The quality report for people, in Markdown. Tables only; no figure that is not in the JSON report. */
import type { QaReport } from "../schemas/generated/qa-report.ts";

/** Renders a report. Names from outside are put in code spans with bars and backticks taken out. */
export function qaMarkdown(r: QaReport): string {
  const t = r.totals;
  const lines = [
    "# Data quality",
    "",
    ...table(
      ["what", "value"],
      [
        ["samples", `${t.samples}${t.planned === null ? "" : ` of ${t.planned} planned`}`],
        ["valid", `${t.valid}`],
        ["held-out cases", `${t.heldout}`],
        ["simulated tool results", `${t.simulated}`],
        ["schema pass rate (as first generated)", share(r.schema_pass_rate)],
        ["near-duplicates", share(r.dedup_rate)],
        ["fewest samples of a tool", `${r.figures.min_samples_per_tool ?? 0}`],
        ["scenarios covered", percent(r.figures.scenarios_covered ?? 0)],
      ],
    ),
    "",
    "## Dropped while generating",
    "",
    ...(Object.keys(r.dropped).length === 0
      ? ["Nothing."]
      : table(
          ["reason", "attempts"],
          Object.entries(r.dropped).map(([k, n]) => [code(k), `${n}`]),
        )),
    "",
    "## Coverage",
    "",
    ...table(
      ["tool", "samples", "frames"],
      Object.entries(r.coverage.by_tool).map(([k, n]) => [code(k), `${n}`, `${r.diversity.frames_by_tool[k] ?? 0}`]),
    ),
    "",
    ...table(
      ["scenario", "samples"],
      Object.entries(r.coverage.by_scenario).map(([k, n]) => [code(k), `${n}`]),
    ),
    "",
    ...table(
      ["kind", "samples"],
      Object.entries(r.coverage.by_kind).map(([k, n]) => [code(k), `${n}`]),
    ),
    "",
    "## Diversity of the user's words",
    "",
    ...table(
      ["distinct-1", "distinct-2", "distinct-3", "similarity of neighbours"],
      [[r.diversity.distinct_1, r.diversity.distinct_2, r.diversity.distinct_3, r.diversity.self_similarity].map((x) => x.toFixed(3))],
    ),
    "",
    "## Leakage from training into evaluation",
    "",
    ...table(
      ["shared", "cases"],
      [
        ["frames", `${r.leakage.shared_frames}`],
        ["prompts", `${r.leakage.shared_prompts}`],
        ["near-duplicate prompts", `${r.leakage.near_prompts}`],
        ["whole calls", `${r.leakage.shared_calls}`],
        ["free-text values", share(r.leakage.shared_values)],
      ],
    ),
    "",
    "## Issues",
    "",
    ...(r.issues.length === 0
      ? ["None."]
      : table(
          ["check", "sample", "message"],
          r.issues.slice(0, 50).map((i) => [i.check, i.sample === null ? "" : code(i.sample), code(i.message)]),
        )),
    "",
  ];
  return lines.join("\n");
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(" | ")} |`,
  `| ${head.map(() => "---").join(" | ")} |`,
  ...rows.map((r) => `| ${r.join(" | ")} |`),
];
const code = (text: string): string => `\`${text.replace(/[`|\r\n]/g, " ").slice(0, 160)}\``;
const percent = (x: number): string => `${(100 * x).toFixed(1)}%`;
const share = (r: { value: number | null; numerator: number; denominator: number }): string =>
  r.value === null ? "none" : `${percent(r.value)} (${r.numerator} of ${r.denominator})`;
