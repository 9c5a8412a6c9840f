/** The checks of one sample, in the order in which they run; the first that fails names the reason. */
import { type ArgumentCheck, compileArguments } from "../schema.ts";
import type { Sample, Toolset } from "../types.ts";
import { artefacts } from "./artefacts.ts";
import { type CheckContext, readCalls, type SampleCheck } from "./check.ts";
import { groundedAnswer } from "./grounded-answer.ts";
import { surelyGrounded } from "./grounded-quick.ts";
import { parse } from "./parse.ts";
import { required } from "./required.ts";
import { roles } from "./roles.ts";
import { schema } from "./schema.ts";
import { injection, secrets, templateMarks } from "./strangers.ts";
import { thoughts } from "./thoughts.ts";
import { toolExists } from "./tool-exists.ts";

/** As `groundedAnswer`, which is asked only where the quick look cannot tell: it takes most of the time of all checks. */
const grounded: SampleCheck = { ...groundedAnswer, run: (sample, context) => (surelyGrounded(sample) ? null : groundedAnswer.run(sample, context)) };

/** Rules of thumb last: what is certain names the reason. */
export const CHECKS: readonly SampleCheck[] = [parse, toolExists, required, schema, roles, secrets, templateMarks, thoughts, artefacts, injection, grounded];
/** What can be told of a sample whose calls were not executed yet. */
export const BEFORE_EXECUTION: readonly SampleCheck[] = [parse, toolExists, required, schema, roles, artefacts];
/** What only a whole sample shows. Not what an answer makes of its result: our own are made of it, and a teacher's are held to less (generate.ts). */
export const AFTER_EXECUTION: readonly SampleCheck[] = [secrets, templateMarks, thoughts, injection];

export interface CheckFailure {
  readonly check: SampleCheck;
  readonly message: string;
}

export interface CheckOptions {
  readonly checks?: readonly SampleCheck[];
  readonly thinking?: boolean;
}

/** Makes the function that checks samples against a toolset; validators are compiled once. */
export function sampleChecker(toolset: Toolset, { checks = CHECKS, thinking }: CheckOptions = {}): (sample: Sample) => CheckFailure | null {
  const argumentChecks = new Map(toolset.tools.map((t) => [t.name, onceEach(compileArguments(t))]));
  return (sample) => {
    const context: CheckContext = { toolset, argumentChecks, calls: readCalls(sample), ...(thinking !== undefined && { thinking }) };
    for (const check of checks) {
      const message = check.run(sample, context);
      if (message !== null) return { check, message };
    }
    return null;
  };
}

/** `required` and `schema` ask for the same arguments, one after the other. */
function onceEach(check: ArgumentCheck): ArgumentCheck {
  let last: Parameters<ArgumentCheck>[0] | undefined;
  let problems: ReturnType<ArgumentCheck> = [];
  return (args) => {
    // Of plain values nobody can say that they are the same ones.
    if (args !== last || typeof args !== "object") problems = check(args);
    last = args;
    return problems;
  };
}
