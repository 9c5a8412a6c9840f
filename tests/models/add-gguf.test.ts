/** `forge models add FILE.gguf`: whole files only, an interruption that ends at once, and the command that mends a family of one. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type AddOptions, addModel } from "../../src/models/add/index.ts";
import { cachedBase, ensureBase } from "../../src/models/base.ts";
import { addAgain } from "../../src/models/folder.ts";
import { copyListed } from "../../src/models/listed-files.ts";
import { digestFile, digestFileUntil } from "../../src/platform/hash.ts";
import { gguf, tensorNames, writeModel } from "./own-model.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-gguf-"));
  vi.stubEnv("MCP_FORGE_CACHE_DIR", join(dir, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const output = () => join(dir, "models", "mine.json");
function add(bytes: Buffer, o: Partial<AddOptions> = {}) {
  writeFileSync(join(dir, "own.gguf"), bytes);
  return addModel(join(dir, "own.gguf"), { signal: new AbortController().signal, output: output(), ...o });
}
const refused = async (bytes: Buffer, o: Partial<AddOptions> = {}) => {
  const r = await add(bytes, o);
  if (r.ok) throw new Error("it succeeded");
  expect(existsSync(output())).toBe(false);
  return r.error;
};
const added = async (bytes = gguf(), o: Partial<AddOptions> = {}) => {
  const r = await add(bytes, o);
  if (!r.ok) throw new Error(`${r.error.code}: ${r.error.message}`);
  return r.value.family;
};

describe("a file", () => {
  test("that is whole is described, with or without an output of its own", async () => {
    expect(await added()).toMatchObject({ licence: "LicenseRef-llama3.2", parameters: 160, template: "chatml.jinja", architecture: "llama" });
    expect(await added(gguf([...tensorNames(2), "output.weight"]), { force: true })).toMatchObject({ parameters: 168 });
    const qwen3 = [...tensorNames(1), "blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight"];
    const words = { "general.architecture": "qwen3", "qwen3.block_count": 1, "qwen3.context_length": 64 };
    expect(await added(gguf(qwen3, words), { force: true })).toMatchObject({ architecture: "qwen3" });
    const named = (names: string) => ["token_embd.weight", "output_norm.weight", ...names.split(" ").map((n) => `blk.0.${n}`)];
    const phi = named("attn_norm.weight attn_qkv.weight attn_output.weight ffn_norm.weight ffn_up.weight ffn_down.weight");
    const fused = (architecture: string, more: object = {}) => ({
      ...{ "general.architecture": architecture, [`${architecture}.block_count`]: 1, [`${architecture}.context_length`]: 64, ...more },
    });
    const wide = fused("phi3", { "phi3.attention.sliding_window": 64, "tokenizer.ggml.pre": "dbrx" });
    expect(await added(gguf(phi, wide), { force: true })).toMatchObject({ architecture: "phi3", tokenizer: "dbrx" });
    const glm = named(
      "attn_norm.weight attn_q.weight attn_k.weight attn_v.weight attn_output.weight post_attention_norm.weight ffn_norm.weight ffn_up.weight ffn_down.weight post_ffw_norm.weight",
    );
    const biases = ["blk.0.attn_q.bias", "blk.0.attn_k.bias", "blk.0.attn_v.bias"];
    for (const tensors of [glm, [...glm, ...biases]])
      expect(await added(gguf(tensors, fused("glm4", { "tokenizer.ggml.pre": "glm4" })), { force: true })).toMatchObject({ architecture: "glm4" });
    const plain = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down attn_q_norm attn_k_norm post_attention_norm post_ffw_norm";
    const gemma = named(
      plain
        .split(" ")
        .map((n) => `${n}.weight`)
        .join(" "),
    );
    const pieces = fused("gemma3", {
      ...{ "tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default", "tokenizer.ggml.add_space_prefix": false, "gemma3.attention.sliding_window": 32 },
      ...{
        "tokenizer.ggml.tokens": ["<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"],
        "tokenizer.ggml.token_type": [3, 3, 3, 3],
        "tokenizer.ggml.eos_token_id": 0,
      },
    });
    expect(await added(gguf(gemma, pieces), { force: true })).toMatchObject({
      ...{ architecture: "gemma3", tokenizer: "default", template: "gemma-3.jinja", stop_tokens: ["<end_of_turn>", "<eos>"] },
    });
    rmSync(output());
    expect((await refused(gguf(gemma, { ...pieces, "tokenizer.ggml.add_space_prefix": true }))).message).toContain("vocabulary is of the kind `llama`");
    expect((await refused(gguf(gemma, { ...pieces, "tokenizer.ggml.model": "gpt2" }))).message).toContain("vocabulary is of the kind `gpt2`");
    expect((await refused(gguf(gemma, { ...pieces, "gemma3.attention.sliding_window": 0 }))).message).toContain("does not say what its layers look at");
    expect((await refused(gguf(gemma, { ...pieces, "gemma3.attention.sliding_window_pattern": 4 }))).message).toContain("not every sixth");
    expect((await refused(gguf(tensorNames(2), { "tokenizer.ggml.pre": "default" }))).message).toContain("does not have its pre-tokenizer `default`");
    expect((await refused(gguf([...glm, ...biases.slice(1)], fused("glm4")))).message).toContain("weights that are not loaded (blk.0.attn_k.bias)");
    expect((await refused(gguf([...glm, ...biases.slice(0, 2)], fused("glm4")))).message).toContain("missing (blk.0.attn_v.bias)");
    expect((await refused(gguf([...phi, "rope_factors_long.weight"], wide))).message).toContain("scaled by `longrope`");
    expect((await refused(gguf(phi, fused("phi3", { "phi3.attention.sliding_window": 63 })))).message).toContain("sliding window");
    expect((await refused(gguf(tensorNames(1), words))).message).toContain("missing (blk.0.attn_q_norm.weight)");
  });

  test.each(tensorNames(2))("that lacks %s is refused", async (name) => {
    const error = await refused(gguf(tensorNames(2).filter((n) => n !== name)));
    expect(error).toMatchObject({ code: "models/unsupported", exit: 4, message: expect.stringContaining(`some of its weights are missing (${name})`) });
  });

  test("of more blocks than it says, of none that it says, or of a part is refused", async () => {
    expect((await refused(gguf(tensorNames(3)))).message).toContain("weights that are not loaded (blk.2.attn_norm.weight)");
    expect((await refused(gguf(tensorNames(2), { "llama.block_count": undefined }))).message).toContain("does not say how many blocks");
    expect((await refused(gguf(tensorNames(2), { "llama.block_count": 4_000_000_000 }))).message).toContain("does not say how many blocks");
    const part = await refused(gguf(tensorNames(1), { "split.count": 2 }));
    expect(part).toMatchObject({ message: expect.stringContaining("one of 2 parts"), hint: expect.stringContaining("as one file") });
  });

  test.skipIf(process.platform === "win32")("that is a pipe is not opened", async () => {
    expect(spawnSync("mkfifo", [join(dir, "pipe.gguf")]).status).toBe(0);
    const r = await addModel(join(dir, "pipe.gguf"), { signal: new AbortController().signal, output: output() });
    expect(r).toMatchObject({ ok: false, error: { exit: 4, message: expect.stringContaining("neither a folder nor a file") } });
  });
});

describe("an interruption", () => {
  test("ends the reading of a large file at once, and nothing is written", async () => {
    const whole = gguf();
    writeFileSync(join(dir, "own.gguf"), whole);
    truncateSync(join(dir, "own.gguf"), 4 * 2 ** 30); // a hole: it takes seconds to read and no room
    const stop = new AbortController();
    const before = performance.now();
    const r = await addModel(join(dir, "own.gguf"), { signal: stop.signal, output: output(), onFile: () => setTimeout(() => stop.abort(), 20) });
    expect(r).toMatchObject({ ok: false, error: { code: "models/interrupted", exit: 130 } });
    expect(performance.now() - before).toBeLessThan(1500);
    expect(existsSync(output())).toBe(false);
  });

  test("that came before the file is written, too", async () => {
    expect(await refused(gguf(), { signal: AbortSignal.abort() })).toMatchObject({ exit: 130 });
    const folder = writeModel(join(dir, "folder"));
    expect(await addModel(folder, { signal: AbortSignal.abort(), output: output() })).toMatchObject({ ok: false, error: { exit: 130 } });
    expect(existsSync(output())).toBe(false);
  });

  test("leaves digests what they are", async () => {
    const path = join(dir, "x");
    writeFileSync(path, Buffer.alloc(3 << 20, 7));
    expect(await digestFileUntil(path, new AbortController().signal)).toBe(await digestFile(path));
  });
});

test("the command that mends it names the file and says again what was said", async () => {
  const family = await added(gguf(), { name: "it-s-mine", licence: "MIT", template: "smollm2" });
  const source = family.sources.default;
  if (source?.kind !== "folder") throw new Error("no folder");
  const again = addAgain(family, source);
  expect(again).toMatch(/^forge models add \S*own\.gguf --name it-s-mine --licence MIT --template smollm2 --output \S*mine\.json --force$/);
  writeFileSync(join(dir, "own.gguf"), gguf([...tensorNames(2), "output.weight"]));
  const taken = await ensureBase(family, "default", { signal: new AbortController().signal });
  expect(taken).toMatchObject({ ok: false, error: { hint: expect.stringContaining(again) } });
});

test("what goes into the base model's metadata and licence decides where it lies in the cache", async () => {
  const family = await added();
  const taken = await ensureBase(family, "default", { signal: new AbortController().signal });
  if (!taken.ok) throw new Error(taken.error.message);
  expect(cachedBase(family, "default")).toEqual(taken.value);
  expect(cachedBase({ ...family, title: "Another" }, "default")).toBeUndefined();
  expect(cachedBase({ ...family, hub_id: "Owner/Own" }, "default")).toBeUndefined();
});

test("what was half fetched long ago and forgotten is removed", async () => {
  const root = join(dir, "cache", "models");
  for (const name of [".fetched-old-default-0", ".fetched-new-default-0"]) {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, "model.safetensors"), "x");
  }
  const longAgo = Date.now() / 1000 - 40 * 86_400;
  for (const path of [join(root, ".fetched-old-default-0", "model.safetensors"), join(root, ".fetched-old-default-0")]) utimesSync(path, longAgo, longAgo);
  expect((await ensureBase(await added(), "default", { signal: new AbortController().signal })).ok).toBe(true);
  expect(readdirSync(root).filter((n) => n.startsWith(".fetched-"))).toEqual([".fetched-new-default-0"]);
});

test("a file of another size is not copied", async () => {
  writeFileSync(join(dir, "a.json"), "{}");
  const sha256 = (await digestFile(join(dir, "a.json"))).slice(7);
  const copy = (bytes: number) => copyListed({ "a.json": { sha256, bytes } }, dir, join(dir, "to"));
  expect(await copy(3)).toEqual({ ok: false, error: { name: "a.json", problem: "other" } });
  expect(readdirSync(join(dir, "to"))).toEqual([]);
  expect(await copy(2)).toMatchObject({ ok: true });
  expect(readFileSync(join(dir, "to", "a.json"), "utf8")).toBe("{}");
});
