/**
 * Takes out of a request what may not change while its wording does, and puts it back: values of its calls, quotations, code, addresses, numbers and short
 * forms. What is left are words; of these the language's own are known (pack.ts), and a name is none of them.
 */

/** Behind a blank's number: what `{k3}` stands for. */
export interface Kept {
  readonly text: string;
  readonly taken: readonly string[];
}

/** Quotations; code, addresses, paths and whatever has a digit or an inner mark in it; capitals in a row; short forms (z. B., Dr., m.). */
const FIXED =
  /"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`|(?<![\p{L}\p{N}])['‘][^'’\n]+['’](?![\p{L}\p{N}])|[^\s{}]*[\d_@/\\#$%€&=<>*+|^~][^\s{}]*?(?=[.,;:!?…)]*(?:\s|$|\{))|(?<![\p{L}{])\p{Lu}[\p{Lu}\p{N}-]+(?![\p{L}\p{N}}])|(?<!\p{L})(?:\p{L}{1,3}\.\s?)+\p{L}{1,3}\.(?=\s*[\p{L}{])|(?<=\s|^)(?:[A-Z][a-z]{1,2}|\p{L})\.(?=\s*[\p{Lu}{])/gu;

/**
 * @param blanked a request in which the values that change are blanked (`{v0}`)
 * @param values words that have to stand in it as they do: the other values of its calls
 */
export function takeOut(blanked: string, values: readonly string[]): Kept {
  const taken: string[] = [];
  const keep = (text: string): string => {
    taken.push(text);
    return `{k${taken.length - 1}}`;
  };
  let text = blanked;
  const lower = blanked.toLowerCase();
  // Longest first, so that what is in another goes with it. A blank's own letters are none of the text's.
  for (const value of [...new Set(values)]
    .filter((v) => /[\p{L}\p{N}]/u.test(v) && lower.includes(v.toLowerCase()))
    .sort((a, b) => b.length - a.length || (a < b ? -1 : 1)))
    text = outside(text, (part) => part.replace(asWord(value), keep));
  text = outside(text, (part) => part.replace(FIXED, keep));
  return { text, taken };
}

/** The text with everything back in its place. What was taken may itself hold blanks. */
export const putBack = (text: string, taken: readonly string[]): string => {
  let out = text;
  for (let i = taken.length - 1; i >= 0; i--) out = out.replaceAll(`{k${i}}`, () => taken[i] as string);
  return out;
};

/** A change of what is between blanks. */
export const outside = (text: string, change: (part: string) => string): string =>
  text
    .split(/(\{[kv]\d+\})/)
    .map((part, i) => (i % 2 === 0 ? change(part) : part))
    .join("");

/** A value as words of their own, in any case. */
export const asWord = (value: string): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{M}\\p{N}])${value.replace(/[.*+?^$()|[\]\\/{}]/g, "\\$&")}(?![\\p{L}\\p{M}\\p{N}])`, "giu");
