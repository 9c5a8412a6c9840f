/**
 * Whether memory suffices for training: the recipe's own settings by the estimate that the training step itself makes (src/models/training-memory.ts), against
 * the host's memory where the CPU trains, and the GPU's where one does. What the samples will be like nobody knows yet; rows as large as allowed count.
 */
import type { Backend } from "../models/backend.ts";
import type { Family } from "../models/family.ts";
import { headStartOf, trainingOf } from "../models/head-start.ts";
import { type ResolvedHyperparameters, resolveHyperparameters } from "../models/hyperparameters.ts";
import { memoryOf } from "../models/memory.ts";
import { bytesOnCpu, shapeOf, type TrainingNeeds, trainingNeeds } from "../models/training-memory.ts";
import { type MemoryLimits, memoryLimits } from "../platform/memory-limits.ts";
import { PROFILES } from "../recipe/profiles.ts";
import type { ResolvedRecipe } from "../recipe/types.ts";
import type { Finding } from "./finding.ts";

/** What of a recipe decides the memory of its training. */
export interface MemoryPlan {
  readonly rank: number;
  readonly rowTokens: number;
  /** `train.gradient_checkpointing`. */
  readonly recomputed: boolean | "auto";
  /** `train.processes`. */
  readonly processes: number;
}

/** Of a recipe whose base model is of this family. */
export function planOf(
  { profile, profileTable, train, model }: Pick<ResolvedRecipe, "profile" | "profileTable" | "train" | "model">,
  family: Family,
): MemoryPlan {
  const { overrides } = trainingOf(family, headStartOf(family, model));
  const values = resolveHyperparameters({ profile, table: profileTable, family, train, onHeadStart: overrides }).values;
  return { ...ofValues(values), recomputed: train.gradient_checkpointing ?? "auto", processes: train.processes ?? 1 };
}

/** Of a recipe that says nothing. */
export function defaultPlan(family: Family): MemoryPlan {
  const { overrides } = trainingOf(family, headStartOf(family, {}));
  const values = resolveHyperparameters({ profile: "balanced", table: PROFILES.balanced, family, train: {}, onHeadStart: overrides }).values;
  return { ...ofValues(values), recomputed: "auto", processes: 1 };
}

const ofValues = ({ rank, row_tokens }: ResolvedHyperparameters["values"]) => ({ rank, rowTokens: row_tokens });

/** The machine: `vram` is the memory of the smallest GPU that trains, in bytes; undefined where the CPU does. */
export interface Memories {
  readonly host: MemoryLimits;
  readonly vram: number | undefined;
}

/** What is trained here. */
export interface Training {
  readonly family: Family;
  readonly source?: string;
  readonly backend?: Backend;
  readonly plan?: MemoryPlan;
}

interface Estimate extends TrainingNeeds {
  readonly recomputed: boolean;
}

/** What training takes here; with layers recomputed where the plan says so, and by itself where it would not fit otherwise. Undefined: the model's shape is not known. */
function estimate({ family, source, backend = "transformers", plan = defaultPlan(family) }: Training, { host, vram }: Memories): Estimate | undefined {
  const shape = shapeOf(family, source);
  if (shape === undefined) return undefined;
  const device = vram === undefined ? "cpu" : "cuda";
  const of = (recomputed: boolean): Estimate => ({
    ...trainingNeeds(shape, { ...plan, backend, device, bytesEach: device === "cpu" ? bytesOnCpu() : 2, recomputed }),
    recomputed,
  });
  if (plan.recomputed !== "auto") return of(plan.recomputed);
  const plain = of(false);
  return plain.training <= (vram ?? host.free ?? host.total) ? plain : of(true);
}

/** How the memory is, and whether training fits into it. */
export function memoryFindings(training: Training, memories: Memories): Finding[] {
  const { host, vram } = memories;
  const { family, backend = "transformers", plan = defaultPlan(family) } = training;
  const has = `${gb(host.total)} of memory${host.free === undefined ? "" : `, ${gb(host.free)} free`}`;
  const needs = estimate(training, memories);
  if (needs === undefined) {
    const about = memoryOf(family);
    const message = `${has}; training ${family.name} may take ${gb(about)}: more is known once its base model is fetched`;
    return [
      about <= host.total || vram !== undefined
        ? { check: "memory", status: "ok", message }
        : { check: "memory", status: "note", message, fix: SMALLER(backend) },
    ];
  }
  const how = [
    backend === "qlora" ? "qlora, in 4 bits" : backend,
    ...(needs.recomputed ? ["layers recomputed"] : []),
    `rows of ${plan.rowTokens} tokens`,
    ...(vram === undefined && plan.processes > 1 ? [`${plan.processes} processes`] : []),
  ].join(", ");
  const finding = (message: string, needed: number, there: number): Finding =>
    needed <= there ? { check: "memory", status: "ok", message } : { check: "memory", status: "note", message, fix: SMALLER(backend) };
  const takes = `training ${family.name} takes about`;
  if (vram === undefined) {
    const needed = Math.max(needs.training, needs.loading);
    return [finding(`${has}; ${takes} ${gb(needed)} on the CPU (${how})`, needed, host.total)];
  }
  return [
    finding(`${has}; loading ${family.name} takes about ${gb(needs.loading)} of it`, needs.loading, host.total),
    finding(`${takes} ${gb(needs.training)} of the GPU's ${gb(vram)} (${how})`, needs.training, vram),
  ];
}

const SMALLER = (backend: Backend): string =>
  `rows are made smaller where memory does not suffice, as far as the longest sample lets them; set \`train.row_tokens\` lower from the start, ${backend === "transformers" ? "use `train.backend: qlora` (4 bits; another model comes out), " : ""}a smaller family or fewer processes`;

/** A family and what its training takes here: `smollm2 (5 GB)`, `qwen-2.5 (11 GB, qlora; here are 8.0 GB)`. */
export function readyWords(training: Training, memories: Memories): string {
  const needs = estimate(training, memories);
  const bytes = needs === undefined ? memoryOf(training.family) : Math.max(needs.training, memories.vram === undefined ? needs.loading : 0);
  const there = memories.vram ?? memories.host.total;
  const backend = training.backend === undefined || training.backend === "transformers" ? "" : `, ${training.backend}`;
  return `${training.family.name} (${Math.max(1, Math.ceil(bytes / GB))} GB${backend}${bytes > there ? `; here are ${gb(there)}` : ""})`;
}

/** The machine's memory, as `memoryFindings` wants it. */
export const memoriesOf = (vram: number | undefined): Memories => ({ host: memoryLimits(), vram });

const GB = 1e9;
const gb = (count: number): string => `${(count / GB).toFixed(1)} GB`;
