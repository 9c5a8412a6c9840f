/**
 * Judges an answer by rule, without a model: does it say what the result says, and nothing else? The
 * rules are narrow on purpose. They read numbers and the result's own words; a false statement made of
 * neither passes, and a number that the model computed rightly (a unit converted, a sum) does not.
 */
import type { JsonValue } from "../platform/json.ts";
import { failedIn, noneIn } from "./languages/verdicts.ts";

/** What `plain` makes of each Latin-1 character by itself; 0 of punctuation and white space, `NOT_ALONE` of what it makes several or wider ones of. */
const NOT_ALONE = 256;
const PLAIN = Uint16Array.from({ length: 256 }, (_, c) => {
  const kept = plainOfAny(String.fromCharCode(c));
  if (kept === "") return 0;
  return c === 0 || kept.length > 1 || kept.charCodeAt(0) > 255 ? NOT_ALONE : kept.charCodeAt(0);
});
let plainBytes = Buffer.alloc(1024);

/** Lower case, without punctuation and white space: how words are compared. */
export function plain(text: string): string {
  if (plainBytes.length < text.length) plainBytes = Buffer.alloc(2 * text.length);
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const kept = PLAIN[text.charCodeAt(i)] ?? NOT_ALONE;
    if (kept === NOT_ALONE) return plainOfAny(text);
    if (kept !== 0) plainBytes[n++] = kept;
  }
  return plainBytes.toString("latin1", 0, n);
}

function plainOfAny(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[\p{P}\s]/gu, "");
}

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
/** What sounds like a failure and says that there was none. */
const SAYS_WORKED =
  /\b(?:without|with no|(?:there (?:were|was|are|is)|had|has|have|and|with|,) (?:no|zero)|^no) (?:any )?(?:errors?|problems?|issues?|trouble)\b(?!\s+(?:\w+\s+)?(?:was|were|is|are|could|match|exist|with|found))/gi;
const SAYS_NONE = /\b(no|not|none|nothing|never|without|n't|empty|zero|clear)\b|n't\b|\b0\b/i;

/** A status that says no more than that it worked: an answer says so in its own words ("has been booked"). */
const WORKED = /^(?:ok(?:ay)?|success(?:ful(?:ly)?)?|succeeded|done|complete[d]?|confirmed|accepted|created|updated|saved|sent|received|processed)$/i;

const NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"];
const NUMBER_WORD = new RegExp(`\\b(?:${NUMBER_WORDS.join("|")})\\b`, "gi");

/** What is wrong with an answer to a result; empty when nothing is. */
export function problemsOfAnswer(answer: string, sources: AnswerSources): string[] {
  const read = readSources(sources);
  const problems = inventedNumbers(answer, read);
  const { decisive, empty } = decisiveValues(read);
  if (decisive.length > 0) {
    const holds = holderOf(answer);
    const held = decisive.filter(holds).length;
    if (held < Math.min(DECISIVE_NEEDED, decisive.length))
      problems.push(`the answer holds ${held} of the result's values (${decisive.slice(0, 4).join(", ")}${decisive.length > 4 ? ", …" : ""})`);
  } else if (empty && !saysNone(answer)) problems.push("the result is empty and the answer does not say so");
  return problems;
}

/** What an answer makes up: a number that is nowhere in the result, the question or the arguments. */
export const inventedIn = (answer: string, sources: AnswerSources): string | undefined => inventedNumbers(answer, readSources(sources))[0];

/** What is wrong with an answer to a failed call: it has to say that it failed, and may invent nothing. */
export function problemsOfErrorAnswer(answer: string, sources: AnswerSources): string[] {
  const problems = inventedNumbers(answer, readSources(sources));
  if (!saysFailed(answer)) problems.push("the answer does not say that the call failed");
  return problems;
}

/** Whether an answer says that a call failed. */
export const saysFailed = (answer: string): boolean => SAYS_FAILED.test(straight(answer).replaceAll(SAYS_WORKED, "")) || failedIn(answer);

/** Whether an answer says that there is nothing. */
export const saysNone = (answer: string): boolean => SAYS_NONE.test(straight(answer)) || noneIn(answer);

const FAILED = /^\W*(?:(?:\w+ )?(?:error|exception)\b(?:\s+\d{3})?\s*[:(]|error\b|timed? ?out\b|timeout\b|failed\b|failure\b|traceback\b)/i;

/** Whether a result reads like one of a failure; whether it is one is not written on it. */
export function looksFailed(result: string): boolean {
  const record = recordOf(result);
  if (record === undefined) return FAILED.test(result);
  const { error, success, ok, status } = record;
  return Boolean(error) || success === false || ok === false || /^(?:error|failed|failure)$/i.test(String(status ?? ""));
}

/** A result that is JSON, as a record (a list too); undefined for prose. */
export function recordOf(result: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(result);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A text, and its value where it is JSON with something inside. */
interface Read {
  readonly text: string;
  readonly value: JsonValue | undefined;
}

interface ReadSources {
  readonly results: readonly Read[];
  readonly given: readonly Read[];
}

function readSources({ results, given }: AnswerSources): ReadSources {
  const read = (text: string): Read => ({ text, value: parsed(text) });
  return { results: results.map(read), given: given.map(read) };
}

/** Words that turn the numbers beside them round: of -5 one may say "5 below zero", "fell by 5", "5 °W", "owes 5", "spent 5". */
const TURNS_ROUND =
  /^(?:minus|negative|below|under|sub-?zero|less|lower|fewer|down|drop\w*|f[ae]ll\w*|decreas\w*|declin\w*|reduc\w*|los(?:e|es|s|ses|t|ing)|behind|short\w*|debt|deficit|debit\w*|owe[sd]?|owing|overdr\w+|withdr\w+|refund\w*|spen[dt]s?|spending|paid|pays?|payment|charged?|charges|cost|costs|purchase\w*|red|ago|before|earlier|west\w*|south\w*|[ws])$/i;
/** How many words away such a word may stand. */
const BESIDE = 4;

/** Numbers of the answer that are nowhere in the result, the question or the arguments, or only with the other sign; a result's number may be rounded, a list counted. */
function inventedNumbers(answer: string, { results, given }: ReadSources): string[] {
  const told = answer.replaceAll(/^[ \t]*\d{1,2}[.)]\s/gm, ""); // without the ordinals of a list
  if (!/\d/.test(told)) return [];
  const known = new Set<number>();
  for (const read of [...results, ...given]) {
    for (const n of numbersOf(read)) for (const v of [n, Math.round(n), Math.floor(n), Math.ceil(n), Math.round(n * 10) / 10]) known.add(v);
    for (const n of numberWords(read.text)) known.add(n);
  }
  for (const { value } of results) for (const length of lengths(value)) known.add(length);
  // "21,5" is one number where the result has it, and two elsewhere.
  const said = numbersAt(told.replaceAll(CONTINENTAL, (text) => (known.has(continental(text)) ? " " : text)));
  const invented = new Set(
    said.filter(({ n, beside }) => !known.has(n) && !(known.has(-n) && (n === 0 || beside.some((w) => TURNS_ROUND.test(w))))).map(({ n }) => n),
  );
  return invented.size === 0 ? [] : [`the answer has ${[...invented].slice(0, 3).join(", ")}, which is nowhere in the result or the question`];
}

/** A number, with a minus that stands before it: not one that joins (`5-12`, `A-3`, `10 -15`), but that of a time zone (`UTC-5`). `1,234` is one number, `12:30` two, and so is the time in `2026-07-05T14:30`. */
const NUMBER =
  /(?:(?<![\p{L}\p{N}_)\]:]|\d\s)([-\u2212\u2013])\p{Sc}?|(?<=\b(?:UTC|GMT))([-\u2212\u2013]))?(?:(?<![\p{L}_\d])|(?<=\dT))(\d+(?:,\d{3}(?!\d))*(?:\.\d+)?)/gu;

