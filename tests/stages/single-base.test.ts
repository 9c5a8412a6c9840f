/** Which base model the stages on single files mean: that of a model file by the id that it says it was made of, and that of a trained folder down to its weights. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { addModel } from "../../src/models/add/index.ts";
import { getFamily } from "../../src/models/family.ts";
import { pinsOfFolder } from "../../src/models/pin.ts";
import { type Size, sizeOf } from "../../src/models/registry.ts";
import { pinSize } from "../../src/stages/pin.ts";
import { TRAINED } from "../../src/stages/single/given.ts";
import { openSingle } from "../../src/stages/single/project.ts";
import { type PreparedStep, prepareStep, type StepFlags } from "../../src/stages/single/steps.ts";
import { COMMIT, type RegistryHub, standIn, startRegistryHub } from "../models/registry-hub.ts";

const qwen = getFamily("qwen-2.5");
const S = (qwen.ok ? sizeOf(qwen.value, "0.5b") : undefined) as Size;
const ID = S.source.repository;
const LATER = "fedcba9876543210fedcba9876543210fedcba98";
const TOOLS = [{ stub: "weather" as const }];
const signal = new AbortController().signal;
const home = process.cwd();

let dir: string;
let hub: RegistryHub;
beforeEach(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "forge-single-base-")));
  mkdirSync(join(dir, ".git"));
  process.chdir(dir);
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "MCP_FORGE_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN"]) vi.stubEnv(name, undefined);
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  hub = await startRegistryHub([standIn(S)]);
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
});
afterEach(async () => {
  process.chdir(home);
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(dir, { recursive: true, force: true });
});

const pin = async (update = false): Promise<void> => {
  const made = await pinSize(S, { signal, projectRoot: dir, pins: pinsOfFolder(dir), update });
  if (!made.ok) throw new Error(made.error.message);
};
const add = async (o: { readonly output?: string; readonly force?: boolean } = {}): Promise<void> => {
  const made = await addModel(ID, { ...o, signal });
  if (!made.ok) throw new Error(made.error.message);
};
/** A new commit at the hub, whose vocabulary has other bytes. */
const moveOn = (): void => {
  const later = standIn(S);
  const files = new Map(later.files).set("tokenizer_config.json", Buffer.from(`${later.files.get("tokenizer_config.json")} `));
  hub.repositories.set(ID, { ...later, commit: LATER, files });
};

describe("a model file that says it was made of a size of a family", () => {
  const u32 = (n: number): Buffer => Buffer.from(new Uint32Array([n]).buffer);
  const u64 = (n: number): Buffer => Buffer.from(new BigUint64Array([BigInt(n)]).buffer);
  const text = (s: string): Buffer => Buffer.concat([u64(s.length), Buffer.from(s)]);
  const word = (key: string, value: string): Buffer => Buffer.concat([text(key), u32(8), text(value)]);
  const means = () => {
    writeFileSync(
      "model.gguf",
      Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(2), word("general.architecture", "qwen2"), word("mcp_forge.base_model", ID)]),
    );
    const made = prepareStep("validate", { model: "model.gguf" }, TOOLS);
    return made.ok ? made.value.single.recipe.model : made.error.message;
  };

  test("is of the project's own file for it, if there is one; else of the size", async () => {
    expect(means()).toEqual({ family: "qwen-2.5", source: "0.5b" });
    await add();
    expect(means()).toEqual({ family: "models/qwen2.5-0.5b-instruct.json" });
    await pin();
    expect(means()).toEqual({ family: "models/qwen2.5-0.5b-instruct.json" });
  });

  test("is asked about where two files of the project's are for it", async () => {
    await add();
    cpSync("models/qwen2.5-0.5b-instruct.json", "models/again.json");
    expect(means()).toBe(`the model was made of \`${ID}\`, which several families are: models/again.json, models/qwen2.5-0.5b-instruct.json`);
  });
});

describe("a folder of `forge train`", () => {
  const prepared = (step: "train" | "export", flags: StepFlags): PreparedStep => {
    const made = prepareStep(step, flags, TOOLS);
    if (!made.ok) throw new Error(made.error.message);
    return made.value;
  };
  /** What training leaves, but for the adapter itself. */
  const train = (model: string): void => {
    writeFileSync("data.jsonl", "");
    const step = prepared("train", { data: "data.jsonl", model, output: "adapter" });
    const project = openSingle(step.single);
    if (!project.ok) throw new Error(JSON.stringify(project.error));
    const texts = step.beside?.(project.value.pipeline.context) ?? {};
    project.value.close(true);
    mkdirSync(join("adapter", TRAINED.adapter), { recursive: true });
    for (const name of [TRAINED.rows, TRAINED.training, TRAINED.tools]) writeFileSync(join("adapter", name), "{}");
    for (const [path, content] of Object.entries(texts)) writeFileSync(path, content);
  };
  const about = join("adapter", TRAINED.about);
  const exported = () => prepareStep("export", { model: "adapter", output: "model.gguf" }, TOOLS);
  const withoutBase = (): void => {
    const { base: _, ...rest } = JSON.parse(readFileSync(about, "utf8")) as Record<string, unknown>;
    writeFileSync(about, JSON.stringify(rest));
  };

  test("is merged with the weights that it was trained on, and refused where the lockfile pins other ones", async () => {
    await pin();
    train("qwen-2.5/0.5b");
    expect(JSON.parse(readFileSync(about, "utf8"))).toMatchObject({ version: 1, family: "qwen-2.5/0.5b", base: { repository: ID, revision: COMMIT } });
    expect(exported()).toMatchObject({ ok: true });
    const before = readFileSync("forge.lock");
    moveOn();
    await pin(true);
    expect(exported()).toMatchObject({
      ok: false,
      error: {
        ...{ code: "models/other-base", exit: 4 },
        message: expect.stringContaining(
          `trained on qwen-2.5/0.5b at ${COMMIT.slice(0, 12)}, and ./forge.lock means other weights by that at ${LATER.slice(0, 12)}`,
        ),
        hint: expect.stringMatching(/^Take back \.\/forge\.lock .*train it again: forge train --data F --model qwen-2\.5\/0\.5b --output FOLDER$/),
      },
    });
    writeFileSync("forge.lock", before);
    expect(exported()).toMatchObject({ ok: true });
  });

  test("is merged at a commit whose files are the same", async () => {
    await pin();
    train("qwen-2.5/0.5b");
    hub.repositories.set(ID, { ...standIn(S), commit: LATER });
    await pin(true);
    expect(readFileSync("forge.lock", "utf8")).toContain(LATER);
    expect(exported()).toMatchObject({ ok: true });
  });

  test("is refused too where a family file of the project's pins other weights by now", async () => {
    await add({ output: "models/own.json" });
    train("models/own.json");
    expect(exported()).toMatchObject({ ok: true });
    moveOn();
    await add({ output: "models/own.json", force: true });
    expect(exported()).toMatchObject({ error: { code: "models/other-base", hint: expect.stringContaining("Take back models/own.json as it was") } });
  });

  test("of an earlier version says no weights: that is taken, but not for a size, whose weights a lockfile decides", async () => {
    train("nano");
    withoutBase();
    expect(exported()).toMatchObject({ ok: true });
    rmSync("adapter", { recursive: true });
    await pin();
    train("qwen-2.5/0.5b");
    withoutBase();
    expect(exported()).toMatchObject({
      error: { code: "models/other-base", exit: 4, message: expect.stringContaining("does not say which files of qwen-2.5/0.5b") },
    });
  });
});
