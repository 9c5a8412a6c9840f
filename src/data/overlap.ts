/**
 * Keeps training away from the user's own evaluation cases: a sample whose request says the same words as a
 * case's (case, punctuation and white space aside), or nearly the same, is taken out. Compared on the
 * user's words only; the system prompt is shared by all and proves nothing.
 */
import { wordsOf } from "./similarity.ts";
import type { EvaluationCase, Sample } from "./types.ts";

/** Jaccard similarity of word bigrams at which two requests count as one (REFERENCE: near-duplicate 0.95 on whole samples; a request is short, so less is already the same). */
const NEAR = 0.8;

const bigrams = (text: string): Set<string> => {
  const w = wordsOf(text.normalize("NFKC"));
  return new Set(w.length < 2 ? w : w.slice(1).map((word, i) => `${w[i]} ${word}`));
};

const similarity = (a: ReadonlySet<string>, b: ReadonlySet<string>): number => {
  if (a.size === 0 || b.size === 0) return 0;
  let shared = 0;
  for (const x of a) if (b.has(x)) shared++;
  return shared / (a.size + b.size - shared);
};

const requests = (messages: readonly { readonly role: string; readonly content: string | null }[]): string[] =>
  messages.flatMap((m) => (m.role === "user" && m.content !== null ? [m.content] : []));

/** Splits the samples into those that no case overlaps, and the rest; order is kept. */
export function removeOverlap(samples: readonly Sample[], cases: readonly EvaluationCase[]): { kept: Sample[]; removed: Sample[] } {
  const judged = cases.flatMap((c) => requests(c.messages)).map(bigrams);
  const kept: Sample[] = [];
  const removed: Sample[] = [];
  for (const sample of samples) {
    const overlaps = requests(sample.messages)
      .map(bigrams)
      .some((s) => judged.some((c) => similarity(s, c) >= NEAR));
    (overlaps ? removed : kept).push(sample);
  }
  return { kept, removed };
}
