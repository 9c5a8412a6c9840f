/** Readable copies: every recipe and variant of a project has its own. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";

const project = realpathSync(mkdtempSync(join(tmpdir(), "forge-views-")));
afterAll(() => rmSync(project, { recursive: true }));
mkdirSync(join(project, ".git"));
mkdirSync(join(project, "sub"));

/** Where a recipe's views lie, but for its bundle, relative to the project. */
async function viewsOf(path: string, variant?: string): Promise<string[]> {
  const file = join(project, path);
  writeFileSync(file, "version: 1\nname: x\ntools:\n  - stub: weather\nvariants: { ci: { data: { samples: 60 } } }\n");
  const loaded = await loadRecipe(file, variant === undefined ? {} : { variant });
  if (!loaded.ok) throw new Error(loaded.error[0]?.message);
  const pipeline = buildPipeline(loaded.value);
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  const views = pipeline.value.nodes.flatMap((n) => (n.kind === "stage" && n.id !== "pack" ? Object.values(n.views ?? {}) : []));
  return views.map((v) => relative(project, v)).sort();
}

test("forge.yaml has the plain places, another recipe its own, and so does a variant", async () => {
  const own = await viewsOf("forge.yaml");
  expect(own).toContain(".mcp-forge/tools.json");
  expect(own).toContain(".mcp-forge/data/train.jsonl");
  expect(await viewsOf("weather.yaml")).toContain(".mcp-forge/recipes/weather/tools.json");
  expect(await viewsOf("sub/forge.yaml")).toContain(".mcp-forge/recipes/sub/forge/tools.json");
  expect(await viewsOf("weather.yaml", "ci")).toContain(".mcp-forge/variants/ci/recipes/weather/tools.json");
  const all = [
    own,
    await viewsOf("forge.yaml", "ci"),
    await viewsOf("weather.yaml"),
    await viewsOf("weather.yaml", "ci"),
    await viewsOf("sub/forge.yaml"),
  ].flat();
  expect(new Set(all).size).toBe(all.length);
});
