/**
 * What TRL's SFTTrainer and transformers' chat templates read: `{messages, tools}` with arguments as objects, as most
 * templates write them with `tojson`. The ids of calls are kept.
 */
import type { JsonValue } from "../../platform/json.ts";
import { type Format, objectIn, openAiTools } from "./format.ts";

export const trl: Format = {
  name: "trl",
  summary: "TRL's SFTTrainer, transformers' chat templates",
  write: ({ messages }, tools) => ({
    messages: messages.map((m) =>
      "tool_calls" in m && m.tool_calls
        ? { ...m, tool_calls: m.tool_calls.map((c) => ({ ...c, function: { name: c.function.name, arguments: objectIn(c.function.arguments) } })) }
        : m,
    ) as unknown as JsonValue,
    ...(tools.length > 0 && { tools: openAiTools(tools) }),
  }),
};
