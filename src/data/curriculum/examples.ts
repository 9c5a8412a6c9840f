/**
 * Training examples on many toolsets: each made-up toolset with a handful of conversations by the builtin teacher, as
 * groups that share their beginning. Deterministic in the seed and the base model's answers to plain questions.
 */

import { type ExamplePlan, type TrainingExample, trainingExamples } from "../../models/examples.ts";
import type { Renderer } from "../../models/render.ts";
import { err, ok, type Result } from "../../platform/result.ts";
import { rngFor } from "../../platform/rng.ts";
import { generate } from "../generate.ts";
import { planSynthesis } from "../plan.ts";
import { declineAnything, readTerritory, touches } from "../teacher/builtin/plain.ts";
import type { Sample, ScenarioWeights, Toolset } from "../types.ts";
import { realToolset } from "./real.ts";
import { scrambleNames, scrambleValues } from "./scramble.ts";
import { makeLeftOut, makeToolset } from "./toolsets.ts";

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
  /** Tools of real servers: one toolset in eight is some of theirs (real.ts); default none. */
  readonly servers?: readonly Toolset[];
  /** Share of the conversations whose values, and of the toolsets whose parameters' names, are words that nobody wrote (scramble.ts); default none. */
  readonly strange?: { readonly values: number; readonly names: number };
}

export interface CurriculumExample extends TrainingExample {
  /** The toolset that it is about. */
  readonly group: string;
}

/** More requests without a call than a recipe has: whether to call is what every toolset asks anew. */
const SCENARIOS: ScenarioWeights = { standard: 0.56, no_tool: 0.2, error: 0.1, ambiguous: 0.06, edge: 0.08 };
/** Answers without a call are shown to their end: a model that mostly saw them cut off never learned to stop (docs/measurements.md). */
const EXAMPLES: ExamplePlan = { whole: 1, first: 1, first_without_call: 0 };
/** One in so many conversations with a call that succeeds is shown whole: answers from results are long, and much the same for every toolset. */
const WHOLE_EVERY = 6;
/** One toolset in so many is a real server's, where there are any. */
const REAL_EVERY = 8;
/** Requests for what other servers do, by toolset: few words tell them from the ones that a tool serves. */
const FOREIGN = 2;
/** Requests for what the same server might do and does not, by toolset. */
const NEAR = 1;
/** Numbers of the toolsets that those come from; no curriculum is as long. */
const ELSEWHERE = 1_000_000;

/** The examples of some toolsets, toolset by toolset. */
export async function* curriculum(o: CurriculumOptions): AsyncGenerator<Result<CurriculumExample[]>> {
  for (let i = o.from; i < o.from + o.toolsets; i++) {
    const most = o.mostTools?.(i);
    const real = o.servers !== undefined && i % REAL_EVERY === REAL_EVERY - 1 ? realToolset(o.servers, o.seed, i, most) : null;
    const planned = real ?? makeToolset(o.seed, i, most);
    const plan = planSynthesis({ toolset: planned, samples: o.samples, minPerTool: 1, scenarios: SCENARIOS, evaluationSamples: 0, seed: i });
    const made = await generate({ toolset: planned, plan, seed: i, session: null, answerPlain: o.answerPlain });
    if (!made.ok) {
      yield err(made.error);
      return;
    }
    const { toolset, samples: train } = estrange(planned, made.value.train, i, o);
    const always = new Set(train.filter((s) => s.scenario === "error" || s.scenario === "no_tool").map((s) => s.id));
    const unanswered = new Set(train.filter((s) => s.kind === "general" && s.messages.at(-1)?.content === UNANSWERED).map((s) => s.id));
    const foreign = await foreignRequests(o, i, planned, real === null, train);
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

/** Requests that another server's tools would serve, or the same server's if it had them, made by the same teacher, and declined. */
async function foreignRequests(o: CurriculumOptions, index: number, toolset: Toolset, madeUp: boolean, own: readonly Sample[]): Promise<Result<Sample[]>> {
  const { tools, territory } = readTerritory(toolset);
  const rng = rngFor(o.seed, "foreign", index);
  const system = own[0]?.messages.filter((m) => m.role === "system") ?? [];
  const declined: Sample[] = [];
  const decline = async (from: Toolset, most: number, near: boolean): Promise<Result<void>> => {
    const plan = planSynthesis({ toolset: from, samples: 4 * FOREIGN, minPerTool: 0, scenarios: ONLY_STANDARD, evaluationSamples: 0, seed: index });
    const made = await generate({ toolset: from, plan, seed: index, session: null, answerPlain: o.answerPlain });
    if (!made.ok) return made;
    let count = 0;
    for (const sample of made.value.train) {
      if (count === most) break;
      const asked = sample.messages.find((m) => m.role === "user");
      const tool = from.tools.find((t) => t.name === sample.tool_name);
      if (asked === undefined || tool === undefined) continue;
      // The description says best what it is about: a request is foreign only where no tool here speaks of that.
      if (!near && touches(`${tool.name.replace(/[_-]/g, " ")} ${tool.description} ${asked.content}`, territory)) continue;
      const answer = { role: "assistant" as const, content: declineAnything(tools, rng) };
      const id = `no_tool/foreign/${declined.length}`;
      declined.push({ ...sample, id, scenario: "no_tool", kind: "foreign", tool_name: null, messages: [...system, asked, answer] });
      count += 1;
    }
    return ok(undefined);
  };
  const leftOut = !madeUp ? null : makeLeftOut(o.seed, index, o.mostTools?.(index));
  const declinedAll = [
    await decline(makeToolset(o.seed, ELSEWHERE + index), FOREIGN, false),
    leftOut === null ? ok(undefined) : await decline(leftOut, NEAR, true),
  ];
  return declinedAll.find((r) => !r.ok) ?? ok(declined);
}

const ONLY_STANDARD: ScenarioWeights = { standard: 1, no_tool: 0, error: 0, ambiguous: 0, edge: 0 };
