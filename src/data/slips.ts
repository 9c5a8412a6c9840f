/**
 * What people's typing does to a request, for variations (augment.ts): a misspelt word, a courtesy more, small talk less. Only words of a table are misspelt, none that
 * a value is said by; what is added or taken away are whole sentences of our own lists, which say nothing of what is wanted. English, like those lists; other languages have theirs (languages/typing.ts).
 */
import type { Rng } from "../platform/rng.ts";
import { CLOSERS, CONTEXTS } from "./teacher/builtin/patterns.ts";

/**
 * Slips of the hand in common words: letters swapped, doubled or left out, as Wikipedia's "Lists of common misspellings" has them. Words that could stand
 * for a value (numbers, days, units, places) are not among them, nor misspellings that are words themselves.
 */
const SLIPS: Readonly<Record<string, readonly string[]>> = {
  about: ["abuot", "aobut"],
  also: ["aslo"],
  and: ["adn", "nad"],
  anything: ["anyting", "anythign"],
  are: ["aer"],
  can: ["cna"],
  check: ["chekc", "chcek"],
  could: ["coudl", "cuold"],
  does: ["deos"],
  find: ["fidn"],
  give: ["giev", "gvie"],
  going: ["gonig", "goign"],
  have: ["ahve", "hvae"],
  help: ["hlep"],
  know: ["knwo", "konw"],
  like: ["liek"],
  look: ["lok", "loook"],
  need: ["ened", "nede"],
  please: ["plese", "pleae", "plaese"],
  possible: ["possable", "posible"],
  really: ["realy"],
  should: ["shoudl", "shuold"],
  show: ["shwo", "hsow"],
  some: ["soem"],
  tell: ["tlel"],
  thanks: ["thnaks", "thansk"],
  that: ["taht", "htat"],
  the: ["teh", "hte"],
  there: ["tehre"],
  this: ["tihs", "thsi"],
  want: ["wnat", "watn"],
  what: ["waht", "whta"],
  when: ["wehn"],
  where: ["wehre"],
  which: ["wich", "whcih"],
  will: ["wil"],
  with: ["wiht", "whit"],
  would: ["woudl", "wuold"],
  you: ["yuo", "yoou"],
  your: ["yoru"],
};

/** Share of variations with a misspelt word, and of these with a second one. */
const MISSPELT = 0.15;
const TWICE = 0.2;
/** Share of variations that end in a courtesy where they have none. */
const LONGER = 0.15;
/** How often small talk goes where there is some. */
const SHORTER = 0.5;

/** The text with a word or two misspelt now and then. Blanks (`{…}`) stay, and so does every word of `kept`. */
export function misspelt(text: string, kept: readonly string[], rng: Rng): string {
  if (!rng.chance(MISSPELT)) return text;
  const keep = new Set(kept.flatMap((words) => words.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []));
  let out = text;
  for (let n = rng.chance(TWICE) ? 2 : 1; n > 0; n--) {
    const words = [...out.matchAll(/\{[^}]*\}|[\p{L}\p{N}'’_./-]+/gu)].filter(
      ([word]) => Object.hasOwn(SLIPS, word.toLowerCase()) && !keep.has(word.toLowerCase()),
    );
    if (words.length === 0) return out;
    const found = rng.pick(words);
    const slip = rng.pick(SLIPS[found[0].toLowerCase()] as readonly string[]);
    const capital = found[0] !== found[0].toLowerCase();
    out = `${out.slice(0, found.index)}${capital ? slip.charAt(0).toUpperCase() + slip.slice(1) : slip}${out.slice(found.index + found[0].length)}`;
  }
  return out;
}

const bare = (sentence: string): string => sentence.replace(/[.!?\s]+$/, "").toLowerCase();
const SMALL_TALK = new Set(CONTEXTS.map(bare));
const COURTESIES = new Set(CLOSERS.map(bare));

/** The text without small talk before it and courtesies after it, now and then; what is left is a request still. */
export function shorter(text: string, rng: Rng): string {
  const sentences = text.match(/[^.!?]+[.!?]*\s*/g) ?? [text];
  const from = sentences.findIndex((s) => !SMALL_TALK.has(bare(s.trim())));
  const to = sentences.findLastIndex((s) => !COURTESIES.has(bare(s.trim())));
  const some = from > 0 || (to >= 0 && to < sentences.length - 1);
  if (!some || from < 0 || to < from || !rng.chance(SHORTER)) return text;
  return sentences
    .slice(from, to + 1)
    .join("")
    .trim();
}

/** The text with a courtesy after it, now and then, where it has none. */
export function longer(text: string, rng: Rng): string {
  if (!rng.chance(LONGER) || /\b(?:thank|thanks|cheers|appreciated|please|pls)\b/i.test(text)) return text;
  const closer = rng.pick(CLOSERS);
  const lower = text === text.toLowerCase();
  return `${/[.?!]$/.test(text) ? text : `${text}.`} ${lower ? closer.toLowerCase() : closer}`;
}
