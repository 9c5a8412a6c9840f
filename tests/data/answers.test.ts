/** What an answer is judged by: words compared without punctuation, numbers read from text and JSON. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plain, problemsOfAnswer } from "../../src/data/answers.ts";

test("words of ASCII are compared as any others", () => {
  const slow = (text: string): string =>
    text
      .normalize("NFKC")
      .toLowerCase()
      .replaceAll(/[\p{P}\s]/gu, "");
  fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (text) => plain(text) === slow(text)));
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => plain(text) === slow(text)));
});

describe("an answer", () => {
  const of = (answer: string, result: string, given = ""): string[] => problemsOfAnswer(answer, { results: [result], given: [given] });
  test.each([
    ["3 °C", '{"temperature_c":3}', true],
    ["Three degrees.", '{"temperature_c":3}', true],
    ["4 °C", '{"temperature_c":3}', false],
    ["About 3.3 °C", '{"temperature_c":3.26}', true],
    ["There are two alerts.", '[{"a":"x"},{"a":"y"}]', false],
    ["There are two alerts, x and y.", '[{"a":"x"},{"a":"y"}]', true],
    ["Nothing is planned.", "[]", true],
    ["It is planned.", "[]", false],
    ["It is null and void: nothing.", "null", true],
    ["It rains.", "  [not JSON", true],
    ["7 of them", "[not JSON, 7", true],
    ["8 of them", "[not JSON, 7", false],
    // A sign counts, unless the answer's words turn the number round.
    ["It is 12 °C in Oslo.", '{"city":"Oslo","temperature":-12}', false],
    ["It is -12 °C in Oslo.", '{"city":"Oslo","temperature":-12}', true],
    ["It is \u221212 °C in Oslo.", '{"city":"Oslo","temperature":-12}', true],
    ["It's 12 degrees below zero in Oslo.", '{"city":"Oslo","temperature":-12}', true],
    ["It is -12 °C in Oslo.", '{"city":"Oslo","temperature":12}', false],
    ["Oslo, 5-12 °C.", '{"city":"Oslo","low":5,"high":12}', true],
    ["Sales fell by 4 % to 96.", '{"change":-4,"sales":96}', true],
    ["You owe $12: the balance is -$12.", '{"balance":-12}', true],
    ["New York is at UTC-5.", '{"utc_offset":-5}', true],
    ["It is \u20135 °C.", '{"temperature":-5}', true],
    ["You spent $42.10 at Starbucks.", '{"amount":-42.1,"at":"Starbucks"}', true],
    ["Seats:-5 left, 10 -15 of them", '{"left":5,"range":[10,15]}', true],
    ["In Owensboro it is 12 °C.", '{"city":"Owensboro","t":-12}', false],
    ["The wind is at 12 km/h from the west, and the air is at 7 °C.", '{"wind":12,"temp":-7}', false],
    ["Due on 2026-07-05.", '{"due":"2026-07-05"}', true],
  ])("%j to %s", (answer, result, fine) => expect(of(answer, result).length === 0).toBe(fine));
});
