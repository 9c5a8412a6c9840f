/**
 * What typing does to a request in a language with a pack: a word misspelt, accents left out, small letters, marks left out. Only words of the pack are
 * changed: a name, a value or another language's word is none of them. Blanks (`{v0}`, `{k0}`) stay.
 */
import type { Rng } from "../../platform/rng.ts";
import { outside } from "./keep.ts";
import { type LanguagePack, lexiconOf } from "./pack.ts";

const WORD = /[\p{L}\p{M}]+/gu;

/** The text with small letters, as far as its words are the language's own. */
export function small(text: string, pack: LanguagePack): string {
  const { known } = lexiconOf(pack);
  return eachWord(text, pack, (word) => (known.has(word.toLowerCase()) ? word.toLowerCase() : word));
}

/** The text without the accents that there may be no key for. */
export function withoutKeys(text: string, pack: LanguagePack): string {
  const { known, keeps } = lexiconOf(pack);
  const { plain } = pack.typing;
  const isOwn = (word: string): boolean => known.has(word.toLowerCase()) || word === word.toLowerCase();
  return eachWord(text, pack, (word) => (isOwn(word) && !keeps.has(word.toLowerCase()) ? [...word].map((c) => plain[c] ?? c).join("") : word));
}

/**
 * Changes words that are no names. Where nouns have no capital, a word with one in the middle of a sentence is a name; where they have, one behind a
 * title or another name is.
 */
function eachWord(text: string, pack: LanguagePack, change: (word: string) => string): string {
  const { known, titles } = lexiconOf(pack);
  const isName = (word: string, ahead: string): boolean => {
    if (!/^\p{Lu}/u.test(word) || /(?:^|[.!?:¿¡…\n])\s*$/u.test(ahead)) return false;
    if (!pack.recognise.capital_nouns) return true;
    const last = /([\p{L}\p{M}.]+)\s+$/u.exec(ahead)?.[1] ?? "";
    return titles.has(last.toLowerCase().replace(/\.$/, "")) || (/^\p{Lu}/u.test(last) && !known.has(last.toLowerCase()));
  };
  let before = "";
  return outside(text, (part) => {
    const out = part.replace(WORD, (word, at: number) => (isName(word, `${before}${part.slice(0, at)}`) ? word : change(word)));
    before += part;
    return out;
  });
}

/** The text without the marks that haste leaves out (¿). */
export const withoutMarks = (text: string, pack: LanguagePack): string =>
  outside(text, (part) => [...part].filter((c) => !pack.typing.drops.includes(c)).join(""));

/** The text with one common word misspelt, if it has one. @param kept words that are not touched, wherever they stand */
export function misspelt(text: string, kept: ReadonlySet<string>, pack: LanguagePack, rng: Rng): string {
  const { slips, known } = lexiconOf(pack);
  const blanks = [...text.matchAll(/\{[kv]\d+\}/g)].map((m) => [m.index, m.index + m[0].length] as const);
  const words = [...text.matchAll(WORD)].filter(
    (m) => slips.has(m[0].toLowerCase()) && !kept.has(m[0].toLowerCase()) && !blanks.some(([from, to]) => m.index >= from && m.index < to),
  );
  if (words.length === 0) return text;
  const found = rng.pick(words);
  const slip = slipOf(found[0], rng);
  // What is a word itself says something else.
  if (known.has(slip.toLowerCase())) return text;
  return `${text.slice(0, found.index)}${slip}${text.slice(found.index + found[0].length)}`;
}

/** Two letters inside a word swapped, one doubled, or one left out; its first and its last stay. */
function slipOf(word: string, rng: Rng): string {
  const letters = [...word];
  if (letters.length < 4) return word;
  const at = rng.int(1, letters.length - 3);
  const [a, b] = [letters[at] as string, letters[at + 1] as string];
  const kind = rng.pick(["swapped", "swapped", "doubled", "left out"]);
  if (kind === "swapped" && a !== b) return [...letters.slice(0, at), b, a, ...letters.slice(at + 2)].join("");
  return kind === "doubled"
    ? [...letters.slice(0, at + 1), a, ...letters.slice(at + 1)].join("")
    : [...letters.slice(0, at), ...letters.slice(at + 1)].join("");
}
