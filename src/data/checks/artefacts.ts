/** Template artefacts: seams of put-together text that a person would not write. */
import { recognise } from "../languages/recognise.ts";
import type { SampleCheck } from "./check.ts";

/** For tests. */
export const SEAMS: readonly (readonly [RegExp, string])[] = [
  [/\bundefined\b|\[object Object\]|\bNaN\b/, "a program's word"],
  [/\{[@=]/, "a brace"],
  [/[|]/, "a bar"],
  [/\b[Aa] (?=[aeio][a-z]|um|un[^i]|up)(?!.{2}one\b|.{2}once\b|.{2}eu)/, "`a` before a vowel"],
  [/\ban (?=[bcdfgjkpqtvwyz][a-z])/, "`an` before a consonant"],
  [/\b(the|a|an|to|in|for|of|with) \1\b/i, "a doubled word"],
  [/[a-z],,|[?!.]\?{1}$(?<!\?\?)|\.\.(?!\.)(?<!\.\.\.)/, "doubled punctuation"],
];

/** In every text that has a seam, and in few others: quicker to look for. */
export const NEAR_A_SEAM = /undefined|\[obj|NaN|\{[@=]|\||\b(?:[Aa] (?=[aeiou])|an (?=[b-df-hj-np-tv-z]))|\b(the|an?|to|in|for|of|with) \1\b|,,|[?!.]\?|\.\./i;

/** Seams of English alone: "a un hotel" is good Spanish, "y a un hôtel" good French. */
const ENGLISH: ReadonlySet<string> = new Set(["`a` before a vowel", "`an` before a consonant", "a doubled word"]);
const isEnglish = (text: string): boolean => (recognise(text)?.code ?? "en") === "en";

/** Whether the first request of a sample has a seam, by the words outside its values (which may hold anything). */
export const artefacts: SampleCheck = {
  name: "artefacts",
  title: "Template artefacts",
  gates: false,
  ruleOfThumb: true,
  run: (sample, { calls }) => {
    if (sample.kind === "unusual_input") return null;
    const values = calls.flatMap((c) => leaves(c.value)).filter((v) => v.length > 1);
    for (const m of sample.messages) {
      if (m.role !== "user") continue;
      let text = m.content;
      for (const v of values) if (text.includes(v)) text = text.replaceAll(v, "VALUE");
      if (text.includes('"')) text = text.replace(/"[^"]*"/g, "VALUE");
      if (text.includes("  ")) return "double spaces";
      // A quotation that is not closed may hold braces.
      if (/[{}]/.test(text.slice(text.lastIndexOf('"') + 1))) return `a brace in ${JSON.stringify(text.slice(0, 120))}`;
      if (!NEAR_A_SEAM.test(text)) continue;
      for (const [re, what] of SEAMS)
        if (re.test(text) && (!ENGLISH.has(what) || isEnglish(m.content))) return `${what} in ${JSON.stringify(text.slice(0, 120))}`;
    }
    return null;
  },
};

function leaves(v: unknown): string[] {
  if (typeof v === "string") return [v];
  if (typeof v === "object" && v !== null) return Object.values(v).flatMap(leaves);
  return [];
}
