/** From a GGUF's own words to what a family file says of it; refused is what training would get wrong without a word. */
import { err, ok, type Result } from "../../platform/result.ts";
import { type GgufHeader, type GgufValue, ggufHeader, truncatedGguf } from "../gguf.ts";
import { PIECES, PRE_TOKENIZERS } from "../known.ts";
import type { UsedTemplate } from "../rendering.ts";
import { licenceOf } from "./defaults.ts";
import { type Described, familyOf, licenceNeeded, type Said } from "./describe.ts";
import { unfit } from "./files.ts";
import { talkOf } from "./vocabulary.ts";

export interface DescribedGguf {
  readonly family: Described;
  /** The commonest type of its matrices. */
  readonly quantization: string;
  /** What the file calls the model. */
  readonly title: string | undefined;
  /** The model's own chat template, where it is to be talked to by that. */
  readonly official?: UsedTemplate;
}

const ARCHITECTURES: readonly string[] = ["gemma3", "glm4", "llama", "phi3", "qwen2", "qwen3"];
/** ggml's types that can be loaded for training (gguf-py, `dequantize`), by number. */
const TYPES: Readonly<Record<number, string>> = {
  ...{ 0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 30: "BF16" },
};
/**
 * The tensors of each block, by architecture, and what every file has and may have beside them; python/forge_steps/base_file.py has the same. The `ffn_up`
 * of Phi-3 and GLM-4 holds the gate too.
 */
const weights = (names: string): string[] => names.split(" ").map((name) => `${name}.weight`);
const PLAIN = weights("attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down");
const BIASES: readonly string[] = ["attn_q.bias", "attn_k.bias", "attn_v.bias"];
const BLOCK: Readonly<Record<string, readonly string[]>> = {
  gemma3: [...PLAIN, ...weights("attn_q_norm attn_k_norm post_attention_norm post_ffw_norm")],
  glm4: weights("attn_norm attn_q attn_k attn_v attn_output post_attention_norm ffn_norm ffn_up ffn_down post_ffw_norm"),
  llama: PLAIN,
  phi3: weights("attn_norm attn_qkv attn_output ffn_norm ffn_up ffn_down"),
  qwen2: [...PLAIN, ...BIASES],
  qwen3: [...PLAIN, ...weights("attn_q_norm attn_k_norm")],
};
/** What either all blocks have beside them or none. */
const ALL_OR_NONE: Readonly<Record<string, readonly string[]>> = { glm4: BIASES };
const ALWAYS: readonly string[] = ["token_embd.weight", "output_norm.weight"];
/** `output`: left out where the embedding stands for it. */
const SOMETIMES: readonly string[] = ["output.weight", "rope_freqs.weight"];
/** Llama 3.1 405B has 126. */
const MOST_BLOCKS = 1000;
/** `enum llama_token_type`. */
const CONTROL = 3;
const USER_DEFINED = 4;

const KEYS = ["general.architecture", "general.name", "general.license", "tokenizer.chat_template", "split.count"];
const TOKENIZER_KEYS = ["model", "pre", "tokens", "token_type", "bos_token_id", "eos_token_id", "eot_token_id", "add_space_prefix"].map(
  (key) => `tokenizer.ggml.${key}`,
);
const ARCHITECTURE_KEYS = ARCHITECTURES.flatMap((a) => [
  `${a}.block_count`,
  `${a}.context_length`,
  `${a}.rope.scaling.type`,
  `${a}.attention.sliding_window`,
  `${a}.attention.sliding_window_pattern`,
  `${a}.expert_count`,
]);

export function describeGguf(path: string, shown: string, said: Said): Result<DescribedGguf> {
  const header = ggufHeader(path, new Set([...KEYS, ...TOKENIZER_KEYS, ...ARCHITECTURE_KEYS]));
  if (header === undefined) return err(unfit("no-model", `${shown} is no GGUF file`));
  const parts = Number(header.metadata.get("split.count") ?? 1);
  if (parts > 1)
    return err(
      unfit(
        "no-weights",
        `${shown} is one of ${parts} parts of a model`,
        "Give the model as one file: `llama-gguf-split --merge FIRST-PART WHOLE.gguf` of llama.cpp makes it.",
      ),
    );
  const short = truncatedGguf(path);
  if (short !== undefined) return err(unfit("no-weights", `${shown} is not whole: ${short}`, "Fetch it again."));
  const problem = problemOf(header);
  if (problem !== undefined)
    return err(
      unfit(
        "unsupported",
        `forge cannot fine-tune ${shown}: ${problem}`,
        `It can fine-tune GGUF files of ${ARCHITECTURES.join(", ")} with a byte-level vocabulary, or Gemma 3's.`,
      ),
    );
  const { metadata, tensors } = header;
  const text = (key: string): string | undefined => (typeof metadata.get(key) === "string" ? (metadata.get(key) as string) : undefined);
  const architecture = text("general.architecture") ?? "";
  const window = metadata.get(`${architecture}.context_length`);
  if (typeof window !== "number" || !Number.isSafeInteger(window) || window < 1) return err(unfit("no-model", `${shown} does not say how long its window is`));
  const tokens = list(metadata.get("tokenizer.ggml.tokens"));
  const types = list(metadata.get("tokenizer.ggml.token_type"));
  const added = tokens.flatMap((token, i) =>
    typeof token === "string" && (types[i] === CONTROL || types[i] === USER_DEFINED) ? [{ text: token, control: types[i] === CONTROL }] : [],
  );
  const ends = ["eos", "eot"].flatMap((name) => {
    const token = tokens[Number(metadata.get(`tokenizer.ggml.${name}_token_id`))];
    return typeof token === "string" ? [token] : [];
  });
  const token = (name: string): object => {
    const found = tokens[Number(metadata.get(`tokenizer.ggml.${name}_token_id`))];
    return typeof found === "string" ? { [`${name}_token`]: found } : {};
  };
  const named = { ...token("bos"), ...token("eos") };
  const growth = {
    why: "lies in a GGUF, which is taken as it is",
    hint: "Name a folder or a repository with the model in the hub's form; or leave --thinking out.",
  };
  const vocabulary = { tokenizer: text("tokenizer.ggml.pre") ?? "", added, ends, ownTemplate: text("tokenizer.chat_template") ?? "", named, growth };
  const talk = talkOf(vocabulary, said.template, shown, said.thinking);
  if (!talk.ok) return talk;
  const licence = said.licence ?? licenceOf(text("general.license"));
  if (licence === undefined) return err(licenceNeeded(shown));
  const parameters = tensors.filter((t) => t.name !== "rope_freqs.weight").reduce((sum, t) => sum + t.elements, 0);
  return ok({
    family: familyOf({ architecture, contextTokens: window, parameters, licence, tokenizer: vocabulary.tokenizer, talk: talk.value }),
    quantization: commonest(tensors),
    title: text("general.name"),
    ...(talk.value.official === undefined ? {} : { official: talk.value.official }),
  });
}

