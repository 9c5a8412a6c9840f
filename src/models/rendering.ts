/**
 * Writes a conversation as the text that a model was trained on and is asked with: one chat template (of templates/chat, or the model's own where
 * a round trip has shown that it loses nothing, official/), one neutralising of foreign text, for training and inference alike.
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
import { compileOfficial, type OfficialTemplate, TemplateError } from "./official/template.ts";
import { type CallSpacing, MARKUP, SYSTEM_PROMPT } from "./prompt.ts";
import { AFTER_THOUGHT, splitThought, type ThinkingTemplate, thinkingOf } from "./thinking.ts";

/** What rendering needs of a family. */
export interface ChatFamily {
  /** File name of its template under templates/chat: of a family that is talked to by the model's own, the one that has the same turn markers. */
  readonly template: string;
  /** Texts of all special tokens of its vocabulary. */
  readonly special_tokens: readonly string[];
  /** The model's own template, where that is what it is talked to by. */
  readonly official?: UsedTemplate;
}

/** A model's own template, and what the round trip found of it (official/round-trip.ts). */
export interface UsedTemplate extends OfficialTemplate {
  /** It writes a turn otherwise once another follows. */
  readonly rewrites: boolean;
  readonly spacing: CallSpacing;
}

/** A piece of a rendering; `learn` marks what the model is trained to write. */
export interface Segment {
  readonly text: string;
  readonly learn: boolean;
  /** It is a thought: what the turn decides comes after it. */
  readonly thought?: true;
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
  /** How the template lets the model think; undefined: it does not, and thoughts of messages are left out. */
  readonly thinking?: ThinkingTemplate;
  /** The template writes a turn otherwise once another follows (earlier thoughts are gone), so that each of the assistant's messages is learned in a row of its own. */
  readonly rowPerTurn: boolean;
  /** How the JSON of a call is spaced. */
  readonly spacing: CallSpacing;
  /**
   * The rendering cut into what is read and what is learned: assistant turns with their end-of-turn token, without the line break after it. Not where
   * there is a row for each turn.
   */
  segments(messages: readonly Message[], tools: readonly RenderedTool[]): Segment[];
  /**
   * One message of the assistant's as it is learned: all before it as a prompt shows it, so that it is written in the very context of inference, then
   * its thought where the family thinks, then the rest with its end-of-turn token.
   */
  turn(messages: readonly Message[], at: number, tools: readonly RenderedTool[]): Segment[];
}

/** The rows that a conversation is learned in: one, or where the template rewrites turns one for each message of the assistant's. */
export const rowsOf = (renderer: Renderer, messages: readonly Message[], tools: readonly RenderedTool[]): Segment[][] =>
  renderer.rowPerTurn
    ? messages.flatMap((m, at) => (m.role === "assistant" ? [renderer.turn(messages, at, tools)] : []))
    : [renderer.segments(messages, tools)];

/** The file of a chat template of ours. */
export const templateFile = (name: string): string => join(packageRoot(), "templates", "chat", name);

/** What renders: a template of ours, which is part of the program, or the model's own, which is bounded and may throw TemplateError. */
function engineOf({ template, official }: ChatFamily): { readonly text: string; readonly render: (items: Record<string, unknown>) => string } {
  if (official === undefined) {
    const text = readFileSync(templateFile(template), "utf8");
    const ours = new Template(text);
    return { text, render: (items) => ours.render(items) };
  }
  const compiled = compileOfficial(official);
  if (!compiled.ok) throw new TemplateError(compiled.error);
  return { text: official.text, render: compiled.value.render };
}

/**
 * Makes the renderer of a family; of the model's own template nothing has been shown yet (render.ts sees to that). Throws when a template of ours is missing
 * or broken, and TemplateError where the model's own cannot be read.
 */
