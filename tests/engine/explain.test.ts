/** One node in full, and the graph in three notations. */
import { expect, test } from "vitest";
import { drawGraph, explain } from "../../src/engine/explain.ts";
import { buildGraph } from "../../src/engine/graph.ts";
import { readLast } from "../../src/engine/inspect.ts";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { ok } from "../../src/platform/result.ts";
import { done, gate, Rig } from "./support/rig.ts";

const nodes = (rig: Rig, samples = 300): NodeDefinition[] => [
  rig.stage({ id: "generate", recipe: { "data.samples": samples } }),
  gate("gate:qa", "generate", 1),
  rig.stage({ id: "train", from: ["generate"], after: ["gate:qa"], recipe: { seed: 7 } }),
  rig.stage({ id: "export:q8_0", from: ["train"] }),
  rig.stage({ id: "export:f16", from: ["train"] }),
];

async function why(rig: Rig, word: string, samples = 300) {
  const last = readLast(rig.root, rig.lockfile);
  if (!last.ok) throw new Error(last.error.message);
  return explain(buildGraph(nodes(rig, samples)), await rig.plan(nodes(rig, samples)), last.value, word);
}

test("a stage is explained with what it reads, what waits for it, and when it last ran", async () => {
  const rig = new Rig();
  expect(await why(rig, "train")).toMatchObject({ ok: true, value: [{ id: "train", status: "run", reasons: ["never ran"], last: null }] });
  await rig.outcome(nodes(rig));
  expect(await why(rig, "train", 800)).toMatchObject({
    ok: true,
    value: [
      {
        id: "train",
        status: "maybe",
        reads: [{ stage: "generate", status: "run", reasons: ["`data.samples` 300 → 800"] }],
        after: ["gate:qa"],
        recipe: ["seed"],
        before: ["export:q8_0", "export:f16"],
        last: { at: expect.stringMatching(/^20/), seconds: expect.any(Number) },
      },
    ],
  });
});

test("a word may mean several, or none", async () => {
  const rig = new Rig();
  expect(await why(rig, "export")).toMatchObject({ ok: true, value: [{ id: "export:q8_0" }, { id: "export:f16" }] });
  expect(await why(rig, "exprt")).toMatchObject({ ok: false, error: { code: "engine/unknown-node", exit: 4, hint: expect.stringContaining("export:q8_0") } });
});

test("the graph is drawn in three notations, with labels that can do no harm", () => {
  const rig = new Rig();
  const graph = buildGraph([...nodes(rig), rig.stage({ id: 'odd"] --> x\n', from: ["train"] })]);
  expect(drawGraph(graph, "text").split("\n").slice(0, 3)).toEqual([
    expect.stringMatching(/^generate$/),
    expect.stringMatching(/^gate:qa +after generate$/),
    expect.stringMatching(/^train +after generate, gate:qa$/),
  ]);
  const mermaid = drawGraph(graph, "mermaid").split("\n");
  expect(mermaid[0]).toBe("flowchart LR");
  expect(mermaid).toContain('  n1{{"gate:qa"}}');
  expect(mermaid).toContain("  n0 --> n1");
  expect(mermaid.filter((l) => l.includes("-->")).every((l) => /^ {2}n\d+ --> n\d+$/.test(l) || l.includes('["odd'))).toBe(true);
  const dot = drawGraph(graph, "dot");
  expect(dot).toContain('n1 [label="gate:qa", shape=diamond];');
  expect(dot.split('"').length % 2).toBe(1);
});

test("a plan tells what a stage took and cost when it last ran", async () => {
  const rig = new Rig();
  const costly = (samples: number, usd: number): NodeDefinition =>
    rig.stage({
      id: "generate",
      recipe: { "data.samples": samples },
      costFigure: "teacher_usd",
      run: async (c) => {
        await done(c, String(samples));
        return ok({ figures: { teacher_usd: usd }, summary: "" });
      },
    });
  const next = async (samples: number) => (await rig.plan([costly(samples, 0)])).nodes[0];
  expect(await next(300)).not.toHaveProperty("estimateSeconds");
  await rig.outcome([costly(300, 0.42)]);
  expect(await next(300)).toMatchObject({ status: "cached" });
  expect(await next(800)).toMatchObject({ status: "run", estimateSeconds: expect.any(Number), estimateUsd: 0.42 });
  await rig.outcome([costly(800, 0)]);
  const free = await next(900);
  expect(free).toHaveProperty("estimateSeconds");
  expect(free).not.toHaveProperty("estimateUsd");
});
