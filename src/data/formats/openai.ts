/** OpenAI's fine-tuning files: `{messages, tools}`, arguments as text. Our samples are of this form already. */
import type { JsonValue } from "../../platform/json.ts";
import { type Format, openAiTools } from "./format.ts";

export const openai: Format = {
  name: "openai",
  summary: "OpenAI's fine-tuning files",
  lacks: [],
  write: ({ messages }, tools) => ({
    messages: messages as unknown as JsonValue,
    ...(tools.length > 0 && {
      tools: openAiTools(tools),
      parallel_tool_calls: messages.some((m) => m.role === "assistant" && (m.tool_calls?.length ?? 0) > 1),
    }),
  }),
};
