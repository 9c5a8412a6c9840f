/** A model in the hub's form for tests that read no weight: real descriptions, a header of safetensors, no numbers worth the name. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const QWEN2 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
export const split = (expression: string) => ({
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: expression }, behavior: "Isolated", invert: false },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
  ],
});

/** Qwen2.5's small one, in miniature. */
export const CONFIG = {
  architectures: ["Qwen2ForCausalLM"],
  model_type: "qwen2",
  hidden_act: "silu",
  max_position_embeddings: 32768,
  eos_token_id: 1,
  use_sliding_window: false,
  sliding_window: 32768,
  tie_word_embeddings: true,
};
export const TOKENS = ["<|endoftext|>", "<|im_end|>", "<|im_start|>"];
export const TOKENIZER = {
  normalizer: { type: "NFC" },
  pre_tokenizer: split(QWEN2),
  model: { type: "BPE", vocab: { a: 3 }, merges: [] },
  added_tokens: TOKENS.map((content, id) => ({ id, content, special: true, normalized: false })),
};
export const ABOUT = { eos_token: "<|im_end|>", chat_template: "{{ '<|im_start|>' }}" };

/** A file of safetensors of these shapes, its numbers zero. */
export function safetensors(shapes: Readonly<Record<string, readonly number[]>>, dtype = "BF16", width = 2): Buffer {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const from = at;
      at += width * shape.reduce((a, b) => a * b, 1);
      return [name, { dtype, shape, data_offsets: [from, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify({ __metadata__: { format: "pt" }, ...header }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(at)]);
}

/** The files of the model, some of them changed or (undefined) left out. */
export function modelFiles(changes: Readonly<Record<string, object | string | Buffer | undefined>> = {}): Map<string, Buffer> {
  const files: Record<string, object | string | Buffer | undefined> = {
    "config.json": CONFIG,
    "generation_config.json": { eos_token_id: [1, 0] },
    "tokenizer.json": TOKENIZER,
    "tokenizer_config.json": ABOUT,
    "model.safetensors": safetensors({ "model.embed_tokens.weight": [40, 8], "model.norm.weight": [8] }),
    "README.md": "---\nlibrary_name: transformers\nlicense: apache-2.0\n---\n# A model\n",
    "modeling.py": "raise SystemExit",
    ...changes,
  };
  const bytes = (content: object | string | Buffer): Buffer =>
    Buffer.isBuffer(content) ? content : Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  return new Map(Object.entries(files).flatMap(([name, content]) => (content === undefined ? [] : [[name, bytes(content)] as const])));
}

export function writeModel(folder: string, changes: Parameters<typeof modelFiles>[0] = {}): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of modelFiles(changes)) writeFileSync(join(folder, name), content);
  return folder;
}

const u32 = (n: number): Buffer => Buffer.from(new Uint32Array([n]).buffer);
const u64 = (n: number): Buffer => Buffer.from(new BigUint64Array([BigInt(n)]).buffer);
const text = (s: string): Buffer => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
/** A value by what it is: numbers as uint32, lists of texts or of numbers. */
function value(v: string | number | boolean | readonly string[] | readonly number[]): Buffer {
  if (typeof v === "string") return Buffer.concat([u32(8), text(v)]);
  if (typeof v === "boolean") return Buffer.concat([u32(7), Buffer.from([Number(v)])]);
  if (typeof v === "number") return Buffer.concat([u32(4), u32(v)]);
  const items = v.map((item) => (typeof item === "string" ? text(item) : u32(item)));
  return Buffer.concat([u32(9), u32(typeof v[0] === "string" ? 8 : 4), u64(items.length), ...items]);
}

/** Tensors of a llama of so many blocks that has no output of its own. */
export const tensorNames = (blocks: number): string[] => [
  ...["token_embd.weight", "output_norm.weight"],
  ...Array.from({ length: blocks }, (_, i) =>
    ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"].map((name) => `blk.${i}.${name}.weight`),
  ).flat(),
];

/** A GGUF of a llama in miniature, with these tensors; its numbers are zero. */
export function gguf(tensors: readonly string[] = tensorNames(2), changes: Readonly<Record<string, Parameters<typeof value>[0] | undefined>> = {}): Buffer {
  const entries = Object.entries({
    "general.architecture": "llama",
    "general.name": "Own",
    "general.license": "licenseref-llama3.2",
    "llama.block_count": 2,
    "llama.context_length": 512,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": [...TOKENS, "a"],
    "tokenizer.ggml.token_type": [3, 3, 3, 1],
    "tokenizer.ggml.eos_token_id": 1,
    ...changes,
  }).flatMap(([key, v]) => (v === undefined ? [] : [Buffer.concat([text(key), value(v)])]));
  const listed = tensors.map((name, i) => Buffer.concat([text(name), u32(1), u64(8), u32(0), u64(32 * i)]));
  const head = Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(entries.length), ...entries, ...listed]);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(32 * tensors.length)]);
}
