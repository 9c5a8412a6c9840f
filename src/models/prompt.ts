/**
 * The words that every prompt of ours is made of: the system message of all samples and cases, and the
 * text form of a tool call and its result. templates/chat/*.jinja writes the same words (a test holds
 * them together), so training, evaluation, `try` and the Modelfile agree to the byte.
 */
import type { JsonValue } from "../platform/json.ts";

/** Content of the system message of every sample and case; also what the template puts in when there are tools and no system message. */
export const SYSTEM_PROMPT = "You are a helpful AI assistant.";

/** Opens a call in an assistant turn; the JSON follows on the next line. */
export const CALL_OPEN = "<tool_call>\n";
/** Closes a call. */
export const CALL_CLOSE = "\n</tool_call>";
/** Opens a tool's result, in a user turn. */
export const RESULT_OPEN = "<tool_response>\n";
/** Closes a tool's result. */
export const RESULT_CLOSE = "\n</tool_response>";

/** How the JSON of a call is spaced: as JSON.stringify writes it, or as Python's json.dumps does, with a space after each colon and comma. */
export type CallSpacing = "compact" | "python";

/** JSON in one line, spaced either way. */
export function spacedJson(value: JsonValue, spacing: CallSpacing): string {
  if (spacing === "compact" || typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map((v) => spacedJson(v, spacing)).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, v]) => `${JSON.stringify(key)}: ${spacedJson(v, spacing)}`)
    .join(", ")}}`;
}

/** Words of our own syntax that foreign text may not hold, beside the special tokens of a model's vocabulary. */
export const MARKUP: readonly string[] = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>"];
