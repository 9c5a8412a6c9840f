/**
 * Regular expressions of strangers, held to a number of steps: a pattern such as `^(a+)+$` takes longer than anyone lives on forty letters,
 * with an engine that goes back and tries again. What `RegExp` does surely in few steps it does; all else goes to RE2, whose time grows with
 * the text alone; what RE2 cannot say (back references, most looking around) `RegExp` does where its steps are bounded. Which of them is asked
 * depends on pattern and text only, never on a clock: all machines come to the same.
 */
import { spend } from "./checking.ts";
import { longestWithin, mostSteps } from "./patterns/cost.ts";
import { type LinearTest, linearTest } from "./patterns/linear.ts";
import { type PatternNode, readPattern } from "./patterns/syntax.ts";

/** Steps that `RegExp` is trusted with where RE2 may be asked instead: a millisecond. */
const QUICK_STEPS = 100_000;
/** Steps where it may not: about fifty milliseconds. */
const MOST_STEPS = 10_000_000;
/** Characters that a text may have for `RegExp`. */
const MOST_TEXT = 10_000_000;
/** A text of this length has to be within the bounds, or the pattern is none for us. */
const USUAL_TEXT = 200;
/** Characters of a pattern. */
const MOST_PATTERN = 5_000;

/** A pattern without any of these has one way to match at each place. */
const REPEATS = /[*+{?|]|\\[1-9k]/;

/** What is used of a RegExp; the form that ajv's `code.regExp` option asks for. */
export interface BoundedRegExp {
  /** Whether the text matches. A text on which neither engine is within its bound counts as no match. */
  test(text: string): boolean;
  /** As a RegExp's: ajv tells patterns apart by it. */
  toString(): string;
}

/** Compiles a foreign pattern; what is none under the flag `u` (`[\\w-.]`, `\\-`) is read as the web does. Throws a SyntaxError where it is none. */
export function boundedRegExp(pattern: string, flags: string): BoundedRegExp {
  const compiled = compiledAs(pattern, flags);
  if (pattern.length <= MOST_PATTERN && !REPEATS.test(pattern)) return compiled;
  const bounded = new Bounded(pattern, compiled);
  return { toString: () => String(compiled), test: (text) => bounded.test(text) };
}

/** Whether `boundedRegExp` takes it. */
export function isPattern(pattern: string): boolean {
  try {
    compiledAs(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

/** Why a pattern cannot be looked for within the bounds, whatever the text: one clause; undefined where it can, and where it is no pattern. */
export function whyUnbounded(pattern: string): string | undefined {
  if (pattern.length > MOST_PATTERN) return `is longer than ${MOST_PATTERN.toLocaleString("en")} characters`;
  if (!REPEATS.test(pattern) || !isPattern(pattern) || new Bounded(pattern, compiledAs(pattern, "u")).usable) return undefined;
  return "repeats what looks around or refers back, or repeats so often that no search for it can be kept within bounds";
}

class Bounded {
  readonly #regExp: RegExp;
  readonly #tree: PatternNode | null;
  /** The longest text for which `RegExp` is quick. */
  readonly #quick: number;
  #linear: LinearTest | null | undefined;
  #longest: number | undefined;
  /** What `RegExp` may take for texts of up to 2^i characters. */
  readonly #steps: number[] = [];

  constructor(pattern: string, regExp: RegExp) {
    this.#regExp = regExp;
    this.#tree = pattern.length > MOST_PATTERN ? null : readPattern(pattern, regExp.unicode);
    this.#quick = this.#tree === null ? -1 : longestWithin(this.#tree, QUICK_STEPS, MOST_TEXT);
  }

  test(text: string): boolean {
    if (text.length <= this.#quick) {
      spend(Math.min(QUICK_STEPS, this.#stepsFor(text)));
      return this.#byRegExp(text);
    }
    const linear = this.#byRe2();
    if (linear !== null) return linear(text);
    if (text.length > this.#longestText()) return false;
    spend(Math.min(MOST_STEPS, this.#stepsFor(text)));
    return this.#byRegExp(text);
  }

  /** Whether a text of usual length is within the bounds. RE2 is loaded only where `RegExp` has too many steps. */
  get usable(): boolean {
    return this.#longestText() >= USUAL_TEXT || this.#byRe2() !== null;
  }

  #stepsFor(text: string): number {
    const i = 32 - Math.clz32(text.length);
    this.#steps[i] ??= this.#tree === null ? Number.POSITIVE_INFINITY : mostSteps(this.#tree, 2 ** i);
    return this.#steps[i] as number;
  }

  #byRegExp(text: string): boolean {
    try {
      return this.#regExp.test(text);
    } catch {
      return false; // V8 compiles a pattern when it is first used, and says only then that it is too large.
    }
  }

  #byRe2(): LinearTest | null {
    if (this.#linear === undefined) this.#linear = this.#tree === null ? null : linearTest(this.#tree, this.#regExp.unicode);
    return this.#linear;
  }

  #longestText(): number {
    this.#longest ??= this.#tree === null ? -1 : longestWithin(this.#tree, MOST_STEPS, MOST_TEXT);
    return this.#longest;
  }
}

function compiledAs(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (e) {
    if (!flags.includes("u")) throw e;
    return new RegExp(pattern, flags.replace("u", ""));
  }
}

/** ajv writes this into the code of a standalone validator; none is made here. */
boundedRegExp.code = "boundedRegExp";
