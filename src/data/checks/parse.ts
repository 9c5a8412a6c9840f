/** JSON parse: the arguments of every call parse to an object. */
import type { SampleCheck } from "./check.ts";

export const parse: SampleCheck = {
  name: "parse",
  title: "JSON parse",
  gates: true,
  run: (_sample, { calls }) => {
    const bad = calls.find((c) => typeof c.value !== "object" || c.value === null || Array.isArray(c.value));
    return bad ? `arguments of ${bad.name} are not a JSON object` : null;
  },
};
