/**
 * What forge can fine-tune: the architectures that the trainer is exact for, the pre-tokenizers that it cuts text
 * with as llama.cpp does, and the chat templates that come with it.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../platform/paths.ts";

/** llama.cpp's names of the architectures whose attention is plain (python/forge_steps/shared_attention.py). Mistral's GGUF files say `llama`. */
export const ARCHITECTURES: readonly string[] = ["llama", "mistral", "qwen2", "qwen3"];

/** llama.cpp's names of the pre-tokenizers that the trainer has (python/forge_steps/tokenizer.py; a test compares). */
export const PRE_TOKENIZERS: readonly string[] = ["llama-bpe", "qwen2", "smollm", "tekken"];

/** What a chat template wants of a vocabulary, and what ends an answer. */
export interface TemplateWords {
  /** Control tokens that it writes. */
  readonly needs: readonly string[];
  /** The one of them that ends a turn. */
  readonly end: string;
}

/** By file name under templates/chat; a test compares. */
export const TEMPLATES: Readonly<Record<string, TemplateWords>> = {
  "chatml.jinja": { needs: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
  "llama-3.jinja": { needs: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], end: "<|eot_id|>" },
  "mistral.jinja": { needs: ["<s>", "</s>", "[INST]", "[/INST]"], end: "</s>" },
  "mistral-v7.jinja": { needs: ["<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"], end: "</s>" },
  "qwen3.jinja": { needs: ["<|im_start|>", "<|im_end|>", "<think>", "</think>"], end: "<|im_end|>" },
  "smollm2.jinja": { needs: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
};

/** Texts of tokens at which llama.cpp ends an answer wherever they are in a vocabulary (src/llama-vocab.cpp, release v0.5.0), as far as our templates' models have them. */
export const ENDING: ReadonlySet<string> = new Set(["<|eot_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "</s>", "<|eom_id|>", "<|end_of_text|>"]);

/** File names of the chat templates that come with forge, sorted. */
export const chatTemplates = (): string[] =>
  readdirSync(join(packageRoot(), "templates", "chat"))
    .filter((name) => name.endsWith(".jinja"))
    .sort();
