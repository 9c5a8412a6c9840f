/** What the stages after training write, by the formats that the recipe names. */
import { expect, test } from "vitest";
import { bytesAfterTraining } from "../../src/models/memory.ts";

const model = { parameters: 1e9 };
const GB = 1e9;

test("every format counts with its own size, its copy in the bundle and the untuned model beside it; an adapter is none of that", () => {
  expect(bytesAfterTraining(model, [], true)).toBe(6 * GB);
  expect(bytesAfterTraining(model, ["lora"], true)).toBe(6 * GB);
  expect(bytesAfterTraining(model, ["f32"], false)).toBe((6 + 2 * 4) * GB);
  // SmolLM2's file in q4_k_m has 0.78 bytes a weight, as its rows fit no block.
  expect(bytesAfterTraining(model, ["q4_k_m"], false)).toBeGreaterThan((6 + 2 * 0.78) * GB);
  const of = (...formats: Parameters<typeof bytesAfterTraining>[1]) => bytesAfterTraining(model, formats, true);
  expect(of("q4_k_m")).toBeLessThan(of("q8_0"));
  expect(of("q8_0")).toBeLessThan(of("f16"));
  expect(of("f16") - of()).toBeCloseTo((3 * (bytesAfterTraining(model, ["f16"], false) - of())) / 2, -1);
});
