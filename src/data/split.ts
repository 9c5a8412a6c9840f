/**
 * The line between training and evaluation: every frame (wording with values blanked) lies on one side,
 * decided by its own hash, so no list has to be kept and no number of samples moves a frame. Where frames are not of this project's
 * making, line.ts keeps the sides apart by what is said.
 */
import { hash32 } from "../platform/rng.ts";

/** Share of all frames that evaluation has to itself: one in this many. */
const ONE_IN = 4;

/** Whether a frame belongs to evaluation. */
export const isHeldoutFrame = (frame: string): boolean => hash32(`frame:${frame}`) % ONE_IN === 0;

/**
 * A prompt as compared between samples: lower case, without punctuation and extra space. Signs of numbers, of sums (`5 - 3`) and of names
 * (`C#`) are no punctuation, and marks of vowels are letters.
 */
export const promptKey = (text: string): string =>
  text
    .normalize("NFKC")
    .replaceAll("\u2212", "-")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}/._@:+*%#<>=$\u20ac-]+/gu, " ")
    .replace(/(?<![.:_-])[.:_-]+(?=\s|$)/g, (marks, at: number, all: string) => (SUM.test(all.slice(Math.max(0, at - 2), at + marks.length + 2)) ? marks : ""))
    .trim();

/** A minus between two numbers. */
const SUM = /\d -+ \d/;
