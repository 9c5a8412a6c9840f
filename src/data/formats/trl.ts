/**
 * What TRL's SFTTrainer and transformers' chat templates read: `{messages, tools}` with arguments as objects, as most
 * templates write them with `tojson`. The ids of calls are kept. Also read: `{prompt, completion, tools}`, messages or plain texts, of which
 * SFTTrainer learns the completion alone.
 */
import type { JsonValue } from "../../platform/json.ts";
import { type Format, objectIn, openAiTools } from "./format.ts";

export const trl: Format = {
  name: "trl",
  summary: "TRL's SFTTrainer, transformers' chat templates",
  lacks: ["weight"],
  write: ({ messages }, tools) => ({
    messages: messages.map((m) => {
      if (m.role !== "assistant") return m;
      const { weight: _, ...said } = m;
      return said.tool_calls === undefined
        ? said
        : { ...said, tool_calls: said.tool_calls.map((c) => ({ ...c, function: { name: c.function.name, arguments: objectIn(c.function.arguments) } })) };
    }) as unknown as JsonValue,
    ...(tools.length > 0 && { tools: openAiTools(tools) }),
  }),
  read: ({ prompt, completion, ...rest }) => {
    if (completion === undefined || prompt === undefined || "messages" in rest || "conversations" in rest) return undefined;
    const asked = typeof prompt === "string" ? [{ role: "user", content: prompt.trim() }] : prompt;
    const told = typeof completion === "string" ? [{ role: "assistant", content: completion.trim() }] : completion;
    return Array.isArray(asked) && Array.isArray(told) ? { ...rest, messages: [...asked.map(unlearned), ...told] } : undefined;
  },
};

/** A turn of the prompt: there to be read, not to be learned from. */
const unlearned = (m: unknown): unknown => ((m as { role?: unknown } | null)?.role === "assistant" ? { ...(m as object), weight: 0 } : m);
