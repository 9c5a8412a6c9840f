/** Strange words: conversations stay sound, and nothing is said that the call does not have. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { curriculum } from "../../src/data/curriculum/examples.ts";
import { scrambleNames, scrambleValues, strangeValue } from "../../src/data/curriculum/scramble.ts";
import { makeToolset } from "../../src/data/curriculum/toolsets.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import type { Sample, Toolset } from "../../src/data/types.ts";
import { getFamily } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { compileSchema } from "../../src/tools/arguments.ts";

const answerPlain = async (questions: readonly string[]) => ({ ok: true as const, value: questions.map(() => "An answer.") });

async function samplesOf(toolset: Toolset, seed: number): Promise<readonly Sample[]> {
  const scenarios = { standard: 0.7, no_tool: 0.1, error: 0.1, ambiguous: 0.05, edge: 0.05 };
  const plan = planSynthesis({ toolset, samples: 20, minPerTool: 1, scenarios, evaluationSamples: 0, seed });
  const made = await generate({ toolset, plan, seed, session: null, answerPlain });
  if (!made.ok) throw new Error(made.error.message);
  return made.value.train;
}

const callsOf = (sample: Sample) => sample.messages.flatMap((m) => (m.role === "assistant" ? (m.tool_calls ?? []) : []));
const askedOf = (sample: Sample): string => sample.messages.find((m) => m.role === "user")?.content ?? "";

test("a strange value has the shape of the one that it stands for", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-ascii", maxLength: 30 }), fc.integer(), (value, seed) => {
      const strange = strangeValue(value, rngFor(seed));
      const shape = (text: string) =>
        text
          .replace(/[A-Z]+[a-z]*|[a-z]+/g, "w")
          .replace(/w+/g, "w")
          .replace(/\d/g, "9");
      expect(shape(strange)).toBe(shape(value));
    }),
  );
});

test("arguments keep to the schema, and a replaced value stands in request, call and answer alike", { timeout: 60_000 }, async () => {
  let replaced = 0;
  for (let i = 0; i < 12; i++) {
    const toolset = makeToolset(11, i);
    const plain = await samplesOf(toolset, i);
    const strange = plain.map((s, k) => scrambleValues(s, toolset, rngFor("scramble", i, k)));
    const renamed = scrambleNames(toolset, strange, rngFor("names", i));
    expect(new Set(renamed.toolset.tools.map((t) => t.name)).size).toBe(toolset.tools.length);
    for (const [k, sample] of strange.entries()) {
      const before = plain[k] as Sample;
      for (const [c, call] of callsOf(sample).entries()) {
        const was = JSON.parse(callsOf(before)[c]?.function.arguments ?? "{}") as Record<string, unknown>;
        const is = JSON.parse(call.function.arguments) as Record<string, unknown>;
        expect(Object.keys(is)).toEqual(Object.keys(was));
        for (const [name, value] of Object.entries(is)) {
          if (typeof value !== "string" || value === was[name]) continue;
          replaced += 1;
          expect(askedOf(sample)).toContain(value);
          expect(askedOf(before)).toContain(was[name]);
        }
        const again = callsOf(renamed.samples[k] as Sample)[c];
        const place = toolset.tools.findIndex((t) => t.name === call.function.name);
        const tool = renamed.toolset.tools[place];
        expect(again?.function.name).toBe(tool?.name);
        const check = compileSchema(tool?.input_schema as JsonObject);
        if (!check.ok) throw new Error(check.error);
        expect(check.value(JSON.parse(again?.function.arguments ?? "{}")), again?.function.arguments).toEqual({ valid: true, problems: [] });
      }
    }
  }
  expect(replaced).toBeGreaterThan(30);
});

test("a curriculum may grow, and is the same each time", { timeout: 60_000 }, async () => {
  const family = getFamily("smollm2");
  if (!family.ok) throw new Error(family.error.message);
  const renderer = createRenderer(family.value);
  const make = async () => {
    const texts: string[] = [];
    const o = {
      seed: 3,
      from: 0,
      toolsets: 12,
      samples: 6,
      renderer,
      answerPlain,
      mostTools: (i: number) => (i < 6 ? 1 : 15),
      strange: { values: 0.5, names: 0.5 },
    };
    for await (const made of curriculum(o)) {
      if (!made.ok) throw new Error(made.error.message);
      texts.push(made.value[0]?.segments[0]?.text ?? "");
    }
    return texts;
  };
  const texts = await make();
  expect(texts).toHaveLength(12);
  for (const text of texts.slice(0, 6)) expect(text.match(/^\{"name":"/gm)).toHaveLength(1);
  expect(Math.max(...texts.slice(6).map((t) => (t.match(/^\{"name":"/gm) ?? []).length))).toBeGreaterThan(2);
  expect(await make()).toEqual(texts);
});
