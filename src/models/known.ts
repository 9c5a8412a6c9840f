/**
 * What forge can fine-tune: the architectures that the trainer is exact for, the pre-tokenizers that it cuts text
 * with as llama.cpp does, and the chat templates that come with it.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../platform/paths.ts";

/** llama.cpp's names of the architectures whose attention is the trainer's (python/forge_steps/shared_attention.py). Mistral's GGUF files say `llama`. */
export const ARCHITECTURES: readonly string[] = ["gemma3", "glm4", "llama", "mistral", "phi3", "qwen2", "qwen3"];

/** llama.cpp's names of the pre-tokenizers that the trainer has (python/forge_steps/tokenizer.py; a test compares). */
export const PRE_TOKENIZERS: readonly string[] = ["dbrx", "default", "glm4", "llama-bpe", "qwen2", "smollm", "tekken"];

/** What llama.cpp says of SentencePiece's vocabularies, which cut nothing beforehand. */
export const PIECES = "default";

/** What a chat template wants of a vocabulary, and what ends an answer. */
export interface TemplateWords {
  /** Control tokens that it writes. */
  readonly needs: readonly string[];
  /** The one of them that ends a turn. */
  readonly end: string;
  /** Others of them at which such a model ends an answer of its own accord, and its GGUF says so (python/forge_steps/convert.py). */
  readonly also?: readonly string[];
}

/** By file name under templates/chat; a test compares. */
export const TEMPLATES: Readonly<Record<string, TemplateWords>> = {
  "chatml.jinja": { needs: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
  "deepseek-r1.jinja": {
    needs: ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>"],
    end: "<｜end▁of▁sentence｜>",
  },
  "deepseek-r1-thinking.jinja": {
    needs: ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>"],
    end: "<｜end▁of▁sentence｜>",
  },
  "gemma-3.jinja": { needs: ["<bos>", "<start_of_turn>", "<end_of_turn>"], end: "<end_of_turn>" },
  "glm-4.jinja": { needs: ["[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>"], end: "<|endoftext|>", also: ["<|user|>"] },
  "llama-3.jinja": { needs: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], end: "<|eot_id|>" },
  "llama-3.1.jinja": { needs: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], end: "<|eot_id|>" },
  "mistral.jinja": { needs: ["<s>", "</s>", "[INST]", "[/INST]"], end: "</s>" },
  "mistral-v7.jinja": { needs: ["<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"], end: "</s>" },
  "phi-4.jinja": { needs: ["<|im_start|>", "<|im_sep|>", "<|im_end|>"], end: "<|im_end|>" },
  "qwen2.5.jinja": { needs: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
  "qwen3.jinja": { needs: ["<|im_start|>", "<|im_end|>", "<think>", "</think>"], end: "<|im_end|>" },
  "qwen3-thinking.jinja": { needs: ["<|im_start|>", "<|im_end|>", "<think>", "</think>"], end: "<|im_end|>" },
  "smollm2.jinja": { needs: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
};

/** What of a family's words contradicts its template, or would break a line of a file that they are written into. */
export interface WordProblem {
  readonly key: "template" | "special_tokens" | "stop_tokens";
  readonly message: string;
}

/** A stop token with a line break in it would begin a line of its own in a Modelfile. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** The first problem of control words with the template of `file` (a name that is known), and among themselves. */
export function problemOfWords(file: string, special: readonly string[], stop: readonly string[]): WordProblem | undefined {
  for (const [key, tokens] of [
    ["special_tokens", special],
    ["stop_tokens", stop],
  ] as const) {
    const broken = tokens.find((token) => CONTROL.test(token));
    if (broken !== undefined) return { key, message: `${JSON.stringify(broken.slice(0, 60))} in \`${key}\` has a control character in it` };
  }
  const words = TEMPLATES[file];
  const known = new Set(special);
  const absent = words?.needs.find((token) => !known.has(token));
  if (absent !== undefined) return { key: "template", message: `the chat template \`${file}\` writes ${absent}, which is none of \`special_tokens\`` };
  const own = stop.find((token) => !known.has(token));
  if (own !== undefined) return { key: "stop_tokens", message: `the stop token ${JSON.stringify(own)} is none of \`special_tokens\`` };
  if (words !== undefined && !stop.includes(words.end))
    return { key: "stop_tokens", message: `the chat template \`${file}\` ends a turn with ${words.end}, which is none of \`stop_tokens\`` };
  return undefined;
}

/** Texts of tokens at which llama.cpp ends an answer wherever they are in a vocabulary (src/llama-vocab.cpp, release v0.5.0), as far as our templates' models have them. */
export const ENDING: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<end_of_turn>",
  "<eos>",
  "<|end|>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<|end_of_text|>",
  "<｜end▁of▁sentence｜>",
]);

/** File names of the chat templates that come with forge, sorted. */
export const chatTemplates = (): string[] =>
  readdirSync(join(packageRoot(), "templates", "chat"))
    .filter((name) => name.endsWith(".jinja"))
    .sort();
