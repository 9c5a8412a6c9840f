/** The rows of training: every conversation whole, and once more up to the first move. */
import { expect, test } from "vitest";
import { getFamily } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import { trainingRows } from "../../src/models/rows.ts";
import type { Sample } from "../../src/schemas/generated/sample.ts";

const smollm2 = getFamily("smollm2");
if (!smollm2.ok) throw new Error("smollm2 is gone");
const renderer = createRenderer(smollm2.value);
const call = { id: "call_1", type: "function" as const, function: { name: "get_weather", arguments: '{"location":"Oslo"}' } };
const sample: Sample = {
  id: "standard/get_weather/0000",
  source: "seed",
  scenario: "standard",
  kind: "plain",
  tool_name: "get_weather",
  frame: "weather in {location}",
  qc_passed: true,
  messages: [
    { role: "system", content: "You are a helpful AI assistant." },
    { role: "user", content: "weather in Oslo" },
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", content: '{"temperature_c":3}', tool_call_id: "call_1" },
    { role: "assistant", content: "It is 3 °C in Oslo." },
  ],
};

test("a conversation is learned whole, and its first move once more", () => {
  const [whole, first] = trainingRows([sample], renderer, []);
  expect(whole?.segments.filter((s) => s.learn).map((s) => s.text)).toEqual([
    '<tool_call>\n{"name":"get_weather","arguments":{"location":"Oslo"}}\n</tool_call><|im_end|>',
    "It is 3 °C in Oslo.<|im_end|>",
  ]);
  expect(first?.id).toBe(`${sample.id}#first`);
  const text = (segments: readonly { text: string }[] | undefined): string => (segments ?? []).map((s) => s.text).join("");
  expect(text(whole?.segments).startsWith(text(first?.segments))).toBe(true);
  expect(text(first?.segments).endsWith("</tool_call><|im_end|>")).toBe(true);
});
