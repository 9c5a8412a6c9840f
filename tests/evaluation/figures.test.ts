/** Figures have the reference's numerators and denominators, and intervals that know of clusters. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allFigures, distribution, figuresBy, firstTurnFigures, latency, notesOn, overallScore, resolution } from "../../src/evaluation/figures.ts";
import { clusteredInterval } from "../../src/evaluation/interval.ts";
import { isOf, makeReport, reportMarkdown } from "../../src/evaluation/report.ts";
import { validate } from "../../src/schemas/generated/evaluation-report.validate.js";
import type { Judgement, LoopRecord } from "../../src/schemas/generated/loop-record.ts";

const base: Judgement = {
  due: "call",
  attempted: true,
  parsed: true,
  parsed_calls: 1,
  conforming_calls: 1,
  tool_right: true,
  slots_due: 2,
  slots_right: 2,
  exact: true,
  completed: true,
  error_loop: false,
  error_handled: false,
  grounded: true,
  reasons: [],
};
let made = 0;
const record = (judgement: Partial<Judgement>, more: Partial<LoopRecord> = {}): LoopRecord => ({
  id: `r${made++}`,
  cluster: `c${made}`,
  scenario: "standard",
  tool_name: "get_weather",
  question: "?",
  decoding: "free",
  first_turn_only: false,
  steps: [{ output: "x", calls: [], attempted: false, results: [], ms: 100, first_token_ms: 10, tokens: 11, prompt_tokens: 5, stopped: "eos" }],
  calls: [],
  answer: "a",
  ended: "answer",
  ok: true,
  judgement: { ...base, ...judgement },
  ms: 100,
  warm_up: false,
  ...more,
});
const none: Partial<Judgement> = {
  due: "none",
  attempted: false,
  parsed: false,
  parsed_calls: 0,
  conforming_calls: 0,
  tool_right: false,
  slots_due: 0,
  slots_right: 0,
  exact: false,
  grounded: null,
};

describe("figures", () => {
  const records = [
    record({}),
    record({ slots_right: 1, exact: false }),
    record({ parsed: false, parsed_calls: 0, conforming_calls: 0, tool_right: false, exact: false, slots_right: 0, completed: false, grounded: null }),
    record({ parsed_calls: 2, conforming_calls: 1, completed: false, grounded: null }),
    record({ attempted: false, parsed: false, parsed_calls: 0, conforming_calls: 0, tool_right: false, exact: false, slots_right: 0, grounded: null }),
    record({ error_loop: true, error_handled: true, grounded: null }),
    record({ error_loop: true, completed: false, grounded: null }),
    record(none),
    record({ ...none, attempted: true, parsed: true, parsed_calls: 1, conforming_calls: 1 }),
    record({ ...none, due: "either" }),
  ];
  const fraction = (name: string) => {
    const f = allFigures(records)[name];
    return `${f?.numerator}/${f?.n}`;
  };
  test.each([
    ["tool_call_parse_rate", "6/8"],
    ["schema_conformance_rate", "6/7"],
    ["tool_selection_accuracy", "5/7"],
    ["slots_right", "9/14"],
    ["exact_arguments", "4/7"],
    ["no_tool_correctness", "1/2"],
    ["loop_completion_rate", "7/10"],
    ["error_handling_rate", "1/2"],
    ["answer_grounded_rate", "2/2"],
  ])("%s is %s", (name, expected) => {
    expect(fraction(name)).toBe(expected);
  });

  test("of nothing are null, and the score leaves them out", () => {
    const figures = allFigures([record(none)]);
    expect(figures.tool_selection_accuracy).toMatchObject({ value: null, n: 0, low: null, high: null });
    expect(overallScore(figures)).toBe(1);
    expect(overallScore(allFigures([]))).toBeNull();
    expect(Object.keys(firstTurnFigures(records))).not.toContain("loop_completion_rate");
  });

  test("say what few cases can mean", () => {
    expect(resolution(0.98, 20)).toBe("0.98 at n = 20 is 20 of 20");
    expect(resolution(0.9, 10)).toBe("0.9 at n = 10 is 9 of 10");
    expect(notesOn(allFigures(records), records).join("\n")).toContain("a release wants 200");
  });

  test("stand in one row a tool and a scenario", () => {
    const rows = figuresBy([...records, record(none, { tool_name: null })], (r) => r.tool_name);
    expect(rows.map((r) => [r.name, r.cases])).toEqual([["get_weather", 10]]);
  });
});

describe("an interval", () => {
  const items = (...clusters: [good: number, of: number][]) =>
    clusters.flatMap(([good, of], c) => Array.from({ length: of }, (_, i) => ({ numerator: i < good ? 1 : 0, denominator: 1, cluster: `${c}` })));

  test("of independent cases is Wilson's", () => {
    // 8 of 10: Wilson's 95 % score interval is 0.490 to 0.943.
    const singles = items(...Array.from({ length: 10 }, (_, i): [number, number] => [i < 8 ? 1 : 0, 1]));
    const interval = clusteredInterval(singles);
    expect(interval?.low).toBeCloseTo(0.49, 2);
    expect(interval?.high).toBeCloseTo(0.943, 2);
  });

  test("is wider when frames succeed or fail as one, and counts a frame once where all is right", () => {
    const together = clusteredInterval(items([10, 10], [10, 10], [0, 10], [10, 10]));
    const apart = clusteredInterval(items([8, 10], [7, 10], [8, 10], [7, 10]));
    const width = (i: typeof together) => (i ? i.high - i.low : 0);
    expect(width(together)).toBeGreaterThan(2 * width(apart));
    expect(clusteredInterval(items([10, 10], [10, 10], [10, 10], [10, 10]))?.effective).toBeCloseTo(4);
  });

  test("holds the rate, lies within 0 and 1, and never counts more than there is", () => {
    const cluster = fc.integer({ min: 1, max: 8 }).chain((of) => fc.tuple(fc.integer({ min: 0, max: of }), fc.constant(of)));
    fc.assert(
      fc.property(fc.array(cluster, { minLength: 1, maxLength: 12 }), (clusters) => {
        const all = items(...clusters);
        const rate = all.reduce((s, i) => s + i.numerator, 0) / all.length;
        const interval = clusteredInterval(all);
        expect(interval).not.toBeNull();
        if (interval === null) return;
        expect(interval.low).toBeGreaterThanOrEqual(0);
        expect(interval.high).toBeLessThanOrEqual(1);
        expect(interval.low).toBeLessThanOrEqual(rate + 1e-12);
        expect(interval.high).toBeGreaterThanOrEqual(rate - 1e-12);
        expect(interval.effective).toBeLessThanOrEqual(all.length + 1e-9);
      }),
    );
  });
});

describe("latency", () => {
  test("has nearest-rank percentiles", () => {
    expect(distribution(Array.from({ length: 100 }, (_, i) => 100 - i))).toEqual({ n: 100, min: 1, max: 100, mean: 51, p50: 50, p95: 95, p99: 99 });
    expect(distribution([7])).toMatchObject({ min: 7, p99: 7 });
    expect(distribution([])).toBeNull();
  });
  test("leaves the warm-up out", () => {
    const measured = latency([record({}, { warm_up: true, ms: 9000 }), record({})], 8);
    expect(measured).toMatchObject({ warm_up: 1, side_by_side: 8, loop: { n: 1, max: 100 }, tokens_per_second: 111.1 });
  });
});

const MEASURED = { model: "a".repeat(64), toolset: `sha256:${"b".repeat(64)}` };

test("a case that is not right is shown with every output that led there", () => {
  const step = (output: string) => ({
    ...{ output, calls: [], attempted: true, results: [], ms: 1, first_token_ms: 1, tokens: 1, prompt_tokens: 1 },
    stopped: "eos" as const,
  });
  const steps = [step("the first call"), step("a call that is none")];
  const broken = record({ reasons: ["it is not JSON"] }, { ok: false, steps, ended: "invalid_call", problem: "it is not JSON", answer: null });
  const answered = record({ reasons: ["a wrong tool"] }, { ok: false, steps: [...steps, step("It is 9 degrees.")], answer: "It is 9 degrees." });
  const report = makeReport({ kind: "validate", model: "w", measured: MEASURED, records: [broken, answered], sideBySide: 8 });
  expect(validate(JSON.parse(JSON.stringify(report))), JSON.stringify(validate.errors)).toBe(true);
  expect(report.failures.map((f) => [f.output, f.outputs])).toEqual([
    ["a call that is none", ["the first call", "a call that is none"]],
    ["the first call", ["the first call", "a call that is none"]],
  ]);
  const text = reportMarkdown(report);
  expect(text.match(/- wrote: `a call that is none`/g)).toHaveLength(2);
  expect(text).toContain("- answered: `It is 9 degrees.`");
  const { outputs: _, ...older } = report.failures[0] as (typeof report.failures)[number];
  expect(reportMarkdown({ ...report, failures: [older] })).toContain("- wrote: `a call that is none`");
});

test("a report is of one model and one toolset, and an older one does not say of which", () => {
  const report = makeReport({ kind: "validate", model: "w", measured: MEASURED, records: [record({})], sideBySide: 8 });
  expect(isOf(report, MEASURED)).toBe("same");
  expect(isOf(report, { ...MEASURED, model: "c".repeat(64) })).toBe("other-model");
  expect(isOf(report, { ...MEASURED, toolset: `sha256:${"c".repeat(64)}` })).toBe("other-tools");
  const { model_sha256: _, ...older } = report;
  expect(isOf(older, MEASURED)).toBe("unsaid");
});

test("the report is valid, and its Markdown holds no foreign markup", () => {
  const bad = record(
    { exact: false, reasons: ["a wrong tool was called"] },
    { ok: false, question: "a | b\n# <script>x</script> \u001b[31m", answer: "``` | x" },
  );
  const report = makeReport({
    kind: "benchmark",
    model: "w q8_0",
    measured: MEASURED,
    records: [record({}), bad],
    constrained: [record({}, { first_turn_only: true })],
    baseline: [record({ exact: false }, { first_turn_only: true })],
    sideBySide: 8,
    unproven: true,
  });
  expect(validate(JSON.parse(JSON.stringify(report))), JSON.stringify(validate.errors)).toBe(true);
  expect(report.comparison?.exact_arguments).toBe(0.5);
  expect(report.comparison?.loop_completion_rate).toBeUndefined();
  const text = reportMarkdown(report);
  expect(text).toContain("| exact_arguments | 0.500 | 1.000 | 0.000 | +0.500 | 1/2 |");
  expect(text).toContain("Unproven");
  expect(text).not.toContain("<script>");
  expect(text).not.toContain("\u001b");
});

test("no figure is rounded up to a threshold that was not reached", () => {
  const of = (good: number, n: number) => allFigures(Array.from({ length: n }, (_, i) => record({ completed: i < good }))).loop_completion_rate?.value;
  expect(of(440, 449)).toBeLessThan(0.98);
  expect(of(441, 450)).toBe(0.98);
  expect(of(2, 3)).toBe(0.6667);
});
