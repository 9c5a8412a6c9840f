/**
 * The rows that training learns from, made of a recipe's samples: those held out for the loss aside, each shown as often as the family's data file says,
 * rendered with the very renderer that evaluation uses. What else is to look at what training saw (the matrix of the untuned base) has them from here too.
 */

import type { TrainingExample } from "../models/examples.ts";
import { trainingOf } from "../models/head-start.ts";
import { forSamples, type Hyperparameters } from "../models/hyperparameters.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Train } from "../recipe/types.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";
import type { PipelineContext } from "./context.ts";

export interface TrainingRows {
  readonly samples: readonly Sample[];
  /** Rows of the samples that only the loss is measured on, and how many samples those are. */
  readonly held: readonly TrainingExample[];
  readonly heldOut: number;
  readonly examples: readonly TrainingExample[];
  /** The hyperparameters for so many samples. */
  readonly hyper: Hyperparameters;
}

/** @param all the samples that the recipe trains on, before any is held out. Fails where none can be. */
export async function trainingRows(c: PipelineContext, tools: readonly ToolDefinition[], all: Sample[]): Promise<Result<TrainingRows>> {
  const [{ createRenderer }, { examplesInSteps, trainingExamples }] = await Promise.all([import("../models/render.ts"), import("../models/examples.ts")]);
  const { seed } = c.recipe;
  const { examples: plan } = trainingOf(c.family, c.headStart);
  const parted = await part(all, c.recipe.train, seed);
  if (!parted.ok) return parted;
  const { samples, heldOut } = parted.value;
  const hyper = forSamples(c.hyperparameters, samples.length);
  const renderer = createRenderer(c.family);
  const examples = hyper.shuffle_tools
    ? examplesInSteps(samples, renderer, tools, { plan, size: hyper.samples_per_step, seed })
    : trainingExamples(samples, renderer, tools, plan);
  return ok({ samples, held: trainingExamples(heldOut, renderer, tools, plan), heldOut: heldOut.length, examples, hyper });
}

/** What decides the rows beside samples, tools and model: part of the key of whoever has them and is not `train`. */
export function rowsSettings(c: PipelineContext): JsonObject {
  const { eval_fraction } = c.recipe.train;
  const { shuffle_tools, samples_per_step } = c.hyperparameters.values;
  const drawn = eval_fraction !== undefined || shuffle_tools === true;
  return {
    examples: { ...trainingOf(c.family, c.headStart).examples },
    ...(eval_fraction === undefined ? {} : { eval_fraction }),
    ...(shuffle_tools === true ? { shuffle_tools, samples_per_step } : {}),
    ...(drawn ? { seed: c.recipe.seed } : {}),
  };
}

/** The samples to learn from, and those that only the loss is measured on. */
async function part(all: Sample[], { eval_fraction }: Train, seed: number): Promise<Result<{ samples: readonly Sample[]; heldOut: readonly Sample[] }>> {
  if (eval_fraction === undefined) return ok({ samples: all, heldOut: [] });
  const { evalSplit } = await import("../data/eval-split.ts");
  const { train, heldOut, wordings } = evalSplit(all, eval_fraction, seed);
  if (heldOut.length > 0) return ok({ samples: train, heldOut });
  return err({
    code: "train/nothing-to-hold-out",
    message: `no samples can be held out for \`train.eval_fraction\`: the ${all.length} there are say ${wordings === 1 ? "all the same" : `${wordings} different things`}, and samples that say the same stay on one side`,
    hint: "Make more of them (`data.samples`), or remove `eval_fraction`.",
    exit: EXIT.failed,
  });
}
