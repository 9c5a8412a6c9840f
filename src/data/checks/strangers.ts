/**
 * Texts that nobody should learn from: keys and passwords, and words that are meant for the program rather than for people (a chat
 * template's own marks, orders to forget the instructions). They come with what people wrote, and with what tool servers gave back.
 */
import { holdsSecret } from "../../platform/redact.ts";
import type { Sample } from "../types.ts";
import type { SampleCheck } from "./check.ts";

/** The message itself is never repeated: it holds the secret. */
export const secrets: SampleCheck = {
  name: "secrets",
  title: "Keys and passwords",
  gates: false,
  run: (sample) => first(sample, (text) => (holdsSecret(text) ? "has the form of a key or a password" : null)),
};

/** Marks of ChatML, Llama 2 and 3, Gemma, Mistral, DeepSeek and Phi; of tool calls as the families write them. */
const MARKS =
  /<\|[a-z_]{2,30}(?:\|>|:)|<｜[^｜<>]{2,40}｜>|<\/?(?:start|end)_of_turn>|\[\/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<<\/?SYS>>|<\/?tool_(?:call|response)>/;
/** Orders that override instructions, as collections of prompt injections have them (OWASP LLM01). */
const ORDERS =
  /\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,30}\b(?:(?:previous|prior|above|earlier|preceding|system)\b[^.!?\n]{0,20}\b(?:instructions?|prompts?|messages?|rules?|directions?)|(?:all|your|the|any) (?:instructions|rules|guidelines))\b|\b(?:reveal|print|repeat|show)\b[^.!?\n]{0,20}\b(?:system prompt|your instructions)\b/i;

export const templateMarks: SampleCheck = {
  name: "template_marks",
  title: "Marks of chat templates",
  gates: false,
  run: (sample) =>
    first(sample, (text) => {
      if (!text.includes("<") && !text.includes("[")) return null;
      const mark = MARKS.exec(text);
      return mark === null ? null : `has ${mark[0]}, a mark of chat templates`;
    }),
};

/** People write such words for good reasons too: in their own data it is measured. */
export const injection: SampleCheck = {
  name: "injection",
  title: "Prompt injection",
  gates: false,
  ruleOfThumb: true,
  run: (sample) =>
    first(sample, (text, role) => ((role === "user" || role === "tool") && ORDERS.test(text) ? "tells the model to leave its instructions" : null)),
};

/** What is wrong with the first message that `says` something of; of calls the arguments are read. */
function first(sample: Sample, says: (text: string, role: string) => string | null): string | null {
  let i = 0;
  for (const m of sample.messages) {
    let said = m.content ? says(m.content, m.role) : null;
    if (m.role === "assistant" && m.reasoning_content) said ??= says(m.reasoning_content, m.role);
    if (m.role === "assistant" && m.tool_calls) for (const c of m.tool_calls) said ??= says(c.function.arguments, m.role);
    if (said !== null) return `message ${i} ${said}`;
    i++;
  }
  return null;
}