const numberIn = (m: RegExpMatchArray): number => Number((m[3] ?? "").replaceAll(",", "")) * (m[1] === undefined && m[2] === undefined ? 1 : -1);

/** A number as it is written from Lisbon to Warsaw: a comma before its decimals, points or blanks between its thousands. */
const CONTINENTAL = /(?<![\p{L}\p{N}_.,])[-\u2212]?(?:\d{1,3}(?:[.\u00a0\u202f ]\d{3})+(?:,\d+)?|\d+,\d+)(?![\p{N},.]*\d)/gu;
const continental = (text: string): number =>
  Number(
    text
      .replace("\u2212", "-")
      .replaceAll(/[.\u00a0\u202f ]/g, "")
      .replace(",", "."),
  );

/** The numbers in a text, in order. */
function numbers(text: string): number[] {
  return /\d/.test(text) ? [...text.matchAll(NUMBER)].map(numberIn) : [];
}

/** The same with the words beside each. */
function numbersAt(text: string): { readonly n: number; readonly beside: readonly string[] }[] {
  if (!/\d/.test(text)) return [];
  const wordsIn = (part: string): string[] => part.match(/[\p{L}-]+/gu) ?? [];
  return [...text.matchAll(NUMBER)].map((m) => {
    const end = m.index + m[0].length;
    const near = [...wordsIn(text.slice(Math.max(0, m.index - 60), m.index)).slice(-BESIDE), ...wordsIn(text.slice(end, end + 60)).slice(0, BESIDE)];
    return { n: numberIn(m), beside: near };
  });
}

/** The small numbers that a text has as words. */
const numberWords = (text: string): number[] => (text.match(NUMBER_WORD) ?? []).map((word) => NUMBER_WORDS.indexOf(word.toLowerCase()));

/** The numbers in a text or, where it is JSON, in its names and values: the commas of `[450,520]` are none of a number's. */
const numbersOf = ({ text, value }: Read): number[] => (value === undefined ? numbers(text) : [...numbersIn(value)]);

function* numbersIn(value: JsonValue): Generator<number> {
  if (typeof value === "number") yield value;
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
function decisiveValues({ results, given }: ReadSources): { decisive: (string | number)[]; empty: boolean } {
  const said = plain(given.map((g) => g.text).join(" "));
  const saidNumbers = new Set(given.flatMap(numbersOf).map(Math.abs));
  const decisive: (string | number)[] = [];
  let empty = results.length > 0;
  for (const { text, value } of results) {
    if (value === undefined) {
      // Prose: its numbers where it has any.
      decisive.push(...numbers(text).filter((n) => !saidNumbers.has(Math.abs(n))));
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

/** Whether an answer holds a value, for any of them. */
function holderOf(answer: string): (value: string | number) => boolean {
  const words = plain(answer);
  const said = new Set([...numbers(answer), ...(answer.match(CONTINENTAL) ?? []).map(continental)].map(Math.abs));
  const inWords = new Set(numberWords(answer));
  return (value) =>
    typeof value === "string"
      ? words.includes(plain(value))
      : inWords.has(value) || [value, Math.round(value), Math.round(value * 10) / 10].some((v) => said.has(Math.abs(v)));
}

function parsed(text: string): JsonValue | undefined {
  // A failed JSON.parse costs as much as a hundred good ones.
  if (!/^\s*(?:[[{]|null\s*$)/.test(text)) return undefined;
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
