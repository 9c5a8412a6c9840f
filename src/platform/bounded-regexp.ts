/**
 * Regular expressions of strangers, held to a time: a pattern such as `^(a+)+$` takes longer than anyone lives on
 * forty letters. V8 can end a match when it runs in a context of its own with a timeout.
 */
import { createContext, Script } from "node:vm";

/** Milliseconds that one match may take. A sane pattern needs microseconds. */
const MATCH_MS = 100;
/** The clock also runs while a busy machine does something else: once for each pattern a match may take so long. */
const PATIENT_MS = 1000;

/** A pattern without any of these has one way to match at each place, and needs no watch. */
const REPEATS = /[*+{?|]|\\[1-9k]/;

const MATCH = new Script("pattern.test(text)");

/** What is used of a RegExp; the form that ajv's `code.regExp` option asks for. */
export interface BoundedRegExp {
  /** Whether the text matches. A match that takes longer than 100 ms (the first time a second) counts as none. */
  test(text: string): boolean;
  /** As a RegExp's: ajv tells patterns apart by it. */
  toString(): string;
}

/** Compiles a foreign pattern; what is none under the flag `u` (`[\\w-.]`, `\\-`) is read as the web does. Throws a SyntaxError where it is none. */
export function boundedRegExp(pattern: string, flags: string): BoundedRegExp {
  const compiled = compiledAs(pattern, flags);
  if (!REPEATS.test(pattern)) return compiled;
  const context = createContext({ pattern: compiled, text: "" });
  const within = (timeout: number): boolean | "late" => {
    try {
      return MATCH.runInContext(context, { timeout }) === true;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return "late";
      throw e;
    }
  };
  let patient = true;
  return {
    toString: () => String(compiled),
    test(text) {
      context.text = text;
      let found = within(MATCH_MS);
      if (found === "late" && patient) {
        patient = false;
        found = within(PATIENT_MS);
      }
      return found === true;
    },
  };
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
