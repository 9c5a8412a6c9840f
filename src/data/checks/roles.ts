/**
 * Role order: system, then turns of a user answered by an assistant; a call is followed by its result (matching id) and
 * an answer; the last turn is an assistant's text, not blank. The scenario fits: in no_tool the first request, or
 * the last, takes no call.
 */
import type { SampleCheck } from "./check.ts";

export const roles: SampleCheck = {
  name: "roles",
  title: "Role order",
  gates: false,
  run: (sample) => {
    const m = sample.messages;
    let i = m[0]?.role === "system" ? 1 : 0;
    if (i >= m.length) return "there is no user turn";
    while (i < m.length) {
      if (m[i]?.role !== "user") return `message ${i} should be the user's`;
      if ((m[i]?.content ?? "").trim() === "") return `message ${i} is blank`;
      i++;
      for (let calls = m[i]; calls?.role === "assistant" && calls.tool_calls; calls = m[i]) {
        i++;
        for (const c of calls.tool_calls) {
          const result = m[i];
          if (result?.role !== "tool" || result.tool_call_id !== c.id) return `message ${i} should be the result of ${c.id}`;
          i++;
        }
      }
      const answer = m[i];
      if (answer?.role !== "assistant") return `message ${i} should be the assistant's`;
      if ((answer.content ?? "").trim() === "") return `message ${i} is blank`;
      i++;
    }
    const moves = m.filter((x, k) => x.role === "assistant" && m[k - 1]?.role === "user");
    const called = (move: (typeof m)[number] | undefined): boolean => move?.role === "assistant" && move.tool_calls !== undefined;
    if (sample.scenario === "no_tool" && called(moves[0]) && called(moves.at(-1))) return "a no_tool sample begins and ends with a call";
    if (sample.scenario !== "no_tool" && !m.some((x) => x.role === "assistant" && x.tool_calls)) return "a sample about a tool has no call";
    return null;
  },
};
