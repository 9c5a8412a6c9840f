/** `forge export --inspect`: what a GGUF is, said of good files and of files that lie. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { define } from "../../src/cli/commands/export.ts";
import { ggufWords } from "../../src/cli/render/gguf.ts";
import { inspectGguf } from "../../src/models/inspect-gguf.ts";

const dir = mkdtempSync(join(tmpdir(), "forge-inspect-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const u32 = (n: number): Buffer => Buffer.from(new Uint32Array([n]).buffer);
const u64 = (n: number | bigint): Buffer => Buffer.from(new BigUint64Array([BigInt(n)]).buffer);
const text = (s: string): Buffer => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
const entry = (key: string, type: number, value: Buffer): Buffer => Buffer.concat([text(key), u32(type), value]);
const say = (key: string, value: string): Buffer => entry(key, 8, text(value));
const number = (key: string, value: number): Buffer => entry(key, 4, u32(value));
const list = (key: string, ...values: string[]): Buffer => entry(key, 9, Buffer.concat([u32(8), u64(values.length), ...values.map(text)]));
const tensor = (name: string, dimensions: (number | bigint)[], type: number, offset: number): Buffer =>
  Buffer.concat([text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset)]);
const raw = (tensors: number | bigint, keys: number | bigint, ...rest: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(keys), ...rest]);

/** Three tensors: 512 weights in q4_k (288 bytes), 256 in iq2_xs (74), 8 in f32. */
function whole(...more: Buffer[]): Buffer {
  const entries = [
    say("general.architecture", "llama"),
    say("general.name", "weather-expert"),
    say("general.license", "apache-2.0"),
    number("general.file_type", 15),
    number("llama.context_length", 8192),
    number("llama.block_count", 30),
    say("quantize.imatrix.dataset", "MCP-Forge training samples"),
    number("quantize.imatrix.entries_count", 14),
    say("tokenizer.ggml.model", "gpt2"),
    say("tokenizer.ggml.pre", "smollm"),
    list("tokenizer.ggml.tokens", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "a"),
    number("tokenizer.ggml.eos_token_id", 2),
    say("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}"),
    say("mcp_forge.base_model", "smollm2"),
    say("mcp_forge.toolset_hash", `sha256:${"a".repeat(64)}`),
    say("mcp_forge.recipe_hash", `sha256:${"b".repeat(64)}`),
    say("mcp_forge.dataset_hash", `sha256:${"c".repeat(64)}`),
    list("mcp_forge.tools", "get_weather", "get_alerts"),
    number("mcp_forge.training.steps", 9),
    ...more,
  ];
  const head = raw(3, entries.length, ...entries, tensor("a", [256, 2], 12, 0), tensor("b", [256], 17, 288), tensor("c", [8], 0, 384));
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(384 + 32)]);
}

function of(bytes: Uint8Array, name = "model.gguf") {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return inspectGguf(path);
}
const good = (bytes: Uint8Array) => {
  const found = of(bytes);
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
};

test("a file of forge's says everything that it is", () => {
  const found = good(whole());
  expect(found).toMatchObject({
    damaged: null,
    kind: "model",
    name: "weather-expert",
    licence: "apache-2.0",
    architecture: "llama",
    parameters: 776,
    bits_per_weight: Math.round((800 * (288 + 74 + 32)) / 776) / 100,
    sizes: { context_length: 8192, block_count: 30 },
    quantization: { format: "q4_k_m", tensors: { F32: 1, IQ2_XS: 1, Q4_K: 1 }, imatrix: { dataset: "MCP-Forge training samples", entries: 14, chunks: null } },
    tokenizer: { model: "gpt2", pre: "smollm", tokens: 4, special: { eos: { id: 2, text: "<|im_end|>" } } },
    chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}",
    forge: { base_model: "smollm2", tools: ["get_weather", "get_alerts"], training: { steps: 9 }, recipe_hash: `sha256:${"b".repeat(64)}` },
    other: {},
  });
  const words = ggufWords(found, 100);
  for (const word of [
    "weather-expert",
    "q4_k_m: 1 F32, 1 IQ2_XS, 1 Q4_K",
    "get_weather, get_alerts",
    "4 tokens",
    'eos 2 "<|im_end|>"',
    "14 matrices",
    "steps 9",
  ])
    expect(words).toContain(word);
});

test("an adapter is said to be none, a foreign model to be none of forge's, one that was cut to be damaged", () => {
  const adapter = good(raw(0, 2, say("general.type", "adapter"), say("general.architecture", "llama")));
  expect(ggufWords(adapter, 80)).toContain("a LoRA adapter, no model by itself");
  expect(adapter.forge).toBeNull();
  expect(ggufWords(adapter, 80)).toContain("not made by MCP-Forge");
  const bytes = whole();
  const cut = good(bytes.subarray(0, -10));
  expect(cut.damaged).toBe(`its tensors end at byte ${bytes.length}, and it has ${bytes.length - 10}`);
  expect(ggufWords(cut, 80)).toContain("DAMAGED");
});

