/** Which wordings count as one where nobody knows the frame behind them, and that all of them are found. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FreeText, HeldValues } from "../../src/data/free-text.ts";
import { WordingWatch, wordingLeakage } from "../../src/data/leakage.ts";
import { jaccard } from "../../src/data/similarity.ts";
import type { EvaluationCase, Sample } from "../../src/data/types.ts";
import { NEAR_WORDING, type Wording, WordingIndex, wordingOfCase, wordingOfSample } from "../../src/data/wording.ts";
import { shopSet, weatherSet } from "./fixtures.ts";

const call = (name: string, args: object) => ({ id: "c", type: "function", function: { name, arguments: JSON.stringify(args) } });
const sample = (user: string, args: object | null = null, name = "get_weather"): Sample =>
  ({
    frame: "",
    messages: [{ role: "user", content: user }, ...(args === null ? [] : [{ role: "assistant", content: null, tool_calls: [call(name, args)] }])],
  }) as unknown as Sample;
const heldout = (user: string, expect: EvaluationCase["expect"] = null): EvaluationCase =>
  ({ id: "eval/x", messages: [{ role: "user", content: user }], expect }) as EvaluationCase;
const of = (user: string, location?: string): Wording => wordingOfSample(sample(user, location === undefined ? null : { location }));
const isNear = (a: Wording, b: Wording): boolean => jaccard(a.blanked, b.blanked) >= NEAR_WORDING || jaccard(a.said, b.said) >= NEAR_WORDING;

describe("two wordings", () => {
  it.each([
    ["What's the weather in Oslo?", "Oslo", "What is the weather like in Lima?", "Lima"],
    ["What's the weather in Oslo?", "Oslo, Norway", "whats the weather in lima", "Lima, Peru"],
    ["Hi, how is the weather in Oslo?", "Oslo", "How’s the weather in Lima, please", "Lima"],
    ["Any alerts for Oslo over 5 days?", "Oslo", "any alerts for Lima over 12 days", "Lima"],
    ["北京天气怎么样", "北京", "上海天气怎么样", "上海"],
    ["北京今天天气怎么样?", "北京", "上海天气怎么样", "上海"],
    ["🌧️🌧️", undefined, "🌧️🌧️", undefined],
  ])("that say the same are one: %s", (a, valueA, b, valueB) => {
    expect(isNear(of(a, valueA), of(b, valueB))).toBe(true);
  });

  it.each([
    ["What's the weather in Oslo?", "Oslo", "Will it rain in Oslo?", "Oslo"],
    ["Is it cold in Oslo?", "Oslo", "Any storm warnings for Oslo?", "Oslo"],
    ["What is the capital of France?", undefined, "What is the capital of Peru?", undefined],
    ["Set -40", undefined, "Sing me a song", undefined],
  ])("that ask for other things are two: %s", (a, valueA, b, valueB) => {
    expect(isNear(of(a, valueA), of(b, valueB))).toBe(false);
  });

  it("are compared in a case by all the values that its call may have", () => {
    const due = [{ name: "get_weather", arguments: { location: ["Oslo, Norway", "oslo city"] } }] as unknown as EvaluationCase["expect"];
    expect(wordingOfCase(heldout("Rain over Oslo City?", due)).blanked).toEqual(of("rain over lima?", "Lima").blanked);
  });

  it("may be any text, with any values", () => {
    const json = fc.oneof(fc.string({ unit: "grapheme" }), fc.integer(), fc.double(), fc.array(fc.string()), fc.constant(null));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.dictionary(fc.string(), json), (user, args) => {
        const w = wordingOfSample(sample(user, args));
        return w.said.length > 0 && w.blanked.length > 0 && isNear(w, w);
      }),
    );
  });
});

describe("the index of wordings", () => {
  const word = fc.constantFrom(..."abcdefghij");
  const text = fc.array(word, { minLength: 1, maxLength: 9 }).map((w) => w.join(" "));

  it("finds exactly those that are near and still there", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: fc.nat(12), text, gone: fc.boolean() }), { maxLength: 30 }), text, (steps, asked) => {
        const index = new WordingIndex<number>();
        const there = new Map<number, Wording>();
        for (const s of steps) {
          if (s.gone) {
            index.remove(s.key);
            there.delete(s.key);
          } else {
            index.add(s.key, of(s.text));
            there.set(s.key, of(s.text));
          }
        }
        const near = [...there].flatMap(([key, w]) => (isNear(w, of(asked)) ? [key] : []));
        expect([...index.near(of(asked))].sort((a, b) => a - b)).toEqual(near.sort((a, b) => a - b));
        expect(index.has(of(asked))).toBe(near.length > 0);
      }),
      { numRuns: 500 },
    );
  });
});

describe("values of free text", () => {
  const free = new FreeText(shopSet);

  it("are those that the schema leaves open, nested ones among them", () => {
    const values = free.of("SearchProducts", { category: "Shoes", color: "Dark Red", in_stock: "True", max_price: 30 });
    expect(values).toEqual([{ argument: "SearchProducts color", value: "dark red" }]);
    expect(free.of("update_address", { customer: "Ann Lee", address: { street: "Elm St 5", city: "Oslo" } }).map((v) => v.argument)).toEqual([
      "update_address customer",
      "update_address address street",
      "update_address address city",
    ]);
    expect(free.of("no_such_tool", { a: "text" })).toEqual([]);
    expect(free.of("order_status_check", "no object")).toEqual([]);
  });

  it("are asked of no argument that has few", () => {
    const held = new HeldValues();
    const uses = (values: string[]) => values.map((value) => ({ argument: "t room", value }));
    held.add(uses(["kitchen", "bedroom"]));
    expect(held.has("kitchen")).toBe(true);
    held.add(uses(["kitchen", "bedroom", "kitchen"]));
    expect(held.has("kitchen")).toBe(false);
    held.add([{ argument: "t note", value: "kitchen" }]);
    expect(held.has("kitchen")).toBe(true);
    held.remove([{ argument: "t note", value: "kitchen" }, ...uses(["kitchen", "bedroom", "kitchen"])]);
    expect(held.has("kitchen")).toBe(true);
    held.remove(uses(["kitchen", "bedroom"]));
    expect(held.has("kitchen")).toBe(false);
  });
});

describe("what training and evaluation share", () => {
  it("is counted by wording and by value", () => {
    const train = [sample("What's the weather in Oslo?", { location: "Oslo" }), sample("Rain over Quito?", { location: "Quito" })];
    const due = (location: string) => [{ name: "get_weather", arguments: { location: [location] } }] as unknown as EvaluationCase["expect"];
    const cases = [heldout("What is the weather like in Lima?", due("Lima")), heldout("Do I need a coat in Quito today?", due("Quito"))];
    expect(wordingLeakage(train, cases, weatherSet)).toEqual({
      near_wordings: { value: 0.5, numerator: 1, denominator: 2 },
      shared_values: { value: 0.5, numerator: 1, denominator: 2 },
    });
    const parts = train.map((s) => {
      const watch = new WordingWatch(cases, weatherSet);
      watch.look(s);
      return watch;
    });
    parts[0]?.merge((parts[1] as WordingWatch).seen);
    expect(parts[0]?.leakage()).toEqual(wordingLeakage(train, cases, weatherSet));
    expect(wordingLeakage(train, [], weatherSet)).toEqual({
      near_wordings: { value: null, numerator: 0, denominator: 0 },
      shared_values: { value: null, numerator: 0, denominator: 0 },
    });
  });
});
