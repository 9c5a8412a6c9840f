/** `forge models add`: what it finds out of a model, what it asks for, what it refuses, from a folder and from a hub over real HTTP; and what becomes of the file. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { licenceOf } from "../../src/models/add/defaults.ts";
import { gitBlob } from "../../src/models/add/files.ts";
import { type AddOptions, addModel } from "../../src/models/add/index.ts";
import { preTokenizer } from "../../src/models/add/vocabulary.ts";
import { cachedBase, ensureBase } from "../../src/models/base.ts";
import { readFamilyFile, slugOf } from "../../src/models/family-file.ts";
import { chatTemplates, PRE_TOKENIZERS, TEMPLATES } from "../../src/models/known.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { give, listen } from "./hub-server.ts";
import { CONFIG, modelFiles, QWEN2, safetensors, split, TOKENIZER, TOKENS, writeModel } from "./own-model.ts";

const TOKEN = "hf_aTokenThatNobodyElseMaySee";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-add-"));
  for (const name of [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "MCP_FORGE_LLAMA_CPP",
    "MCP_FORGE_OFFLINE",
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "HF_ENDPOINT",
  ])
    vi.stubEnv(name, undefined);
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-convert.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen.json"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const output = () => join(dir, "project", "models", "mine.json");
const add = (what: string, o: Partial<AddOptions> = {}) =>
  addModel(what, { signal: new AbortController().signal, timing: { stall: 2000, pause: 5 }, output: output(), ...o });
const added = async (what: string, o: Partial<AddOptions> = {}) => {
  const r = await add(what, o);
  if (!r.ok) throw new Error(`${r.error.code}: ${r.error.message}`);
  return r.value;
};
const refused = async (what: string, o: Partial<AddOptions> = {}) => {
  const r = await add(what, o);
  if (r.ok) throw new Error("it succeeded");
  return r.error;
};
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
const folder = (changes: Parameters<typeof writeModel>[1] = {}) => writeModel(join(dir, "weights", "Own-Model"), changes);

test("what forge knows of templates and pre-tokenizers is what it has", () => {
  expect(Object.keys(TEMPLATES).sort()).toEqual(chatTemplates());
  const python = readFileSync(join(packageRoot(), "python", "forge_steps", "tokenizer.py"), "utf8");
  const table = /^PRE_TOKENIZERS = \{([\s\S]*?)^\}/m.exec(python)?.[1] ?? "";
  expect([...table.matchAll(/^ {4}"([^"]+)":/gm)].map((m) => m[1])).toEqual(PRE_TOKENIZERS);
  const words = readFileSync(join(packageRoot(), "src", "cli", "commands", "models.ts"), "utf8");
  for (const name of chatTemplates()) expect(words).toContain(name.replace(".jinja", ""));
});

describe("of a folder", () => {
  test("everything is found out, and only what the conversion reads is pinned", async () => {
    const { family, written } = await added(folder(), { name: "own" });
    expect(written).toBe("new");
    expect(family).toMatchObject({
      name: "own",
      title: "Own-Model",
      licence: "Apache-2.0",
      parameters: 328,
      context_tokens: 32768,
      architecture: "qwen2",
      tokenizer: "qwen2",
      template: "chatml.jinja",
      stop_tokens: ["<|im_end|>", "<|endoftext|>"],
      special_tokens: TOKENS,
      thinking: null,
    });
    const source = family.sources.default;
    if (source?.kind !== "folder") throw new Error("no folder");
    expect(source.folder).toBe("../../weights/Own-Model");
    expect(Object.keys(source.files)).toEqual(["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    for (const [name, content] of modelFiles()) if (source.files[name]) expect(source.files[name]).toEqual({ sha256: sha256(content), bytes: content.length });
    expect(family.hub_id).toBeUndefined();
    expect(readFileSync(output(), "utf8")).not.toContain(dir);
    expect(await readFamilyFile(output())).toMatchObject({ ok: true });
  });

  test("becomes a base model once, by the licence that lies with it, and its bytes are not asked for again", async () => {
    const { family } = await added(folder({ LICENSE: "Do as you like.\n" }));
    const take = () => ensureBase(family, "default", { signal: new AbortController().signal });
    const made = await take();
    if (!made.ok) throw new Error(made.error.message);
    expect(readFileSync(made.value.licensePath, "utf8")).toBe("Do as you like.\n");
    expect(readFileSync(made.value.ggufPath, "latin1")).not.toContain("raise SystemExit");
    expect(JSON.parse(readFileSync(join(dir, "seen.json"), "utf8")).spec).toMatchObject({ pre_tokenizer: "qwen2", metadata: { "general.name": "Own-Model" } });
    rmSync(join(dir, "weights"), { recursive: true });
    expect(await take()).toEqual(made);
    expect(cachedBase({ ...family, tokenizer: "smollm" }, "default")).toBeUndefined();
  });

  test("that changed since is a clear failure that names the file, and nothing is kept", async () => {
    const { family } = await added(folder());
    for (const [problem, change] of [
      ["model.safetensors in .* is not the file that .*mine.json names", () => writeFileSync(join(dir, "weights", "Own-Model", "model.safetensors"), "other")],
      ["model.safetensors is not in", () => rmSync(join(dir, "weights", "Own-Model", "model.safetensors"))],
    ] as const) {
      change();
      const made = await ensureBase(family, "default", { signal: new AbortController().signal });
      expect(made).toMatchObject({
        ok: false,
        error: { code: "models/wrong-bytes", exit: 6, message: expect.stringMatching(problem), hint: expect.stringMatching(/forge models add .* --force/) },
      });
    }
    expect(readdirSync(join(dir, "cache", "models")).filter((n) => n !== ".mcp-forge")).toEqual([]);
  });

  test("in shards is pinned with its index, and half precision stays what it is", async () => {
    const shards = {
      "model.safetensors": undefined,
      "model-00001-of-00002.safetensors": safetensors({ a: [4, 4] }, "F16"),
      "model-00002-of-00002.safetensors": safetensors({ b: [2, 3] }, "F16"),
      "model.safetensors.index.json": { weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" } },
    };
    const { family } = await added(folder(shards));
    expect(family.parameters).toBe(22);
    expect(family.sources.default).toMatchObject({ quantization: "F16" });
    expect(Object.keys(family.sources.default?.kind === "folder" ? family.sources.default.files : {})).toEqual(
      expect.arrayContaining(Object.keys(shards).slice(1)),
    );
    rmSync(join(dir, "weights", "Own-Model", "model-00002-of-00002.safetensors"));
    expect((await refused(join(dir, "weights", "Own-Model"))).message).toContain("lacks model-00002-of-00002.safetensors");
  });

  test("is talked to by the template whose turn markers its vocabulary has", async () => {
    const tokens = (...texts: string[]) => ({ ...TOKENIZER, added_tokens: texts.map((content, id) => ({ id, content, special: true })) });
    const of = async (texts: string[], about: object = { eos_token: texts[1] }) =>
      (await added(folder({ "tokenizer.json": tokens(...texts), "tokenizer_config.json": about }), { force: true })).family;
    const llama = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"];
    expect(await of(llama)).toMatchObject({ template: "llama-3.jinja", stop_tokens: ["<|eot_id|>", "<|end_of_text|>", "<|begin_of_text|>"].slice(0, 2) });
    expect(await of(["<s>", "</s>", "[INST]", "[/INST]"])).toMatchObject({ template: "mistral.jinja", stop_tokens: ["</s>"] });
    expect(await of(["<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"])).toMatchObject({ template: "mistral-v7.jinja" });
    const distilled = [
      "<｜begin▁of▁sentence｜>",
      "<｜end▁of▁sentence｜>",
      "<|start_header_id|>",
      "<|end_header_id|>",
      "<|eot_id|>",
      "<｜User｜>",
      "<｜Assistant｜>",
      "<think>",
      "</think>",
    ];
    expect(await of(distilled)).toMatchObject({ template: "deepseek-r1.jinja", stop_tokens: ["<｜end▁of▁sentence｜>"] });
    const glm = ["<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"];
    expect(await of(glm, { eos_token: glm[0] })).toMatchObject({ template: "glm-4.jinja", stop_tokens: ["<|endoftext|>"] });
    const phi = [...TOKENS, "<|im_sep|>"];
    expect(await of(phi)).toMatchObject({ template: "phi-4.jinja", stop_tokens: ["<|im_end|>", "<|endoftext|>"] });
    expect(await of(phi, { chat_template: "{{ '<|im_start|>' + '<|im_sep|>' }}" })).toMatchObject({ template: "phi-4.jinja" });
    expect(await of(phi, { chat_template: "{{ '<|im_start|>' + '\n' }}" })).toMatchObject({ template: "chatml.jinja" });
    const thinking = [...TOKENS, "<think>", "</think>"];
    expect(await of(thinking, { chat_template: "{% if enable_thinking %}" })).toMatchObject({ template: "qwen3.jinja" });
    expect(await of(thinking, { chat_template: "{{ '<|im_start|>' }}" })).toMatchObject({ template: "chatml.jinja" });
    expect(await of(TOKENS, { chat_template: "You are a helpful AI assistant named SmolLM" })).toMatchObject({ template: "smollm2.jinja" });
  });

  test("thinks where that is asked for, and its vocabulary has the tokens", async () => {
    const tokens = (...texts: string[]) => ({ ...TOKENIZER, added_tokens: texts.map((content, id) => ({ id, content, special: true })) });
    const model = (...texts: string[]) =>
      folder({ "tokenizer.json": tokens(...texts), "tokenizer_config.json": { eos_token: texts[1], chat_template: "{% if enable_thinking %}" } });
    const thinker = [...TOKENS, "<think>", "</think>"];
    const { family } = await added(model(...thinker), { thinking: true, force: true });
    expect(family).toMatchObject({ template: "qwen3-thinking.jinja", thinking: { open: "<think>", close: "</think>" }, special_tokens: thinker });
    expect(family.training.examples).toBeUndefined();
    expect((await added(model(...thinker), { template: "qwen3-thinking", force: true })).family).toEqual(family);
    expect((await added(model(...thinker), { force: true })).family).toMatchObject({ template: "qwen3.jinja", thinking: null });
    const without = await refused(model(...TOKENS, "<|im_sep|>"), { template: "phi-4", thinking: true });
    expect([without.code, without.message]).toEqual(["models/no-thinking", expect.stringContaining("`phi-4.jinja`")]);
    const forced = await refused(model(...TOKENS), { template: "qwen3-thinking" });
    expect([forced.message, forced.hint]).toEqual([expect.stringContaining("no token <think>, </think>"), expect.stringContaining("Say --thinking")]);
  });

  test.each([
    ["a larger one", 700e6, { learning_rate: 1e-3 }],
    ["one of billions", 8e9, undefined],
  ])("is trained by its size: %s", async (_name, parameters, expected) => {
    const weights = safetensors({});
    const header = Buffer.from(JSON.stringify({ w: { dtype: "BF16", shape: [parameters], data_offsets: [0, 0] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const { family } = await added(folder({ "model.safetensors": Buffer.concat([length, header, weights]) }));
    if (expected === undefined) expect(family.training.overrides["*"]).toBeUndefined();
    else expect(family.training.overrides["*"]).toMatchObject(expected);
    expect(family.training.reason).toContain("not measured on it");
  });
});

describe("of a model with gate and up in one matrix", () => {
  const llama3 = split(QWEN2.replace("|\\p{N}|", "|\\p{N}{1,3}|"));
  const config = (changes: object) => ({ ...CONFIG, eos_token_id: 0, sliding_window: null, hidden_size: 5120, num_attention_heads: 40, ...changes });
  const files = (changes: object, tokens: readonly string[], model: object = {}) => ({
    "config.json": config(changes),
    "generation_config.json": {
      eos_token_id: tokens.flatMap((t, id) => (["<|endoftext|>", "<|im_end|>", "<|user|>", "<|observation|>"].includes(t) ? [id] : [])),
    },
    "tokenizer.json": {
      ...TOKENIZER,
      normalizer: null,
      pre_tokenizer: llama3,
      model: { ...TOKENIZER.model, ...model },
      added_tokens: tokens.map((content, id) => ({ id, content, special: true })),
    },
    "tokenizer_config.json": { eos_token: tokens.includes("<|im_end|>") ? "<|im_end|>" : "<|endoftext|>" },
    "model.safetensors": safetensors({ "model.norm.weight": [5120] }),
  });
  const PHI = { model_type: "phi3", architectures: ["Phi3ForCausalLM"], max_position_embeddings: 16384, original_max_position_embeddings: 16384 };
  const GLM = { model_type: "glm4", architectures: ["Glm4ForCausalLM"], head_dim: 128, attention_bias: true, partial_rotary_factor: 0.5 };
  const GLM_TOKENS = ["<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"];

  test("Phi-4 and GLM-4 are described, each with the pre-tokenizer that llama.cpp has for it", async () => {
    const phi = files({ ...PHI, rope_scaling: null }, [...TOKENS, "<|im_sep|>"]);
    const inverted = { ...llama3, pretokenizers: [{ ...llama3.pretokenizers[0], behavior: "Removed", invert: true }, llama3.pretokenizers[1]] };
    expect((await added(folder({ ...phi, "tokenizer.json": { ...phi["tokenizer.json"], pre_tokenizer: inverted } }))).family).toMatchObject({
      ...{ architecture: "phi3", tokenizer: "dbrx", template: "phi-4.jinja", context_tokens: 16384, stop_tokens: ["<|im_end|>", "<|endoftext|>"] },
    });
    expect((await added(folder(files(GLM, GLM_TOKENS)), { force: true })).family).toMatchObject({
      ...{ architecture: "glm4", tokenizer: "glm4", template: "glm-4.jinja", stop_tokens: ["<|endoftext|>", "<|user|>"] },
    });
    expect((await added(folder(files(GLM, GLM_TOKENS, { ignore_merges: true })), { force: true })).family.tokenizer).toBe("llama-bpe");
    // Phi-4 in Llama's form, and a Llama 3 of the time before its vocabulary said how it is merged.
    const llama = (model: object) => folder(files({ model_type: "llama", architectures: ["LlamaForCausalLM"] }, [...TOKENS, "<|im_sep|>"], model));
    expect((await added(llama({ ignore_merges: false }), { force: true })).family).toMatchObject({ tokenizer: "dbrx", template: "phi-4.jinja" });
    expect((await added(llama({}), { force: true })).family.tokenizer).toBe("llama-bpe");
    const wide = files({ ...PHI, sliding_window: 16384, head_dim: 128, partial_rotary_factor: 0.75 }, [...TOKENS, "<|im_sep|>"]);
    expect((await added(folder(wide), { force: true })).family.architecture).toBe("phi3");
  });

  test.each<[string, object, RegExp]>([
    [
      "Phi-4-mini's rotary embedding",
      { ...PHI, rope_scaling: { type: "longrope", short_factor: [1], long_factor: [2] } },
      /scaled by `longrope`, of which llama.cpp takes/,
    ],
    ["the older name of it", { ...PHI, rope_scaling: { type: "su" } }, /scaled by `su`/],
    ["a window that restricts", { ...PHI, sliding_window: 2047 }, /sliding window/],
    ["heads of another width", { ...PHI, head_dim: 64 }, /heads have a width of their own/],
    ["no number of heads", { ...PHI, num_attention_heads: undefined }, /does not say how many heads/],
    ["a part that cannot be rotated", { ...GLM, partial_rotary_factor: 0.3 }, /no even number/],
    ["a part of the newer form", { ...GLM, rope_parameters: { rope_type: "default", partial_rotary_factor: 1.5 } }, /no even number/],
    ["sections", { ...GLM, rope_parameters: { rope_type: "default", mrope_section: [8, 12, 12] } }, /cut into sections/],
    ["Llama's factors, which its file does not carry", { ...GLM, rope_scaling: { rope_type: "llama3", factor: 8 } }, /scaled by `llama3`/],
    ["a part of a model that is to be rotated whole", { rope_parameters: { rope_type: "default", partial_rotary_factor: 0.5 } }, /only a part of its heads/],
    ["biases of a Phi", { ...PHI, attention_bias: true }, /biases that are not loaded/],
  ])("%s is refused", async (_name, changes, message) => {
    const error = await refused(folder({ "config.json": config(changes) }));
    expect(error).toMatchObject({ code: "models/unsupported", exit: 4, message: expect.stringMatching(message) });
  });
});

describe("of a Gemma 3", () => {
  const TOKENS_OF_GEMMA = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<unused17>", "\n\n"];
  const LAYERS = Array.from({ length: 26 }, (_, i) => ((i + 1) % 6 === 0 ? "full_attention" : "sliding_attention"));
  const GEMMA = {
    ...{ architectures: ["Gemma3ForCausalLM"], model_type: "gemma3_text", hidden_activation: "gelu_pytorch_tanh", max_position_embeddings: 32768 },
    ...{ num_hidden_layers: 26, hidden_size: 1152, num_attention_heads: 4, head_dim: 256, query_pre_attn_scalar: 256, eos_token_id: [1, 5] },
    ...{ sliding_window: 512, sliding_window_pattern: 6, rope_theta: 1e6, rope_local_base_freq: 1e4, rope_scaling: null, attn_logit_softcapping: null },
  };
  const TOKENIZER_OF_GEMMA = {
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
    pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
    model: { type: "BPE", byte_fallback: true, vocab: { a: 8 }, merges: [] },
    added_tokens: TOKENS_OF_GEMMA.map((content, id) => ({ id, content, special: id < 7 })),
  };
  const gemma = (config: object = {}, tokenizer: object = {}, more: Parameters<typeof writeModel>[1] = {}) =>
    folder({
      ...{ "config.json": { ...GEMMA, ...config }, "generation_config.json": { eos_token_id: [1, 5] }, "tokenizer.model": "pieces" },
      "model.safetensors": safetensors({ "model.norm.weight": [1152] }),
      ...{ "tokenizer.json": { ...TOKENIZER_OF_GEMMA, ...tokenizer }, "tokenizer_config.json": { eos_token: "<eos>" }, ...more },
    });

  test("the pieces are pinned, and everything else is found out", async () => {
    const { family } = await added(gemma());
    expect(family).toMatchObject({
      ...{ architecture: "gemma3", tokenizer: "default", template: "gemma-3.jinja", stop_tokens: ["<end_of_turn>", "<eos>"] },
      special_tokens: TOKENS_OF_GEMMA.slice(0, 6),
    });
    expect(family.sources.default?.kind === "folder" && Object.keys(family.sources.default.files)).toContain("tokenizer.model");
    const today = {
      ...{ sliding_window_pattern: undefined, layer_types: LAYERS, rope_theta: undefined, rope_local_base_freq: undefined },
      rope_parameters: { full_attention: { rope_type: "default", rope_theta: 1e6 }, sliding_attention: { rope_type: "default", rope_theta: 1e4 } },
    };
    expect((await added(gemma(today, { pre_tokenizer: null }), { force: true })).family.architecture).toBe("gemma3");
    const largest = { num_hidden_layers: 62, hidden_size: 5376, num_attention_heads: 32, head_dim: 128, query_pre_attn_scalar: 168 };
    const weights = { "model.safetensors": safetensors({ "model.norm.weight": [5376] }) };
    expect((await added(gemma(largest, {}, weights), { force: true })).family.architecture).toBe("gemma3");
  });

  test.each<[string, Parameters<typeof gemma>, RegExp]>([
    ["other layers that look at everything", [{ sliding_window_pattern: 4 }], /not every sixth of its layers/],
    ["the same in today's form", [{ layer_types: [...LAYERS.slice(1), "full_attention"] }], /not every sixth of its layers/],
    ["no window", [{ sliding_window: null }], /does not say what its layers look at/],
    ["another scale", [{ query_pre_attn_scalar: 128 }], /query_pre_attn_scalar/],
    ["a cap", [{ final_logit_softcapping: 30 }], /capped \(`final_logit_softcapping`\)/],
    ["layers that look forward", [{ use_bidirectional_attention: true }], /look forward/],
    ["another activation", [{ hidden_activation: "gelu" }], /`gelu`, not `gelu_pytorch_tanh`/],
    ["the larger ones' scaling", [{ rope_scaling: { rope_type: "linear", factor: 8 } }], /scaled by `linear`/],
    ["the same in today's form", [{ rope_parameters: { full_attention: { rope_type: "linear", factor: 8 }, sliding_attention: {} } }], /scaled by `linear`/],
    ["no pieces", [{}, {}, { "tokenizer.model": undefined }], /lacks tokenizer.model/],
    ["a space before every text", [{}, { normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }] } }], /not of the form of Gemma 3's/],
    ["a vocabulary of bytes", [{}, { model: { type: "BPE" } }], /not of the form of Gemma 3's/],
  ])("%s is refused", async (_name, changes, message) => {
    expect(await refused(gemma(...changes))).toMatchObject({ code: "models/unsupported", exit: 4, message: expect.stringMatching(message) });
  });
});

describe("what cannot be found out", () => {
  test("is asked for by the flag's name: the template", async () => {
    const strange = { "tokenizer.json": { ...TOKENIZER, added_tokens: [{ id: 0, content: "<bos>", special: true }] } };
    expect(await refused(folder(strange))).toMatchObject({
      code: "models/template-needed",
      exit: 4,
      hint: expect.stringMatching(/--template chatml \| .*llama-3 \| /),
    });
    expect(await refused(folder(strange), { template: "chatml" })).toMatchObject({ message: expect.stringContaining("no token <|im_start|>, <|im_end|>") });
    expect(await refused(folder(strange), { template: "nope" })).toMatchObject({
      code: "models/bad-value",
      message: expect.stringContaining("no chat template `nope`"),
    });
  });

  test("is asked for by the flag's name: the licence", async () => {
    expect(await refused(folder({ "README.md": "# No word of it\n" }))).toMatchObject({
      code: "models/licence-needed",
      exit: 4,
      hint: expect.stringContaining("--licence Apache-2.0"),
    });
    expect((await added(folder({ "README.md": undefined }), { licence: "MIT" })).family.licence).toBe("MIT");
    expect((await added(folder({ "README.md": "---\nlicense: llama3.2\n---\n" }), { force: true })).family.licence).toBe("LicenseRef-llama3.2");
    expect(await refused(folder(), { licence: "../../etc" })).toMatchObject({ code: "models/bad-value" });
    expect(["gpl-3.0", "BSD-2-clause", "cc0-1.0", "licenseref-llama3.2", "LicenseRef-x", "gemma", "other", "licenseref-"].map(licenceOf)).toEqual([
      ...["GPL-3.0", "BSD-2-Clause", "CC0-1.0", "LicenseRef-llama3.2", "LicenseRef-x", "LicenseRef-gemma", undefined, undefined],
    ]);
  });
});

/** A model whose config.json says the shapes of all its weights. */
const WHOLE = {
  "config.json": {
    ...CONFIG,
    ...{ hidden_size: 8, intermediate_size: 24, num_attention_heads: 4, num_key_value_heads: 2, num_hidden_layers: 2, vocab_size: 40 },
  },
  "model.safetensors": safetensors({
    "model.embed_tokens.weight": [40, 8],
    ...Object.fromEntries(
      [0, 1].flatMap((i) => [
        [`model.layers.${i}.self_attn.q_proj.weight`, [8, 8]],
        [`model.layers.${i}.self_attn.k_proj.weight`, [4, 8]],
        [`model.layers.${i}.mlp.gate_proj.weight`, [24, 8]],
      ]),
    ),
    "model.norm.weight": [8],
  }),
};

