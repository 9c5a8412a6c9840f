/**
 * What the assistant says of a result: the result's values, and no number from nowhere; of a failure, that it failed. The same rule
 * judges a model's answers (answers.ts), so training data that it refuses would teach what evaluation counts as wrong.
 */
import { problemsOfAnswer, problemsOfErrorAnswer } from "../answers.ts";
import type { Sample } from "../types.ts";
import type { SampleCheck } from "./check.ts";

/** A tool's message that begins like one of a failure. */
const FAILED = /^\W*(?:\w+\W+){0,2}(?:error|exception|failed|failure|timed? ?out|timeout)\b/i;
const NOTHING = /^[\s[\]{}]*$/;

export const groundedAnswer: SampleCheck = {
  name: "grounded_answer",
  title: "Answer grounded in the result",
  gates: false,
  ruleOfThumb: true,
  run: (sample) => {
    const given: string[] = [];
    let results: string[] = [];
    for (const [i, m] of sample.messages.entries()) {
      if (m.role === "tool") results.push(m.content);
      else if (m.role === "assistant" && m.tool_calls) given.push(...m.tool_calls.map((c) => c.function.arguments));
      else {
        const problem = m.role === "assistant" && results.length > 0 ? problemOf(sample, m.content ?? "", results, given) : undefined;
        if (problem !== undefined) return `message ${i}: ${problem}`;
        given.push(m.content ?? "", ...results);
        results = [];
      }
    }
    return null;
  },
};

function problemOf(sample: Sample, answer: string, results: readonly string[], given: readonly string[]): string | undefined {
  // A tool that acts often gives nothing back, and "Done." is what there is to say.
  if (sample.kind !== "empty" && results.every((r) => NOTHING.test(r))) return undefined;
  const failed = (sample.scenario === "error" && sample.kind !== "empty") || results.some((r) => FAILED.test(r));
  return (failed ? problemsOfErrorAnswer : problemsOfAnswer)(withoutThoughts(answer), { results, given })[0];
}

/** What a thinking model says aloud. */
const withoutThoughts = (text: string): string => text.replace(/^\s*<think>[\s\S]*?<\/think>/, "");
