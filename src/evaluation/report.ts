/**
 * Puts what was measured into one report, for programs (JSON) and for people (Markdown). Text that came
 * from models, tools and cases is quoted so that it cannot break the page.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { EvaluationReport, Figure, Figures, GroupFigures, SlipCount } from "../schemas/generated/evaluation-report.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import { allFigures, compare, figuresBy, firstTurnFigures, latency, notesOn, overallScore, recordedFigures } from "./figures.ts";
import { SLIP_WORDS } from "./slips.ts";

export type { EvaluationReport, Figure, Figures } from "../schemas/generated/evaluation-report.ts";

/** What a report is of. */
export interface Measured {
  /** SHA-256 of the GGUF, hexadecimal. */
  readonly model: string;
  /** The toolset's hash. */
  readonly toolset: string;
}

export interface ReportInput {
  readonly kind: "validate" | "benchmark";
  /** A name for people. */
  readonly model: string;
  readonly measured: Measured;
  /** The loops as the model decodes by itself; of a bundle as its maker means it to decode. */
  readonly records: readonly LoopRecord[];
  /** The same cases under the grammar: whole loops, or first outputs only. */
  readonly constrained?: readonly LoopRecord[];
  /** The untuned model's records on the same cases, or its figures. */
  readonly baseline?: readonly LoopRecord[] | Figures;
  /** The loops that are judged, told in detail: `constrained` for those of that name. Default: `records`. */
  readonly judged?: "free" | "constrained";
  /** How many requests shared the machine. */
  readonly sideBySide: number;
  readonly unproven?: boolean;
}

const MOST_FAILURES = 50;
const MOST_OUTPUT = 500;

/** The report of a measured model. */
export function makeReport(o: ReportInput): EvaluationReport {
  const { records, constrained, baseline } = o;
  const figures = figuresOf(records);
  const judged = (o.judged === "constrained" ? constrained : undefined) ?? records;
  const base = baseline === undefined ? undefined : isRecords(baseline) ? firstTurnFigures(baseline) : baseline;
  return {
    version: 1,
    kind: o.kind,
    model: o.model,
    model_sha256: o.measured.model,
    toolset_hash: o.measured.toolset,
    ...(o.unproven ? { unproven: true } : {}),
    decoding: judged[0]?.decoding ?? "free",
    cases: records.length,
    figures,
    ...(constrained === undefined ? {} : { constrained: figuresOf(constrained) }),
    ...(base === undefined ? {} : { baseline: base, comparison: compare(figures, base) }),
    ...slipCounts(judged),
    per_tool: figuresBy(judged, (r) => r.tool_name),
    per_scenario: figuresBy(judged, (r) => r.scenario ?? r.kind ?? null),
    latency: latency(records, o.sideBySide),
    overall_score: overallScore(judged === records ? figures : figuresOf(judged)),
    notes: notesOn(judged === records ? figures : figuresOf(judged), judged),
    failures: judged
      .filter((r) => !r.ok)
      .slice(0, MOST_FAILURES)
      .map((r) => ({
        id: r.id,
        question: r.question.slice(0, MOST_OUTPUT),
        ...outputsOf(r),
        answer: r.answer?.slice(0, MOST_OUTPUT) ?? null,
        reasons: r.judgement.reasons,
      })),
  };
}

/** Every output that is no answer, in order, since any of them may be what the reasons are about; and the one that the loop ended on where it did not end well. */
function outputsOf(record: LoopRecord): Pick<EvaluationReport["failures"][number], "output" | "outputs"> {
  const all = record.steps.map((s) => s.output.slice(0, MOST_OUTPUT));
  const answered = record.ended === "answer" && all.length > 1;
  const outputs = answered ? all.slice(0, -1) : all;
  return { output: (answered ? outputs[0] : outputs.at(-1)) ?? "", outputs };
}

