/** What of the model's own chat template stands in the keys: its bytes, and what decides rows and calls; not what its file is called, or what was said of it. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { buildGraph } from "../../src/engine/graph.ts";
import { keysOf } from "../../src/engine/key.ts";
import { officialOf } from "../../src/models/family.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { official } from "../models/official-rig.ts";
import { smollm2 } from "../models/rig.ts";

const project = realpathSync(mkdtempSync(join(tmpdir(), "forge-template-keys-")));
afterAll(() => rmSync(project, { recursive: true }));
mkdirSync(join(project, ".git"));
mkdirSync(join(project, "models"));

const { head_start: _, ...base } = smollm2;
const OURS = {
  ...base,
  name: "own",
  template: "chatml.jinja",
  chat: undefined as object | undefined,
  training: { reason: "r", overrides: {} },
  sources: { default: { kind: "folder", folder: "x", quantization: "F16", files: { "a.gguf": { sha256: "0".repeat(64), bytes: 1 } } } },
};

/** The keys of a recipe with such a family, by stage; the family's template lies beside it as `file`. */
async function keys(chat: object | undefined, file = "own.jinja", text = official("hermes.jinja").text): Promise<Record<string, string>> {
  writeFileSync(join(project, "models", file), text);
  const sha256 = createHash("sha256").update(text).digest("hex");
  writeFileSync(join(project, "models", "own.json"), JSON.stringify({ ...OURS, chat: chat === undefined ? undefined : { file, sha256, ...chat } }));
  writeFileSync(join(project, "forge.yaml"), "version: 1\nname: x\ntools:\n  - stub: weather\nmodel: { family: models/own.json }\n");
  const loaded = await loadRecipe(join(project, "forge.yaml"));
  if (!loaded.ok) throw new Error(loaded.error[0]?.message);
  const pipeline = buildPipeline(loaded.value);
  if (!pipeline.ok) throw new Error(pipeline.error.message);
  expect(officialOf(pipeline.value.context.family)?.text).toBe(chat === undefined ? undefined : text);
  return Object.fromEntries([...keysOf(buildGraph(pipeline.value.nodes))].map(([stage, key]) => [stage, key.recipe]));
}

test("the text, the form of rows and calls, and the tokens that it names change the keys of all that renders; names and words do not", async () => {
  const chat = { template: "official", reason: "keeps all", rewrites: false, spacing: "python" };
  const used = await keys(chat);
  const differing = (other: Record<string, string>): string[] => Object.keys(used).filter((stage) => used[stage] !== other[stage]);
  expect(differing(await keys({ ...chat, reason: "keeps everything" }, "other.jinja"))).toEqual([]);
  const ours = await keys(undefined);
  expect(differing(ours)).toEqual(expect.arrayContaining(["generate", "train", "export:f16", "validate:q8_0"]));
  expect(differing(ours)).not.toContain("inspect");
  for (const changed of [
    await keys(chat, "own.jinja", `${official("hermes.jinja").text} `),
    await keys({ ...chat, rewrites: true }),
    await keys({ ...chat, spacing: "compact" }),
    await keys({ ...chat, eos_token: "<|im_end|>" }),
  ])
    expect(differing(changed)).toEqual(differing(ours));
});

test("a family that says why it is ours has the keys of one that says nothing", async () => {
  writeFileSync(join(project, "forge.yaml"), "version: 1\nname: x\ntools:\n  - stub: weather\nmodel: { family: models/own.json }\n");
  const of = async (chat: object | undefined): Promise<unknown> => {
    writeFileSync(join(project, "models", "own.json"), JSON.stringify({ ...OURS, chat }));
    const loaded = await loadRecipe(join(project, "forge.yaml"));
    if (!loaded.ok) throw new Error(loaded.error[0]?.message);
    const pipeline = buildPipeline(loaded.value);
    if (!pipeline.ok) throw new Error(pipeline.error.message);
    return [...keysOf(buildGraph(pipeline.value.nodes))].map(([stage, key]) => [stage, key.recipe]);
  };
  expect(await of({ template: "ours", reason: "its own template shows no tools" })).toEqual(await of(undefined));
});
