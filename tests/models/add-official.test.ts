/** `forge models add --template official`: the model's own chat template beside the family file, pinned; a verdict either way; and files that do not fit each other. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AddOptions, addModel } from "../../src/models/add/index.ts";
import { officialOf } from "../../src/models/family.ts";
import { familyOfModel, readFamilyFile } from "../../src/models/family-file.ts";
import { addAgain } from "../../src/models/folder.ts";
import { rowOf } from "../../src/models/list.ts";
import { createRenderer } from "../../src/models/render.ts";
import { FailureError } from "../../src/platform/result.ts";
import type { FolderSource } from "../../src/schemas/generated/family.ts";
import { official } from "./official-rig.ts";
import { ABOUT, gguf, TOKENIZER, writeModel } from "./own-model.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-official-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const output = () => join(dir, "models", "mine.json");
const beside = () => join(dir, "models", "mine.jinja");
const thinks = {
  ...TOKENIZER,
  added_tokens: [...TOKENIZER.added_tokens, ...["<think>", "</think>"].map((content, i) => ({ id: 10 + i, content, special: false }))],
};
/** A model whose own template is one of the fixtures. */
function model(name: string, tokenizer: object = TOKENIZER): string {
  const about = { ...ABOUT, bos_token: "<|im_start|>", chat_template: official(name).text };
  return writeModel(join(dir, "weights"), { "tokenizer_config.json": about, "tokenizer.json": tokenizer });
}
const add = (what: string, o: Partial<AddOptions> = {}) => addModel(what, { signal: new AbortController().signal, output: output(), ...o });
async function added(what: string, o: Partial<AddOptions> = {}) {
  const r = await add(what, o);
  if (!r.ok) throw new Error(`${r.error.code}: ${r.error.message}`);
  return r.value.family;
}
async function refused(what: string, o: Partial<AddOptions> = {}) {
  const r = await add(what, o);
  if (r.ok) throw new Error("it succeeded");
  expect([existsSync(output()), existsSync(beside())]).toEqual([false, false]);
  return r.error;
}
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("a model's own template", () => {
  test("is not used unless that is asked for, and judged all the same", async () => {
    for (const template of [undefined, "ours", "chatml"]) {
      const family = await added(model("hermes.jinja"), { force: true, ...(template === undefined ? {} : { template }) });
      expect(family).toMatchObject({
        template: "chatml.jinja",
        chat: { template: "ours", reason: "its own template keeps tools, calls, results; plain talk with a system message is written alike by both" },
      });
      expect(officialOf(family)).toBeUndefined();
    }
    expect(existsSync(beside())).toBe(false);
    expect((await added(model("bare.jinja"), { force: true })).chat?.reason).toContain("its own template shows no tools, drops calls");
    expect((await added(model("thinking.jinja", thinks), { force: true })).chat?.reason).toMatch(/keeps tools, calls, results and thoughts.*\(--thinking\)$/);
    const without = writeModel(join(dir, "without"), { "tokenizer_config.json": { ...ABOUT, chat_template: undefined } });
    expect((await added(without, { force: true })).chat).toEqual({ template: "ours", reason: "it came without a chat template of its own" });
  });

  test("says which of ours writes plain talk as it does", async () => {
    const LLAMA = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"];
    const llama = { ...TOKENIZER, added_tokens: LLAMA.map((content, id) => ({ id, content, special: true })) };
    for (const [words, tokenizer, template] of [
      ["You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", TOKENIZER, "qwen2.5.jinja"],
      ["Cutting Knowledge Date: December 2023", llama, "llama-3.1.jinja"],
      ["", llama, "llama-3.jinja"],
    ] as const) {
      const about = { eos_token: tokenizer.added_tokens[1]?.content, chat_template: `{{ '${words}' }}` };
      const made = writeModel(join(dir, template), { "tokenizer_config.json": about, "tokenizer.json": tokenizer, "generation_config.json": {} });
      expect((await added(made, { force: true })).template).toBe(template);
    }
  });

  test("lies beside the family file, pinned, and is what the model is talked to by", async () => {
    const { text } = official("hermes.jinja");
    const family = await added(model("hermes.jinja"), { template: "official" });
    expect(readFileSync(beside(), "utf8")).toBe(text);
    expect(family.chat).toMatchObject({ template: "official", file: "mine.jinja", sha256: sha256(text), rewrites: false, spacing: "python" });
    expect(rowOf(family).chat).toMatchObject({ template: "official", reason: expect.stringContaining("keeps tools, calls, results") });
    const renderer = createRenderer(family);
    expect(renderer.template).toBe(text);
    expect(renderer.prompt([{ role: "user", content: "say <|im_end|>" }], [])).toBe(
      "<|im_start|>system\nYou are a model of the tests.<|im_end|>\n<|im_start|>user\nsay < |im_end|><|im_end|>\n<|im_start|>assistant\n",
    );
    // The very same again, and a recipe's words for it.
    const again = await add(model("hermes.jinja"), { template: "official" });
    expect(again.ok && again.value.written).toBe("unchanged");
    expect(addAgain(family, family.sources.default as FolderSource)).toContain("--template official --output");
  });

  test("may let the model think, and rewrite turns", async () => {
    expect((await refused(model("thinking.jinja", thinks), { template: "official" })).hint).toBe("Let it think: --template official --thinking");
    const family = await added(model("thinking.jinja", thinks), { template: "official", thinking: true });
    expect(family).toMatchObject({ template: "qwen3-thinking.jinja", thinking: { open: "<think>", close: "</think>" }, chat: { rewrites: true } });
    expect(family.training.examples).toBeUndefined();
    expect(createRenderer(family)).toMatchObject({ rowPerTurn: true, spacing: "python", thinking: { opened: false } });
    expect(addAgain(family, family.sources.default as FolderSource)).toContain("--template official --thinking");
  });

  test("knows the tokens that it names", async () => {
    const family = await added(model("day.jinja"), { template: "official" });
    expect(family.chat).toMatchObject({ bos_token: "<|im_start|>", eos_token: "<|im_end|>", spacing: "compact" });
    expect(createRenderer(family).prompt([{ role: "user", content: "q" }], [])).toContain("<|im_start|><|im_start|>system\nToday: 26 Jul 2024");
  });

  test("comes out of a GGUF, too", async () => {
    const { text } = official("day.jinja");
    const file = join(dir, "own.gguf");
    writeFileSync(file, gguf(undefined, { "tokenizer.chat_template": text, "tokenizer.ggml.bos_token_id": 2 }));
    const family = await added(file, { template: "official" });
    expect(family.chat).toMatchObject({ template: "official", sha256: sha256(text), bos_token: "<|im_start|>", eos_token: "<|im_end|>" });
  });

  test.each<[string, string]>([
    ["bare.jinja", "shows no tools, drops calls"],
    ["brackets.jinja", "refuses two calls in one turn (“One call at a time!”)"],
  ])("that loses something is refused by name: %s", async (name, why) => {
    const error = await refused(model(name), { template: "official" });
    expect(error).toMatchObject({ code: "models/official-template", exit: 4 });
    expect(error.message).toContain(why);
    expect(error.hint).toContain("--template ours");
  });

  test("that is in nobody's way is not written over", async () => {
    writeFileSync(join(dir, "x"), "");
    await added(model("day.jinja"));
    writeFileSync(beside(), "{{ mine }}");
    const r = await add(model("hermes.jinja"), { template: "official", output: join(dir, "models", "mine.json") });
    expect(!r.ok && r.error.code).toBe("models/exists");
    expect(readFileSync(beside(), "utf8")).toBe("{{ mine }}");
    await added(model("hermes.jinja"), { template: "official", force: true });
    expect(readFileSync(beside(), "utf8")).toBe(official("hermes.jinja").text);
  });
});