/** Which argument went wrong how, the most frequent first. */
function slipCounts(records: readonly LoopRecord[]): Pick<EvaluationReport, "slips"> {
  const counts = new Map<string, SlipCount>();
  for (const { tool, argument, how } of records.flatMap((r) => r.judgement.slips ?? [])) {
    const key = JSON.stringify([tool, argument, how]);
    counts.set(key, { tool, argument, how, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return counts.size === 0 ? {} : { slips: [...counts.values()].sort((a, b) => b.count - a.count) };
}

const figuresOf = (records: readonly LoopRecord[]): Figures =>
  records.length > 0 && records.every((r) => r.first_turn_only) ? firstTurnFigures(records) : allFigures(records);
const isRecords = (b: readonly LoopRecord[] | Figures): b is readonly LoopRecord[] => Array.isArray(b);

/** Whether a report is of this model and these tools: `unsaid` where it does not say, as those of earlier versions do not. */
export function isOf(report: EvaluationReport, { model, toolset }: Measured): "same" | "other-model" | "other-tools" | "unsaid" {
  if (report.model_sha256 !== undefined && report.model_sha256 !== model) return "other-model";
  if (report.toolset_hash !== undefined && report.toolset_hash !== toolset) return "other-tools";
  return report.model_sha256 === undefined || report.toolset_hash === undefined ? "unsaid" : "same";
}

/** The result of `forge benchmark … --json`. */
export function benchmarkJson(records: readonly LoopRecord[], figures: Figures): JsonObject {
  const cases = records.map((r): JsonObject => ({ id: r.id, calls: r.calls as unknown as JsonValue, answer: r.answer, ok: r.ok }));
  return { cases, figures: recordedFigures(figures) };
}

/** The report as Markdown. */
export function reportMarkdown(report: EvaluationReport): string {
  const { figures, constrained, baseline, latency: time } = report;
  const out = [`# ${report.kind === "validate" ? "Validation" : "Benchmark"}: ${inline(report.model)}`, ""];
  if (report.unproven) out.push("**Unproven: the gates of this model did not pass.**", "");
  const score = report.overall_score === null ? "not measured" : report.overall_score.toFixed(3);
  out.push(`${report.cases} cases. Overall score: ${score} (mean of parse, conformance, selection, slots, loop completion, error handling, no-tool).`, "");
  const held = report.decoding === "constrained";
  if (held && constrained) out.push("Score, arguments, groups and cases below are those with the grammar, which is what the gates judge.", "");
  const columns = [
    held && !constrained ? "with the grammar" : "free",
    ...(constrained ? ["constrained"] : []),
    ...(baseline ? ["untuned model", "difference"] : []),
  ];
  out.push(`| figure | ${columns.join(" | ")} | n | 95 % interval | clusters |`, `| --- |${" ---: |".repeat(columns.length + 3)}`);
  for (const [name, f] of Object.entries(figures)) {
    const difference = report.comparison?.[name];
    const cells = [
      rate(f),
      ...(constrained ? [rate(constrained[name])] : []),
      ...(baseline ? [rate(baseline[name]), difference === undefined ? "" : signed(difference)] : []),
    ];
    out.push(
      `| ${name} | ${cells.join(" | ")} | ${f.numerator}/${f.n} | ${f.low === null || f.high === null ? "" : `${f.low.toFixed(3)} to ${f.high.toFixed(3)}`} | ${f.clusters} |`,
    );
  }
  const short = [...(constrained && constrained.loop_completion_rate === undefined ? ["constrained"] : []), ...(baseline ? ["untuned"] : [])];
  const stops = short.length === 0 ? "" : ` The ${short.join(" and the ")} pass ${short.length === 1 ? "stops" : "stop"} after the first output.`;
  out.push("", `Cases of one wording count as one cluster.${stops}`, "");
  if (report.slips !== undefined)
    out.push(
      "## Arguments that went wrong",
      "",
      "Of calls that name the right tool.",
      "",
      "| tool | argument | how | times |",
      "| --- | --- | --- | ---: |",
      ...report.slips.map((s) => `| ${inline(s.tool)} | ${inline(s.argument)} | ${SLIP_WORDS[s.how]} | ${s.count} |`),
      "",
    );
  out.push(...groupTable("By tool", report.per_tool), ...groupTable("By scenario", report.per_scenario));
  if (time !== null) {
    out.push(
      "## Latency",
      "",
      `Milliseconds, with ${time.side_by_side} requests side by side; the first ${time.warm_up} cases left out as warm-up. ${time.tokens_per_second} tokens/s a request.`,
      "",
    );
    out.push("| | n | min | mean | p50 | p95 | p99 | max |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (const [name, d] of [
      ["first token", time.first_token],
      ["first turn", time.first_turn],
      ["whole loop", time.loop],
    ] as const)
      if (d !== undefined) out.push(`| ${name} | ${d.n} | ${d.min} | ${d.mean} | ${d.p50} | ${d.p95} | ${d.p99} | ${d.max} |`);
    out.push("");
  }
  if (report.notes.length > 0) out.push("## Notes", "", ...report.notes.map((n) => `- ${n}`), "");
  if (report.failures.length > 0) {
    out.push("## Cases that are not right", "");
    for (const f of report.failures)
      out.push(
        `- ${code(f.id)} ${inline(f.question)}`,
        ...(f.outputs ?? [f.output]).map((output) => `  - wrote: ${code(output)}`),
        ...(f.answer ? [`  - answered: ${code(f.answer)}`] : []),
        ...f.reasons.map((r) => `  - ${inline(r)}`),
      );
    out.push("");
  }
  return out.join("\n");
}

function groupTable(title: string, groups: readonly GroupFigures[]): string[] {
  if (groups.length === 0) return [];
  const names = [...new Set(groups.flatMap((g) => Object.entries(g.figures).flatMap(([name, f]) => (f.n > 0 ? [name] : []))))];
  const rows = groups.map((g) => `| ${inline(g.name)} | ${g.cases} | ${g.ok} | ${names.map((n) => rate(g.figures[n])).join(" | ")} |`);
  return [`## ${title}`, "", `| | cases | right | ${names.join(" | ")} |`, `| --- |${" ---: |".repeat(names.length + 2)}`, ...rows, ""];
}

const rate = (f: Figure | undefined): string => (f?.value === null || f === undefined ? "" : f.value.toFixed(3));
const signed = (x: number): string => (x > 0 ? `+${x.toFixed(3)}` : x.toFixed(3));
/** Foreign text in a line or a table cell: one line, Markdown's and HTML's marks escaped. */
const inline = (text: string): string => clean(text).replaceAll(/[\\`*_[\]<>|#]/g, "\\$&");
/** Foreign text as code. */
const code = (text: string): string => `\`${clean(text).replaceAll("`", "'")}\``;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out.
const clean = (text: string): string => text.replaceAll(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim();
