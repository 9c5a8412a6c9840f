/** How alike samples are, on a sample of them: the same in any order and in any parts; what says few wordings over and over is told from what does not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
// @ts-expect-error: a script of the benches, without types
import { row } from "../../bench/qa/rows.mjs";
import { measureQuality } from "../../src/data/qa.ts";
import { Alike, ENTRY, KEPT, MOST_WORDS } from "../../src/data/scale/alike.ts";
import type { Sample } from "../../src/data/types.ts";
import { weatherSet } from "./fixtures.ts";

/** What `forge qa` refuses by default (src/recipe/defaults.ts). */
const LIMIT = 0.85;

const sample = (content: string, location: string, tool = "get_weather"): Sample => ({
  id: content,
  source: "seed",
  scenario: "standard",
  kind: "plain",
  tool_name: tool,
  frame: "",
  qc_passed: true,
  messages: [
    { role: "user", content },
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "call_1", type: "function", function: { name: tool, arguments: JSON.stringify({ location }) } }],
    },
  ],
});

const WORDINGS = [
  "What is the weather in {} right now?",
  "Please tell me how warm it is in {}.",
  "Do I need an umbrella in {} today?",
  "{} conditions please",
  "I'm traveling to {} tomorrow, how's it looking there?",
  "Is it raining in {}?",
  "Give me a forecast for {}",
  "How windy is {} at the moment?",
];
const town = (i: number): string => `Tor${String.fromCharCode(97 + (i % 26), 97 + (Math.floor(i / 26) % 26))}burg`;
const said = (wordings: number, samples: number, towns = samples): Sample[] =>
  Array.from({ length: samples }, (_, i) => {
    const place = town(i % towns);
    return sample((WORDINGS[i % wordings] as string).replace("{}", place), place);
  });
const alike = (samples: readonly Sample[]): Alike => {
  const all = new Alike(weatherSet);
  for (const s of samples) all.see(s);
  return all;
};
const shuffled = (samples: readonly Sample[]): Sample[] =>
  samples
    .map((s, i) => [(i * 7919) % 1009, s] as const)
    .sort(([a], [b]) => a - b)
    .map(([, s]) => s);

describe("few wordings, said over and over with other values", () => {
  it.each([1, 2, 3, 5, 8])("%i of them are refused, in whatever order", (wordings) => {
    const samples = said(wordings, 300);
    const { figures } = measureQuality({ samples, heldout: [], toolset: weatherSet });
    expect(figures.self_similarity).toBeGreaterThan(LIMIT);
    const again = measureQuality({ samples: shuffled(samples), heldout: [], toolset: weatherSet });
    expect(again.figures.self_similarity).toBe(figures.self_similarity);
    expect(again.diversity.self_similarity_by_tool).toEqual({ get_weather: figures.self_similarity });
  });

  it("are refused too where the values are few, or one", () => {
    expect(alike(said(2, 300, 2)).similarity()).toBeGreaterThan(0.99);
    expect(alike([...said(1, 290, 1), ...said(8, 10)]).similarity()).toBeGreaterThan(LIMIT);
  });

  it("are told of the tool that has them", () => {
    const mixed = [...said(1, 100).map((s) => ({ ...s, tool_name: "get_forecast" })), ...Array.from({ length: 300 }, (_, i) => row(i, 3) as Sample)];
    const { self_similarity_by_tool: by } = measureQuality({ samples: mixed, heldout: [], toolset: weatherSet }).diversity;
    expect(by.get_forecast).toBeGreaterThan(by.get_weather as number);
  });
});

describe("data that says things in many ways", () => {
  it("is far below the limit", () => {
    const seeds = readFileSync(join(import.meta.dirname, "../../bench/qa/seeds.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(alike(seeds.map((line) => JSON.parse(line) as Sample)).similarity()).toBeLessThan(LIMIT - 0.3);
    expect(alike(Array.from({ length: 1000 }, (_, i) => row(i, 5) as Sample)).similarity()).toBeLessThan(LIMIT - 0.3);
  });
});

describe("what is kept", () => {
  const many = Array.from({ length: 400 }, (_, i) => row(i % 250, 9) as Sample);

  it("is the same in any order, whoever saw what and in whatever order it is put together", () => {
    const whole = alike(many);
    const expected = whole.texts();
    expect(expected.length).toBeGreaterThan(2);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(many, { minLength: many.length }),
        fc.array(fc.nat(many.length), { maxLength: 4 }),
        fc.boolean(),
        (order, cuts, backwards) => {
          const places = [0, ...[...cuts].sort((a, b) => a - b), order.length];
          const parts = places.slice(1).map((end, i) => alike(order.slice(places[i], end)));
          if (backwards) parts.reverse();
          const together = new Alike(weatherSet);
          for (const part of parts) for (const texts of part.texts()) together.merge(texts);
          expect(together.texts()).toEqual(expected);
          expect(together.similarity()).toBe(whole.similarity());
        },
      ),
      { numRuns: 20 },
    );
  });

  it("is no more than so many texts of a tool, and nothing of tools that the set does not have", () => {
    const strangers = Array.from({ length: 50 }, (_, i) => sample(`do ${i}`, "x", `tool_${i}`));
    const long = Array.from({ length: 5000 }, (_, i) => `word${i}`).join(" ");
    expect(alike([sample(long, "x")]).texts()[0]?.words.length).toBe(MOST_WORDS);
    for (const { entries, words, samples } of alike([...said(8, 900), ...strangers]).texts()) {
      expect(entries.length / ENTRY).toBe(KEPT);
      expect(words.length).toBeGreaterThan(0);
      expect(samples).toBe(900);
    }
  });
});
