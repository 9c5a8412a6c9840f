/** Tool exists: every call names a tool of the set. */
import type { SampleCheck } from "./check.ts";

export const toolExists: SampleCheck = {
  name: "tool_exists",
  title: "Tool exists",
  gates: true,
  run: (_sample, { calls, argumentChecks }) => {
    const bad = calls.find((c) => !argumentChecks.has(c.name));
    return bad ? `there is no tool ${JSON.stringify(bad.name)}` : null;
  },
};
