/** Toolsets that are made up: valid, never twice the same, and such that the builtin teacher has something to say about each. */
import { expect, test } from "vitest";
import { SERVICES } from "../../src/data/curriculum/catalogue.ts";
import { PARAMETERS } from "../../src/data/curriculum/parameters.ts";
import { makeToolset } from "../../src/data/curriculum/toolsets.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
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
