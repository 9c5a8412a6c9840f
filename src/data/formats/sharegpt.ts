/**
 * ShareGPT's form, as LLaMA-Factory has it for tools: `{conversations: [{from, value}], system, tools}`, where a call is a turn from
 * `function_call` with `{"name", "arguments"}` as its value, and a result one from `observation`. Also read: the turns of Axolotl and
 * of Nous' Hermes data (`tool` for results, calls in `<tool_call>` tags). It has no place for ids of calls, and for what `lacks` names.
 */
import type { JsonValue } from "../../platform/json.ts";
import type { Message } from "../types.ts";
import { type Format, objectIn } from "./format.ts";

const ROLES: Readonly<Record<string, "system" | "user" | "assistant" | "call" | "tool">> = {
  system: "system",
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  chatgpt: "assistant",
  model: "assistant",
  function_call: "call",
  observation: "tool",
  tool: "tool",
  function_response: "tool",
};
/** Results between tags, as Hermes' data has them. */
const RESPONSE_TAG = "<tool_response>";
const RESPONSE_END = "</tool_response>";
const CALL_TAG = "<tool_call>";
const CALL_END = "</tool_call>";

export const sharegpt: Format = {
  name: "sharegpt",
  summary: "ShareGPT's turns, as LLaMA-Factory and Axolotl read them",
  lacks: ["thoughts", "text_beside_call", "weight", "system"],
  write: ({ messages }, tools) => {
    const system = messages.find((m) => m.role === "system");
    const conversations = messages.flatMap((m, i): { from: string; value: string }[] => {
      if (m.role === "system") return [];
      if (m.role === "user") return [{ from: "human", value: m.content ?? "" }];
      if (m.role === "tool") return messages[i - 1]?.role === "tool" ? [] : [{ from: "observation", value: observation(messages, i) }];
      const calls = ("tool_calls" in m ? m.tool_calls : undefined) ?? [];
      if (calls.length === 0) return [{ from: "gpt", value: m.content ?? "" }];
      const written = calls.map((c) => ({ name: c.function.name, arguments: objectIn(c.function.arguments) }));
      return [{ from: "function_call", value: JSON.stringify(written.length === 1 ? written[0] : written) }];
    });
    return {
      conversations,
      ...(system !== undefined && { system: system.content ?? "" }),
      ...(tools.length > 0 && {
        tools: JSON.stringify(tools.map(({ name, description, input_schema }) => ({ name, description, parameters: input_schema }))),
      }),
    };
  },
  read: (line) => {
    const { conversations, system, ...rest } = line;
    if (!Array.isArray(conversations) || "messages" in line) return undefined;
    const messages: unknown[] = typeof system === "string" && system !== "" ? [{ role: "system", content: system }] : [];
    for (const turn of conversations as unknown[]) messages.push(...messagesOf(turn));
    const { tools: _, ...known } = rest;
    return { ...known, messages };
  },
};

/** The results that follow each other from a message on: turns take turns in this form, so that several are one. */
function observation(messages: readonly Message[], from: number): string {
  const end = messages.findIndex((m, i) => i > from && m.role !== "tool");
  const results = messages.slice(from, end < 0 ? undefined : end).map((m) => m.content ?? "");
  return results.length === 1 ? (results[0] as string) : results.map((r) => `${RESPONSE_TAG}\n${r}\n${RESPONSE_END}`).join("\n");
}

/** A turn as messages. One of no form that is known stays as it is, for the check to name. */
function messagesOf(turn: unknown): unknown[] {
  if (turn === null || typeof turn !== "object") return [turn];
  const { from, value } = turn as Record<string, unknown>;
  const role = typeof from === "string" ? ROLES[from] : undefined;
  if (role === undefined || typeof value !== "string") return [turn];
  if (role === "call") return [calling(objectIn(value), null)];
  // Which call a result is of follows from its place (import.ts).
  if (role === "tool") return resultsIn(value).map((content) => ({ role: "tool", content }));
  if (role === "assistant" && value.includes(CALL_TAG)) {
    const said = value.slice(0, value.indexOf(CALL_TAG)).trim();
    return [
      calling(
        value
          .split(CALL_TAG)
          .slice(1)
          .map((part) => objectIn((part.split(CALL_END)[0] as string).trim())),
        said === "" ? null : said,
      ),
    ];
  }
  return [{ role, content: value }];
}

const calling = (calls: JsonValue | readonly JsonValue[], content: string | null): unknown => ({
  role: "assistant",
  content,
  tool_calls: Array.isArray(calls) ? calls : [calls],
});

/** The results of a turn: each between its tags, or the whole text where there are none. */
function resultsIn(value: string): string[] {
  if (!value.trimStart().startsWith(RESPONSE_TAG)) return [value];
  return value
    .split(RESPONSE_TAG)
    .slice(1)
    .map((part) => (part.split(RESPONSE_END)[0] as string).trim());
}
