/**
 * Training examples on many toolsets: each made-up toolset with a handful of conversations by the builtin teacher, as
 * groups that share their beginning. Deterministic in the seed and the base model's answers to plain questions.
 */

import { type ExamplePlan, type TrainingExample, trainingExamples } from "../../models/examples.ts";
import type { Renderer } from "../../models/render.ts";
import { err, ok, type Result } from "../../platform/result.ts";
import { generate } from "../generate.ts";
import { planSynthesis } from "../plan.ts";
import { rngFor } from "../rng.ts";
import { declineAnything, readTerritory, touches } from "../teacher/builtin/plain.ts";
import type { Sample, ScenarioWeights, Toolset } from "../types.ts";
import { scrambleNames, scrambleValues } from "./scramble.ts";
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
  /** Most tools that the toolset of this number may have. Default: no limit. */
  readonly mostTools?: (index: number) => number;
  /** One in so many conversations with a call that succeeds is shown whole; default 6. */
  readonly wholeEvery?: number;
  /** Share of the conversations whose values, and of the toolsets whose parameters' names, are words that nobody wrote (scramble.ts); default none. */
  readonly strange?: { readonly values: number; readonly names: number };
}

export interface CurriculumExample extends TrainingExample {
  /** The toolset that it is about. */
  readonly group: string;
}

/** More requests without a call than a recipe has: whether to call is what every toolset asks anew. */
const SCENARIOS: ScenarioWeights = { standard: 0.58, no_tool: 0.22, error: 0.06, ambiguous: 0.06, edge: 0.08 };
/** Answers without a call are shown to their end: a model that mostly saw them cut off never learned to stop (docs/measurements.md). */
const EXAMPLES: ExamplePlan = { whole: 1, first: 1, first_without_call: 0 };
/** One in so many conversations with a call that succeeds is shown whole: answers from results are long, and much the same for every toolset. */
const WHOLE_EVERY = 6;
/** Requests for what other servers do, by toolset: few words tell them from the ones that a tool serves. */
const FOREIGN = 2;
/** Numbers of the toolsets that those come from; no curriculum is as long. */
const ELSEWHERE = 1_000_000;

/** The examples of some toolsets, toolset by toolset. */
export async function* curriculum(o: CurriculumOptions): AsyncGenerator<Result<CurriculumExample[]>> {
  for (let i = o.from; i < o.from + o.toolsets; i++) {
    const planned = makeToolset(o.seed, i, o.mostTools?.(i));
    const plan = planSynthesis({ toolset: planned, samples: o.samples, minPerTool: 1, scenarios: SCENARIOS, evaluationSamples: 0, seed: i });
    const made = await generate({ toolset: planned, plan, seed: i, session: null, answerPlain: o.answerPlain });
    if (!made.ok) {
      yield err(made.error);
      return;
    }
    const { toolset, samples: train } = estrange(planned, made.value.train, i, o);
    const always = new Set(train.filter((s) => s.scenario === "error" || s.scenario === "no_tool").map((s) => s.id));
    const unanswered = new Set(train.filter((s) => s.kind === "general" && s.messages.at(-1)?.content === UNANSWERED).map((s) => s.id));
    const foreign = await foreignRequests(o, i, planned, train);
    if (!foreign.ok) {
      yield foreign;
      return;
    }
    for (const { id } of foreign.value) always.add(id);
    let conversations = i;
    const examples = trainingExamples([...train, ...foreign.value], o.renderer, toolset.tools, EXAMPLES).filter(({ id }) => {
      const [sample = "", first] = id.split("#");
      if (unanswered.has(sample)) return false;
      return first !== undefined || always.has(sample) || conversations++ % (o.wholeEvery ?? WHOLE_EVERY) === 0;
    });
    const group = `${o.seed}/${i}`;
    yield ok(examples.map((e) => ({ ...e, id: `${group}/${e.id}`, group })));
  }
}

function estrange(toolset: Toolset, samples: readonly Sample[], index: number, o: CurriculumOptions): { toolset: Toolset; samples: readonly Sample[] } {
  if (o.strange === undefined) return { toolset, samples };
  const rng = rngFor(o.seed, "strange", index);
  const { values, names } = o.strange;
  const strange = samples.map((s) => (rng.chance(values) ? scrambleValues(s, toolset, rng) : s));
  return rng.chance(names) ? scrambleNames(toolset, strange, rng) : { toolset, samples: strange };
}

/** What `answerPlain` says to a question that it leaves out. */
export const UNANSWERED = "-";

/** Requests that another server's tools would serve, made by the same teacher, and declined. */
async function foreignRequests(o: CurriculumOptions, index: number, toolset: Toolset, own: readonly Sample[]): Promise<Result<Sample[]>> {
  const elsewhere = makeToolset(o.seed, ELSEWHERE + index);
  const plan = planSynthesis({ toolset: elsewhere, samples: 4 * FOREIGN, minPerTool: 0, scenarios: ONLY_STANDARD, evaluationSamples: 0, seed: index });
  const made = await generate({ toolset: elsewhere, plan, seed: index, session: null, answerPlain: o.answerPlain });
  if (!made.ok) return made;
  const { tools, territory } = readTerritory(toolset);
  const rng = rngFor(o.seed, "foreign", index);
  const system = own[0]?.messages.filter((m) => m.role === "system") ?? [];
  const declined: Sample[] = [];
  for (const [k, sample] of made.value.train.entries()) {
    const asked = sample.messages.find((m) => m.role === "user");
    const tool = elsewhere.tools.find((t) => t.name === sample.tool_name);
    // The description says best what it is about: a request is foreign only where no tool here speaks of that.
    if (asked === undefined || tool === undefined || touches(`${tool.name.replace(/[_-]/g, " ")} ${tool.description} ${asked.content}`, territory)) continue;
    const answer = { role: "assistant" as const, content: declineAnything(tools, rng) };
    declined.push({ ...sample, id: `no_tool/foreign/${k}`, scenario: "no_tool", kind: "foreign", tool_name: null, messages: [...system, asked, answer] });
    if (declined.length === FOREIGN) break;
  }
  return ok(declined);
}

const ONLY_STANDARD: ScenarioWeights = { standard: 1, no_tool: 0, error: 0, ambiguous: 0, edge: 0 };
