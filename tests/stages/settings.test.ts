/** Settings of tool servers count by value and by name, and reach no file by value. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { JsonValue } from "../../src/platform/json.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";

const project = realpathSync(mkdtempSync(join(tmpdir(), "forge-settings-")));
afterAll(() => rmSync(project, { recursive: true }));
mkdirSync(join(project, ".git"));

/** What inspect reads of the recipe's tools. */
async function toolsOf(args: string, env: NodeJS.ProcessEnv = {}): Promise<JsonValue | undefined> {
  const file = join(project, "forge.yaml");
  writeFileSync(file, `version: 1\nname: x\ntools:\n  - mcp: { command: run, args: ${args} }\n`);
  const loaded = await loadRecipe(file, { env });
  if (!loaded.ok) throw new Error(loaded.error[0]?.message);
  const pipeline = buildPipeline(loaded.value);
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  return pipeline.value.nodes.find((n) => n.id === "inspect")?.recipe.tools;
}

test("a server without any has the key that it had", async () => {
  expect(await toolsOf('["--city", "Oslo"]')).toEqual([{ mcp: { command: "run", args: ["--city", "Oslo"], timeout: 30 } }]);
});

test("another value and another name are other recipes: the toolset says the name", async () => {
  const one = await toolsOf('["${env:A}"]', { A: "1", B: "1" });
  expect(one).toEqual([{ mcp: { command: "run", args: ["1"], timeout: 30 }, told: { command: "run", args: ["${env:A}"], timeout: 30 } }]);
  expect(await toolsOf('["${env:A}"]', { A: "2" })).not.toEqual(one);
  expect(await toolsOf('["${env:B}"]', { A: "1", B: "1" })).not.toEqual(one);
  expect(await toolsOf('["--key=abc"]')).toEqual([
    { mcp: { command: "run", args: ["--key=abc"], timeout: 30 }, told: { command: "run", args: ["--key=[redacted]"], timeout: 30 } },
  ]);
});
