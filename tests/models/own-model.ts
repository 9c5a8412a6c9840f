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