function problemOf({ metadata, tensors }: GgufHeader): string | undefined {
  const architecture = String(metadata.get("general.architecture") ?? "");
  if (!ARCHITECTURES.includes(architecture)) return `its architecture is \`${architecture.slice(0, 60)}\``;
  const model = metadata.get("tokenizer.ggml.model");
  const gemma = architecture === "gemma3";
  if (gemma ? model !== "llama" || metadata.get("tokenizer.ggml.add_space_prefix") !== false : model !== "gpt2")
    return `its vocabulary is of the kind \`${String(model).slice(0, 60)}\`, which forge does not cut text with yet`;
  const pre = String(metadata.get("tokenizer.ggml.pre") ?? "");
  if (!PRE_TOKENIZERS.includes(pre) || (pre === PIECES) !== gemma) return `forge does not have its pre-tokenizer \`${pre.slice(0, 60)}\``;
  const scaling = metadata.get(`${architecture}.rope.scaling.type`);
  if (scaling !== undefined && scaling !== "none") return `its rotary embedding is scaled by \`${String(scaling).slice(0, 60)}\``;
  if (tensors.some((t) => t.name.startsWith("rope_factors_"))) return "its rotary embedding is scaled by `longrope`";
  const pattern = metadata.get(`${architecture}.attention.sliding_window_pattern`);
  if (gemma && pattern !== undefined && pattern !== 6) return "it is not every sixth of its layers that looks at everything";
  const sliding = Number(metadata.get(`${architecture}.attention.sliding_window`) ?? 0);
  if (gemma && !(sliding > 0)) return "it does not say what its layers look at";
  if (!gemma && sliding > 0 && !(sliding >= Number(metadata.get(`${architecture}.context_length`)))) return "its layers look at a sliding window only";
  if (Number(metadata.get(`${architecture}.expert_count`) ?? 0) > 0) return "it is a mixture of experts";
  const tensorProblem = problemOfTensors(architecture, metadata.get(`${architecture}.block_count`), new Set(tensors.map((t) => t.name)));
  if (tensorProblem !== undefined) return tensorProblem;
  const type = tensors.find((t) => TYPES[t.type] === undefined);
  return type === undefined ? undefined : `its weights are of a type that cannot be loaded for training (ggml's number ${type.type})`;
}

/** What is missing would be trained from random numbers, and what is foreign left out. */
function problemOfTensors(architecture: string, blocks: GgufValue | undefined, names: ReadonlySet<string>): string | undefined {
  if (typeof blocks !== "number" || !Number.isSafeInteger(blocks) || blocks < 1 || blocks > MOST_BLOCKS) return "it does not say how many blocks it has";
  const inBlock = [...(BLOCK[architecture] ?? []), ...(names.has(`blk.0.${BIASES[0]}`) ? (ALL_OR_NONE[architecture] ?? []) : [])];
  const needed = new Set([...ALWAYS, ...Array.from({ length: blocks }, (_, i) => inBlock.map((name) => `blk.${i}.${name}`)).flat()]);
  const strange = [...names].find((name) => !needed.has(name) && !SOMETIMES.includes(name));
  if (strange !== undefined) return `it has weights that are not loaded (${strange.slice(0, 80)})`;
  const missing = [...needed].find((name) => !names.has(name));
  return missing === undefined ? undefined : `it is not whole, some of its weights are missing (${missing})`;
}

const list = (value: GgufValue | undefined): readonly GgufValue[] => (Array.isArray(value) ? (value as readonly GgufValue[]) : []);

function commonest(tensors: GgufHeader["tensors"]): string {
  const elements = new Map<number, number>();
  for (const t of tensors) elements.set(t.type, (elements.get(t.type) ?? 0) + t.elements);
  const [type = 0] = [...elements].sort((a, b) => b[1] - a[1])[0] ?? [];
  return TYPES[type] ?? "F32";
}