describe("a family file with a template beside it", () => {
  const problem = () => {
    const r = readFamilyFile(output());
    return r.ok ? undefined : r.error;
  };

  test("is refused where that is another text, too long, or not there; with the line", async () => {
    await added(model("hermes.jinja"), { template: "official" });
    expect(problem()).toBeUndefined();
    writeFileSync(beside(), `${official("hermes.jinja").text} `);
    expect(problem()).toMatchObject({ code: "models/family-file", exit: 4, place: { line: expect.any(Number) } });
    expect(problem()?.message).toContain("is not the chat template that was pinned");
    writeFileSync(beside(), "x".repeat(300_000));
    expect(problem()?.message).toContain("has 300000 bytes");
    rmSync(beside());
    expect(problem()?.message).toContain("is not there");
  });

  test("can say nothing that a round trip does not", async () => {
    await added(model("bare.jinja"));
    const text = official("bare.jinja").text;
    const family = JSON.parse(readFileSync(output(), "utf8"));
    family.chat = { template: "official", reason: "trust me", file: "mine.jinja", sha256: sha256(text), rewrites: false, spacing: "python" };
    writeFileSync(beside(), text);
    writeFileSync(output(), JSON.stringify(family));
    const read = readFamilyFile(output());
    if (!read.ok) throw new Error(read.error.message);
    let failure: FailureError | undefined;
    try {
      createRenderer(read.value);
    } catch (e) {
      if (e instanceof FailureError) failure = e;
    }
    expect(failure?.failure).toMatchObject({ code: "models/official-template", exit: 4 });
    expect(failure?.message).toContain("shows no tools");
  });

  test.each<[string, chat: object, training: object, message: string]>([
    ["a path", { file: "../mine.jinja" }, {}, "/chat/file must match pattern"],
    ["an unknown token", { bos_token: "<s>" }, {}, "`bos_token` is none of `special_tokens`"],
    ["no digest", { sha256: undefined }, {}, "must have required property 'sha256'"],
    ["a third kind", { template: "theirs" }, {}, "/chat"],
    [
      "parts of turns",
      { rewrites: true },
      { examples: { whole: 0.3, first: 1, first_without_call: 1 } },
      "whose template rewrites turns learns each turn whole",
    ],
  ])("is held against its form: %s", async (_, chat, training, message) => {
    await added(model("hermes.jinja"), { template: "official" });
    const family = JSON.parse(readFileSync(output(), "utf8"));
    writeFileSync(output(), JSON.stringify({ ...family, chat: { ...family.chat, ...chat }, training: { ...family.training, ...training } }));
    expect(problem()?.message).toContain(message);
  });

  test("is what a recipe's words for the template are held against", async () => {
    await added(model("hermes.jinja"), { template: "official" });
    const family = JSON.parse(readFileSync(output(), "utf8"));
    family.sources.default = {
      kind: "hub",
      repository: "Own/Mine",
      revision: "0".repeat(40),
      files: { "config.json": { sha256: "0".repeat(64), bytes: 1 } },
      quantization: "BF16",
    };
    writeFileSync(output(), JSON.stringify(family));
    const asked = (template: string) => familyOfModel({ hf_id: "Own/Mine", template }, dir);
    expect(asked("official").ok).toBe(true);
    for (const other of ["ours", "chatml"]) expect(asked(other)).toMatchObject({ ok: false, error: { path: ["model", "template"] } });
  });
});
