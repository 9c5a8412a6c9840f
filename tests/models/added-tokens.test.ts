/** Words around a thought that a vocabulary lacks: what `forge models add --thinking` writes of them, where it cannot, and what becomes of such a family. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { infoWords } from "../../src/cli/render/models.ts";
import { buildGraph } from "../../src/engine/graph.ts";
import { keysOf } from "../../src/engine/key.ts";
import { type AddOptions, addModel } from "../../src/models/add/index.ts";
import { ensureBase } from "../../src/models/base.ts";
import type { ProjectFamily } from "../../src/models/family.ts";
import { checkFamily } from "../../src/models/family-check.ts";
import { readFamilyFile } from "../../src/models/family-file.ts";
import { addAgain } from "../../src/models/folder.ts";
import { rowOf } from "../../src/models/list.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { ABOUT, CONFIG, gguf, TOKENIZER, TOKENS, writeModel } from "./own-model.ts";

const SLOTS = ["<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|reserved_special_token_2|>", "<|reserved_special_token_3|>"];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-added-"));
  mkdirSync(join(dir, "project", ".git"), { recursive: true });
  vi.stubEnv("MCP_FORGE_LLAMA_CPP", undefined);
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-convert.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen.json"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const file = (name = "own") => join(dir, "project", "models", `${name}.json`);
const add = (what: string, o: Partial<AddOptions> = {}) =>
  addModel(what, { signal: new AbortController().signal, output: file(), name: "own", thinking: true, force: true, ...o });
const family = async (what: string, o: Partial<AddOptions> = {}): Promise<ProjectFamily> => {
  const r = await add(what, o);
  if (!r.ok) throw new Error(`${r.error.code}: ${r.error.message}`);
  return r.value.family;
};
const refused = async (what: string, o: Partial<AddOptions> = {}) => {
  const r = await add(what, o);
  if (r.ok) throw new Error("it succeeded");
  return r.error;
};
const vocabulary = (tokens: readonly string[], more: object = {}) => ({
  ...TOKENIZER,
  added_tokens: tokens.map((content, id) => ({ id, content, special: true })),
  ...more,
});
const model = (changes: Parameters<typeof writeModel>[1] = {}) => writeModel(join(dir, "weights"), changes);

describe("a model whose vocabulary has neither word", () => {
  test("gets them, with ids of their own", async () => {
    const found = await family(model());
    expect(found).toMatchObject({ template: "qwen3-thinking.jinja", thinking: { open: "<think>", close: "</think>", add: [] } });
    expect(found.special_tokens).toEqual([...TOKENS, "<|im_start|>", "<|im_end|>", "<think>", "</think>"].filter((t, i, all) => all.indexOf(t) === i));
    expect(found.training.examples).toBeUndefined();
    expect(infoWords(rowOf(found)).join("\n")).toContain(
      "yes, between <think> and </think>, which are added to its vocabulary (with ids of their own) and trained",
    );
    expect(addAgain(found, found.sources.default as never)).toContain("--template qwen3-thinking --thinking ");
    // Nothing is added that nobody asked for.
    expect((await family(model(), { thinking: false })).thinking).toBeNull();
    expect(await refused(model(), { thinking: false, template: "qwen3-thinking" })).toMatchObject({
      code: "models/unsupported",
      hint: expect.stringContaining("Say --thinking"),
    });
  });

  test("gets them in place of reserved tokens that nobody uses", async () => {
    const of = async (changes: Parameters<typeof writeModel>[1] = {}) => family(model({ "tokenizer.json": vocabulary([...TOKENS, ...SLOTS]), ...changes }));
    const found = await of();
    expect(found.thinking?.add).toEqual(SLOTS.slice(0, 2));
    expect(found.special_tokens).toEqual([...TOKENS, ...SLOTS.slice(2), "<think>", "</think>"]);
    expect(infoWords(rowOf(found)).join("\n")).toContain(`(in place of ${SLOTS[0]} and ${SLOTS[1]})`);
    // Its files name it: as padding, by its id, in the chat template, before every text.
    expect((await of({ "tokenizer_config.json": { ...ABOUT, pad_token: { content: SLOTS[0] } } })).thinking?.add).toEqual(SLOTS.slice(1, 3));
    expect((await of({ "config.json": { ...CONFIG, pad_token_id: 4 } })).thinking?.add).toEqual([SLOTS[0], SLOTS[2]]);
    const template = { ...ABOUT, chat_template: `{{ '<|im_start|>' + '${SLOTS[0]}' }}` };
    expect((await of({ "tokenizer_config.json": template })).thinking?.add).toEqual(SLOTS.slice(1, 3));
    const before = vocabulary([...TOKENS, ...SLOTS], { post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: SLOTS[1] } }] } });
    expect((await of({ "tokenizer.json": before })).thinking?.add).toEqual([SLOTS[0], SLOTS[2]]);
    // All that Llama 3's own file says of every token is no use of it.
    const decoder = Object.fromEntries(SLOTS.map((content, i) => [i + 3, { content, special: true }]));
    const listed = { ...ABOUT, added_tokens_decoder: decoder, extra_special_tokens: SLOTS };
    expect((await of({ "tokenizer_config.json": listed })).thinking?.add).toEqual(SLOTS.slice(0, 2));
    expect((await of({ "tokenizer_config.json": { ...ABOUT, extra_special_tokens: { image: SLOTS[0] } } })).thinking?.add).toEqual(SLOTS.slice(1, 3));
    expect((await of({ "tokenizer.json": vocabulary([...TOKENS, "<|dummy_0|>"]) })).thinking?.add).toEqual([]);
  });

  test("is refused where none can be added", async () => {
    const piece = vocabulary(TOKENS, { model: { ...TOKENIZER.model, vocab: { a: 3, "<think>": 4 } } });
    expect((await refused(model({ "tokenizer.json": piece }))).message).toContain("has <think> as a piece of words");
    expect((await refused(model({ "tokenizer.json": vocabulary([...TOKENS, "<think>"]) }))).message).toContain("no token </think>");
    writeFileSync(join(dir, "own.gguf"), gguf());
    expect(await refused(join(dir, "own.gguf"))).toMatchObject({ message: expect.stringContaining("GGUF"), hint: expect.stringContaining("hub's form") });
    const llama = vocabulary(["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", ...SLOTS]);
    expect(await refused(model({ "tokenizer.json": llama, "tokenizer_config.json": { eos_token: "<|eot_id|>" } }))).toMatchObject({
      code: "models/no-thinking",
    });
  });
});

test("a family file says what can be added, and to what", async () => {
  const { file: _, ...whole } = await family(model({ "tokenizer.json": vocabulary([...TOKENS, ...SLOTS]) }));
  const said = (add: unknown, changes: object = {}) => {
    const checked = checkFamily({ ...whole, ...changes, thinking: { ...whole.thinking, add } });
    return checked.ok ? "" : checked.error.message;
  };
  for (const good of [[], SLOTS.slice(0, 2)]) expect(said(good)).toBe("");
  for (const bad of [[SLOTS[0]], [SLOTS[0], SLOTS[0]]]) expect(said(bad)).toContain("two reserved tokens");
  expect(said([SLOTS[0], "<|im_end|>"])).toContain('"<|im_end|>", which is a token of another meaning');
  for (const form of [SLOTS, [""], true, [1, 2]]) expect(said(form)).toContain("/thinking");
  const sources = { default: { kind: "folder", folder: "x", quantization: "F16", files: { "a.gguf": { sha256: "0".repeat(64), bytes: 1 } } } };
  expect(said([], { sources })).toContain("a GGUF is taken as it is");
});

test("the base is converted with them, once, beside the one without; the conversion of any other family is asked for nothing more", async () => {
  const converted = async (found: ProjectFamily) => {
    const base = await ensureBase(found, "default", { signal: new AbortController().signal });
    if (!base.ok) throw new Error(base.error.message);
    return { path: base.value.ggufPath, add: JSON.parse(readFileSync(join(dir, "seen.json"), "utf8")).spec.add };
  };
  const weights = model({ "tokenizer.json": vocabulary([...TOKENS, ...SLOTS]) });
  const [plain, thinking] = [await converted(await family(weights, { thinking: false })), await converted(await family(weights))];
  expect(plain.add).toBeUndefined();
  expect(thinking.add).toEqual({ tokens: ["<think>", "</think>"], slots: SLOTS.slice(0, 2) });
  expect(thinking.path).not.toBe(plain.path);
});

test("a recipe is refused that would end in an adapter alone, or be trained by what does not train their rows", async () => {
  await family(model());
  const build = async (more: string) => {
    writeFileSync(join(dir, "project", "forge.yaml"), `version: 1\nname: x\ntools:\n  - stub: weather\nmodel: { family: models/own.json }\n${more}`);
    const loaded = await loadRecipe(join(dir, "project", "forge.yaml"));
    if (!loaded.ok) throw new Error(loaded.error[0]?.message);
    return buildPipeline(loaded.value);
  };
  const keys = async () => {
    const built = await build("");
    if (!built.ok) throw new Error(built.error.message);
    return Object.fromEntries([...keysOf(buildGraph(built.value.nodes))].map(([stage, key]) => [stage, key.recipe]));
  };
  expect(await build("exports: [q8_0, lora]\n")).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining("`lora` cannot be exported"), place: { line: 6 } },
  });
  expect(await build("train: { backend: unsloth }\n")).toMatchObject({ ok: false, error: { message: expect.stringContaining("unsloth cannot train") } });
  expect(await build("train: { backend: qlora }\n")).toMatchObject({ ok: true });
  const added = await keys();
  const { file: _, ...whole } = { ...(readFamilyFile(file()) as { value: ProjectFamily }).value };
  writeFileSync(file(), JSON.stringify({ ...whole, thinking: { open: "<think>", close: "</think>" } }));
  const had = await keys();
  for (const stage of ["generate", "train", "export:f16"]) expect(added[stage]).not.toBe(had[stage]);
  expect(added.inspect).toBe(had.inspect);
  expect(await build("exports: [q8_0, lora]\n")).toMatchObject({ ok: true });
});
