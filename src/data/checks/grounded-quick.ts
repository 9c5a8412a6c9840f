/**
 * Tells of most good samples, at a tenth of the cost, that `grounded_answer` has nothing to say against them. Guarantees: where it says yes, that check finds nothing (there is
 * a test); where it says no, nothing is known. It knows answers with plain numbers to results that are JSON and no failure, and answers without numbers to
 * failures, to nothing and to prose.
 */
import { looksFailed, plain, saysFailed, saysNone } from "../answers.ts";
import type { Sample } from "../types.ts";

/** What was said before an answer: all of it, and the part that is no JSON. */
interface Given {
  all: string;
  prose: string;
}

/** Whether grounded_answer surely passes. */
export function surelyGrounded(sample: Sample): boolean {
  const given: Given = { all: "", prose: "" };
  let results: string[] = [];
  for (const m of sample.messages) {
    if (m.role === "tool") results.push(m.content);
    else if (m.role === "assistant" && m.tool_calls) for (const c of m.tool_calls) give(given, c.function.arguments);
    else {
      if (m.role === "assistant" && results.length > 0 && !isPlain(sample, m.content ?? "", results, given)) return false;
      give(given, m.content ?? "");
      for (const r of results) give(given, r);
      results = [];
    }
  }
  return true;
}

function give(given: Given, text: string): void {
  given.all += ` ${text}`;
  if (!/^\s*[[{]/.test(text)) given.prose += ` ${text}`;
}

function isPlain(sample: Sample, answer: string, results: readonly string[], given: Given): boolean {
  if (answer.includes("<think")) return false;
  if (!/\d/.test(answer)) {
    if (results.every((r) => NOTHING.test(r))) return sample.kind !== "empty" || saysNone(answer);
    if (sample.scenario === "error" && sample.kind !== "empty") return saysFailed(answer);
    if (results.every((r) => PROSE.test(r))) return !results.some(looksFailed) || saysFailed(answer);
  }
  if (sample.scenario === "error") return false;
  const leaves: (string | number)[] = [];
  for (const text of results) {
    const record = recordIn(text);
    if (record === undefined || mayHaveFailed(record)) return false;
    collect(record, leaves);
  }
  const said = plainNumbers(answer);
  return said?.every((n) => leaves.some((leaf) => isFrom(n, leaf)) || standsAlone(given.prose, n)) === true && holdsTwo(answer, said, leaves, given.all);
}

/** JSON with nothing in it. */
const NOTHING = /^\s*(?:\[\]|\{\})\s*$/;
/** What is surely no JSON: it has to begin with a sign, a quote, a digit, or `true`, `false` or `null`. */
const PROSE = /^\s*[A-Za-su-z](?!alse|ull)/;

function recordIn(text: string): Record<string, unknown> | undefined {
  if (text[0] !== "{" && text[0] !== "[") return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const mayHaveFailed = ({ error, success, ok, status }: Record<string, unknown>): boolean =>
  Boolean(error) || success === false || ok === false || /err|fail/i.test(String(status ?? ""));

function collect(value: unknown, leaves: (string | number)[]): void {
  if (typeof value === "string" || typeof value === "number") leaves.push(value);
  else if (typeof value === "object" && value !== null) for (const v of Object.values(value)) collect(v, leaves);
}

const isDigit = (c: number): boolean => c >= 48 && c <= 57;

/** The numbers of a text where each stands after a blank or a bracket, or after a minus that does, without thousands; else undefined. */
function plainNumbers(text: string): number[] | undefined {
  const out: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text.charCodeAt(i))) continue;
    const negative = isMinus(text, i - 1);
    if (!negative && !isFree(text, i) && !isJoined(text, i)) return undefined;
    const start = negative ? i - 1 : i;
    while (isDigit(text.charCodeAt(i))) i++;
    if (text[i] === "." && isDigit(text.charCodeAt(i + 1))) {
      i++;
      while (isDigit(text.charCodeAt(i))) i++;
    }
    if (text[i] === "," && isDigit(text.charCodeAt(i + 1))) return undefined;
    out.push(Number(text.slice(start, i)));
  }
  return out;
}

/** Whether what stands before a place is no part of a number or a word. */
const isFree = (text: string, at: number): boolean => at === 0 || text[at - 1] === " " || text[at - 1] === "(" || text[at - 1] === "\n";
/** Whether at a place is a minus of the number behind it: after a blank and a word, for between two numbers it may join them. */
const isMinus = (text: string, at: number): boolean => text[at] === "-" && isFree(text, at) && at > 1 && /[a-z:,]/i.test(text[at - 2] as string);
/** Whether a number goes before, in a time or a date: that is one without a sign too. */
const isJoined = (text: string, at: number): boolean => (text[at - 1] === ":" || text[at - 1] === "-") && isDigit(text.charCodeAt(at - 2));
const TIME = /^\d{1,4}(?:[:-]\d{1,4})+$/;

const isFrom = (n: number, leaf: string | number): boolean =>
  typeof leaf === "number"
    ? leaf === n || Math.round(leaf) === n || Math.floor(leaf) === n || Math.ceil(leaf) === n
    : TIME.test(leaf) && leaf.split(/[:-]/).some((part) => Number(part) === n);

/** Whether a whole number stands in a text by itself. */
function standsAlone(text: string, n: number): boolean {
  const digits = String(n);
  if (!/^\d{1,15}$/.test(digits)) return false;
  for (let at = text.indexOf(digits); at >= 0; at = text.indexOf(digits, at + 1))
    if (isFree(text, at) && /^(?:[ ?!;]|$|[.](?!\d))/.test(text.slice(at + digits.length, at + digits.length + 2))) return true;
  return false;
}

/** What a status may say that is no value to be told (answers.ts). */
const MAY_BE_STATUS = /^\s*(?:ok|succe|done|complete|confirmed|accepted|created|updated|saved|sent|received|processed)/i;
const LONGEST = 60;

/** Whether an answer holds two different values of the results that nobody had said before; or says no, where there are no such. */
function holdsTwo(answer: string, said: readonly number[], leaves: readonly (string | number)[], given: string): boolean {
  const words = plain(answer);
  const sizes = said.map(Math.abs);
  let readable: boolean | undefined;
  let known: string | undefined;
  let first: string | number | undefined;
  for (const leaf of leaves) {
    if (leaf === first) continue;
    if (typeof leaf === "number") {
      if (!sizes.includes(Math.abs(leaf))) continue;
      const digits = String(Math.abs(leaf));
      if (digits.length > 15 || digits.includes("e") || given.includes(digits)) continue;
      // Numbers may be written with thousands, an exponent or escapes there: then none is surely new.
      readable ??= !/\d(?:,\d{3}|[eE])|\\u/.test(given);
      if (!readable) continue;
    } else {
      // What was said word for word is known; of the rest it takes a closer look.
      if (leaf.length > LONGEST || given.includes(leaf) || MAY_BE_STATUS.test(leaf)) continue;
      const value = plain(leaf);
      if (!words.includes(value)) continue;
      known ??= plain(given);
      if (known.includes(value)) continue;
    }
    if (first !== undefined) return true;
    first = leaf;
  }
  if (first !== undefined || !/\b(?:no|not|none|nothing)\b/i.test(answer)) return false;
  known ??= plain(given);
  return leaves.every((leaf) => typeof leaf === "string" && known?.includes(plain(leaf)));
}
