/** Reports of data measured in parts, by several, from files: the one that the samples in memory gave when everything was compared with everything. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findDuplicates } from "../../src/data/checks/set-checks.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { measureQuality, type QaInput } from "../../src/data/qa.ts";
import { Gathered } from "../../src/data/scale/report.ts";
import { Tally } from "../../src/data/scale/tally.ts";
import { jaccard, NEAR_DUPLICATE, shingles } from "../../src/data/similarity.ts";
import type { EvaluationCase, GenerationStatistics, Sample } from "../../src/data/types.ts";
import { weatherSet } from "./fixtures.ts";
import { findDuplicates as findOneByOne, measureQuality as measureAtOnce } from "./oracle/qa.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "forge-scale-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const word = fc.constantFrom("rain", "sun", "wind", "in", "the", "oslo", "paris", "tomorrow", "5 - 3", "C#", "snö", "…");
/** Some prompts of a set are others with words more, less or changed. */
const prompts = fc
  .array(fc.tuple(fc.array(word, { minLength: 0, maxLength: 50 }), fc.nat(), fc.constantFrom("new", "same", "more", "less", "other"), fc.nat(60)), {
    maxLength: 40,
  })
  .map((rows) => {
    const made: string[][] = [];
    for (const [words, of, how, at] of rows) {
      const from = how === "new" || made.length === 0 ? words : [...(made[of % made.length] as string[])];
      if (how === "more") from.splice(at % (from.length + 1), 0, "fog");
      if (how === "less") from.splice(at % (from.length + 1), 1);
      if (how === "other" && from.length > 0) from[at % from.length] = "fog";
      made.push(from);
    }
    return made.map((w) => w.join(" "));
  });

const call = fc.constantFrom<[string, string]>(
  ["get_weather", '{"location":"Oslo Town"}'],
  ["get_weather", "{}"],
  ["get_forecast", '{"location":"Lima","days":99}'],
  ["get_forecast", "{"],
  ["get_tides", "{}"],
);

const sampleOf = (user: string, i: number, [name, args]: [string, string], tool: string | null, scenario: Sample["scenario"]): Sample => ({
  id: `s/${i}`,
  source: "seed",
  scenario,
  kind: i % 3 === 0 ? "plain" : "constructor",
  tool_name: tool,
  frame: `frame ${i % 7}`,
  qc_passed: true,
  ...(i % 5 === 0 ? { simulated: true } : {}),
  messages: [
    { role: "user", content: user },
    { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name, arguments: args } }] },
    { role: "tool", content: '{"sky":"clear"}', tool_call_id: "c" },
    { role: "assistant", content: "It is clear." },
  ],
});

const sets = fc
  .tuple(
    prompts,
    fc.infiniteStream(call),
    fc.infiniteStream(fc.constantFrom(null, "get_weather", "get_alerts", "__proto__")),
    fc.infiniteStream(fc.constantFrom("standard", "error")),
  )
  .map(([users, calls, tools, scenarios]) =>
    users.map((u, i) => sampleOf(u, i, calls.next().value, tools.next().value as string | null, scenarios.next().value as Sample["scenario"])),
  );

const NOTHING_GENERATED: Omit<GenerationStatistics, "short"> = {
  version: 1,
  teacher: "test",
  planned: 0,
  produced: 0,
  heldout_planned: 0,
  heldout_produced: 0,
  generated: 9,
  first_pass_valid: 8,
  regenerated: 0,
  dropped: {},
  calls: { executed: 0, failed: 0, timed_out: 0, simulated: 0, injected: 0 },
  warnings: [],
};

const cases = (samples: readonly Sample[], extra: readonly string[]): EvaluationCase[] =>
  [...samples.filter((_, i) => i % 4 === 0).map((s) => s.messages[0]?.content ?? ""), ...extra].map((content, i) => ({
    id: `e/${i}`,
    messages: [{ role: "user", content: i % 2 === 0 ? content : `${content} fog` }],
    expect: [{ name: "get_weather", arguments: { location: [i % 3 === 0 ? "Oslo Town" : "Lima Town"] } }],
    frame: `frame ${i}`,
  })) as EvaluationCase[];

