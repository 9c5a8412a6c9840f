/** What a family says to plain questions that its base model cannot answer: sentences of its data file, in place of the model's own words. */
import { ok, type Result } from "../platform/result.ts";
import type { Family } from "../schemas/generated/family.ts";

/** Answers in the questions' order, the same for the same question; undefined where the base model answers for itself. */
export function fixedAnswers({
  plain_answers: sentences,
}: Pick<Family, "plain_answers">): ((questions: readonly string[]) => Promise<Result<string[]>>) | undefined {
  if (sentences === undefined) return undefined;
  return async (questions) => ok(questions.map((question) => sentences[question.length % sentences.length] as string));
}
