/**
 * The untuned base model's own answers to plain questions: no tools, its default system message, after an empty thought where it could think. They
 * go into training for requests that need no tool, so that what the model knew stays as it was.
 */
import { ok, type Result } from "../../platform/result.ts";
import type { Renderer } from "../render.ts";
import { emptyThought } from "../thinking.ts";
import { type Completion, completeAll, type LlamaEngine } from "./types.ts";

/** Answers longer than this are cut at their last full sentence. */
const MAX_TOKENS = 64;

/** A sentence ends at .!? before white space, but not after a list's number ("1."). */
const SENTENCE_END = /(?<!(?:^|\n)\s*\d{1,3})[.!?]["')\]]*(?=\s|$)/g;

/** A phrase of so many words, said so many times, is a model going round in circles. */
const PHRASE_WORDS = 3;
const CIRCLES = 3;

/**
 * Answers in the order of the questions, "" where the model had nothing but repetition to say; the same questions in the same order give
 * the same answers. The first failure fails all.
 * @param onAnswer hears each as it comes: of which question, and what
 */
export function answerPlain(
  engine: LlamaEngine,
  renderer: Renderer,
  onAnswer?: (index: number, answer: string) => void,
): (questions: readonly string[]) => Promise<Result<string[]>> {
  return async (questions) => {
    const results = await completeAll(
      engine,
      questions.map((question) => ({ prompt: plainPrompt(renderer, question), maxTokens: MAX_TOKENS })),
      (index, result) => {
        if (result.ok) onAnswer?.(index, answerIn(result.value));
      },
    );
    const answers: string[] = [];
    for (const r of results) {
      if (!r.ok) return r;
      answers.push(answerIn(r.value));
    }
    return ok(answers);
  };
}

/** How a plain question is put to the model. */
export const plainPrompt = (renderer: Renderer, question: string): string =>
  renderer.prompt([{ role: "user", content: question }], []) + (renderer.thinking === undefined ? "" : emptyThought(renderer.thinking));

const answerIn = ({ text, stopped }: Completion): string => cutBeforeRepetition(stopped === "limit" ? cutAtSentence(text) : text.trim());

/** The text up to its last full sentence or line; where it has none, up to its last full word, with a full stop. */
export function cutAtSentence(text: string): string {
  const whole = text.trimEnd();
  const last = [...whole.matchAll(SENTENCE_END)].at(-1);
  if (last !== undefined) return whole.slice(0, last.index + last[0].length).trim();
  const lines = whole.split("\n");
  if (lines.length > 1) return lines.slice(0, -1).join("\n").trim();
  const words = whole.trim().split(" ");
  return words.length > 1
    ? `${words
        .slice(0, -1)
        .join(" ")
        .replace(/[,;:]$/, "")}.`
    : whole.trim();
}

/** The sentences before a text begins to go round in circles; "" where there are none. Any other text stays as it is. */
export function cutBeforeRepetition(text: string): string {
  const words = [...text.matchAll(/[\p{L}\p{N}'’]+/gu)];
  const seen = new Map<string, number[]>();
  for (let i = 0; i + PHRASE_WORDS <= words.length; i++) {
    const phrase = words
      .slice(i, i + PHRASE_WORDS)
      .map((w) => w[0].toLowerCase())
      .join(" ");
    const places = [...(seen.get(phrase) ?? []), words[i]?.index ?? 0];
    seen.set(phrase, places);
    if (places.length < CIRCLES) continue;
    const before = text.slice(0, places[1]);
    const end = [...before.matchAll(SENTENCE_END)].at(-1);
    return end === undefined ? "" : before.slice(0, end.index + end[0].length).trim();
  }
  return text;
}
