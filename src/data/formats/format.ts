/**
 * A form that other programs keep conversations in. Each has one file; `write` takes our sample to one line of it, and
 * `read`, where the messages are not OpenAI's already, brings a line of it to them. Reading what was written gives the same messages again, but for
 * what the form has no place for (its file says what).
 */
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import { LostNumber, lostNumbers } from "../numbers.ts";
import type { Sample, ToolDefinition } from "../types.ts";

/** What a conversation may have and a form may have no place for, in the words of who is told. */
export const LOSSES = {
  thoughts: "thoughts (`reasoning_content`)",
  text_beside_call: "a text beside a call",
  weight: "the mark of a turn that is not to be learned from (`weight: 0`)",
  system: "a system message after the first message",
  tools: "tools",
} as const;
export type Loss = keyof typeof LOSSES;

/** What of a sample is lost in a form that lacks some of it. @param tools whether it comes with tools */
export function lossesOf({ messages }: Sample, tools: boolean, lacks: readonly Loss[]): Loss[] {
  const has: Readonly<Record<Loss, () => boolean>> = {
    thoughts: () => messages.some((m) => m.role === "assistant" && m.reasoning_content !== undefined),
    text_beside_call: () => messages.some((m) => m.role === "assistant" && m.tool_calls !== undefined && (m.content ?? "") !== ""),
    weight: () => messages.some((m) => m.role === "assistant" && m.weight === 0),
    system: () => messages.some((m, i) => m.role === "system" && i > 0),
    tools: () => tools,
  };
  return lacks.filter((loss) => has[loss]());
}

export interface Format {
  readonly name: string;
  /** One line for people: who reads it. */
  readonly summary: string;
  /** What it has no place for. */
  readonly lacks: readonly Loss[];
  /** A line of the form. `tools` are those that the conversation could have called. Throws LostNumber where it has no text for a call's numbers. */
  write(sample: Sample, tools: readonly ToolDefinition[]): JsonObject;
  /** The line with `messages`, for `asSample`; undefined where it is not of this form. */
  read?(line: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined;
}

/** Definitions as OpenAI's requests have them; transformers' chat templates read the same. */
export const openAiTools = (tools: readonly ToolDefinition[]): JsonValue =>
  tools.map(({ name, description, input_schema }) => ({ type: "function", function: { name, description, parameters: input_schema as JsonObject } }));

/** The definitions that a line has beside its messages, in any of the forms here; none where there are none of use. */
export function toolsBeside(line: unknown): ToolDefinition[] {
  // `functions`: OpenAI's older form.
  const { tools, functions } = (line ?? {}) as { tools?: unknown; functions?: unknown };
  const given = tools ?? functions;
  const list = typeof given === "string" ? parsedObject(given) : given;
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) => {
    const given = entry as { function?: unknown } | null;
    const { name, description, parameters, input_schema } = (given?.function ?? given ?? {}) as Record<string, unknown>;
    const schema = parameters ?? input_schema;
    if (typeof name !== "string" || schema === null || typeof schema !== "object") return [];
    return [{ name, description: typeof description === "string" ? description : "", input_schema: schema } as ToolDefinition];
  });
}

/** The object in a call's text, or the text itself where there is none. Throws LostNumber for one that a number would be another in. */
export function objectIn(text: string): JsonValue {
  const value = parsedObject(text);
  const [lost] = value === text ? [] : lostNumbers(text).values();
  if (lost !== undefined) throw new LostNumber(lost);
  return value;
}

function parsedObject(text: string): JsonValue {
  try {
    const value = JSON.parse(text) as JsonValue;
    return value !== null && typeof value === "object" ? value : text;
  } catch {
    return text;
  }
}
