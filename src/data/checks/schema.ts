/** Schema: the arguments of every call fit the tool's input schema (missing ones are the business of `required`). */
import type { SampleCheck } from "./check.ts";

export const schema: SampleCheck = {
  name: "schema",
  title: "Schema",
  gates: true,
  run: (_sample, { calls, argumentChecks }) => {
    for (const c of calls) {
      const problem = argumentChecks
        .get(c.name)?.(c.value as never)
        .find((p) => p.keyword !== "required");
      if (problem) return `${c.name}: ${problem.path || "arguments"} ${problem.message}`;
    }
    return null;
  },
};
