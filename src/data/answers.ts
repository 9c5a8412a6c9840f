/**
 * Judges an answer by rule, without a model: does it say what the result says, and nothing else? The
 * rules are narrow on purpose. They read numbers and the result's own words; a false statement made of
 * neither passes, and a number that the model computed rightly (a unit converted, a sum) does not.
 */
import type { JsonValue } from "../platform/json.ts";

/** Lower case, without punctuation and white space: how words are compared. */
export const plain = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[\p{P}\s]/gu, "");

export interface AnswerSources {
  /** The texts of the tool results that the answer rests on. */
  readonly results: readonly string[];
  /** What the user said, and the arguments of the calls: an answer may repeat them. */
  readonly given: readonly string[];
}

/** How many of a result's decisive values an answer has to hold; results have many, an answer is a sentence. */
const DECISIVE_NEEDED = 2;
const LONGEST_DECISIVE = 60;

const SAYS_FAILED =
  /\b(could ?n[o']t|can ?not|can't|unable|fail(?:ed|s|ure)?|errors?|not (?:found|available|find|respond|answer|reach|able|get|known|exist|recogni[sz]ed|valid|return)|unavailable|unknown|invalid|timed? ?-?out|too long|nothing|empty|(?:do|does|did|was|is|has|have) ?n[o']t|was not|is not|sorry|unfortunately|denied|refused|wrong|ran into|there (?:is|was) (?:a|an|some) (?:\w+ )?(?:problem|issue)|(?:a|an|the|some) (?:\w+ )?(?:problem|issue)s? (?:with|occurred|arose|came up|when|while|connecting|reaching|getting|calling)|no (?:such|results?|match(?:es|ing)?|data|records?|answer|response|reply|longer|luck|success|access|permission|\w+ (?:was|were|is|are|could|came|has|have)))\b/i;
const SAYS_NONE = /\b(no|not|none|nothing|never|without|n't|empty|zero|clear)\b|n't\b|\b0\b/i;

/** A status that says no more than that it worked: an answer says so in its own words ("has been booked"). */
const WORKED = /^(?:ok(?:ay)?|success(?:ful(?:ly)?)?|succeeded|done|complete[d]?|confirmed|accepted|created|updated|saved|sent|received|processed)$/i;

const NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"];
const NUMBER_WORD = NUMBER_WORDS.map((word) => new RegExp(`\\b${word}\\b`, "i"));

/** What is wrong with an answer to a result; empty when nothing is. */
export function problemsOfAnswer(answer: string, sources: AnswerSources): string[] {
  const problems = inventedNumbers(answer, sources);
  const { decisive, empty } = decisiveValues(sources);
  if (decisive.length > 0) {
    const held = decisive.filter((v) => holds(answer, v)).length;
    if (held < Math.min(DECISIVE_NEEDED, decisive.length))
      problems.push(`the answer holds ${held} of the result's values (${decisive.slice(0, 4).join(", ")}${decisive.length > 4 ? ", …" : ""})`);
  } else if (empty && !SAYS_NONE.test(straight(answer))) problems.push("the result is empty and the answer does not say so");
  return problems;
}

/** What an answer makes up: a number that is nowhere in the result, the question or the arguments. */
export const inventedIn = (answer: string, sources: AnswerSources): string | undefined => inventedNumbers(answer, sources)[0];

/** What is wrong with an answer to a failed call: it has to say that it failed, and may invent nothing. */
export function problemsOfErrorAnswer(answer: string, sources: AnswerSources): string[] {
  const problems = inventedNumbers(answer, sources);
  if (!SAYS_FAILED.test(straight(answer))) problems.push("the answer does not say that the call failed");
  return problems;
}

/** Numbers of the answer that are nowhere in the result, the question or the arguments; a result's number may be rounded, a list counted. */
function inventedNumbers(answer: string, { results, given }: AnswerSources): string[] {
  const said = numbers(answer.replaceAll(/^[ \t]*\d{1,2}[.)]\s/gm, "")); // without the ordinals of a list
  if (said.length === 0) return [];
  const known = new Set<number>();
  for (const text of [...results, ...given]) {
    for (const n of numbersOf(text)) for (const v of [n, Math.round(n), Math.floor(n), Math.ceil(n), Math.round(n * 10) / 10]) known.add(Math.abs(v));
    for (const [i, word] of NUMBER_WORD.entries()) if (word.test(text)) known.add(i);
  }
  for (const value of results.map(parsed)) for (const length of lengths(value)) known.add(length);
  const invented = [...new Set(said.filter((n) => !known.has(Math.abs(n))))];
  return invented.length === 0 ? [] : [`the answer has ${invented.slice(0, 3).join(", ")}, which is nowhere in the result or the question`];
}

/** The numbers in a text, in order; `1,234` is one, `12:30` two, and so is the time in `2026-07-05T14:30`. */
function numbers(text: string): number[] {
  return [...text.matchAll(/(?:(?<![\p{L}_\d])|(?<=\dT))\d+(?:,\d{3}(?!\d))*(?:\.\d+)?/gu)].map((m) => Number(m[0].replaceAll(",", "")));
}

/** The numbers in a text or, where it is JSON, in its names and values: the commas of `[450,520]` are none of a number's. */
function numbersOf(text: string): number[] {
  const value = parsed(text);
  return value === undefined ? numbers(text) : [...numbersIn(value)];
}

function* numbersIn(value: JsonValue): Generator<number> {
  if (typeof value === "number") yield Math.abs(value);
  else if (typeof value === "string") yield* numbers(value);
  else if (Array.isArray(value)) for (const v of value as readonly JsonValue[]) yield* numbersIn(v);
  else if (typeof value === "object" && value !== null)
    for (const [name, v] of Object.entries(value)) {
      yield* numbers(name);
      yield* numbersIn(v as JsonValue);
    }
}

/**
 * The result's values that an answer should hold: its leaves, without what the user or the call already said. It is empty where it holds nothing at all,
 * or where what it holds is known and a list or a record of it has nothing in it (`{"city": "Oslo", "alerts": []}`).
 */
function decisiveValues({ results, given }: AnswerSources): { decisive: (string | number)[]; empty: boolean } {
  const said = plain(given.join(" "));
  const saidNumbers = new Set(given.flatMap(numbersOf));
  const decisive: (string | number)[] = [];
  let empty = results.length > 0;
  for (const text of results) {
    const value = parsed(text);
    if (value === undefined) {
      // Prose: its numbers where it has any.
      decisive.push(...numbers(text).filter((n) => !saidNumbers.has(n)));
      if (text.trim() !== "") empty = false;
      continue;
    }
    if (!hasVoid(value)) empty = false;
    for (const leaf of leaves(value)) {
      if (typeof leaf === "number" ? saidNumbers.has(Math.abs(leaf)) : said.includes(plain(leaf))) continue;
      if (typeof leaf === "string" && (leaf.length > LONGEST_DECISIVE || plain(leaf) === "" || WORKED.test(leaf.trim()))) continue;
      decisive.push(leaf);
    }
    if (decisive.length > 0) empty = false;
  }
  return { decisive: [...new Set(decisive)], empty };
}

/** Whether a list or a record in it, or the whole, has nothing in it. */
function hasVoid(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  const inside = Object.values(value) as JsonValue[];
  return inside.length === 0 || inside.some(hasVoid);
}

function holds(answer: string, value: string | number): boolean {
  if (typeof value === "string") return plain(answer).includes(plain(value));
  if (NUMBER_WORD[value]?.test(answer) === true) return true;
  return numbers(answer).some((n) => n === Math.abs(value) || n === Math.abs(Math.round(value)) || n === Math.abs(Math.round(value * 10) / 10));
}

function parsed(text: string): JsonValue | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

function* leaves(value: JsonValue): Generator<string | number> {
  if (typeof value === "string" || typeof value === "number") yield value;
  else if (typeof value === "object" && value !== null) for (const v of Object.values(value) as JsonValue[]) yield* leaves(v);
}

function* lengths(value: JsonValue | undefined): Generator<number> {
  if (Array.isArray(value)) yield value.length;
  if (typeof value === "object" && value !== null) for (const v of Object.values(value) as JsonValue[]) yield* lengths(v);
}

const straight = (text: string): string => text.replaceAll(/[\u2018\u2019]/g, "'");