test("a config that fits its weights is taken", async () => {
  expect((await added(folder(WHOLE))).family.architecture).toBe("qwen2");
});

describe("is refused with a sentence that says why", () => {
  const config = (changes: object) => ({ "config.json": { ...CONFIG, ...changes } });
  const tokenizer = (changes: object) => ({ "tokenizer.json": { ...TOKENIZER, ...changes } });
  const misfit = (changes: object) => ({ ...WHOLE, ...config({ ...WHOLE["config.json"], ...changes }) });
  const cases: [string, Parameters<typeof writeModel>[1], RegExp][] = [
    ["another architecture", config({ model_type: "gemma3", architectures: ["Gemma3ForCausalLM"] }), /architecture is `gemma3`/],
    ["a model without a head", config({ architectures: ["Qwen2Model"] }), /it is a Qwen2Model, not a Qwen2ForCausalLM/],
    ["quantized weights", config({ quantization_config: { quant_method: "gptq" } }), /quantized already/],
    ["biases that would be lost", config({ model_type: "llama", architectures: ["LlamaForCausalLM"], attention_bias: true }), /biases that are not loaded/],
    ["another activation", config({ hidden_act: "gelu" }), /activation is `gelu`/],
    ["a sliding window", config({ use_sliding_window: true }), /sliding window/],
    ["layers with a sliding window", config({ layer_types: ["full_attention", "sliding_attention"] }), /sliding window/],
    ["a mistral with one", config({ model_type: "mistral", architectures: ["MistralForCausalLM"], sliding_window: 4096 }), /sliding window/],
    ["yarn", config({ rope_scaling: { type: "yarn", factor: 4 } }), /rotary embedding is scaled by `yarn`/],
    [
      "unusual factors",
      config({ rope_parameters: { rope_type: "llama3", factor: 8, low_freq_factor: 2, high_freq_factor: 4, original_max_position_embeddings: 8192 } }),
      /factors of its own/,
    ],
    ["no window", config({ max_position_embeddings: -1 }), /no `max_position_embeddings`/],
    ["a SentencePiece vocabulary", tokenizer({ normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }] } }), /SentencePiece/],
    ["a vocabulary with byte fallback", tokenizer({ model: { type: "BPE", byte_fallback: true } }), /SentencePiece/],
    ["only tokenizer.model", { "tokenizer.json": undefined, "tokenizer.model": "x" }, /SentencePiece's \(tokenizer.model\)/],
    ["a vocabulary that is no BPE", tokenizer({ model: { type: "WordPiece" } }), /no byte-level BPE/],
    ["text that is changed first", tokenizer({ normalizer: { type: "Lowercase" } }), /changes text before it cuts it/],
    ["a pre-tokenizer that nobody knows", tokenizer({ pre_tokenizer: split("\\w+") }), /does not know which of llama.cpp's pre-tokenizers/],
    ["weights that can hold code", { "model.safetensors": undefined, "pytorch_model.bin": "x" }, /pytorch_model.bin, which can hold code/],
    ["no weights", { "model.safetensors": undefined }, /no model.safetensors/],
    ["weights that are none", { "model.safetensors": "none" }, /no file of safetensors/],
    ["a header without an end", { "model.safetensors": Buffer.alloc(64, 0xff) }, /no file of safetensors/],
    ["half a file", { "model.safetensors": safetensors({ a: [4, 4] }).subarray(0, -1) }, /ends too early/],
    ["eight-bit weights", { "model.safetensors": safetensors({ a: [4, 4] }, "F8_E4M3", 1) }, /its weights are F8_E4M3/],
    [
      "a shard with a path",
      { "model.safetensors": undefined, "model.safetensors.index.json": { weight_map: { a: "../x.safetensors" } } },
      /names no files of safetensors/,
    ],
    ["a config of more layers than there are weights for", misfit({ num_hidden_layers: 40 }), /40 layers \(`num_hidden_layers`\) and its weights 2$/],
    ["a config of another vocabulary", misfit({ vocab_size: 50 }), /50 tokens \(`vocab_size`\), and its weights have 40 \(model.embed_tokens.weight\)/],
    ["a config of another width", misfit({ hidden_size: 16, head_dim: 2 }), /16 numbers \(`hidden_size`\), and its weights have 8/],
    [
      "a config of other heads",
      misfit({ num_attention_heads: 8, head_dim: 2 }),
      /8 heads have 16 rows .* and its weights have 8 \(model.layers.0.self_attn.q_proj.weight\)/,
    ],
    ["a config of other heads of keys", misfit({ num_key_value_heads: 4 }), /4 heads of keys have 8 rows .* have 4 \(model.layers.0.self_attn.k_proj.weight\)/],
    ["a config of other layers inside", misfit({ intermediate_size: 99 }), /99 wide inside .* have 24/],
    ["a config that is none", { "config.json": "[" }, /config.json of .* is no JSON object/],
    ["no config", { "config.json": undefined }, /there is no config.json/],
  ];
  test.each(cases)("%s", async (_name, changes, message) => {
    const error = await refused(folder(changes));
    expect(error.message).toMatch(message);
    expect(error.exit).toBe(4);
  });

  test("a repository in the hub's cache, whose files lie a folder deeper", async () => {
    const repository = join(dir, "models--Owner--My.Model");
    for (const revision of ["0aaa", "7bbb"]) writeModel(join(repository, "snapshots", revision));
    mkdirSync(join(repository, "refs"));
    writeFileSync(join(repository, "refs", "main"), "7bbb\n");
    const { message, hint = "", exit } = await refused(repository);
    expect(message).toMatch(/models--Owner--My.Model is a repository in the hub's cache/);
    expect(exit).toBe(4);
    const [, path, name] = /forge models add (\S+) --name (\S+)$/.exec(hint) ?? [];
    expect([path, name]).toEqual([expect.stringMatching(/snapshots\/7bbb$/), "my.model"]);
    expect((await added(path as string, { name })).family.title).toBeDefined();
  });

  test("what is neither here nor on the hub, and what is no GGUF", async () => {
    expect((await refused(join(dir, "nothing-here"))).message).toMatch(/no folder and no file/);
    writeFileSync(join(dir, "x.gguf"), "GGUF, they say");
    expect((await refused(join(dir, "x.gguf"), { licence: "MIT" })).message).toMatch(/x.gguf is no GGUF file/);
    writeFileSync(join(dir, "x.bin"), "");
    expect((await refused(join(dir, "x.bin"))).message).toMatch(/neither a folder nor a file NAME.gguf/);
    writeFileSync(join(dir, "weights.gguf"), "");
    expect(await refused(folder({ "config.json": undefined, "model.gguf": "x" }))).toMatchObject({ hint: expect.stringContaining("model.gguf") });
  });

  test("a name that is forge's own, or none", async () => {
    expect((await refused(folder(), { name: "nano" })).message).toContain("comes with forge");
    for (const name of ["../up", "Upper", "", "a/b"]) expect((await refused(folder(), { name })).message).toContain("cannot name a family");
    expect((await refused(folder(), { output: join(dir, "family.yaml") })).message).toContain("does not end in .json");
    expect([slugOf("Qwen/Qwen2.5-0.5B-Instruct"), slugOf("../../etc/.."), slugOf("日本")]).toEqual(["qwen2.5-0.5b-instruct", "model", "model"]);
  });
});

