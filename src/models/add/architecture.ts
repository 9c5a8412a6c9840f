/**
 * Whether forge can fine-tune a model in the hub's form, by what its config.json says, and what of it matters. What is refused is what
 * training or the GGUF would get wrong without a word.
 */
import { err, ok, type Result } from "../../platform/result.ts";
import { ARCHITECTURES } from "../known.ts";
import { isRecord, unfit } from "./files.ts";

type Config = Readonly<Record<string, unknown>>;

/** transformers' classes of these models by its types of them, with a head that predicts the next token. */
const CLASSES: Readonly<Record<string, string>> = {
  gemma3_text: "Gemma3ForCausalLM",
  glm4: "Glm4ForCausalLM",
  llama: "LlamaForCausalLM",
  mistral: "MistralForCausalLM",
  phi3: "Phi3ForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
};
/** Of these llama.cpp and transformers both rotate a part of each head where that is said. */
const PARTLY_ROTATED: readonly string[] = ["glm4", "phi3"];
/** How Llama 3.1 and later scale the rotary embedding (python/forge_steps/base_file.py). */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 } as const;

/** llama.cpp's names, where they are others. */
const NAMES: Readonly<Record<string, string>> = { gemma3_text: "gemma3" };
/** Of a Gemma 3 llama.cpp lets every so-manieth layer look at everything, and scales the scores of the one with so many layers otherwise (src/models/gemma3.cpp, release v0.5.0). */
const EVERY = 6;
const LAYERS_OF_27B = 62;

const CAN = `It can fine-tune ${ARCHITECTURES.join(", ")}: attention that it computes as llama.cpp does.`;

export interface Architecture {
  readonly architecture: string;
  readonly contextTokens: number;
}

/** The architecture, or why it cannot be used. */
export function architectureOf(config: Config, shown: string): Result<Architecture> {
  const no = (why: string, hint = CAN): Result<never> => err(unfit("unsupported", `forge cannot fine-tune ${shown}: ${why}`, hint));
  const { model_type: type, architectures, max_position_embeddings: window } = config;
  if (typeof type !== "string") return no("its config.json names no `model_type`");
  if (CLASSES[type] === undefined) return no(`its architecture is \`${type.slice(0, 60)}\``);
  if (Array.isArray(architectures) && !architectures.includes(CLASSES[type]))
    return no(`it is a ${String(architectures[0]).slice(0, 60)}, not a ${CLASSES[type]}`);
  if (config.quantization_config !== undefined && config.quantization_config !== null)
    return no("its weights are quantized already", "Use the repository with the original weights; forge quantizes what it exports.");
  for (const flag of type === "glm4" ? ["mlp_bias"] : ["attention_bias", "mlp_bias"])
    if (config[flag] === true) return no(`it has biases that are not loaded (\`${flag}\`)`);
  const [activation, wanted] = type === "gemma3_text" ? [config.hidden_activation ?? config.hidden_act, "gelu_pytorch_tanh"] : [config.hidden_act, "silu"];
  if (activation !== undefined && activation !== null && activation !== wanted)
    return no(`its activation is \`${String(activation).slice(0, 60)}\`, not \`${wanted}\``);
  const partial = partProblem(config, type);
  if (partial !== undefined) return no(partial);
  if (typeof window !== "number" || !Number.isSafeInteger(window) || window < 1) return no("its config.json has no `max_position_embeddings`");
  const sliding = type === "gemma3_text" ? gemmaProblem(config) : slidingWindow(config, type, window);
  if (sliding !== undefined) return no(sliding);
  const rope = ropeProblem(config, type);
  return rope === undefined ? ok({ architecture: NAMES[type] ?? type, contextTokens: window }) : no(rope);
}

