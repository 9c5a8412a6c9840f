/** Head starts as shipped: whole, small, described; and what of a recipe's run they decide. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { StageDefinition } from "../../src/engine/stage.ts";
import { completeFamilies, getFamily } from "../../src/models/family.ts";
import { headStartOf, trainingOf } from "../../src/models/head-start.ts";
import { resolveHyperparameters } from "../../src/models/hyperparameters.ts";
import { digestFile } from "../../src/platform/hash.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import type { Family } from "../../src/schemas/generated/family.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";

const families = completeFamilies().map((name) => {
  const family = getFamily(name);
  if (!family.ok) throw new Error(family.error.message);
  return family.value;
});
const withOne = families.filter((f) => f.head_start !== undefined);
const dir = mkdtempSync(join(tmpdir(), "forge-head-start-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("every folder under head-starts is a family's", () => {
  const folder = join(packageRoot(), "head-starts");
  expect(existsSync(folder) ? readdirSync(folder).sort() : []).toEqual(withOne.map((f) => f.head_start?.folder).sort());
});

describe.each(withOne)("the head start of $name", (family) => {
  const headStart = headStartOf(family, {});
  const folder = headStart?.adapter as string;

  test("the weights are those that the family's file names", async () => {
    expect(await digestFile(join(folder, "adapter_model.safetensors"))).toBe(headStart?.digest);
  });

  test("it is small, described, and says nothing of the machine that made it", () => {
    const files = readdirSync(folder);
    expect(files).toEqual(
      expect.arrayContaining(["README.md", "adapter_config.json", "adapter_model.safetensors", "answers.json", "loss.csv", "training.json"]),
    );
    expect(files.reduce((sum, f) => sum + statSync(join(folder, f)).size, 0)).toBeLessThan(20e6);
    const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({ base_model_name_or_path: null, peft_type: "LORA" });
    for (const name of files.filter((f) => !f.endsWith(".safetensors")))
      expect(readFileSync(join(folder, name), "utf8")).not.toMatch(/\/(tmp|home|root|work)\//);
    expect(readFileSync(join(folder, "README.md"), "utf8")).toContain(family.title);
  });

  test("a recipe may do without it", () => {
    expect(headStartOf(family, { head_start: false })).toBeUndefined();
  });
});

test("what a family wants on top of its head start comes before its own wishes, and the recipe before both", () => {
  const [family] = families as [Family];
  const made: Family = {
    ...family,
    head_start: { folder: "x", sha256: "0".repeat(64), overrides: { epochs: 0.5, rank: 4 }, examples: { whole: 1, first: 0, first_without_call: 0 } },
  };
  const table = { rank: 8, alpha: 16, learning_rate: 1e-4, epochs: 1 };
  const decide = (headStart: ReturnType<typeof headStartOf>, train = {}) =>
    resolveHyperparameters({ profile: "fast_dev", table, family: made, train, onHeadStart: trainingOf(made, headStart).overrides }).values;
  const on = headStartOf(made, {});
  expect(decide(on)).toMatchObject({ epochs: 0.5, rank: 4 });
  expect(decide(on, { epochs: 3 })).toMatchObject({ epochs: 3, rank: 4 });
  expect(decide(undefined)).toMatchObject({ epochs: 1, rank: family.training.overrides["*"]?.rank });
  expect(trainingOf(made, on).examples).toEqual({ whole: 1, first: 0, first_without_call: 0 });
  expect(trainingOf(made, undefined).examples).toEqual(family.training.examples);
});

test("it is part of what training depends on, and of nothing before it", async () => {
  const nodes = async (model: string) => {
    const file = join(dir, "forge.yaml");
    writeFileSync(file, `version: 1\nname: tiny\ntools:\n  - stub: weather\nmodel: ${model}\n`);
    const loaded = await loadRecipe(file, {});
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    const pipeline = buildPipeline(loaded.value);
    if (!pipeline.ok) throw new Error(pipeline.error.message);
    return new Map(pipeline.value.nodes.filter((n): n is StageDefinition => n.kind === "stage").map((n) => [n.id, JSON.stringify([n.recipe, n.settings])]));
  };
  const [on, off] = [await nodes("{ family: smollm2 }"), await nodes("{ family: smollm2, head_start: false }")];
  expect([...on.keys()].filter((id) => on.get(id) !== off.get(id))).toEqual(["train"]);
  for (const { name, head_start } of withOne) {
    const key = `sha256:${head_start?.sha256}`;
    expect((await nodes(`{ family: ${name} }`)).get("train")).toContain(key);
    expect((await nodes(`{ family: ${name}, head_start: false }`)).get("train")).not.toContain(key);
  }
});
