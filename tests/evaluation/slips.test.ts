/** What went wrong with an argument, by kind, and in words. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { matchCalls } from "../../src/evaluation/judge.ts";
import { allowedValues, slipsOf, slipWords } from "../../src/evaluation/slips.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import type { Toolset } from "../../src/schemas/generated/toolset.ts";

const due = {
  name: "book",
  arguments: {
    city: ["San Francisco"],
    from: ["2026-03-01"],
    seats: [2],
    class: ["economy", ""],
    note: ["", "vegetarian meal"],
    airline: ["Delta Airlines"],
  },
};
const right: JsonObject = { city: "San Francisco", from: "2026-03-01", seats: 2, airline: "Delta Airlines" };
const tools = [
  { name: "book", description: "", input_schema: { type: "object", properties: { class: { type: "string", enum: ["economy", "business"] } } } },
] as unknown as Toolset["tools"];

test.each<[string, JsonObject, string[]]>([
  ["all right", right, []],
  ["an optional one given as accepted", { ...right, class: "Economy" }, []],
  ["one missing", { city: "San Francisco", from: "2026-03-01", seats: 2 }, ["airline missing"]],
  ["one that the call does not have", { ...right, hotel: "Ritz" }, ["hotel invented"]],
  ["an optional one that nobody asked for", { ...right, note: "window seat" }, ["note invented"]],
  ["another argument's value", { ...right, city: "Delta Airlines" }, ["city wrong_slot"]],
  ["a number as text", { ...right, seats: "2" }, ["seats wrong_form"]],
  ["a date's other order", { ...right, from: "01/03/2026" }, ["from wrong_form"]],
  ["a part of the value", { ...right, airline: "Delta" }, ["airline wrong_form"]],
  ["a list of one", { ...right, airline: ["Delta Airlines"] }, ["airline wrong_form"]],
  ["another allowed value", { ...right, class: "business" }, ["class wrong_enum_value"]],
  ["a word that is none of the allowed values", { ...right, class: "blorp" }, ["class invented"]],
  ["a number that is a part of another", { ...right, seats: 20 }, ["seats wrong_value"]],
  ["a number with the other sign", { ...right, seats: -2 }, ["seats wrong_value"]],
  ["anything else", { ...right, city: "Oslo", seats: 3 }, ["city wrong_value", "seats wrong_value"]],
])("%s", (_, given, expected) => {
  expect(slipsOf(given, due, allowedValues(tools)).map((s) => `${s.argument} ${s.how}`)).toEqual(expected);
});

test("are told with what was given and what was due", () => {
  expect(slipsOf({ ...right, seats: 3, hotel: "Ritz" }, due).map(slipWords)).toEqual([
    "`seats` is 3, 2 is due (wrong value)",
    '`hotel` is "Ritz", which nobody asked for',
  ]);
  expect(slipsOf({ from: "2026-03-01", seats: 2, airline: "Delta Airlines" }, due).map(slipWords)).toEqual(['`city` is missing, "San Francisco" is due']);
});

test("a call that is exact has none, and one that is not exact has at least one", () => {
  const value = fc.oneof(fc.constantFrom("a", "b", "c d", ""), fc.integer({ min: 0, max: 3 }), fc.boolean());
  const args = fc.dictionary(fc.constantFrom("x", "y", "z"), value);
  const accepted = fc.dictionary(fc.constantFrom("x", "y", "z"), fc.array(value, { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(args, accepted, (given, expected) => {
      const { exact, slips } = matchCalls([{ name: "f", arguments: given }], [{ name: "f", arguments: expected }]);
      expect(slips.length === 0).toBe(exact);
    }),
  );
});
