/** The inputs that baseline, validate and benchmark share, as a stage declares them. */
import type { InputRef } from "../engine/stage.ts";
import type { PipelineContext } from "./context.ts";

/** The toolset, the held-out cases and, where the recipe names some, the user's own (read by `readEvaluationInputs`). */
export const evaluationInputs = (c: PipelineContext): Record<string, InputRef> => ({
  toolset: { stage: "inspect", output: "toolset" },
  heldout: { stage: "generate", output: "heldout" },
  ...(c.recipe.evaluation.cases === undefined ? {} : { cases: { stage: "decontaminate", output: "cases" } }),
});
