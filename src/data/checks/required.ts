/** Required fields: no required argument is missing, at any depth. */
import type { SampleCheck } from "./check.ts";

export const required: SampleCheck = {
  name: "required",
  title: "Required fields",
  gates: true,
  run: (_sample, { calls, argumentChecks }) => {
    for (const c of calls) {
      const problem = argumentChecks
        .get(c.name)?.(c.value as never)
        .find((p) => p.keyword === "required");
      if (problem) return `${c.name}: ${problem.path} is missing`;
    }
    return null;
  },
};