test("what the file says cannot drive the terminal", () => {
  const evil = "\u001b[2J\u001b]0;owned\u0007\u202egnp";
  const found = good(
    whole(say("general.description", evil), say(`mcp_forge.training.x`, evil), say(evil, evil), say("general.type", evil), list("mcp_forge.tools", evil)),
  );
  const words = ggufWords(found, 80);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  expect(words).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
});

test.each([
  ["not a GGUF", Buffer.from("not a model at all"), /does not begin as a GGUF/],
  ["nothing", Buffer.alloc(0), /ends within its metadata/],
  ["an old version", Buffer.concat([Buffer.from("GGUF"), u32(1), u64(0), u64(0)]), /version 1, and only 2 and 3/],
  ["a count of tensors that no model has", raw(1n << 60n, 0), /tensors and 0 keys, which no model has/],
  ["a count of keys that no model has", raw(0, 1n << 60n), /which no model has/],
  ["a text longer than the file", raw(0, 1, Buffer.concat([u64(1n << 62n), Buffer.from("x")])), /ends within its metadata/],
  ["a list longer than the file", raw(0, 1, entry("a", 9, Buffer.concat([u32(8), u64(1n << 62n)]))), /ends within its metadata/],
  ["a list of lists", raw(0, 1, entry("a", 9, Buffer.concat([u32(9), u64(1), u32(9), u64(1)]))), /a list of lists/],
  ["a type that there is not", raw(0, 1, entry("a", 77, u32(0))), /no type has the number 77/],
  ["too many dimensions", raw(1, 0, Buffer.concat([text("a"), u32(4_000_000_000)])), /dimensions, which none has/],
  ["a tensor larger than any", raw(1, 0, tensor("a", [1n << 40n, 1n << 40n], 0, 0)), /larger than any can be/],
])("%s is refused with what is wrong", (_name, bytes, why) => {
  const found = of(bytes);
  expect(found).toMatchObject({ ok: false, error: { code: "models/not-gguf", exit: 4 } });
  if (!found.ok) {
    expect(found.error.message).toMatch(why);
    expect(found.error.hint).toBeTruthy();
  }
});

test("a folder, nothing at all, a device: a word about it", () => {
  mkdirSync(join(dir, "folder"));
  expect(inspectGguf(join(dir, "folder"))).toMatchObject({ ok: false, error: { message: expect.stringContaining("is a folder"), exit: 4 } });
  expect(inspectGguf(join(dir, "none"))).toMatchObject({ ok: false, error: { message: expect.stringContaining("does not exist"), exit: 4 } });
  if (process.platform !== "win32")
    expect(inspectGguf("/dev/zero")).toMatchObject({ ok: false, error: { message: expect.stringContaining("no ordinary file") } });
  if (process.platform !== "win32" && spawnSync("mkfifo", [join(dir, "pipe")]).status === 0)
    expect(inspectGguf(join(dir, "pipe"))).toMatchObject({ ok: false, error: { code: "models/not-gguf" } });
});

test("whatever byte is changed and wherever it is cut, there is an answer", () => {
  const bytes = whole();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = byte;
      for (const one of [damaged, bytes.subarray(0, at)]) {
        const found = of(one);
        if (found.ok) expect(() => [ggufWords(found.value, 80), JSON.stringify(found.value)]).not.toThrow();
      }
    }),
    { numRuns: 200 },
  );
});

async function run(...args: string[]) {
  let [out, err] = ["", ""];
  const terminal = {
    out: (t: string) => (out += t),
    err: (t: string) => (err += t),
    paint: (_: string, t: string) => t,
    paintErr: (_: string, t: string) => t,
    columns: 100,
  };
  const context = { terminal, env: {}, exit: 0 } as unknown as Parameters<typeof define>[0];
  await define(context).parseAsync(args, { from: "user" });
  return { out, err, exit: context.exit };
}

test("the command: words, one JSON document, exit codes", async () => {
  const path = join(dir, "told.gguf");
  writeFileSync(path, whole());
  expect(await run("--inspect", path)).toMatchObject({ exit: 0, out: expect.stringContaining("toolset hash") });
  const json = await run("--inspect", path, "--json");
  expect(JSON.parse(json.out)).toMatchObject({ file: path, quantization: { format: "q4_k_m" } });
  writeFileSync(path, whole().subarray(0, -1));
  expect((await run("--inspect", path)).exit).toBe(1);
  expect(await run("--inspect", join(dir, "none"))).toMatchObject({ exit: 4, out: "" });
  expect(await run("forge.yaml", "--inspect", path)).toMatchObject({ exit: 4, err: expect.stringContaining("--inspect goes with no recipe") });
  expect(await run("--model", "adapter", "--inspect", path)).toMatchObject({ exit: 4 });
});
