/**
 * Training examples on many toolsets: each made-up toolset with a handful of conversations by the builtin teacher, as
 * groups that share their beginning. Deterministic in the seed and the base model's answers to plain questions.
 */

import { type ExamplePlan, type TrainingExample, trainingExamples } from "../../models/examples.ts";
import type { Renderer } from "../../models/render.ts";
import { err, ok, type Result } from "../../platform/result.ts";
import { generate } from "../generate.ts";
import { planSynthesis } from "../plan.ts";
import type { ScenarioWeights } from "../types.ts";
import { makeToolset } from "./toolsets.ts";

export interface CurriculumOptions {
  readonly seed: number;
  /** Number of the first toolset, and how many follow. */
  readonly from: number;
  readonly toolsets: number;
  /** Conversations for each toolset, at least one for each of its tools. */
  readonly samples: number;
  readonly renderer: Renderer;
  /** The base model's own words to plain questions, in their order. */
  readonly answerPlain: (questions: readonly string[]) => Promise<Result<string[]>>;
}

export interface CurriculumExample extends TrainingExample {
  /** The toolset that it is about. */
  readonly group: string;
}

/** More requests without a call than a recipe has: whether to call is what every toolset asks anew. */
const SCENARIOS: ScenarioWeights = { standard: 0.6, no_tool: 0.2, error: 0.08, ambiguous: 0.06, edge: 0.06 };
/** Mostly first moves: answers are long, and the same for every toolset. */
const EXAMPLES: ExamplePlan = { whole: 0.25, first: 1, first_without_call: 2 };

/** The examples of some toolsets, toolset by toolset. */
export async function* curriculum(o: CurriculumOptions): AsyncGenerator<Result<CurriculumExample[]>> {
  for (let i = o.from; i < o.from + o.toolsets; i++) {
    const toolset = makeToolset(o.seed, i);
    const plan = planSynthesis({ toolset, samples: o.samples, minPerTool: 1, scenarios: SCENARIOS, evaluationSamples: 0, seed: i });
    const made = await generate({ toolset, plan, seed: i, session: null, answerPlain: o.answerPlain });
    if (!made.ok) {
      yield err(made.error);
      return;
    }
    const general = new Set(made.value.train.filter((s) => s.kind === "general").map((s) => s.id));
    const examples = trainingExamples(made.value.train, o.renderer, toolset.tools, EXAMPLES)
      // The base model's own long answers: it knows them, and only that they are no calls is to be learned.
      .filter((e) => !general.has(e.id));
    const group = `${o.seed}/${i}`;
    yield ok(examples.map((e) => ({ ...e, id: `${group}/${e.id}`, group })));
  }
}
