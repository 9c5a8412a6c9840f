/** JSON parse: the arguments of every call parse to an object, of numbers that there are. */
import { lostNumbers } from "../numbers.ts";
import type { SampleCheck } from "./check.ts";

export const parse: SampleCheck = {
  name: "parse",
  title: "JSON parse",
  gates: true,
  run: (_sample, { calls }) => {
    const bad = calls.find((c) => typeof c.value !== "object" || c.value === null || Array.isArray(c.value));
    if (bad) return `arguments of ${bad.name} are not a JSON object`;
    for (const { name, text } of calls) {
      const endless = [...lostNumbers(text)].find(([value]) => !Number.isFinite(value));
      if (endless) return `arguments of ${name} have the number ${endless[1].slice(0, 40)}, which is beyond any that can be written`;
    }
    return null;
  },
};