test("the file is never written over another one, unless that is asked for", async () => {
  expect((await added(folder())).written).toBe("new");
  expect((await added(folder())).written).toBe("unchanged");
  const before = readFileSync(output(), "utf8");
  expect(await refused(folder(), { licence: "MIT" })).toMatchObject({ code: "models/exists", exit: 4, hint: expect.stringContaining("--force") });
  expect(readFileSync(output(), "utf8")).toBe(before);
  expect((await added(folder(), { licence: "MIT", force: true })).written).toBe("replaced");
  expect(readdirSync(join(dir, "project", "models"))).toEqual(["mine.json"]);
});

test("a file that forge would not read is not written, nor put over a good one", async () => {
  const before = (await added(folder())).family;
  for (const [change, message] of [
    [{ "config.json": { ...CONFIG, max_position_embeddings: 100_000_000 } }, /\/context_tokens must be <= 16777216/],
    [
      { "tokenizer.json": { ...TOKENIZER, added_tokens: [...TOKENIZER.added_tokens, { id: 3, content: `<${"x".repeat(200)}>`, special: true }] } },
      /\/special_tokens\/3 must NOT have more than 200 characters/,
    ],
    [
      {
        "tokenizer.json": {
          ...TOKENIZER,
          added_tokens: [
            ...TOKENIZER.added_tokens,
            ...Array.from({ length: 8000 }, (_, i) => ({ id: 3 + i, content: `<${i}${"x".repeat(150)}>`, special: true })),
          ],
        },
      },
      /would have \d+ bytes, and may have 1048576/,
    ],
  ] as const) {
    expect(await refused(folder(change), { force: true })).toMatchObject({ code: "models/unsupported", exit: 4, message: expect.stringMatching(message) });
    expect(await refused(folder(change), { output: join(dir, "other.json") })).toMatchObject({ exit: 4 });
  }
  expect(readFamilyFile(output())).toMatchObject({ ok: true, value: before });
  expect(readdirSync(dir)).not.toContain("other.json");
});

