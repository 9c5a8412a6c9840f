/**
 * Whether forge can fine-tune a model in the hub's form, by what its config.json says, and what of it matters. What is refused is what
 * training or the GGUF would get wrong without a word.
 */
import { err, ok, type Result } from "../../platform/result.ts";
import { ARCHITECTURES } from "../known.ts";
import { isRecord, unfit } from "./files.ts";

type Config = Readonly<Record<string, unknown>>;

/** transformers' classes of these models, with a head that predicts the next token. */
const CLASSES: Readonly<Record<string, string>> = {
  llama: "LlamaForCausalLM",
  mistral: "MistralForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
};
/** How Llama 3.1 and later scale the rotary embedding (python/forge_steps/base_file.py). */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 } as const;

const CAN = `It can fine-tune ${ARCHITECTURES.join(", ")}: plain attention, which it computes as llama.cpp does.`;

export interface Architecture {
  readonly architecture: string;
  readonly contextTokens: number;
}

/** The architecture, or why it cannot be used. */
export function architectureOf(config: Config, shown: string): Result<Architecture> {
  const no = (why: string, hint = CAN): Result<never> => err(unfit("unsupported", `forge cannot fine-tune ${shown}: ${why}`, hint));
  const { model_type: type, architectures, max_position_embeddings: window } = config;
  if (typeof type !== "string") return no("its config.json names no `model_type`");
  if (!ARCHITECTURES.includes(type)) return no(`its architecture is \`${type.slice(0, 60)}\``);
  if (Array.isArray(architectures) && !architectures.includes(CLASSES[type]))
    return no(`it is a ${String(architectures[0]).slice(0, 60)}, not a ${CLASSES[type]}`);
  if (config.quantization_config !== undefined && config.quantization_config !== null)
    return no("its weights are quantized already", "Use the repository with the original weights; forge quantizes what it exports.");
  for (const flag of ["attention_bias", "mlp_bias"]) if (config[flag] === true) return no(`it has biases that are not loaded (\`${flag}\`)`);
  if (config.hidden_act !== undefined && config.hidden_act !== "silu")
    return no(`its activation is \`${String(config.hidden_act).slice(0, 60)}\`, not \`silu\``);
  const partial = config.partial_rotary_factor;
  if (partial !== undefined && partial !== null && partial !== 1) return no("only a part of its heads is rotated");
  if (typeof window !== "number" || !Number.isSafeInteger(window) || window < 1) return no("its config.json has no `max_position_embeddings`");
  const sliding = slidingWindow(config, type, window);
  if (sliding !== undefined) return no(sliding);
  const rope = ropeProblem(config);
  return rope === undefined ? ok({ architecture: type, contextTokens: window }) : no(rope);
}

function slidingWindow(config: Config, type: string, window: number): string | undefined {
  const { sliding_window: size, use_sliding_window: used, layer_types: layers } = config;
  const everyLayer = "some of its layers look at a sliding window only";
  if (Array.isArray(layers) && layers.some((l) => l !== "full_attention")) return everyLayer;
  if (type === "qwen2" || type === "qwen3") return used === true ? everyLayer : undefined;
  return typeof size === "number" && size > 0 && size < window ? everyLayer : undefined;
}

function ropeProblem(config: Config): string | undefined {
  const { rope_scaling: old, rope_parameters: recent } = config;
  const scaling = isRecord(recent) ? recent : isRecord(old) ? old : undefined;
  if (scaling === undefined) return undefined;
  const kind = scaling.rope_type ?? scaling.type ?? "default";
  if (kind === "default" || kind === "none") return undefined;
  if (kind !== "llama3") return `its rotary embedding is scaled by \`${String(kind).slice(0, 60)}\``;
  const usual = Object.entries(LLAMA3).every(([name, value]) => scaling[name] === value) && typeof scaling.factor === "number" && scaling.factor >= 1;
  return usual ? undefined : "its rotary embedding is scaled by factors of its own";
}
