/** Toolsets that are made up: valid, never twice the same, and such that the builtin teacher has something to say about each. */
import { expect, test } from "vitest";
import { SERVICES } from "../../src/data/curriculum/catalogue.ts";
import { curriculum, UNANSWERED } from "../../src/data/curriculum/examples.ts";
import { PARAMETERS } from "../../src/data/curriculum/parameters.ts";
import { makeToolset } from "../../src/data/curriculum/toolsets.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { getFamily } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import { NAME } from "../../src/tools/toolset.ts";

test("the catalogue names parameters that are described, each operation once", () => {
  const keys = SERVICES.flatMap((s) => s.operations.flatMap((o) => o.parameters.map((p) => p.key)));
  expect(keys.filter((k) => !Object.hasOwn(PARAMETERS, k))).toEqual([]);
  expect(Object.keys(PARAMETERS).filter((k) => !keys.includes(k))).toEqual([]);
  for (const s of SERVICES) expect(new Set(s.operations.map((o) => `${o.verb} ${o.object}`)).size).toBe(s.operations.length);
});

test("toolsets follow from seed and number, and hardly ever repeat", () => {
  const hashes = Array.from({ length: 500 }, (_, i) => makeToolset(1, i).hash);
  expect(new Set(hashes).size).toBeGreaterThan(490);
  expect(makeToolset(1, 7)).toEqual(makeToolset(1, 7));
  expect(makeToolset(2, 7).hash).not.toBe(makeToolset(1, 7).hash);
  for (let i = 0; i < 200; i++) for (const tool of makeToolset(3, i).tools) expect(tool.name).toMatch(NAME);
});

test("the builtin teacher fills nearly every slot for any of them", { timeout: 60_000 }, async () => {
  const scenarios = { standard: 0.65, no_tool: 0.2, error: 0.05, ambiguous: 0.05, edge: 0.05 };
  let [planned, produced] = [0, 0];
  for (let i = 0; i < 60; i++) {
    const toolset = makeToolset(4, i);
    const plan = planSynthesis({ toolset, samples: 20, minPerTool: 1, scenarios, evaluationSamples: 0, seed: i });
    const made = await generate({ toolset, plan, seed: i, session: null, answerPlain: async (q) => ({ ok: true, value: q.map(() => "An answer.") }) });
    if (!made.ok) throw new Error(made.error.message);
    planned += plan.train.length;
    produced += made.value.train.length;
  }
  expect(produced / planned).toBeGreaterThan(0.95);
});

test("a toolset's examples share its prompt; requests for another server's tools are declined; what was not answered is left out", {
  timeout: 60_000,
}, async () => {
  const family = getFamily("smollm2");
  if (!family.ok) throw new Error(family.error.message);
  const renderer = createRenderer(family.value);
  const asked: string[] = [];
  const make = async (answer: string) => {
    const all = [];
    const answerPlain = async (questions: readonly string[]) => {
      asked.push(...questions);
      return { ok: true as const, value: questions.map(() => answer) };
    };
    for await (const made of curriculum({ seed: 5, from: 0, toolsets: 20, samples: 15, renderer, answerPlain })) {
      if (!made.ok) throw new Error(made.error.message);
      const [first] = made.value;
      const prompt = first?.segments[0]?.text.split("<|im_start|>user")[0] ?? "";
      expect(prompt).toContain("<tools>");
      for (const e of made.value) {
        expect(e.group).toBe(first?.group);
        expect(e.segments[0]?.text.startsWith(prompt)).toBe(true);
        expect(e.segments.some((s) => s.learn && s.text.trim() !== "")).toBe(true);
      }
      all.push(...made.value);
    }
    return all;
  };
  const all = await make("Paris, as far as I know.");
  expect(asked.length).toBeGreaterThan(5);
  const foreign = all.filter((e) => e.id.includes("/no_tool/foreign/"));
  expect(foreign.length).toBeGreaterThan(20);
  for (const e of foreign) for (const s of e.segments) if (s.learn) expect(s.text).not.toContain("<tool_call>");
  expect(await make("Paris, as far as I know.")).toEqual(all);
  const general = (examples: typeof all) => examples.filter((e) => e.id.includes("/general/")).length;
  expect(general(all)).toBeGreaterThan(5);
  expect(general(await make(UNANSWERED))).toBe(0);
});
