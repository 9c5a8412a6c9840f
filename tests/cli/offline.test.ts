/** `--offline`: what would be fetched is named before anything starts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadRecipe } from "../../src/recipe/load.ts";
import { missingOffline } from "../../src/stages/offline.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { givenData } from "../../src/stages/single/given-data.ts";
import { openSingle } from "../../src/stages/single/project.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-offline-"));
  mkdirSync(join(dir, ".git"));
  writeFileSync(join(dir, "forge.yaml"), "version: 1\nname: x\ntools:\n  - stub: weather\n");
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  vi.stubEnv("MCP_FORGE_PYTHON", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

test("stages that take their results from files fetch nothing", async () => {
  const single = openSingle({
    recipe: { version: 1, name: "x", tools: [{ stub: "weather" }] },
    given: givenData(join(dir, "train.jsonl"), { fix: false }),
  });
  if (!single.ok) throw new Error("no project");
  writeFileSync(join(dir, "train.jsonl"), "");
  expect(await missingOffline(single.value.pipeline, "gate:qa")).toEqual([]);
  expect(await missingOffline(single.value.pipeline, "train")).not.toEqual([]);
  single.value.close(true);
});

test.each([
  [undefined, [/base model SmolLM2-135M-Instruct \(93 MB\) is not in the cache, and --offline/, /Python environment \(about .*\) is not made yet/]],
  ["generate", [/base model/]],
  ["inspect", []],
] as [string | undefined, RegExp[]][])("up to %s", async (until, messages) => {
  const loaded = await loadRecipe(join(dir, "forge.yaml"), { env: {} });
  if (!loaded.ok) throw new Error("bad recipe");
  const pipeline = buildPipeline(loaded.value);
  if (!pipeline.ok) throw new Error("no pipeline");
  const missing = await missingOffline(pipeline.value, until);
  expect(missing).toHaveLength(messages.length);
  for (const [i, message] of messages.entries())
    expect(missing[i]).toMatchObject({ message: expect.stringMatching(message), exit: 6, code: "offline/missing" });
});
