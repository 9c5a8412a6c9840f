/** Which stages read the base model, and with that whether a run has to know which files it is made of: what comes to none of them asks the model hub for nothing. */
import { buildGraph, upTo } from "../engine/graph.ts";
import type { PlanOptions } from "../engine/plan.ts";
import type { Pipeline } from "./pipeline.ts";

/** The ids of the stages that open its weights, or name them in their keys or their outputs, whatever comes before them. */
export const WITH_BASE = /^(generate|base|train|export:f16|pack)(:|$)/;

/**
 * Whether a run comes to a stage that reads the base model. All after such a stage has a key of it, so that one of them is enough. A stage by itself counts always: what is given may
 * stand in the place of all that read it, and the rest goes by its chat template.
 */
export function readsBase({ nodes, given }: Pick<Pipeline, "nodes" | "given">, { until, only }: Pick<PlanOptions, "until" | "only">): boolean {
  if (given !== undefined) return true;
  const part = upTo(buildGraph(nodes), only ?? until);
  // Whoever runs what does not exist is told so by the run.
  return part.ok && part.value.nodes.some(({ id }) => WITH_BASE.test(id));
}
