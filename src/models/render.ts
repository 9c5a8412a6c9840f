/**
 * Writes a conversation as the text that a model was trained on and is asked with: one chat template
 * (templates/chat), one neutralising of foreign text, for training and inference alike.
 *
 * Guarantees: the concatenation of `segments` is the whole rendering; the prompt of an assistant turn is
 * the concatenation of the segments before it; no special token and no word of our tool syntax in the
 * text comes from foreign content (tool descriptions, messages, results).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import type { JsonValue } from "../platform/json.ts";
import { packageRoot } from "../platform/paths.ts";
import type { Message } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";
import { breakTokens, hideTokens } from "./neutralise.ts";
import { MARKUP, SYSTEM_PROMPT } from "./prompt.ts";

/** What rendering needs of a family. */
export interface ChatFamily {
  /** File name of its template under templates/chat. */
  readonly template: string;
  /** Texts of all special tokens of its vocabulary. */
  readonly special_tokens: readonly string[];
}

/** A piece of a rendering; `learn` marks what the model is trained to write. */
export interface Segment {
  readonly text: string;
  readonly learn: boolean;
}

/** The part of a tool definition that the model reads. */
export type RenderedTool = Pick<ToolDefinition, "name" | "description" | "input_schema">;

export interface Renderer {
  /** The Jinja template's own text, as it goes into the GGUF. */
  readonly template: string;
  /** The conversation as text; with `addGenerationPrompt` (the default) up to where the assistant's next turn begins. */
  prompt(messages: readonly Message[], tools: readonly RenderedTool[], o?: { readonly addGenerationPrompt?: boolean }): string;
  /** What every prompt with these tools begins with: the system turn with the tool section. */
  toolPrompt(tools: readonly RenderedTool[]): string;
  /** The rendering cut into what is read and what is learned: assistant turns with their end-of-turn token, without the line break after it. */
  segments(messages: readonly Message[], tools: readonly RenderedTool[]): Segment[];
}

/** Makes the renderer of a family. Throws when the template file is missing or broken: it is part of the package. */
export function createRenderer(family: ChatFamily): Renderer {
  const text = readFileSync(join(packageRoot(), "templates", "chat", family.template), "utf8");
  const template = new Template(text);
  const forbidden = [...family.special_tokens, ...MARKUP];

  const render = (messages: readonly Message[], tools: readonly RenderedTool[], addGenerationPrompt: boolean): string => {
    const contents = messages.map((m) => breakTokens(m.content ?? "", forbidden));
    const calls = messages.map((m) =>
      (m.role === "assistant" ? (m.tool_calls ?? []) : []).map((c) => ({
        type: "function",
        function: { name: c.function.name, arguments: argumentsOf(c.function.arguments) },
      })),
    );
    const functions = tools.map((t) => ({ type: "function", function: { name: t.name, description: t.description, parameters: t.input_schema as JsonValue } }));
    const hidden = hideTokens({ functions, calls }, forbidden, contents);
    const clean = messages.map((m, i) => ({ role: m.role, content: contents[i], ...(calls[i]?.length ? { tool_calls: hidden.value.calls[i] } : {}) }));
    return hidden.reveal(
      template.render({ messages: clean, tools: tools.length > 0 ? hidden.value.functions : null, add_generation_prompt: addGenerationPrompt }),
    );
  };

  return {
    template: text,
    prompt: (messages, tools, o) => render(messages, tools, o?.addGenerationPrompt ?? true),
    toolPrompt: (tools) => render([{ role: "system", content: SYSTEM_PROMPT }], tools, false),
    segments(messages, tools) {
      const segments: Segment[] = [];
      const whole = render(messages, tools, false);
      let done = 0;
      for (const [i, message] of messages.entries()) {
        if (message.role !== "assistant") continue;
        const before = render(messages.slice(0, i), tools, true);
        const after = render(messages.slice(0, i + 1), tools, false).trimEnd();
        if (!whole.startsWith(before) || !whole.startsWith(after) || after.length <= before.length)
          throw new Error("the chat template renders a turn differently by what follows it");
        segments.push({ text: whole.slice(done, before.length), learn: false }, { text: whole.slice(before.length, after.length), learn: true });
        done = after.length;
      }
      if (done < whole.length) segments.push({ text: whole.slice(done), learn: false });
      return segments;
    },
  };
}

/** Arguments as an object where they are one's JSON text, so that the template writes them compactly; else as they are. */
function argumentsOf(text: string): JsonValue {
  try {
    const value = JSON.parse(text) as JsonValue;
    return typeof value === "object" ? value : text;
  } catch {
    return text;
  }
}