const plan = planSynthesis({
  toolset: weatherSet,
  samples: 30,
  minPerTool: 2,
  scenarios: { standard: 0.6, no_tool: 0.2, error: 0.2 },
  evaluationSamples: 4,
  seed: 7,
});
/** Slots of the plan that stayed empty, and why. */
const shorts = fc.array(fc.tuple(fc.nat(), fc.constantFrom("the teacher found no wording that fits", "every attempt failed: duplicate")), { maxLength: 9 });
const inputs = fc.tuple(sets, prompts, fc.option(shorts)).map(([samples, extra, short]): QaInput => {
  const slots = [...plan.train, ...plan.evaluation];
  const planned = short?.map(([at, reason]) => ({ slot: slots[at % slots.length]?.id ?? "", reason }));
  return {
    samples,
    heldout: cases(samples, extra.slice(0, 4)),
    toolset: weatherSet,
    ...(planned === undefined ? {} : { plan, statistics: { ...NOTHING_GENERATED, short: planned } }),
  };
});

describe("the report", () => {
  it("is what it was when everything was kept", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(JSON.stringify(measureQuality(input))).toBe(JSON.stringify(measureAtOnce(input)));
      }),
      { numRuns: 300 },
    );
  });

  it("is the same for any parts, measured by any number of workers, with next to no memory", () => {
    fc.assert(
      fc.property(
        inputs,
        fc.array(fc.nat(9), { minLength: 1 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 600, max: 2000 }),
        (input, lengths, workers, room) => {
          const { samples, ...beside } = input;
          const tallies = Array.from(
            { length: workers },
            () => new Tally(beside.toolset, beside.heldout, () => folder, room, { cells: beside.plan !== undefined }),
          );
          const gathered = new Gathered(beside, () => folder, room);
          for (let from = 0, i = 0; from < samples.length || i === 0; i++) {
            const to = from + (lengths[i % lengths.length] as number) + (i % 2);
            const tally = tallies[(lengths[i % lengths.length] as number) % workers] as Tally;
            for (const s of samples.slice(from, to)) tally.see(s);
            gathered.add(tally.takePart());
            from = to;
          }
          for (const tally of tallies.reverse()) gathered.addRest(tally.takeRest());
          gathered.findDoubles();
          const report = gathered.report((place) => samples[place]?.id ?? "");
          gathered.close();
          expect(JSON.stringify(report)).toBe(JSON.stringify(measureQuality(input)));
          expect(readdirSync(folder)).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("duplicates", () => {
  const named = (texts: readonly string[]): Sample[] => texts.map((t, i) => sampleOf(t, i, ["get_weather", "{}"], null, "standard"));

  it("are those that are found one by one, of long texts too", () => {
    const long = fc
      .tuple(
        fc.array(fc.nat(2000), { minLength: 20, maxLength: 700 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 4 })), { maxLength: 12 }),
      )
      .map(([words, changes]) => {
        const texts = [words];
        for (const [of, at, n] of changes) {
          const copy = [...(texts[of % texts.length] as number[])];
          for (let i = 0; i < n; i++) copy[(at * (i + 1)) % copy.length] = 5000 + i;
          if (at % 3 === 0) copy.length -= Math.min(n, copy.length - 1);
          texts.push(copy);
        }
        return texts.map((t) => t.map((w) => `w${w}`).join(" "));
      });
    fc.assert(
      fc.property(fc.oneof(prompts, long), (texts) => {
        expect(findDuplicates(named(texts))).toEqual(findOneByOne(named(texts)));
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    [
      "one wording with a value at its end",
      (i: number) =>
        `please tell me what the weather in the town is going to be like for the whole of the coming week or so if you can find it out for me at all today and then also whether i should take the umbrella of my aunt with me to ${i}`,
    ],
    [
      "all the same",
      () => "what is the weather in the town going to be like for the whole of the coming week or so if you can find it out for me at all today",
    ],
    ["random words of ten", (i: number) => Array.from({ length: 60 }, (_, k) => "abcdefghij"[(Math.imul(i * 61 + k, 0x9e3779b1) >>> 13) % 10]).join(" ")],
    [
      "one wording with two values",
      (i: number) =>
        `please tell me what the weather in the town of number${i} is going to be like for the whole of the coming week if you can find it out for number${i * 7}`,
    ],
  ])("cost no more than their number in %s", (_, text) => {
    const few = named(Array.from({ length: 2_000 }, (__, i) => text(i)));
    const texts = few.map((s) => shingles(s.messages[0]?.content ?? ""));
    const found = new Set(findDuplicates(few).map((d) => d.id));
    // What is left is no duplicate of what is left.
    const left = few.map((s, i) => ({ s, i })).filter(({ s }) => !found.has(s.id));
    for (const { i } of left.slice(-40))
      for (const { i: k } of left) if (k < i) expect(jaccard(texts[i] as Uint32Array, texts[k] as Uint32Array)).toBeLessThan(NEAR_DUPLICATE);
    expect(findDuplicates(named(Array.from({ length: 10_000 }, (__, i) => text(i)))).length).toBeGreaterThanOrEqual(0);
  });
});
