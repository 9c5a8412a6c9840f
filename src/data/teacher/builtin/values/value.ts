/** A value, what it depends on, and the small helpers that all kinds of values share. */
import type { JsonValue } from "../../../../platform/json.ts";
import { hash32, type Rng } from "../../../../platform/rng.ts";
import type { Known } from "../../../discover.ts";
import { capital } from "../english.ts";
import { SYLLABLES } from "../words/things.ts";

/** One argument: as JSON, as said, and what else is accepted from a model. */
export interface Value {
  readonly json: JsonValue;
  /** The words that stand in the request in place of the blank. */
  readonly said: string;
  readonly accepted: readonly JsonValue[];
  /** Whether the words may be written in lower case like the rest of a request. */
  readonly caseless: boolean;
}

/** What earlier arguments of the same request fixed. */
export interface Context {
  /** Day number of the start of a span, once said. */
  day?: number;
  /** Words already used as free text, so that two arguments differ. */
  used: Set<string>;
}

export interface ValueOptions {
  /** Draw from the held-out part of a list. */
  readonly heldout: boolean;
  /** A value at its bound. */
  readonly extreme?: boolean;
  /** An invented, rare word where one is possible (teaches copying). */
  readonly rare?: boolean;
  /** Something that does not exist: a real tool may refuse it. */
  readonly wrong?: boolean;
  /** The tool's object, for topics (`recipe` → food). */
  readonly topic: string;
  /** What really exists behind the tools. */
  readonly known?: Known;
  /** The tool makes its object: a path is a new one. */
  readonly making?: boolean;
}

/** The part of a list that training (or evaluation) may use. Short lists are shared: they cannot be split. */
export function part<T>(list: readonly T[], heldout: boolean, key: (v: T) => string = String): readonly T[] {
  if (list.length < 14) return list;
  const own = list.filter((v) => (hash32(`value:${key(v)}`) % 5 === 0) === heldout);
  return own.length === 0 ? list : own; // Chance may leave one side without any.
}

/** An invented word of two or three syllables. */
export function inventedWord(rng: Rng): string {
  const n = rng.int(2, 3);
  let w = "";
  for (let i = 0; i < n; i++) w += rng.pick(SYLLABLES);
  return capital(w);
}

/** A value that is said as given. */
export const plain = (json: JsonValue, said: string, caseless = false, accepted: readonly JsonValue[] = []): Value => ({
  json,
  said,
  caseless,
  accepted: [json, ...accepted],
});

/** A name: as said, in any case. */
export const named = (s: string): Value => plain(s, s, true);
/** Text in quotation marks with probability `p`. */
export const quoted = (s: string, rng: Rng, p = 1): Value => plain(s, rng.chance(p) ? `"${s}"` : s);
/** A value whose words are the value itself, letter for letter. */
export const literal = (s: string): Value => plain(s, s);
