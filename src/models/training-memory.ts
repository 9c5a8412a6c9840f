/**
 * What a training will take of memory, before anything is started: the estimate of python/forge_steps/preflight.py, in whose words the layers, the adapter and
 * the kept numbers of a token are counted. The two are kept together by a table of cases that both have to give (tests/models/fixtures/training-memory.json).
 * Python knows the samples; here it is what rows as large as the recipe has them take.
 */
import { readFileSync } from "node:fs";
import type { Family, Shape } from "../schemas/generated/family.ts";
import type { Backend } from "./backend.ts";
import { cachedBase } from "./base.ts";
import { familyNames, getFamily } from "./family.ts";
import { ggufContents } from "./gguf.ts";

export type { Shape } from "../schemas/generated/family.ts";

/** Where it trains: bytes of the host's memory, or of a GPU's. */
export type Device = "cpu" | "cuda";

/** `ADAPTER_BYTES`, `PROCESS_BYTES` and `LOGITS_AT_ONCE` of Python; bytes of a weight in 4 bits (`BYTES_A_WEIGHT` in qlora.py). */
const ADAPTER_BYTES = 4 * 4 + 2;
const PROCESS_BYTES: Readonly<Record<Device, number>> = { cpu: 450e6, cuda: 500e6 };
const LOGITS_AT_ONCE = 512;
const FOUR_BITS = 0.5 + 1 / 64 + 4 / (64 * 256);

/** What is trained, and how. */
export interface TrainingPlan {
  readonly backend: Backend;
  readonly device: Device;
  /** Bytes of a number in the precision that trains: 2 on a GPU, and on a processor that computes in bfloat16; else 4. */
  readonly bytesEach: number;
  readonly rank: number;
  readonly rowTokens: number;
  /** Whether layers keep their inputs alone. */
  readonly recomputed: boolean;
  /** Processes that train together. */
  readonly processes: number;
}

/** Bytes. */
export interface TrainingNeeds {
  /** Of the host's memory while the weights are loaded, one process after the other. */
  readonly loading: number;
  /** Of the host's memory (all processes), or of each GPU's, while it trains. */
  readonly training: number;
}

/** Parameters of the layers' matrices, and of the whole model. */
const linearOf = (s: Shape, { query, key } = widths(s)): number => s.layers * (2 * s.hidden * query + 2 * s.hidden * key + 3 * s.hidden * s.intermediate);
export const parametersOf = (s: Shape): number => linearOf(s) + s.vocabulary * s.hidden * (s.tied ? 1 : 2);
const widths = (s: Shape) => ({ query: s.heads * s.head_dim, key: s.key_value_heads * s.head_dim });

/** The estimate; see `estimate` in preflight.py for what each term is. */
export function trainingNeeds(s: Shape, plan: TrainingPlan): TrainingNeeds {
  const { query, key } = widths(s);
  const { device, bytesEach, recomputed, processes } = plan;
  const four = plan.backend === "qlora";
  const adapter = s.layers * plan.rank * (2 * (s.hidden + query) + 2 * (s.hidden + key) + 3 * (s.hidden + s.intermediate));
  const linear = Math.round(linearOf(s) * (four ? FOUR_BITS : bytesEach));
  const written = four ? s.hidden * Math.max(s.intermediate, query) * bytesEach : 0;
  const weights = linear + (parametersOf(s) - linearOf(s)) * bytesEach;
  const fixed = PROCESS_BYTES[device] + weights + written + adapter * ADAPTER_BYTES + 3 * LOGITS_AT_ONCE * s.vocabulary * 4;
  const layer = 5 * s.hidden + 3 * query + 3 * key + 3 * s.intermediate;
  const token = bytesEach * (recomputed ? layer + s.hidden * s.layers : layer * s.layers);
  const whole = device === "cpu" || plan.backend !== "transformers" ? parametersOf(s) * bytesEach : 0;
  const largest = s.hidden * Math.max(s.vocabulary, s.intermediate, query);
  const loading = PROCESS_BYTES.cpu + whole + 2 * 4 * largest + (four && device === "cpu" ? linear : 0);
  const beside = device === "cpu" ? processes : 1;
  return { loading: loading + (beside - 1) * (PROCESS_BYTES.cpu + weights), training: beside * (fixed + token * plan.rowTokens) };
}

/** The shape of a family's model: as its data file has it, that of the forge's family whose size it is, or read from its GGUF in the cache; undefined before that. */
export function shapeOf(family: Family, source = "default"): Shape | undefined {
  if (family.shape !== undefined) return family.shape;
  const named = family.sources[source];
  const from = named?.kind === "same" ? family.sources[named.as] : named;
  if (from?.kind === "repository") return from.shape;
  for (const name of familyNames()) {
    const ours = getFamily(name);
    if (!ours.ok || family.hub_id === undefined) continue;
    for (const other of Object.values(ours.value.sources)) if (other?.kind === "repository" && other.repository === family.hub_id) return other.shape;
  }
  const cached = cachedBase(family, source);
  return cached === undefined ? undefined : shapeOfGguf(cached.ggufPath);
}

/** The shape that a GGUF's metadata and tensors tell; undefined where they do not. */
export function shapeOfGguf(path: string): Shape | undefined {
  const contents = ggufContents(path);
  if (typeof contents === "string") return undefined;
  const { metadata, tensors } = contents;
  const architecture = metadata.get("general.architecture");
  const number = (key: string): number | undefined => {
    const value = metadata.get(`${String(architecture)}.${key}`);
    return typeof value === "number" && value > 0 ? value : undefined;
  };
  const [hidden, intermediate, layers, heads] = ["embedding_length", "feed_forward_length", "block_count", "attention.head_count"].map(number);
  const embeddings = tensors.find((t) => t.name === "token_embd.weight");
  if (hidden === undefined || intermediate === undefined || layers === undefined || heads === undefined || embeddings === undefined) return undefined;
  return {
    ...{ hidden, intermediate, layers, heads },
    key_value_heads: number("attention.head_count_kv") ?? heads,
    head_dim: number("attention.key_length") ?? Math.floor(hidden / heads),
    vocabulary: Math.floor(embeddings.elements / hidden),
    tied: !tensors.some((t) => t.name === "output.weight"),
  };
}

/** Bytes of a number that a CPU trains in: what PyTorch asks of it (`pick_dtype` in device.py), by the words of /proc/cpuinfo; 4 where it cannot be read. */
export function bytesOnCpu(cpuinfo = "/proc/cpuinfo"): 2 | 4 {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync(cpuinfo, "utf8"))?.[1]?.split(" ") ?? [];
    return flags.includes("avx512_bf16") || flags.includes("amx_tile") ? 2 : 4;
  } catch {
    return 4;
  }
}
