/** The checks of one sample, in the order in which they run; the first that fails names the reason. */
import { compileArguments } from "../schema.ts";
import type { Sample, Toolset } from "../types.ts";
import { artefacts } from "./artefacts.ts";
import { type CheckContext, readCalls, type SampleCheck } from "./check.ts";
import { parse } from "./parse.ts";
import { required } from "./required.ts";
import { roles } from "./roles.ts";
import { schema } from "./schema.ts";
import { toolExists } from "./tool-exists.ts";

export const CHECKS: readonly SampleCheck[] = [parse, toolExists, required, schema, roles, artefacts];

export interface CheckFailure {
  readonly check: SampleCheck;
  readonly message: string;
}

/** Makes the function that checks samples against a toolset; validators are compiled once. */
export function sampleChecker(toolset: Toolset, checks: readonly SampleCheck[] = CHECKS): (sample: Sample) => CheckFailure | null {
  const argumentChecks = new Map(toolset.tools.map((t) => [t.name, compileArguments(t)]));
  return (sample) => {
    const context: CheckContext = { toolset, argumentChecks, calls: readCalls(sample) };
    for (const check of checks) {
      const message = check.run(sample, context);
      if (message !== null) return { check, message };
    }
    return null;
  };
}
