/** A project's own family in a recipe: read, checked, pinned by `hf_id`, and part of the keys as far as it decides what comes out. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { StageDefinition } from "../../src/engine/stage.ts";
import { addModel } from "../../src/models/add/index.ts";
import { type Family, familyNames } from "../../src/models/family.ts";
import { projectFamilies, readFamilyFile } from "../../src/models/family-file.ts";
import { listModels } from "../../src/models/list.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { writeModel } from "./own-model.ts";

let dir: string;
let whole: Family;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "forge-family-"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
  const added = await addModel(writeModel(join(dir, "weights")), { signal: new AbortController().signal, name: "own", output: file() });
  if (!added.ok) throw new Error(added.error.message);
  const { file: _, ...family } = added.value.family;
  whole = family;
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const file = (name = "own") => join(dir, "models", `${name}.json`);
const write = (family: unknown, name?: string) => writeFileSync(file(name), JSON.stringify(family, null, 2));
const failure = (changes: object) => {
  write({ ...whole, ...changes });
  const read = readFamilyFile(file());
  if (read.ok) throw new Error("it was taken");
  return read.error;
};

describe("a file", () => {
  const files = { "x.safetensors": { sha256: "0".repeat(64), bytes: 1 } };
  const cases: [string, object, RegExp][] = [
    ["of another form", { parameters: "many" }, /\/parameters must be integer/],
    ["with a key that nobody knows", { colour: "red" }, /must NOT have additional properties/],
    ["with a name that is a path", { name: "../up" }, /\/name must match pattern/],
    ["with forge's own name", { name: "nano" }, /`nano` is the name of a family that comes with forge/],
    ["with a template that is a path", { template: "../../etc/passwd" }, /\/template must match pattern/],
    ["with a template that is not there", { template: "own.jinja" }, /no chat template `own.jinja`/],
    ["with a licence that is a path", { licence: "../Apache-2.0" }, /\/licence must match pattern/],
    ["with a title that moves the cursor", { title: "a\u001b[2Jb" }, /\/title must match pattern/],
    ["with an empty control token", { special_tokens: [""] }, /\/special_tokens\/0 must NOT have fewer/],
    ["with a stop token of its own", { stop_tokens: ["<stop>"] }, /stop token "<stop>" is none of `special_tokens`/],
    ["with a template whose markers it does not name", { template: "llama-3.jinja" }, /writes <\|begin_of_text\|>, which is none of `special_tokens`/],
    ["with an end of a turn that does not stop", { stop_tokens: ["<|endoftext|>"] }, /ends a turn with <\|im_end\|>, which is none of `stop_tokens`/],
    ["with a stop token that begins a line", { stop_tokens: ["<|im_end|>", "x\nSYSTEM y"] }, /in `stop_tokens` has a control character/],
    [
      "with a control token that begins a line",
      { special_tokens: ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "a\u0085"] },
      /in `special_tokens` has a control/,
    ],
    ["with layers of its own to train", { lora: { targets: ["q_proj"] } }, /`lora.targets` is `all-linear`/],
    ["with another architecture", { architecture: "gemma2" }, /cannot fine-tune the architecture `gemma2`/],
    ["with another pre-tokenizer", { tokenizer: "gpt-4o" }, /does not know the pre-tokenizer `gpt-4o`/],
    ["with a head start", { head_start: { folder: "smollm2", sha256: "0".repeat(64) } }, /a head start belongs to a family that comes with forge/],
    [
      "with a package to fetch",
      { sources: { default: { kind: "package", folder: "nano", files: { "x.safetensors": files["x.safetensors"] }, quantization: "BF16" } } },
      /is `hub` or `folder`, not `package`/,
    ],
    [
      "with a file of code",
      { sources: { default: { kind: "folder", folder: ".", files: { "x.py": files["x.safetensors"] }, quantization: "BF16" } } },
      /\/sources\/default\/files/,
    ],
    [
      "with a file that is a path",
      { sources: { default: { kind: "folder", folder: ".", files: { "../x.json": files["x.safetensors"] }, quantization: "BF16" } } },
      /\/sources\/default\/files/,
    ],
    [
      "with two ready models",
      {
        sources: {
          default: { kind: "folder", folder: ".", files: { "a.gguf": files["x.safetensors"], "b.gguf": files["x.safetensors"] }, quantization: "Q8_0" },
        },
      },
      /one GGUF/,
    ],
    ["with a source that is a path", { sources: { ...({} as object), default: undefined, "../x": undefined } }, /\/sources/],
  ];
  test.each(cases)("%s is refused, at its line", (_name, changes, message) => {
    const error = failure(changes);
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ code: "models/family-file", exit: 4, place: { line: expect.any(Number) } });
  });

  test("points at the value that is wrong", () => {
    const { place } = failure({ template: "own.jinja" });
    expect(place?.source).toContain('"template": "own.jinja"');
  });

  test("that is no file, none at all, or too large is refused", () => {
    for (const [text, message] of [
      ["{", /is not JSON/],
      [`"${"x".repeat(2 << 20)}"`, /has at most/],
    ] as const) {
      writeFileSync(file(), text);
      expect(readFamilyFile(file())).toMatchObject({ ok: false, error: { message: expect.stringMatching(message), exit: 4 } });
    }
    expect(readFamilyFile(join(dir, "models"))).toMatchObject({ ok: false, error: { message: expect.stringMatching(/is not a file/) } });
    expect(readFamilyFile(file("nope"))).toMatchObject({ ok: false, error: { message: expect.stringMatching(/does not exist/) } });
  });

  test("stands in the list, and one that is wrong beside it", () => {
    write({ ...whole, name: "nano" }, "wrong");
    const { models, wrong } = listModels(dir);
    expect(models.map((m) => m.name)).toEqual([...familyNames(), "own"]);
    expect(models.at(-1)).toMatchObject({ licence: "Apache-2.0", memory: { measured: false }, sources: [{ kind: "folder", cached: false }] });
    expect(wrong).toMatchObject([{ problem: expect.stringContaining("`nano`") }]);
    expect([projectFamilies("own", dir), projectFamilies("other", dir), projectFamilies("own", join(dir, "weights"))]).toEqual([["models/own.json"], [], []]);
    write({ ...whole, title: "Again" }, "again");
    expect(projectFamilies("own", dir)).toEqual(["models/again.json", "models/own.json"]);
  });

  test("may begin with a mark of its encoding", () => {
    writeFileSync(file(), `\uFEFF${JSON.stringify(whole)}`);
    expect(readFamilyFile(file())).toMatchObject({ ok: true, value: { name: "own" } });
  });
});

const recipe = (model: string) => `version: 1\nname: x\ntools: [{ stub: weather }]\nmodel: ${model}\n`;
const pipeline = async (model: string, at = dir) => {
  writeFileSync(join(at, "forge.yaml"), recipe(model));
  const loaded = await loadRecipe(join(at, "forge.yaml"));
  if (!loaded.ok) throw new Error(loaded.error.map((e) => e.message).join("\n"));
  return buildPipeline(loaded.value);
};
const keys = async (model = "{ family: models/own.json }") => {
  const built = await pipeline(model);
  if (!built.ok) throw new Error(built.error.message);
  const stages = built.value.nodes.filter((n): n is StageDefinition => n.kind === "stage");
  return Object.fromEntries(stages.map((s) => [s.id, JSON.stringify([s.recipe, s.settings])]));
};

describe("in a recipe", () => {
  test("decides the keys of the stages that read it, and no others", async () => {
    const before = await keys();
    const changed = async (changes: object) => {
      write({ ...whole, ...changes });
      const after = await keys();
      return Object.keys(after).filter((id) => after[id] !== before[id]);
    };
    const all = ["generate", "qa", "train", "export:f16", "base:q8_0", "baseline:q8_0", "pack"];
    expect(await changed({ special_tokens: [...whole.special_tokens, "<|more|>"] })).toEqual(all);
    expect(await changed({ template: "smollm2.jinja" })).toEqual(all);
    expect(await changed({ context_tokens: 2048 })).toEqual(all);
    expect(await changed({ title: "Another" })).toEqual(["export:f16", "pack"]);
    expect(await changed({ licence: "MIT" })).toEqual(["export:f16", "pack"]);
    expect(await changed({ stop_tokens: ["<|im_end|>"] })).toEqual(["export:f16", "pack"]);
    expect(await changed({ training: { ...whole.training, overrides: { "*": { rank: 4 } } } })).toEqual(["train", "export:f16"]); // The GGUF names the recipe by digest.
    expect(await changed({ training: { ...whole.training, examples: { whole: 1, first: 2, first_without_call: 0 } } })).toEqual(["train"]);
    expect(await changed({ training: { ...whole.training, reason: "another", memory_gb: 3 } })).toEqual([]);
    const source = whole.sources.default;
    if (source?.kind !== "folder") throw new Error("no folder");
    expect(await changed({ sources: { default: { ...source, folder: "../elsewhere" } } })).toEqual([]);
    expect(await changed({ sources: { default: { ...source, files: { ...source.files, "config.json": { sha256: "0".repeat(64), bytes: 1 } } } } })).toEqual(
      all,
    );
    write(whole);
    expect(await keys()).toEqual(before);
  });

  test("is no matter of what its file is called", async () => {
    const before = await keys();
    write(whole, "renamed");
    expect(await keys("{ family: models/renamed.json }")).toEqual(before);
    mkdirSync(join(dir, "sub"));
    expect(JSON.stringify(before)).not.toContain(dir);
  });

  test("that is wrong is said at the line of its file, that is missing at the recipe's", async () => {
    write({ ...whole, template: "own.jinja" });
    expect(await pipeline("{ family: models/own.json }")).toMatchObject({ ok: false, error: { place: { file: expect.stringContaining("own.json") } } });
    await expect(pipeline("{ family: models/nope.json }")).rejects.toThrow("the family file `models/nope.json` does not exist");
    expect(await pipeline("{ family: models/own.json, source: hub }").catch(() => undefined)).toMatchObject({ ok: false });
  });
});

describe("a model of the hub by `hf_id`", () => {
  const revision = "0123456789abcdef0123456789abcdef01234567";
  const pin = (changes: object = {}) =>
    write(
      {
        ...whole,
        name: "big-model",
        hub_id: "Owner/Big-Model",
        sources: {
          default: {
            kind: "hub",
            repository: "Owner/Big-Model",
            revision,
            files: { "config.json": { sha256: "0".repeat(64), bytes: 1 } },
            quantization: "BF16",
            ...changes,
          },
        },
      },
      "big-model",
    );
  const wrong = async (model: string) => {
    const built = await pipeline(model);
    if (built.ok) throw new Error("it was taken");
    return built.error;
  };

  test("is the family that pins it", async () => {
    pin();
    expect(await keys("{ hf_id: Owner/Big-Model }")).toEqual(await keys("{ family: models/big-model.json }"));
    expect(await keys(`{ hf_id: Owner/Big-Model, revision: ${revision}, template: chatml }`)).toEqual(await keys("{ hf_id: Owner/Big-Model }"));
  });

  test("is an error with the very command where nothing pins it, or something else does", async () => {
    expect(await wrong("{ hf_id: Owner/Big-Model, revision: v1.0 }")).toMatchObject({
      code: "models/hf-id",
      exit: 4,
      hint: expect.stringMatching(/^Pin it: forge models add Owner\/Big-Model@v1.0 --output .*models\/big-model.json$/),
      place: { line: 4, column: 17 },
    });
    pin();
    expect(await wrong("{ hf_id: Owner/Big-Model, revision: v2.0 }")).toMatchObject({
      message: expect.stringContaining(`pins the revision ${revision}`),
      place: { column: 44 },
    });
    expect(await wrong("{ hf_id: Owner/Big-Model, template: llama-3 }")).toMatchObject({
      message: expect.stringContaining("has the chat template chatml.jinja"),
    });
    pin({ repository: "Other/Big-Model" });
    expect(await wrong("{ hf_id: Owner/Big-Model }")).toMatchObject({
      message: expect.stringContaining("pins Other/Big-Model, not Owner/Big-Model"),
      hint: expect.stringContaining("write `hf_id: Other/Big-Model`"),
    });
    write(JSON.parse(readFileSync(file(), "utf8")), "big-model");
    expect(await wrong("{ hf_id: Owner/Big-Model }")).toMatchObject({ message: expect.stringContaining("pins a folder") });
  });
});
