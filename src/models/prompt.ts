/**
 * The words that every prompt of ours is made of: the system message of all samples and cases, and the
 * text form of a tool call and its result. templates/chat/*.jinja writes the same words (a test holds
 * them together), so training, evaluation, `try` and the Modelfile agree to the byte.
 */

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

/** Words of our own syntax that foreign text may not hold, beside the special tokens of a model's vocabulary. */
export const MARKUP: readonly string[] = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>"];
