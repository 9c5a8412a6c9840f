/** Plans which samples will be made. */
import type { ScenarioWeights, SynthesisPlan, Toolset } from "./types.ts";

export interface PlanInput {
  readonly toolset: Toolset;
  readonly samples: number;
  readonly minPerTool: number;
  readonly scenarios: ScenarioWeights;
  readonly evaluationSamples: number;
  readonly seed: number;
}

/** Exact quotas by scenario and tool. */
export function planSynthesis(_input: PlanInput): SynthesisPlan {
  throw new Error("planSynthesis: being written");
}
