/** A base model by its family's name: pinned once in the lockfile, the same for everyone after that; what was edited there, or is another model, is refused. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { buildGraph } from "../../src/engine/graph.ts";
import { keysOf } from "../../src/engine/key.ts";
import { acquireLock } from "../../src/engine/lock.ts";
import { type Lockfile, LockfileWriter, lockfileText, parseLockfile, readLockfile, writePin } from "../../src/engine/lockfile.ts";
import { ensureBase } from "../../src/models/base.ts";
import { getFamily } from "../../src/models/family.ts";
import { modelOfWord, shownPath } from "../../src/models/family-file.ts";
import { listModels, rowOf } from "../../src/models/list.ts";
import { pinnedModel, pinOf, pinsOfFolder } from "../../src/models/pin.ts";
import { unpinned as asKnown, type Size, sizeOf } from "../../src/models/registry.ts";
import { digestJson } from "../../src/platform/digest.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import type { Recipe } from "../../src/recipe/types.ts";
import type { LockPin } from "../../src/schemas/generated/lockfile.ts";
import { readsBase } from "../../src/stages/base-readers.ts";
import { missingOffline } from "../../src/stages/offline.ts";
import { pinSize } from "../../src/stages/pin.ts";
import { buildPipeline, type Pipeline } from "../../src/stages/pipeline.ts";
import { openSingle } from "../../src/stages/single/project.ts";
import { lengthsFor } from "../../src/stages/single/qa-step.ts";
import { COMMIT, type RegistryHub, standIn, startRegistryHub } from "../models/registry-hub.ts";

const size = (name: string, source: string): Size => {
  const family = getFamily(name);
  const found = family.ok ? sizeOf(family.value, source) : undefined;
  if (found === undefined) throw new Error("no such size");
  return found;
};
const S = size("qwen-2.5", "0.5b");
const LATER = "fedcba9876543210fedcba9876543210fedcba98";

let dir: string;
let hub: RegistryHub;
const lockfile = () => join(dir, "forge.lock");
const recipe = (model = "{ family: qwen-2.5, source: 0.5b }", more = "") =>
  writeFileSync(join(dir, "forge.yaml"), `version: 1\nname: x\ntools:\n  - stub: weather\nmodel: ${model}\n${more}`);
const open = async (variant?: string): Promise<Pipeline> => {
  const loaded = await loadRecipe(join(dir, "forge.yaml"), { env: {}, variant });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const made = buildPipeline(loaded.value);
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
};
const refused = async () => {
  const loaded = await loadRecipe(join(dir, "forge.yaml"), { env: {} });
  const made = loaded.ok ? buildPipeline(loaded.value) : loaded;
  if (made.ok) throw new Error("it was built");
  return [made.error].flat()[0];
};
const signal = new AbortController().signal;
const pin = (s = S, o: { update?: boolean } = {}) => pinSize(s, { signal, projectRoot: dir, pins: pinsOfFolder(dir), timing: { stall: 2000, pause: 5 }, ...o });
const pinned = async (...args: Parameters<typeof pin>) => {
  const made = await pin(...args);
  if (!made.ok) throw new Error(`${made.error.code}: ${made.error.message}`);
  return made.value;
};
const read = (): Lockfile => JSON.parse(readFileSync(lockfile(), "utf8")) as Lockfile;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "forge-pin-"));
  mkdirSync(join(dir, ".git"));
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "MCP_FORGE_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN"]) vi.stubEnv(name, undefined);
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  hub = await startRegistryHub([standIn(S), standIn(size("qwen-2.5", "1.5b")), standIn(size("deepseek-r1", "default")), standIn(size("smollm2", "360m"))]);
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  recipe();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(dir, { recursive: true, force: true });
});

test("once asked, the hub is not asked again, and the lockfile says the same for everyone", async () => {
  expect((await open()).unpinned).toMatchObject({ name: "0.5b" });
  expect(hub.asked).toEqual([]);
  expect(await pinned()).toMatchObject({ word: "qwen-2.5/0.5b", written: "new" });
  const text = readFileSync(lockfile(), "utf8");
  expect(text).not.toContain(dir);
  expect(text).toBe(lockfileText(read()));
  const { unpinned, context } = await open();
  expect(unpinned).toBeUndefined();
  expect(context.family).toMatchObject({ name: "qwen-2.5-0.5b", hub_id: "Qwen/Qwen2.5-0.5B-Instruct", runtime: { recommended: "llama.cpp" } });
  expect(context.source).toMatchObject({ kind: "hub", revision: COMMIT });
  const asked = hub.asked.length;
  hub.repositories.set(S.source.repository, { ...standIn(S), commit: LATER });
  expect(await pinned()).toMatchObject({ written: "unchanged", family: { sources: { default: { revision: COMMIT } } } });
  expect(hub.asked.length).toBe(asked);
  expect(readFileSync(lockfile(), "utf8")).toBe(text);
});

test("an update takes what the hub has today, and leaves every other line", async () => {
  await pinned();
  await pinned(size("qwen-2.5", "1.5b"));
  const node = { key: digestJson("x"), version: 1 };
  writeFileSync(lockfile(), lockfileText({ ...read(), recipe: { inspect: node } }));
  const keys = async () => {
    const graph = buildGraph((await open()).nodes);
    return new Map([...keysOf(graph)].map(([id, k]) => [id, k.recipe]));
  };
  const before = await keys();
  hub.repositories.set(S.source.repository, { ...standIn(S), commit: LATER });
  expect(await pinned(S, { update: true })).toMatchObject({ written: "updated", family: { sources: { default: { revision: LATER } } } });
  const after = await keys();
  // What reads the model runs again, and what does not does not.
  expect(after.get("inspect")).toBe(before.get("inspect"));
  expect(after.get("train")).not.toBe(before.get("train"));
  expect(read()).toMatchObject({ recipe: { inspect: node }, pins: { "qwen-2.5/1.5b": { found: { sources: { default: { revision: COMMIT } } } } } });
  expect(await pinned(S, { update: true })).toMatchObject({ written: "unchanged" });
});

test("an update says that it wrote wherever the lockfile changes, and not only where the files of the model do", async () => {
  await pinned();
  const text = readFileSync(lockfile(), "utf8");
  hub.repositories.set(S.source.repository, { ...standIn(S), licence: "mit" });
  expect(await pinned(S, { update: true })).toMatchObject({ written: "updated", family: { licence: "MIT" } });
  expect(readFileSync(lockfile(), "utf8")).not.toBe(text);
  const updated = readFileSync(lockfile(), "utf8");
  expect(await pinned(S, { update: true })).toMatchObject({ written: "unchanged" });
  expect(readFileSync(lockfile(), "utf8")).toBe(updated);
});

test("a run that comes to no stage that reads the model needs no pin; from the first that does, all do", async () => {
  const pipeline = await open();
  const order = buildGraph(pipeline.nodes).nodes.map((n) => n.id);
  expect(order.filter((id) => !readsBase(pipeline, { until: id }))).toEqual(["inspect"]);
  expect(readsBase(pipeline, { only: "inspect" })).toBe(false);
  expect([readsBase(pipeline, {}), readsBase(pipeline, { only: "qa" }), readsBase(pipeline, { until: "no-such" })]).toEqual([true, true, false]);
  expect(readsBase({ ...pipeline, given: new Set(["generate"]) }, { until: "inspect" })).toBe(true);
  // What needs no pin has the same key with and without one.
  const keys = async () => new Map([...keysOf(buildGraph((await open()).nodes))].map(([id, k]) => [id, k.recipe]));
  const before = await keys();
  await pinned();
  const after = await keys();
  for (const id of order) expect([id, after.get(id) === before.get(id)]).toEqual([id, !readsBase(pipeline, { until: id })]);
});

test("a lockfile that is a folder is a failure that names it, and no end of the list of models", async () => {
  mkdirSync(lockfile());
  expect(readLockfile(lockfile())).toMatchObject({ ok: false, error: { code: "files/not-a-file", message: expect.stringContaining(lockfile()), exit: 6 } });
  expect(listModels(dir).models.find((m) => m.name === "qwen-2.5")?.sources).toHaveLength(5);
  expect(await refused()).toMatchObject({ code: "files/not-a-file" });
  expect(await pin(S, { update: true })).toMatchObject({ ok: false, error: { code: "files/not-a-file" } });
});

test("a run keeps what is pinned, whoever writes the lockfile meanwhile", async () => {
  const writer = new LockfileWriter(lockfile(), undefined, undefined);
  await pinned();
  writer.set("inspect", { key: digestJson("y"), version: 2 });
  expect(writer.save()).toMatchObject({ ok: true });
  expect(Object.keys(read().pins ?? {})).toEqual(["qwen-2.5/0.5b"]);
  expect(read().recipe.inspect?.version).toBe(2);
});

test("`default` is the size that it stands for, and each variant may name another", async () => {
  recipe(
    "{ family: qwen-2.5, source: 0.5b }",
    "variants:\n  thinks: { model: { family: deepseek-r1 } }\n  ci: { model: { family: nano } }\n  larger: { model: { source: 1.5b } }\n",
  );
  await pinned();
  const thinks = await open("thinks");
  expect(thinks.unpinned).toMatchObject({ name: "llama-8b" });
  expect(await pinned(thinks.unpinned as Size)).toMatchObject({ word: "deepseek-r1/llama-8b", family: { thinking: { open: "<think>", close: "</think>" } } });
  expect((await open("thinks")).context.family).toMatchObject({ name: "deepseek-r1-llama-8b", template: "deepseek-r1-thinking.jinja" });
  // The source of one family is none of another's.
  expect((await open("ci")).context.family.name).toBe("nano");
  expect((await open("larger")).unpinned).toMatchObject({ name: "1.5b" });
  expect((await open()).unpinned).toBeUndefined();
});

test("a larger one of a family that has a head start has none of it", async () => {
  recipe("{ family: smollm2, source: 360m }");
  await pinned((await open()).unpinned);
  const { context } = await open();
  expect(context.headStart).toBeUndefined();
  expect(context.family).toMatchObject({ name: "smollm2-360m", english_only: true, hub_id: "HuggingFaceTB/SmolLM2-360M-Instruct" });
  expect(context.family.training.memory_gb).toBeUndefined();
});

describe("what the lockfile pins is believed only as far as it is what was written", () => {
  const change = (edit: (found: Record<string, unknown>) => unknown, sealed: boolean) => {
    const whole = structuredClone(read()) as { pins: Record<string, { digest: string; found: Record<string, unknown> }> };
    const entry = whole.pins["qwen-2.5/0.5b"] as { digest: string; found: Record<string, unknown> };
    edit(entry.found);
    if (sealed) entry.digest = digestJson(entry.found);
    writeFileSync(lockfile(), JSON.stringify(whole));
  };
  const source = (found: Record<string, unknown>) => (found.sources as { default: Record<string, unknown> }).default;

  test.each<[string, (found: Record<string, unknown>) => unknown, boolean, RegExp]>([
    ["edited", (f) => Object.assign(f, { title: "Other" }), false, /was edited, or merged by hand/],
    ["a control token less", (f) => (f.special_tokens as string[]).pop(), false, /was edited/],
    [
      "another repository",
      (f) => Object.assign(source(f), { repository: "Somebody/Else" }),
      true,
      /pins another base model for qwen-2\.5\/0\.5b: it comes from Somebody\/Else/,
    ],
    [
      "a folder",
      (f) => Object.assign(f, { sources: { default: { kind: "folder", folder: "..", quantization: "F16", files: source(f).files } } }),
      true,
      /comes from elsewhere/,
    ],
    ["another architecture", (f) => Object.assign(f, { architecture: "qwen3" }), true, /its architecture is qwen3, not qwen2/],
    ["another template", (f) => Object.assign(f, { template: "chatml.jinja" }), true, /talked to by chatml\.jinja/],
    ["another name", (f) => Object.assign(f, { name: "llama-3.1" }), true, /its name is llama-3\.1, not qwen-2\.5-0\.5b/],
    ["another model's id", (f) => Object.assign(f, { hub_id: "Somebody/Else" }), true, /it calls itself Somebody\/Else, not Qwen\/Qwen2\.5-0\.5B-Instruct/],
    [
      "a template of its own",
      (f) => Object.assign(f, { chat: { template: "official", reason: "x", file: "x.jinja", sha256: "0".repeat(64), rewrites: false, spacing: "python" } }),
      true,
      /by its own template, not by ours/,
    ],
    ["a shorter window", (f) => Object.assign(f, { context_tokens: 512 }), true, /trained for 512 tokens/],
    ["a file that may hold code", (f) => Object.assign(source(f), { files: { "modeling.py": { sha256: "0".repeat(64), bytes: 1 } } }), true, /cannot use/],
    ["a family that comes with forge", (f) => Object.assign(f, { name: "nano" }), true, /the name of a family that comes with forge/],
  ])("%s", async (_name, edit, sealed, message) => {
    await pinned();
    change(edit, sealed);
    const failure = await refused();
    expect(failure).toMatchObject({
      code: "models/pin",
      exit: 4,
      message: expect.stringMatching(message),
      hint: expect.stringContaining(`forge models pin ${shownPath(join(dir, "forge.yaml"))} --update`),
    });
    expect(failure?.message).toContain("forge.lock");
    expect(failure?.place).toMatchObject({ line: 5 });
    // It is not taken for a reason to ask, and asked for it is.
    expect(await pin()).toMatchObject({ ok: false, error: { code: "models/pin" } });
    expect(await pinned(S, { update: true })).toMatchObject({ written: "updated" });
    expect((await open()).unpinned).toBeUndefined();
  });

  test("how it is trained is the program's to say, and what else differs is told at every reading", async () => {
    await pinned();
    const before = await open();
    expect(before.warnings).toEqual([]);
    change((f) => Object.assign(f, { training: { reason: "x", overrides: { "*": { epochs: 9, learning_rate: 0.1 } }, backend: "unsloth" } }), true);
    const { context } = await open();
    expect(context.family.training).toEqual(asKnown(S).training);
    expect([context.backend, context.hyperparameters]).toEqual([before.context.backend, before.context.hyperparameters]);
    change((f) => Object.assign(f, { licence: "LicenseRef-other", parameters: 1 }), true);
    expect((await open()).warnings).toEqual([
      expect.objectContaining({ code: "models/pin-differs", message: expect.stringContaining("forge.lock pins qwen-2.5/0.5b otherwise than forge knows it") }),
      expect.objectContaining({
        message: expect.stringContaining("under LicenseRef-other; forge knew it under Apache-2.0"),
        place: expect.objectContaining({ line: 5 }),
      }),
    ]);
  });

  test("the way out is the command for that very lockfile", async () => {
    await pinned();
    change((f) => Object.assign(f, { name: "llama-3.1" }), true);
    const hint = async (file: string, variant?: string) => {
      const loaded = await loadRecipe(file, { env: {}, variant });
      const made = loaded.ok ? buildPipeline(loaded.value) : loaded;
      return made.ok ? "built" : [made.error].flat()[0]?.hint;
    };
    recipe("{ family: qwen-2.5, source: 0.5b }", "variants:\n  ci: { seed: 7 }\n");
    expect(await hint(join(dir, "forge.yaml"), "ci")).toMatch(/forge models pin \S*forge\.yaml --variant ci --update$/);
    // Another recipe has another lockfile, whose name wants quotes.
    for (const ending of ["yaml", "lock"]) cpSync(join(dir, `forge.${ending}`), join(dir, `it's.${ending}`));
    expect(await hint(join(dir, "it's.yaml"))).toMatch(/forge models pin '\S*it'\\''s\.yaml' --update$/);
    vi.spyOn(process, "cwd").mockReturnValue(dir);
    try {
      expect(lengthsFor({ family: "qwen-2.5/0.5b" })).toMatchObject({ error: { hint: expect.stringMatching(/forge models pin qwen-2\.5\/0\.5b --update$/) } });
    } finally {
      vi.restoreAllMocks();
    }
  });

  test("a file's digest that is none of the hub's is found out by whoever fetches it", async () => {
    vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "../models/fake-convert.mjs"));
    vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen.json"));
    await pinned();
    const { context } = await open();
    const first = await ensureBase(context.family, context.sourceName, { signal, timing: { stall: 2000, pause: 5 } });
    expect(first.ok).toBe(true);
    // Another machine, and a hub that has other bytes at that very commit.
    vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "second"));
    const { files } = hub.repositories.get(S.source.repository) ?? { files: new Map() };
    files.set("tokenizer.json", Buffer.from((files.get("tokenizer.json") as Buffer).toString("utf8").replace("<|one_of_its_own|>", "<|one_of_another|>")));
    expect(await ensureBase(context.family, context.sourceName, { signal, timing: { stall: 2000, pause: 5 } })).toMatchObject({
      ok: false,
      error: { code: "models/wrong-bytes", exit: 6, message: expect.stringContaining("tokenizer.json of Qwen/Qwen2.5-0.5B-Instruct") },
    });
  });

  test("a lockfile in conflict is told as ever, and not written over", async () => {
    await pinned();
    writeFileSync(lockfile(), `<<<<<<< ours\n${readFileSync(lockfile(), "utf8")}`);
    expect(await refused()).toMatchObject({ code: "lockfile/conflict" });
    expect(await pin(S, { update: true })).toMatchObject({ ok: false, error: { code: "lockfile/conflict" } });
  });
});

test("a stage by itself goes by ./forge.lock, and pins nothing", async () => {
  vi.spyOn(process, "cwd").mockReturnValue(dir);
  try {
    const single = () => {
      const project = openSingle({
        recipe: { version: 1, name: "x", tools: [{ stub: "weather" }], model: modelOfWord("qwen-2.5/0.5b") as Recipe["model"] },
        given: [],
      });
      if (!project.ok) throw new Error(JSON.stringify(project.error));
      project.value.close(true);
      return project.value.pipeline;
    };
    expect(single().unpinned).toMatchObject({ name: "0.5b" });
    const lengths = () => lengthsFor({ family: "qwen-2.5/0.5b" });
    expect(lengths()).toMatchObject({ ok: false, error: { code: "models/not-pinned", hint: expect.stringContaining("forge models pin qwen-2.5/0.5b") } });
    await pinned();
    expect(single().unpinned).toBeUndefined();
    expect(single()).toMatchObject({ context: { family: { name: "qwen-2.5-0.5b" }, source: { revision: COMMIT } } });
    expect(lengths()).toMatchObject({ ok: true, value: { family: { name: "qwen-2.5-0.5b" }, source: "default" } });
  } finally {
    vi.restoreAllMocks();
  }
});

test("what was refused leaves the lockfile as it was, and an unpinned model is fetched by nobody", async () => {
  hub.repositories.set(S.source.repository, { ...standIn(S), refuses: 403 });
  expect(await pin()).toMatchObject({ ok: false, error: { code: "models/hub-refused", exit: 6 } });
  expect(() => readFileSync(lockfile())).toThrow();
  const { context } = await open();
  expect(await ensureBase(context.family, context.sourceName, { signal })).toMatchObject({
    ok: false,
    error: { code: "models/not-pinned", hint: expect.stringContaining("forge models pin") },
  });
  expect(await missingOffline(await open(), "generate")).not.toEqual([]);
});

test("the project's lock is waited for, and given back", async () => {
  const held = await acquireLock(dir, { signal });
  if (!held.ok) throw new Error("locked");
  expect(await pin()).toMatchObject({ ok: false, error: { exit: 5 } });
  held.value.release();
  expect(await pinned()).toMatchObject({ written: "new" });
  expect((await acquireLock(dir, { signal })).ok).toBe(true);
});

test("what is told of a family knows what the lockfile beside it pins", async () => {
  await pinned();
  const row = rowOf(S.family, dir);
  expect(row.sources.find((s) => s.name === "0.5b")).toMatchObject({ kind: "repository", bytes: expect.any(Number), model: { pinned: COMMIT } });
  expect(row.sources.find((s) => s.name === "14b")).toMatchObject({
    also: ["default"],
    bytes: null,
    model: { pinned: null, gated: false, vram: { measured: false } },
  });
});

describe("a pin in a lockfile", () => {
  const json = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.string())));

  test("comes back as it was written, whatever it and its neighbours are called", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), json, { maxKeys: 4 }), (pins) => {
        const path = join(dir, "any.lock");
        rmSync(path, { force: true });
        for (const [name, found] of Object.entries(pins)) expect(writePin(path, name, { digest: digestJson(found), found })).toMatchObject({ ok: true });
        const standing = readLockfile(path);
        if (!standing.ok) throw new Error(standing.error.message);
        for (const [name, found] of Object.entries(pins)) {
          const back = standing.value?.pins?.[name] as LockPin;
          expect([back.digest, digestJson(back.found)]).toEqual([digestJson(found), digestJson(found)]);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("seals every word of the family: any change of one is noticed", async () => {
    const { family } = await pinned();
    const pin = pinOf(family);
    const text = JSON.stringify(pin.found);
    const whole = read();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), fc.constantFrom("0", "a", "Z"), (at, letter) => {
        const edited = `${text.slice(0, at)}${letter}${text.slice(at + 1)}`;
        let found: unknown;
        try {
          found = JSON.parse(edited);
        } catch {
          return;
        }
        if (typeof found !== "object" || found === null || digestJson(found) === pin.digest) return;
        writeFileSync(lockfile(), JSON.stringify({ ...whole, pins: { "qwen-2.5/0.5b": { digest: pin.digest, found } } }));
        expect(pinnedModel(S, pinsOfFolder(dir))).toMatchObject({ ok: false, error: { code: "models/pin" } });
      }),
      { numRuns: 60 },
    );
  });

  test("of another form is no lockfile", () => {
    for (const bad of [{ digest: "x", found: {} }, { found: {} }, { digest: digestJson({}), found: [] }, { digest: digestJson({}), found: {}, more: 1 }])
      expect(parseLockfile(JSON.stringify({ lockfileVersion: 1, recipe: {}, variants: {}, pins: { a: bad } }), "forge.lock")).toMatchObject({
        ok: false,
        error: { code: "lockfile/invalid" },
      });
  });
});
