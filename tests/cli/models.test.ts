/** `forge models` as a process: a broken family file beside good ones, the line for the recipe, Ctrl-C; and a model that several families claim. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { gguf, writeModel } from "../models/own-model.ts";
import { Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

/** A project with a model in it, called `name`. */
async function project(name = "own"): Promise<string> {
  const dir = rig.project(null);
  writeModel(join(dir, "weights", "Own"));
  const added = await rig.run(dir, ["models", "add", "weights/Own", "--name", name]);
  if (added.code !== 0) throw new Error(added.err);
  return dir;
}

test("a broken file is shown as broken, and the others as ever", async () => {
  const dir = await project();
  writeFileSync(join(dir, "models", "broken.json"), "{");
  const list = await rig.run(dir, ["models", "list"]);
  expect(list.code).toBe(0);
  expect(list.out).toMatch(/^models\/own\.json .* ours /m);
  expect(list.out).toMatch(/^ {2}smollm2 +its own template shows no tools, drops calls; .*\n {2}models\/own\.json +its own template /m);
  expect(list.out).toMatch(/^models\/broken\.json +broken /m);
  expect(list.err).toContain("models/broken.json is not JSON");
  expect(list.out).toMatch(/^qwen-2\.5 +0\.5B-14\.8B|^qwen-2\.5 +494M-14\.8B/m);
  expect(list.out).toContain("Any other model of these kinds: forge models add OWNER/NAME");
});

test("the line for the recipe is YAML, whatever the file is called", async () => {
  const dir = await project();
  for (const file of ["models/a, b: {c} #d.json", "models/plain.json"]) {
    const added = await rig.run(dir, ["models", "add", "weights/Own", "--output", file]);
    expect(added.code).toBe(0);
    const line = added.out.split("\n").find((l) => l.startsWith("  model:")) ?? "";
    expect(parse(line)).toEqual({ model: { family: file } });
  }
});

test("Ctrl-C ends the reading of a large file with 130, in words of its own", async () => {
  const dir = rig.project(null);
  writeFileSync(join(dir, "own.gguf"), gguf());
  truncateSync(join(dir, "own.gguf"), 16 * 2 ** 30); // a hole
  const run = rig.start(dir, ["models", "add", "own.gguf"]);
  await run.until("reading own.gguf");
  run.process.kill("SIGINT");
  const ended = await run.ended;
  expect(ended.code).toBe(130);
  expect(ended.err).toContain("stopping, nothing is written; press Ctrl-C again to stop at once");
  expect(ended.err).not.toContain("checkpoint");
});

test("a model that several families claim is asked about, forge's own among them", async () => {
  const dir = await project();
  expect((await rig.run(dir, ["models", "add", "weights/Own", "--name", "own", "--output", "models/again.json"])).code).toBe(0);
  const measure = async (base: string) => {
    writeFileSync(join(dir, "trained.gguf"), gguf(undefined, { "mcp_forge.base_model": base }));
    writeFileSync(join(dir, "tools.json"), "[]");
    return (await rig.run(dir, ["validate", "--model", "trained.gguf", "--tools", "tools.json", "--output", "x.json"])).err;
  };
  expect(await measure("own")).toContain("which several families are: models/again.json, models/own.json");
  const own = readFileSync(join(dir, "models", "own.json"), "utf8");
  writeFileSync(join(dir, "models", "own.json"), JSON.stringify({ ...JSON.parse(own), hub_id: "HuggingFaceTB/SmolLM2-135M-Instruct" }));
  expect(await measure("HuggingFaceTB/SmolLM2-135M-Instruct")).toContain("which several families are: smollm2, models/own.json");
});
