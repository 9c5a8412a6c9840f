import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kindsOf } from "../../src/data/kinds.ts";
import { nextSeat, planSynthesis } from "../../src/data/plan.ts";
import type { Slot } from "../../src/data/types.ts";
import { ALL, toolset, WEIGHTS, weatherSet } from "./fixtures.ts";

const plan = (samples: number, o: { set?: (typeof ALL)[number][1]; min?: number; evaluation?: number; weights?: Record<string, number> } = {}) =>
  planSynthesis({
    toolset: o.set ?? weatherSet,
    samples,
    minPerTool: o.min ?? 0,
    scenarios: o.weights ?? WEIGHTS,
    evaluationSamples: o.evaluation ?? 0,
    seed: 7,
  });

const count = (slots: readonly Slot[], key: (s: Slot) => string): Record<string, number> => {
  const n: Record<string, number> = {};
  for (const s of slots) n[key(s)] = (n[key(s)] ?? 0) + 1;
  return n;
};
const sets = fc.constantFrom(...ALL.map(([, set]) => set));
const part = fc.integer({ min: 1, max: 20 });
const weights = fc.tuple(part, part, part, part, part).map(([a, b, c, d, e]) => {
  const sum = a + b + c + d + e;
  return { standard: a / sum, no_tool: b / sum, error: c / sum, ambiguous: d / sum, edge: e / sum };
});

describe("a synthesis plan", () => {
  it("keeps every slot when more samples are asked for", () => {
    fc.assert(
      fc.property(
        sets,
        weights,
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 0, max: 150 }),
        fc.integer({ min: 0, max: 12 }),
        (set, w, n, more, min) => {
          const small = plan(n, { set, weights: w, min }).train;
          const large = plan(n + more, { set, weights: w, min }).train;
          const byId = new Map(large.map((s) => [s.id, s]));
          for (const s of small) expect(byId.get(s.id)).toMatchObject({ scenario: s.scenario, kind: s.kind, tool: s.tool });
          const regular = small.filter((s) => !s.extra);
          expect(large.slice(0, regular.length)).toEqual(regular);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("has exactly as many slots as asked for, beside those that meet a minimum, each with its own id", () => {
    fc.assert(
      fc.property(sets, weights, fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 15 }), (set, w, n, min) => {
        const { train } = plan(n, { set, weights: w, min });
        expect(train.filter((s) => !s.extra)).toHaveLength(n);
        expect(new Set(train.map((s) => s.id)).size).toBe(train.length);
      }),
      { numRuns: 60 },
    );
  });

  it("covers every scenario and gives every tool its minimum", () => {
    fc.assert(
      fc.property(sets, fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 15 }), (set, n, min) => {
        const { train } = plan(n, { set, min });
        const scenarios = count(train, (s) => s.scenario);
        for (const s of Object.keys(WEIGHTS)) expect(scenarios[s], s).toBeGreaterThan(0);
        const tools = count(
          train.filter((s) => s.scenario !== "no_tool"),
          (s) => s.tool ?? "",
        );
        for (const t of set.tools) expect(tools[t.name] ?? 0).toBeGreaterThanOrEqual(min);
      }),
      { numRuns: 60 },
    );
  });

  it("follows the weights to within one sample, as Webster's rule promises", () => {
    const got = count(plan(1000).train, (s) => s.scenario);
    expect(got).toEqual({ standard: 600, no_tool: 150, error: 100, ambiguous: 100, edge: 50 });
  });

  it("is balanced over tools", () => {
    for (const [, set] of ALL) {
      const tools = Object.values(
        count(
          plan(300, { set }).train.filter((s) => s.scenario === "standard"),
          (s) => s.tool ?? "",
        ),
      );
      expect(Math.max(...tools) - Math.min(...tools)).toBeLessThanOrEqual(1);
    }
  });

  it("uses every kind that the toolset allows", () => {
    for (const [name, set] of ALL) {
      const weights = { ...WEIGHTS, standard: 0.5, chain: 0.1 };
      const used = new Set(plan(600, { set, weights }).train.map((s) => `${s.scenario}/${s.kind}`));
      for (const k of kindsOf(set)) expect(used, `${name} ${k.scenario}/${k.kind}`).toContain(`${k.scenario}/${k.kind}`);
    }
  });

  it("plans evaluation apart, with a few cases for every tool and scenario", () => {
    for (const [, set] of ALL) {
      const { evaluation, train } = plan(300, { set, evaluation: 30 });
      expect(evaluation.every((s) => s.id.startsWith("eval/"))).toBe(true);
      expect(train.some((s) => s.id.startsWith("eval/"))).toBe(false);
      const tools = count(
        evaluation.filter((s) => s.scenario !== "no_tool"),
        (s) => s.tool ?? "",
      );
      for (const t of set.tools) expect(tools[t.name] ?? 0).toBeGreaterThanOrEqual(2);
      for (const n of Object.values(count(evaluation, (s) => s.scenario))) expect(n).toBeGreaterThanOrEqual(2);
    }
  });

  it("plans plain conversations only for a toolset without tools, and nothing for no samples", () => {
    expect(new Set(plan(20, { set: toolset([]) }).train.map((s) => s.scenario))).toEqual(new Set(["no_tool"]));
    expect(plan(0).train).toEqual([]);
  });
});

describe("nextSeat", () => {
  it("gives seats as Sainte-Laguë does: votes 53, 24, 23 and seven seats make 3, 2, 2", () => {
    const seats = [0, 0, 0];
    for (let i = 0; i < 7; i++) {
      const k = nextSeat([53, 24, 23], seats);
      seats[k] = (seats[k] as number) + 1;
    }
    expect(seats).toEqual([3, 2, 2]);
  });
});
