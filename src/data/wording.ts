/**
 * Wordings as compared between training and evaluation where nobody knows the frame behind them: the different words of what the user
 * says, its values blanked. Two wordings at NEAR_WORDING or more are one; which are is found exactly, by prefix filtering (similarity.ts).
 * A wording comes of the finished sample or case alone, so that whoever measures a data set later sees what was compared when it was made.
 *
 * Clusters need no bookkeeping: if no held-out wording is near a training one, then no chain of near ones leads from one side to the other either.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { hash32 } from "../platform/rng.ts";
import { jaccard, wordsOf } from "./similarity.ts";
import type { EvaluationCase, Sample } from "./types.ts";

/**
 * Jaccard similarity of the different words at which two wordings count as one: a word more in a request of three and up, another word in a
 * request of seven and up. Chosen by reading pairs of the Snips benchmark's requests (Coucke et al. 2018, arXiv:1805.10190; 5,932 by people for
 * three intents, slots blanked): from 0.8 nearly all pairs say the same, from 0.75 about half ("Give me the forecast for X", "Tell me
 * the forecast for X"), below it few. The word 3-grams that find near-duplicate samples do not see a request's paraphrases at any threshold:
 * "What's the weather in X?" and "What is the weather like in X?" share none.
 */
export const NEAR_WORDING = 0.75;

/** A wording: hashes of its different words, sorted, with the values blanked and as they were said. */
export interface Wording {
  readonly blanked: Uint32Array;
  readonly said: Uint32Array;
}

export const wordingOfSample = (sample: Pick<Sample, "messages">): Wording => wording(usersOf(sample.messages), calledIn(sample.messages));

/** A case's calls that are due count with all the values that they may have. */
export const wordingOfCase = (c: Pick<EvaluationCase, "messages" | "expect">): Wording =>
  wording(usersOf(c.messages), [...calledIn(c.messages), ...(c.expect ?? []).flatMap((call) => Object.values(call.arguments as JsonObject))]);

/** Finds among wordings that come and go all those that are near another. */
export class WordingIndex<Key> {
  private readonly blanked = new SetIndex<Key>();
  private readonly said = new SetIndex<Key>();

  /** Adds a wording; a key that has one already gets this one instead. */
  add(key: Key, w: Wording): void {
    this.blanked.add(key, w.blanked);
    this.said.add(key, w.said);
  }

  remove(key: Key): void {
    this.blanked.remove(key);
    this.said.remove(key);
  }

  /** Keys of the wordings that are near this one. */
  near(w: Wording): Set<Key> {
    return new Set([...this.blanked.near(w.blanked), ...this.said.near(w.said)]);
  }

  /** Whether a wording is near this one. */
  has(w: Wording): boolean {
    return !this.blanked.near(w.blanked).next().done || !this.said.near(w.said).next().done;
  }
}

class SetIndex<Key> {
  private readonly byWord = new Map<number, Key[]>();
  private readonly sets = new Map<Key, Uint32Array>();

  add(key: Key, set: Uint32Array): void {
    this.sets.set(key, set);
    for (const word of prefixOf(set)) {
      const list = this.byWord.get(word);
      if (list === undefined) this.byWord.set(word, [key]);
      else list.push(key);
    }
  }

  /** What is left of it in the lists finds no set any more, or the key's next one, which is compared like any other. */
  remove(key: Key): void {
    this.sets.delete(key);
  }

  *near(set: Uint32Array): Generator<Key, undefined> {
    const seen = new Set<Key>();
    for (const word of prefixOf(set)) {
      for (const key of this.byWord.get(word) ?? []) {
        if (seen.has(key)) continue;
        seen.add(key);
        const other = this.sets.get(key);
        if (other !== undefined && jaccard(set, other) >= NEAR_WORDING) yield key;
      }
    }
  }
}

const prefixOf = (set: Uint32Array): Uint32Array => set.subarray(0, set.length - Math.ceil(NEAR_WORDING * set.length) + 1);

type Messages = readonly { readonly role: string; readonly content: string | null }[];

const usersOf = (messages: Messages): string[] => messages.flatMap((m) => (m.role === "user" && m.content !== null ? [m.content] : []));

