/**
 * Whether an argument's value is among the accepted ones, in the manner of Berkeley's function-calling
 * leaderboard (bfcl-eval 2026.3.23, `ast_checker`): strings without regard to case, punctuation and
 * white space, numbers by value, an empty string among the accepted ones meaning "may be left out".
 *
 * One thing is stricter here: words where punctuation or case carries meaning (paths, addresses, dates, amounts, codes:
 * one of `/ \ @ : _ .` inside or a digit beside a mark) are compared as they are.
 */
import { plain } from "../data/answers.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";

/** The mark among accepted values that says "may be left out". */
export const MAY_BE_LEFT_OUT = "";

/** Whether the value equals one of the accepted ones; an empty text is as good as none where none will do. */
export const isAccepted = (value: JsonValue, accepted: readonly unknown[]): boolean => accepted.some((a) => sameValue(value, a));

/** Whether the argument may be left out. */
export const mayBeLeftOut = (accepted: readonly unknown[]): boolean => accepted.includes(MAY_BE_LEFT_OUT);

function sameValue(value: JsonValue, accepted: unknown): boolean {
  if (typeof value === "string" && typeof accepted === "string") return sameText(value, accepted);
  if (Array.isArray(value)) return Array.isArray(accepted) && value.length === accepted.length && value.every((v, i) => sameValue(v as JsonValue, accepted[i]));
  if (isObject(value)) {
    if (!isObject(accepted)) return false;
    const stray = Object.keys(value).some((k) => !Object.hasOwn(accepted, k));
    return (
      !stray &&
      Object.entries(accepted).every(([k, a]) => (Object.hasOwn(value, k) ? sameMember(value[k] as JsonValue, a) : Array.isArray(a) && mayBeLeftOut(a)))
    );
  }
  return value === accepted;
}

/** Of a member of an object either its value is written, or, as the leaderboard does, the list of those that are accepted. */
const sameMember = (value: JsonValue, accepted: unknown): boolean =>
  sameValue(value, accepted) ||
  (Array.isArray(accepted) && (Array.isArray(value) ? accepted.filter(Array.isArray) : accepted).some((a) => sameValue(value, a)));

function sameText(value: string, accepted: string): boolean {
  if (value.trim().normalize("NFC") === accepted.trim().normalize("NFC")) return true;
  if (isLiteral(value.trim()) || isLiteral(accepted.trim())) return false;
  if (exactWords(value) !== exactWords(accepted)) return false;
  const same = plain(value);
  return same !== "" && same === plain(accepted);
}

/** One word that is a path, an address, a date, an amount, a code, a grade (`A-`) or a language (`C#`). */
const isLiteral = (text: string): boolean =>
  !/\s/.test(text) && (/[/\\@:_]|\S\.\S|^\p{L}[-#+]+$/u.test(text) || (/\d/.test(text) && /[\p{P}\p{S}]/u.test(text)));

/**
 * The words of a sentence that are such, in lower case, and the signs of its sums. Marks at a word's end are the sentence's, commas of thousands nobody's,
 * and a unit belongs to its number (`10 %`, `3:00 PM`, `9:00 - 17:00`).
 */
function exactWords(text: string): string {
  const words = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[\u2010-\u2015\u2212]/g, "-")
    .replaceAll(/(?<=\d),(?=\d{3}(?!\d))/g, "")
    .replaceAll(/(?<=\d),(?=\d)/g, ", ")
    .replaceAll(/(?<=\d)\s+(?=(?:%|°[cf]?|[ap]\.?m\b))/g, "")
    .replaceAll(/(?<=\d:\d\d) - (?=\d)/g, "-")
    .split(/\s+/)
    .map((word) => word.replaceAll(/^[^\p{L}\p{N}+\-/*=<>^#@$]+|[^\p{L}\p{N}+\-/*=<>^#%°]+$/gu, "").replace(/'s$/, ""));
  const isSum = (i: number): boolean => SIGN.test(words[i] ?? "") && /\d$/.test(words[i - 1] ?? "") && /^\d/.test(words[i + 1] ?? "");
  return words.filter((word, i) => isSum(i) || (isLiteral(word) && !JOINED.test(word) && /[\p{L}\p{N}]/u.test(word))).join(" ");
}

const SIGN = /^[-+*/=<>^]+$/;
/** `2-bedroom`, `30-day-trial`, `COVID-19`, `F-16`, `and/or`, `U.S`, `o'clock`: what people write with or without the mark. */
const JOINED = /^(?:\d+(?:-\p{L}{2,})+|\d+\p{L}+(?:-\p{L}{2,})+|\p{L}+-\d+\p{L}*|\p{L}+(?:\/\p{L}+)+|\p{L}+(?:\.\p{L}+)+|\d+'\p{L}+)$/u;

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
