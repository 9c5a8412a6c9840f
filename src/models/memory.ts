/** How much memory training a family takes (measured, or estimated by its size), and how much disk a run of it. */
import { bitsOf, type ExportFormat, isModelFormat } from "../recipe/formats.ts";
import type { Family } from "../schemas/generated/family.ts";

const GB = 1e9;
/** Beside the weights in float32: what a family takes whose data file gives no measured figure. */
const BESIDE = 5 * GB;

/** Bytes that training the family takes. */
export const memoryOf = ({ training, parameters }: Pick<Family, "training" | "parameters">): number =>
  training.memory_gb === undefined ? BESIDE + 4 * parameters : training.memory_gb * GB;

/** Of a model whose rows do not fit a format's blocks some tensors take a larger one: SmolLM2 in q4_k_m is a quarter larger than its bits say. */
const UNEVEN = 1.3;

/**
 * Bytes that are written once a model is trained: the merged model in float32, the f16 file, and each export, its copy in the bundle and (`baseline`) the
 * untuned model in the same format.
 */
export function bytesAfterTraining({ parameters }: Pick<Family, "parameters">, exports: readonly ExportFormat[], baseline: boolean): number {
  const bytes = (format: ExportFormat): number => (isModelFormat(format) ? (bitsOf(format) / 8) * (bitsOf(format) < 16 ? UNEVEN : 1) : 0);
  return Math.ceil(parameters * (4 + 2 + exports.reduce((sum, format) => sum + bytes(format) * (baseline ? 3 : 2), 0)));
}