test("empty files are not pinned, and what says null of quantization is not quantized", async () => {
  const { family } = await added(folder({ "special_tokens_map.json": "", "config.json": { ...CONFIG, quantization_config: null } }));
  const source = family.sources.default;
  expect(source?.kind === "folder" && Object.keys(source.files)).not.toContain("special_tokens_map.json");
});

test("pre-tokenizers are known by their whole form", () => {
  expect(preTokenizer(split(QWEN2))).toBe("qwen2");
  expect(preTokenizer(split(QWEN2.replace("|\\p{N}|", "|\\p{N}{1,3}|")))).toBe("llama-bpe");
  expect(
    preTokenizer({
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { type: "ByteLevel", add_prefix_space: false, use_regex: true },
      ],
    }),
  ).toBe("smollm");
  const [first, last] = split(QWEN2).pretokenizers;
  for (const other of [
    { type: "Sequence", pretokenizers: [first] },
    { type: "Sequence", pretokenizers: [{ ...first, invert: true }, last] },
    { type: "Sequence", pretokenizers: [first, { ...last, add_prefix_space: true }] },
    { type: "ByteLevel" },
    null,
    "qwen2",
  ])
    expect(preTokenizer(other)).toBeUndefined();
});

describe("of the hub", () => {
  const REVISION = "0123456789abcdef0123456789abcdef01234567";
  const ID = "Owner/Own-Model";
  interface Hub {
    readonly asked: { readonly path: string; readonly token: string | undefined }[];
    files: Map<string, Buffer>;
    /** In place of an answer, where it gives one. */
    mischief: (path: string, response: ServerResponse) => boolean;
    listing: (list: Record<string, unknown>) => unknown;
    close(): Promise<void>;
  }
  let hub: Hub;
  let storage: Awaited<ReturnType<typeof listen>>;

  beforeEach(async () => {
    storage = await listen((request, response) =>
      give(hub.files.get((request.url ?? "").split("/").at(-1) ?? "") ?? Buffer.alloc(0), request.headers.range, response),
    );
    const main = await listen((request, response) => {
      const path = request.url ?? "";
      hub.asked.push({ path, token: request.headers.authorization });
      if (hub.mischief(path, response)) return;
      if (path === `/api/models/${ID}/revision/main?blobs=true` || path === `/api/models/${ID}/revision/${REVISION}?blobs=true`) {
        const siblings = [...hub.files].map(([rfilename, body]) =>
          rfilename.endsWith(".safetensors")
            ? { rfilename, size: body.length, blobId: "f".repeat(40), lfs: { sha256: sha256(body), size: body.length, pointerSize: 130 } }
            : { rfilename, size: body.length, blobId: gitBlob(body) },
        );
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify(hub.listing({ id: ID, sha: REVISION, siblings, tags: ["license:apache-2.0"], cardData: { license: "apache-2.0" } })));
        return;
      }
      const name = path.split("/").at(-1) ?? "";
      const body = hub.files.get(name);
      if (body === undefined || path !== `/${ID}/resolve/${REVISION}/${name}`) response.writeHead(404).end("Entry not found");
      else if (name.endsWith(".safetensors")) response.writeHead(302, { location: `${storage.address}/${name}` }).end();
      else give(body, request.headers.range, response);
    });
    hub = {
      asked: [],
      files: modelFiles({ "README.md": undefined, LICENSE: "Its licence.\n" }),
      mischief: () => false,
      listing: (list) => list,
      close: async () => void (await Promise.all([main.close(), storage.close()])),
    };
    vi.stubEnv("HF_ENDPOINT", main.address);
  });
  afterEach(() => hub.close());

  test("a revision becomes a commit, every file is pinned, and what is pinned is what is fetched later", async () => {
    vi.stubEnv("HF_TOKEN", TOKEN);
    const { family } = await added(ID);
    expect(family).toMatchObject({ hub_id: ID, title: "Own-Model", licence: "Apache-2.0", parameters: 328 });
    const source = family.sources.default;
    if (source?.kind !== "hub") throw new Error("no hub");
    expect(source).toMatchObject({ repository: ID, revision: REVISION, quantization: "BF16" });
    expect(Object.keys(source.files)).toEqual([
      "LICENSE",
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    for (const [name, pin] of Object.entries(source.files)) expect(pin.sha256).toBe(sha256(hub.files.get(name) as Buffer));
    expect(hub.asked.every((a) => a.token === `Bearer ${TOKEN}`)).toBe(true);
    expect(readFileSync(output(), "utf8")).not.toContain(TOKEN);
    expect(hub.asked.filter((a) => a.path.includes("safetensors")).length).toBe(1);
    expect(hub.asked.some((a) => a.path.endsWith(".py"))).toBe(false);

    const made = await ensureBase(family, "default", { signal: new AbortController().signal, timing: { stall: 2000, pause: 5 } });
    if (!made.ok) throw new Error(made.error.message);
    expect(readFileSync(made.value.licensePath, "utf8")).toBe("Its licence.\n");
    expect((await added(`${ID}@${REVISION}`)).written).toBe("unchanged");
  });

  test.each<[string, (h: Hub) => void, Partial<AddOptions>, RegExp, number]>([
    ["a repository that is not there", (h) => (h.mischief = (_, r) => !!r.writeHead(404).end()), {}, /has no Owner\/Own-Model at that revision/, 6],
    ["one that is private", (h) => (h.mischief = (_, r) => !!r.writeHead(401).end()), {}, /does not give out its list of files/, 6],
    ["an answer that is no list", (h) => (h.listing = () => ({ error: "no" })), {}, /something else than the list of files/, 6],
    ["a commit that is none", (h) => (h.listing = (l) => ({ ...l, sha: "main" })), {}, /something else than the list/, 6],
    ["an answer without an end", (h) => (h.mischief = (_, r) => !!r.writeHead(200).end(Buffer.alloc((16 << 20) + 1, 32))), {}, /more than 16777216 bytes/, 6],
    ["a server that says nothing", (h) => (h.mischief = () => true), { timing: { stall: 50, pause: 1 } }, /could not be fetched.*said nothing/, 6],
    [
      "a small file that is another",
      (h) => (h.mischief = (p, r) => p.endsWith("tokenizer.json") && !!r.end(Buffer.alloc(hub.files.get("tokenizer.json")?.length ?? 0, 32))),
      {},
      /tokenizer.json of .* is another file/,
      6,
    ],
    [
      "a list without sizes",
      (h) => (h.listing = (l) => ({ ...l, siblings: (l.siblings as object[]).map((s) => ({ ...s, size: null, lfs: undefined })) })),
      {},
      /no config.json/,
      4,
    ],
  ])("%s is a clear failure, and nothing is written", async (_name, mischief, o, message, exit) => {
    mischief(hub);
    const error = await refused(ID, o);
    expect(error.message).toMatch(message);
    expect(error.exit).toBe(exit);
    expect(() => readFileSync(output())).toThrow();
  });

  test("is not reached where that is forbidden, and an interruption is one", async () => {
    for (const name of ["HF_HUB_OFFLINE", "MCP_FORGE_OFFLINE"]) {
      vi.stubEnv(name, "1");
      expect(await refused(ID)).toMatchObject({ code: "models/hub-offline", exit: 6, message: expect.stringContaining(name) });
      vi.stubEnv(name, undefined);
    }
    expect(hub.asked).toEqual([]);
    hub.mischief = () => true;
    expect(await refused(ID, { signal: AbortSignal.timeout(50) })).toMatchObject({ exit: 130 });
  });

  test("a repository that was renamed is pinned, called and filed as the hub calls it now", async () => {
    hub.listing = (l) => ({ ...l, id: "New-Owner/New-Model" });
    hub.mischief = (path, response) => {
      const name = path.split("/").at(-1) ?? "";
      if (path !== `/New-Owner/New-Model/resolve/${REVISION}/${name}`) return false;
      give(hub.files.get(name) ?? Buffer.alloc(0), undefined, response);
      return true;
    };
    const warnings: string[] = [];
    const { family } = await added(ID, { onWarning: (w) => warnings.push(w) });
    expect(family).toMatchObject({ name: "new-model", hub_id: "New-Owner/New-Model" });
    expect(warnings).toEqual([`the hub calls ${ID} New-Owner/New-Model now: in a recipe, write \`hf_id: New-Owner/New-Model\``]);
  });

  test("nobody is asked for what is a path that was mistyped", async () => {
    for (const what of ["weights/own.gguf", "src/nothing"]) {
      const error = await refused(what);
      expect(error).toMatchObject({ code: "models/no-model", exit: 4, message: `there is no \`${what}\` here` });
    }
    expect(hub.asked).toEqual([]);
  });

  test("its own words for a licence are read as the rest", async () => {
    hub.listing = (l) => ({ ...l, tags: [], cardData: { license: "other", license_name: "qwen-research" } });
    expect((await added(ID)).family.licence).toBe("LicenseRef-qwen-research");
    hub.listing = (l) => ({ ...l, tags: [], cardData: { license: "other" } });
    expect(await refused(ID)).toMatchObject({ code: "models/licence-needed" });
  });
});
