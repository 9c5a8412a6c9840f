/**
 * The untuned base model's own answers to plain questions: no tools, its default system message. They
 * go into training for requests that need no tool, so that what the model knew stays as it was.
 */
import { ok, type Result } from "../../platform/result.ts";
import type { Renderer } from "../render.ts";
import { completeAll, type LlamaEngine } from "./types.ts";

/** Answers longer than this are cut at their last full sentence. */
const MAX_TOKENS = 64;

/** Answers in the order of the questions; the same questions in the same order give the same answers. The first failure fails all. */
export function answerPlain(engine: LlamaEngine, renderer: Renderer): (questions: readonly string[]) => Promise<Result<string[]>> {
  return async (questions) => {
    const results = await completeAll(
      engine,
      questions.map((content) => ({ prompt: renderer.prompt([{ role: "user", content }], []), maxTokens: MAX_TOKENS })),
    );
    const answers: string[] = [];
    for (const r of results) {
      if (!r.ok) return r;
      answers.push(r.value.stopped === "limit" ? cutAtSentence(r.value.text) : r.value.text.trim());
    }
    return ok(answers);
  };
}

/** The text up to its last full sentence or line; where it has none, up to its last full word, with a full stop. */
export function cutAtSentence(text: string): string {
  const whole = text.trimEnd();
  // A sentence ends at .!? before white space, but not after a list's number ("1.").
  const ends = [...whole.matchAll(/(?<!(?:^|\n)\s*\d{1,3})[.!?]["')\]]*(?=\s|$)/g)];
  const last = ends.at(-1);
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
