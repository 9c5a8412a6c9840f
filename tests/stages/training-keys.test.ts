/** What of `train` decides the adapter, and so stands in the stage's key, and what does not. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { buildGraph } from "../../src/engine/graph.ts";
import { keysOf } from "../../src/engine/key.ts";
import type { StageDefinition } from "../../src/engine/stage.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";

const project = realpathSync(mkdtempSync(join(tmpdir(), "forge-train-keys-")));
afterAll(() => rmSync(project, { recursive: true }));
mkdirSync(join(project, ".git"));

async function load(train: string) {
  const file = join(project, "forge.yaml");
  writeFileSync(file, `version: 1\nname: x\ntools:\n  - stub: weather\ntrain: ${train}\n`);
  return loadRecipe(file);
}

/** The train stage of such a recipe, and its key. */
async function stage(train: string): Promise<{ definition: StageDefinition; key: string | undefined }> {
  const loaded = await load(train);
  if (!loaded.ok) throw new Error(loaded.error[0]?.message);
  const pipeline = buildPipeline(loaded.value);
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  const definition = pipeline.value.nodes.find((n): n is StageDefinition => n.id === "train" && n.kind === "stage");
  if (definition === undefined) throw new Error("no train");
  return { definition, key: keysOf(buildGraph(pipeline.value.nodes)).get("train")?.recipe };
}

test("a recipe that says nothing of evaluation has the key that it had", async () => {
  const { definition } = await stage("{}");
  expect(definition.recipe.train).toEqual({});
  expect(definition.outputs).toEqual({ adapter: "folder", rows: "file", training: "file" });
  expect(Object.keys(definition.settings?.hyperparameters as object).sort()).toEqual(
    [
      "alpha",
      "batching",
      "dropout",
      "epochs",
      "learning_rate",
      "max_tokens",
      "rank",
      "samples_per_step",
      "shuffle_tools",
      "warmup_steps",
      "weight_decay",
    ].sort(),
  );
  expect(Object.keys(definition.settings ?? {}).sort()).toEqual(["base", "examples", "head_start", "hyperparameters", "samples_seen"]);
});

test("what changes nothing in the adapter is in no key; what may change it is", async () => {
  const plain = (await stage("{}")).key;
  for (const same of [
    "{ report_to: [tensorboard, wandb] }",
    "{ save_steps: 5, save_total_limit: 4 }",
    "{ gradient_checkpointing: true }",
    "{ gradient_checkpointing: auto }",
    // Memory decides into rows of how many tokens a step is cut, here or on another machine.
    "{ row_tokens: 700 }",
    // How many processes share a step out is machinery: the same lockfile for a machine with one GPU and one with eight.
    "{ gpus: all }",
    "{ gpus: 4, processes: 2 }",
  ])
    expect((await stage(same)).key, same).toBe(plain);
  const keys = [plain];
  for (const other of [
    "{ eval_fraction: 0.1 }",
    "{ eval_fraction: 0.1, eval_steps: 3 }",
    "{ eval_fraction: 0.1, early_stopping_patience: 2 }",
    "{ batching: packed }",
  ])
    keys.push((await stage(other)).key);
  expect(new Set(keys).size).toBe(5);
});

test("wrong values are shown at their place, with what would be right", async () => {
  const told = async (train: string) => {
    const loaded = await load(train);
    return loaded.ok ? [] : loaded.error.map((e) => `${e.place?.line}:${e.place?.column} ${e.message} (${e.hint})`);
  };
  expect(await told("{ eval_steps: 4 }")).toEqual([
    expect.stringMatching(/^5:\d+ `eval_steps` needs `eval_fraction`: nothing is held out .*add `eval_fraction: 0.1` beside it/),
  ]);
  expect(await told("{ early_stopping_patience: 4 }")).toHaveLength(1);
  expect((await told("{ report_to: [tensorbord] }"))[0]).toMatch(/tensorbord.*tensorboard/);
  expect((await told("{ eval_fraction: 0.9 }"))[0]).toMatch(/at most 0\.5/);
  expect((await told("{ gradient_checkpointing: maybe }"))[0]).toMatch(/maybe/);
  expect((await told("{ eval_step: 2 }"))[0]).toMatch(/eval_steps/);
  expect((await told("{ gpus: some }"))[0]).toMatch(/`all`, or a whole number from 1 to 64.*some/);
  expect((await told("{ gpus: 0 }"))[0]).toMatch(/5:16 .*from 1 to 64.*0/);
  expect((await told("{ gpus: 1.5 }"))[0]).toMatch(/1\.5/);
  expect((await told("{ processes: all }"))[0]).toMatch(/processes/);
});

test("what trains is in the key, the recipe's and the stage's, by the recipe's word or the family's", async () => {
  const plain = await stage("{}");
  const qlora = await stage("{ backend: qlora }");
  const unsloth = await stage("{ backend: unsloth }");
  expect(new Set([plain.key, qlora.key, unsloth.key]).size).toBe(3);
  // Of the default's key and settings nothing has changed by there being others.
  expect([plain.definition.settings?.backend, qlora.definition.settings?.backend, unsloth.definition.settings?.backend]).toEqual([
    undefined,
    "qlora",
    "unsloth",
  ]);
  const packages = (of: StageDefinition) => Object.keys((of.runtime?.packages ?? {}) as object);
  expect(packages(qlora.definition)).toEqual([...packages(plain.definition), "bitsandbytes"]);
  expect(packages(unsloth.definition)).toContain("unsloth");
  expect(packages(plain.definition)).not.toContain("bitsandbytes");
});
