/**
 * Think tags: a thought stands at the head of an assistant's message, opened and closed once; nobody else has one, and a family that
 * does not think has none. One in a field of its own (`reasoning_content`) holds no tag, and is no longer than a model may think.
 */
import { MOST_THOUGHT_CHARS } from "../../models/thinking.ts";
import type { SampleCheck } from "./check.ts";

const TAG = /<\/?think(?:ing)?>/i;
const WHOLE = /^\s*<think>(?:(?!<\/?think>)[\s\S])*<\/think>/;

export const thoughts: SampleCheck = {
  name: "thoughts",
  title: "Think tags",
  gates: false,
  run: (sample, { thinking }) => {
    for (const [i, m] of sample.messages.entries()) {
      const beside = m.role === "assistant" ? (m.reasoning_content ?? "") : "";
      if (TAG.test(beside)) return `message ${i} has a think tag inside its thought`;
      if (thinking === true && beside.length > MOST_THOUGHT_CHARS)
        return `message ${i} has a thought of ${beside.length} characters: more than ${MOST_THOUGHT_CHARS}, and the model is not given the time to think it`;
      const text = m.content ?? "";
      if (!TAG.test(text)) continue;
      if (m.role !== "assistant") return `message ${i} has a think tag, and is not the assistant's`;
      if (thinking === false) return `message ${i} has a think tag, and the model does not think`;
      if (TAG.test(text.replace(WHOLE, ""))) return `message ${i} has a think tag that is not opened and closed once, at its head`;
    }
    return null;
  },
};
