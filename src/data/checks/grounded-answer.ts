/**
 * What the assistant says of a result: the result's values, and no number from nowhere; of a failure, that it failed. The same rule
 * judges a model's answers (answers.ts), so training data that it refuses would teach what evaluation counts as wrong. A rule of thumb: an answer may
 * leave out what nobody asked for, and do sums. `inventsNumbers` is the part that a teacher's own answers are held to.
 */
import { type AnswerSources, inventedIn, looksFailed, problemsOfAnswer, problemsOfErrorAnswer, recordOf } from "../answers.ts";
import type { Sample } from "../types.ts";
import type { SampleCheck } from "./check.ts";

const NOTHING = /^[\s[\]{}]*$/;

export const groundedAnswer: SampleCheck = {
  name: "grounded_answer",
  title: "Answer grounded in the result",
  gates: false,
  ruleOfThumb: true,
  run: (sample) => firstProblem(sample, problemOf),
};

/** The number that an answer of the sample makes up, in words; null where there is none. */
export const inventsNumbers = (sample: Sample): string | null => firstProblem(sample, (_, answer, sources) => inventedIn(answer, sources));

function firstProblem(sample: Sample, judge: (sample: Sample, answer: string, sources: AnswerSources) => string | undefined): string | null {
  const given: string[] = [];
  let results: string[] = [];
  for (const [i, m] of sample.messages.entries()) {
    if (m.role === "tool") results.push(m.content);
    else if (m.role === "assistant" && m.tool_calls) given.push(...m.tool_calls.map((c) => c.function.arguments));
    else {
      const problem =
        m.role === "assistant" && results.length > 0 ? judge(sample, withoutThoughts(m.content ?? ""), { results, given: [...given] }) : undefined;
      if (problem !== undefined) return `message ${i}: ${problem}`;
      given.push(m.content ?? "", ...results);
      results = [];
    }
  }
  return null;
}

function problemOf(sample: Sample, answer: string, sources: AnswerSources): string | undefined {
  // A tool that acts often gives nothing back, and "Done." is what there is to say.
  if (sample.kind !== "empty" && sources.results.every((r) => NOTHING.test(r))) return undefined;
  const { results } = sources;
  if ((sample.scenario === "error" && sample.kind !== "empty") || results.some((r) => recordOf(r) === undefined && looksFailed(r)))
    return problemsOfErrorAnswer(answer, sources)[0];
  // Of prose nobody can say which of its numbers matter.
  if (results.some((r) => recordOf(r) === undefined)) return inventedIn(answer, sources);
  const problem = problemsOfAnswer(answer, sources)[0];
  // Whether a record is of a failure is not written on it: what looks so may be told so.
  return problem !== undefined && results.some(looksFailed) ? problemsOfErrorAnswer(answer, sources)[0] : problem;
}

/** What a thinking model says aloud. */
const withoutThoughts = (text: string): string => text.replace(/^\s*<think>[\s\S]*?<\/think>/, "");