/** What of a Gemma 3's attention a GGUF has no place for. */
function gemmaProblem(config: Config): string | undefined {
  const { sliding_window: size, num_hidden_layers: layers, layer_types: types, hidden_size: hidden, num_attention_heads: heads } = config;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 1 || typeof layers !== "number")
    return "its config.json does not say what its layers look at (`sliding_window`, `num_hidden_layers`)";
  const every = config.sliding_window_pattern ?? config._sliding_window_pattern ?? EVERY;
  const usual = Array.isArray(types)
    ? types.length === layers && types.every((t, i) => t === ((i + 1) % EVERY === 0 ? "full_attention" : "sliding_attention"))
    : every === EVERY;
  if (!usual) return "it is not every sixth of its layers that looks at everything";
  const scale = layers === LAYERS_OF_27B ? Number(hidden) / Number(heads) : (config.head_dim ?? 256);
  if ((config.query_pre_attn_scalar ?? 256) !== scale) return "its scores are scaled by another width than that of its heads (`query_pre_attn_scalar`)";
  for (const cap of ["attn_logit_softcapping", "final_logit_softcapping"])
    if (config[cap] !== undefined && config[cap] !== null) return `its values are capped (\`${cap}\`)`;
  return config.use_bidirectional_attention === true ? "its layers look forward, too" : undefined;
}

function slidingWindow(config: Config, type: string, window: number): string | undefined {
  const { sliding_window: size, use_sliding_window: used, layer_types: layers } = config;
  const everyLayer = "some of its layers look at a sliding window only";
  if (Array.isArray(layers) && layers.some((l) => l !== "full_attention")) return everyLayer;
  if (type === "qwen2" || type === "qwen3") return used === true ? everyLayer : undefined;
  return typeof size === "number" && size > 0 && size < window ? everyLayer : undefined;
}

/** What is said of the rotary embedding beside its base, in the form of today or that of old. */
function ropeWords({ rope_scaling: old, rope_parameters: recent }: Config): Config | undefined {
  return isRecord(recent) ? recent : isRecord(old) ? old : undefined;
}

/** What is wrong with the heads of a model, or with the part of them that is rotated. */
function partProblem(config: Config, type: string): string | undefined {
  const part = ropeWords(config)?.partial_rotary_factor ?? config.partial_rotary_factor ?? undefined;
  if (!PARTLY_ROTATED.includes(type)) return part === undefined || part === 1 ? undefined : "only a part of its heads is rotated";
  const { hidden_size: hidden, num_attention_heads: heads, head_dim: named } = config;
  if (typeof hidden !== "number" || typeof heads !== "number") return "its config.json does not say how many heads it has";
  const width = typeof named === "number" ? named : hidden / heads;
  // A Phi-3's file has no place for it.
  if (type === "phi3" && width !== hidden / heads) return "its heads have a width of their own (`head_dim`)";
  const turned = width * (typeof part === "number" ? part : type === "glm4" ? 0.5 : 1);
  return Number.isInteger(width) && Number.isInteger(turned / 2) && turned > 0 && turned <= width
    ? undefined
    : "the part of its heads that is rotated is no even number";
}

function ropeProblem(config: Config, type: string): string | undefined {
  const words = ropeWords(config);
  // A Gemma 3 of today's form says it of each kind of layer.
  const each = [words?.full_attention, words?.sliding_attention].filter(isRecord);
  return (each.length > 0 ? each : [words]).map((scaling) => scalingProblem(scaling, type)).find((problem) => problem !== undefined);
}

function scalingProblem(scaling: Config | undefined, type: string): string | undefined {
  if (scaling === undefined) return undefined;
  const kind = scaling.rope_type ?? scaling.type ?? "default";
  if (scaling.mrope_section !== undefined && scaling.mrope_section !== null) return "its rotary embedding is cut into sections, for images";
  if (kind === "default" || kind === "none") return undefined;
  if (kind === "longrope" || kind === "su")
    return `its rotary embedding is scaled by \`${kind}\`, of which llama.cpp takes the factors by the size of the context and transformers by the length of the text`;
  if (kind !== "llama3" || PARTLY_ROTATED.includes(type) || type === "gemma3_text") return `its rotary embedding is scaled by \`${String(kind).slice(0, 60)}\``;
  const usual = Object.entries(LLAMA3).every(([name, value]) => scaling[name] === value) && typeof scaling.factor === "number" && scaling.factor >= 1;
  return usual ? undefined : "its rotary embedding is scaled by factors of its own";
}
