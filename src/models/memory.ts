/** How much memory training a family takes (measured, or estimated by its size), and how much disk a run of it. */
import type { Family } from "../schemas/generated/family.ts";

const GB = 1e9;
/** Beside the weights in float32: what a family takes whose data file gives no measured figure. */
const BESIDE = 5 * GB;

/** Bytes that training the family takes. */
export const memoryOf = ({ training, parameters }: Pick<Family, "training" | "parameters">): number =>
  training.memory_gb === undefined ? BESIDE + 4 * parameters : training.memory_gb * GB;

/** Bytes that are written once a model is trained: the merged model in float32, the f16 file, each export and its copy in the bundle, at most 2 bytes a parameter each. */
export const bytesAfterTraining = ({ parameters }: Pick<Family, "parameters">, exports: number): number => parameters * (6 + 4 * exports);