export function rendererOf(family: ChatFamily): Renderer {
  const { text, render: renderTemplate } = engineOf(family);
  const thinking = thinkingOf(family.template);
  const rowPerTurn = thinking !== undefined || family.official?.rewrites === true;
  const forbidden = [...family.special_tokens, ...MARKUP, ...(thinking === undefined ? [] : [thinking.open, thinking.close])];

  const render = (given: readonly Message[], tools: readonly RenderedTool[], addGenerationPrompt: boolean): string => {
    const messages = thinking === undefined ? given : given.map((m) => apart(m, thinking));
    const contents = messages.map((m) => breakTokens(m.content ?? "", forbidden));
    const thoughts = messages.map((m) => (thinking !== undefined && m.role === "assistant" ? breakTokens(m.reasoning_content ?? "", forbidden) : ""));
    const calls = messages.map((m) =>
      (m.role === "assistant" ? (m.tool_calls ?? []) : []).map((c) => ({
        type: "function",
        function: { name: c.function.name, arguments: argumentsOf(c.function.arguments) },
      })),
    );
    const functions = tools.map((t) => ({ type: "function", function: { name: t.name, description: t.description, parameters: t.input_schema as JsonValue } }));
    const hidden = hideTokens({ functions, calls }, forbidden, [...contents, ...thoughts]);
    const clean = messages.map((m, i) => ({
      role: m.role,
      content: contents[i],
      ...(thoughts[i] ? { reasoning_content: thoughts[i] } : {}),
      ...(calls[i]?.length ? { tool_calls: hidden.value.calls[i] } : {}),
    }));
    return hidden.reveal(
      renderTemplate({ messages: clean, tools: tools.length > 0 ? hidden.value.functions : null, add_generation_prompt: addGenerationPrompt }),
    );
  };

  /** What begins the assistant's turn. */
  let began: string | undefined;
  const opening = (): string => {
    const asked: readonly Message[] = [{ role: "user", content: "" }];
    began ??= render(asked, [], true).slice(render(asked, [], false).length);
    return began;
  };
  /**
   * Two messages of the assistant's in a row, by a model's own template: where it writes the last one with its thought, which that of Qwen3 does, nobody can
   * be asked for another after it, and its prompt is what stands before it in the end.
   */
  const officialAfterAnswer = (messages: readonly Message[], at: number): boolean =>
    family.official !== undefined && rowPerTurn && messages[at - 1]?.role === "assistant";

  /** The prompt of an assistant's message, and what the model is to write there, without the line break after its end. */
  const turnOf = (messages: readonly Message[], at: number, tools: readonly RenderedTool[]): readonly [before: string, written: string] => {
    const after = render(messages.slice(0, at + 1), tools, false).trimEnd();
    const before = officialAfterAnswer(messages, at)
      ? after.slice(0, after.lastIndexOf(opening()) + opening().length)
      : render(messages.slice(0, at), tools, true);
    if (!after.startsWith(before) || after.length <= before.length) throw new Error(DIFFERENTLY);
    return [before, after.slice(before.length)];
  };

  return {
    template: text,
    ...(thinking === undefined ? {} : { thinking }),
    rowPerTurn,
    spacing: family.official?.spacing ?? "compact",
    prompt: (messages, tools, o) => render(messages, tools, o?.addGenerationPrompt ?? true),
    toolPrompt: (tools) => render([{ role: "system", content: SYSTEM_PROMPT }], tools, false),
    turn(messages, at, tools) {
      const [before, written] = turnOf(messages, at, tools);
      if (thinking === undefined) return [seen(before), learned(written)];
      // The thought's own texts are broken up, so the first closing is the one that the template wrote.
      const close = thinking.close + AFTER_THOUGHT;
      const end = written.indexOf(close) + close.length;
      // An answer before anybody asked has no thought in the models' own templates.
      if (end < close.length) return [seen(before), learned(written)];
      return [seen(before), { ...learned(written.slice(0, end)), thought: true }, learned(written.slice(end))];
    },
    segments(messages, tools) {
      if (rowPerTurn) throw new Error("a family whose template rewrites turns is learned turn by turn");
      const segments: Segment[] = [];
      const whole = render(messages, tools, false);
      let done = 0;
      for (const [i, message] of messages.entries()) {
        if (message.role !== "assistant") continue;
        const [before, written] = turnOf(messages, i, tools);
        if (!whole.startsWith(before + written)) throw new Error(DIFFERENTLY);
        segments.push(seen(whole.slice(done, before.length)), learned(written));
        done = before.length + written.length;
      }
      if (done < whole.length) segments.push(seen(whole.slice(done)));
      return segments;
    },
  };
}

const DIFFERENTLY = "the chat template renders a turn differently by what follows it";
const seen = (text: string): Segment => ({ text, learn: false });
const learned = (text: string): Segment => ({ text, learn: true });

/** A message whose thought stands in a field of its own, trimmed, also where somebody wrote it at the head of the content. */
function apart(m: Message, thinking: ThinkingTemplate): Message {
  if (m.role !== "assistant") return m;
  const found = m.reasoning_content === undefined ? splitThought(m.content ?? "", thinking) : { thought: m.reasoning_content.trim(), content: m.content };
  return found === undefined ? m : { ...m, content: found.content, reasoning_content: found.thought };
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