/** The arguments of the calls in a conversation; what cannot be read has none. */
function calledIn(messages: Messages): JsonValue[] {
  return messages.flatMap((m) => {
    const calls = (m as { readonly tool_calls?: readonly { readonly function?: { readonly arguments?: unknown } }[] }).tool_calls ?? [];
    return calls.map((c) => parsed(c.function?.arguments));
  });
}

function parsed(text: unknown): JsonValue {
  try {
    return typeof text === "string" ? (JSON.parse(text) as JsonValue) : null;
  } catch {
    return null;
  }
}

/** Stands for a value; no word of any language. */
const BLANK = "qzvalueqz";

function wording(users: readonly string[], values: readonly JsonValue[]): Wording {
  const text = users.join(" / ").normalize("NFKC").toLowerCase();
  const blanks = [...new Set(values.flatMap(textsIn))].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  const blanked = blanks.reduce(blankOut, text);
  return {
    blanked: setOf(
      wordsIn(blanked).map((w) => (/^[-+]?\p{N}+%?$/u.test(w) ? BLANK : w)),
      blanked,
    ),
    said: setOf(wordsIn(text), text),
  };
}

/** Characters of what may be a name with something behind a comma ("Oslo, Norway"); longer texts are sentences. */
const LONGEST_NAME = 60;

/** A value as it may stand in a request: the whole of it, and what is between its commas. */
function textsIn(value: JsonValue): string[] {
  if (typeof value === "string") {
    const whole = value.normalize("NFKC").toLowerCase().trim();
    const parts = whole.length > LONGEST_NAME ? [] : whole.split(/[,;]/).map((part) => part.trim());
    return [whole, ...parts].filter((t) => t.length > 1 || /[^\p{ASCII}]/u.test(t));
  }
  if (typeof value === "number") return [String(value)];
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap((v) => textsIn(v as JsonValue));
  return [];
}

/** Letters of the scripts that are written without blanks are words each, and need no blank around a value. */
const UNSPACED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const unspaced = new RegExp(`[${UNSPACED}]`, "u");
const goesOnBefore = new RegExp(`(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}]$`, "u");
const goesOnBehind = new RegExp(`^(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}]`, "u");

/** The text with a value that stands in it as words of their own blanked. */
function blankOut(text: string, value: string): string {
  let out = "";
  let from = 0;
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    if (at < from) continue;
    const end = at + value.length;
    // Two units are a letter beyond the first plane.
    if (goesOnBefore.test(text.slice(Math.max(0, at - 2), at)) || goesOnBehind.test(text.slice(end, end + 2))) continue;
    out += `${text.slice(from, at)} ${BLANK} `;
    from = end;
  }
  return out + text.slice(from);
}

/** English short forms, spelt out; dressing says nothing of what is asked. */
const APOSTROPHE = /['\u2018\u2019\u02bc]/;
const RUN_TOGETHER = /\b(what|how|where|when|who|that|there|here)s\b/g;
const SHORT: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u02bc]/g, "'"],
  [/\bcan't\b/g, "can not"],
  [/\bwon't\b/g, "will not"],
  [/n't\b/g, " not"],
  [/'s\b/g, " is"],
  [/'re\b/g, " are"],
  [/'ll\b/g, " will"],
  [/'d\b/g, " would"],
  [/'ve\b/g, " have"],
  [/'m\b/g, " am"],
];
const DRESSING = new Set(["please", "pls", "kindly", "hi", "hello", "hey", "thanks", "thank", "ok", "okay"]);

function wordsIn(text: string): string[] {
  const whole = APOSTROPHE.test(text) ? SHORT.reduce((t, [short, long]) => t.replace(short, long), text) : text;
  const spelt = whole.replace(RUN_TOGETHER, "$1 is");
  const all = wordsOf(spelt).flatMap((w) => (unspaced.test(w) ? [...w] : [w]));
  const told = all.filter((w) => !DRESSING.has(w));
  return told.length > 0 ? told : all;
}

/** @param text what counts where there are no words (a row of emoji) */
const setOf = (words: readonly string[], text: string): Uint32Array =>
  Uint32Array.from(new Set((words.length > 0 ? words : [text]).map((w) => hash32(w)))).sort();
