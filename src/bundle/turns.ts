/**
 * The fixed texts around the contents of a conversation, read off a family's renderer by rendering
 * markers. A runtime with another template language (Ollama's Go templates) is given these texts, so
 * that nothing of a chat template is written down twice.
 *
 * Guarantee: `renderTurns(measureTurns(r, tools), messages)` equals `r.prompt(messages, tools)` for every
 * conversation whose contents hold no control words (those the renderer neutralises), or `measureTurns`
 * throws: then the family's template has a shape that this module does not know. Arguments of calls are written as they are given: compact by JSON.stringify, or
 * spaced, as the template has them. One exception: the model's own template of a Qwen3 writes an empty thought where the assistant's own message is the last of a
 * prompt, which nobody asks with.
 */

import { spacedJson } from "../models/prompt.ts";
import type { Renderer } from "../models/render.ts";
import { AFTER_THOUGHT, emptyThought, type ThinkingTemplate } from "../models/thinking.ts";
import type { Message } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";

/** Text before and after a content. */
export type Around = readonly [before: string, after: string];

export interface Turns {
  /** The first turn: a system message, given or the default, with the tools after it. */
  readonly system: Around;
  readonly defaultSystem: string;
  /** The first turn where no system message is given, of a template that writes other words around its own than around somebody's. */
  readonly withoutSystem?: string;
  readonly user: Around;
  /** A user's message right after the system turn, which some templates write into that turn. */
  readonly firstUser: Around;
  /** What ends the system turn where anything but a user's message follows it, or nothing; empty where that makes no difference. */
  readonly afterSystem: string;
  /** A system message that is not the first. */
  readonly laterSystem: Around;
  readonly assistant: Around;
  /** Between an assistant's text and its first call, and between two calls. */
  readonly textToCall: string;
  readonly callToCall: string;
  /** Around a call's name and arguments: open NAME middle ARGUMENTS close. */
  readonly call: readonly [open: string, middle: string, close: string];
  /** Results: the first of a row, between two, and after the last. */
  readonly result: readonly [first: string, between: string, last: string];
  /** What begins the assistant's next turn. */
  readonly generation: string;
  /** Of a model that thinks. */
  readonly thought?: ThoughtTurns;
}

/** How thoughts stand in a conversation. */
export interface ThoughtTurns {
  /** Around a thought, before the content. */
  readonly around: Around;
  /** Whether thoughts after the last user's message are read again; those before it never are. */
  readonly kept: boolean;
  /** What follows `generation` where the model is not to think: the rest of an empty thought. */
  readonly none: string;
}

/** Words that no template transforms and no conversation of ours holds. */
const MARK = (name: string): string => `zq${name}qz`;
const user = (name: string): Message => ({ role: "user", content: MARK(name) });
const system = (name: string): Message => ({ role: "system", content: MARK(name) });
const result = (name: string): Message => ({ role: "tool", content: MARK(name), tool_call_id: name });
const argumentsOf = (name: string): { readonly [key: string]: number } => ({ [MARK(`${name}args`)]: 1 });
const call = (name: string): { id: string; type: "function"; function: { name: string; arguments: string } } => ({
  id: name,
  type: "function",
  function: { name: MARK(name), arguments: JSON.stringify(argumentsOf(name)) },
});

/** Measures a renderer with the tools in its prompt. Throws when the template does not decompose. */
export function measureTurns(renderer: Renderer, tools: readonly ToolDefinition[], defaultSystem: string): Turns {
  const { thinking } = renderer;
  const prompt = (messages: readonly Message[], generate: boolean): string => renderer.prompt(messages, tools, { addGenerationPrompt: generate });
  const start = [system("s"), user("u")];
  const generation = strip(prompt(start, true), prompt(start, false));
  // A template that lets a model think writes the last of the assistant's messages with its thought, but in a prompt, where there is a next one; or even
  // there, but where a user's message follows.
  const asked = (messages: readonly Message[]): string => stripEnd(prompt(messages, true), generation);
  const evenThere = thinking !== undefined && prompt([...start, { role: "assistant", content: MARK("a") }], true).includes(thinking.close);
  const userTurn = strip(prompt([...start, user("v")], false), prompt(start, false));
  const render = (messages: readonly Message[]): string =>
    thinking === undefined
      ? prompt(messages, false)
      : evenThere && messages.at(-1)?.role === "assistant"
        ? stripEnd(asked([...messages, user("v")]), userTurn)
        : asked(messages);
  const base = render(start);
  const [systemBefore, systemRest] = cut(base, MARK("s"));
  const afterFirst = render([system("s")]);
  const systemAfter = strip(afterFirst, systemBefore + MARK("s"));
  if (!systemRest.startsWith(systemAfter)) throw new Error("the chat template renders the system turn differently by what follows it");
  const firstUser = cut(systemRest.slice(systemAfter.length), MARK("u"));
  const tail = (messages: readonly Message[]): string => strip(render([...start, ...messages]), base);

  const assistant = cut(tail([{ role: "assistant", content: MARK("a") }]), MARK("a"));
  const one = tail([{ role: "assistant", content: null, tool_calls: [call("c")] }]);
  const [beforeName, afterName] = cut(one, MARK("c"));
  const written = spacedJson(argumentsOf("c"), renderer.spacing);
  const [middle, afterArguments] = cut(afterName, written);
  const open = strip(beforeName, assistant[0]);
  const close = stripEnd(afterArguments, assistant[1]);
  const both = tail([{ role: "assistant", content: MARK("a"), tool_calls: [call("c")] }]);
  const textToCall = stripEnd(cut(strip(both, assistant[0] + MARK("a")), MARK("c"))[0], open);
  const two = tail([{ role: "assistant", content: null, tool_calls: [call("c"), call("d")] }]);
  const callToCall = stripEnd(strip(cut(two, written)[1].split(MARK("d"))[0] ?? "", close), open);

  // The head of a conversation in which nobody gave the system's words.
  const head = stripEnd(cut(render([user("u")]), MARK("u"))[0], firstUser[0]);
  const afterSystem = stripEnd(cut(strip(render([system("s"), { role: "assistant", content: MARK("a") }]), afterFirst), MARK("a"))[0], assistant[0]);

  const calling: Message = { role: "assistant", content: null, tool_calls: [call("c"), call("d")] };
  const [first, last] = cut(strip(tail([calling, result("r")]), tail([calling])), MARK("r"));
  const between = cut(cut(strip(tail([calling, result("r"), result("t")]), tail([calling])), MARK("r"))[1], MARK("t"))[0];

  return {
    system: [systemBefore, systemAfter],
    defaultSystem,
    ...(head === systemBefore + defaultSystem + systemAfter ? {} : { withoutSystem: head }),
    user: cut(tail([user("v")]), MARK("v")),
    firstUser,
    afterSystem,
    laterSystem: cut(tail([system("l")]), MARK("l")),
    assistant,
    textToCall,
    callToCall,
    call: [open, middle, close],
    result: [first, between, last],
    generation,
    ...(thinking === undefined ? {} : { thought: thoughtTurns(thinking, assistant, strip(asked([...start, thinkingAloud("t", "a")]), base)) }),
  };
}

const thinkingAloud = (thought: string, content: string): Message => ({ role: "assistant", content: MARK(content), reasoning_content: MARK(thought) });

/** @param shown a message with a thought, after the last user's */
function thoughtTurns(thinking: ThinkingTemplate, assistant: Around, shown: string): ThoughtTurns {
  const kept = shown.includes(MARK("t"));
  const before = cut(strip(shown, assistant[0]), MARK("a"))[0];
  const around: Around = kept ? cut(before, MARK("t")) : [`${thinking.open}\n`, `\n${thinking.close}${AFTER_THOUGHT}`];
  return { around, kept, none: emptyThought(thinking) };
}

/** The prompt for a conversation, from the measured texts alone: what the Go template does, in TypeScript. */
export function renderTurns(turns: Turns, messages: readonly Message[]): string {
  let out = "";
  let previous = "";
  const first = messages[0]?.role === "system" ? 1 : 0;
  const lastUser = messages.findLastIndex((m) => m.role === "user");
  for (const [i, m] of messages.entries()) {
    if (i === 0)
      out +=
        m.role !== "system" && turns.withoutSystem !== undefined
          ? turns.withoutSystem
          : turns.system.join((m.role === "system" ? m.content : turns.defaultSystem) ?? "");
    if (previous === "tool" && m.role !== "tool") out += turns.result[2];
    if (i === first && m.role !== "user") out += turns.afterSystem;
    if (m.role === "tool") out += (previous === "tool" ? turns.result[1] : turns.result[0]) + m.content;
    else if (m.role === "assistant") {
      const content = m.content ?? "";
      const calls = (m.tool_calls ?? []).map((c) => turns.call[0] + c.function.name + turns.call[1] + c.function.arguments + turns.call[2]);
      const thought = turns.thought?.kept === true && lastUser >= 0 && i > lastUser ? (m.reasoning_content ?? "") : "";
      out +=
        turns.assistant[0] +
        (thought === "" ? "" : turns.thought?.around.join(thought)) +
        content +
        (calls.length > 0 && content !== "" ? turns.textToCall : "") +
        calls.join(turns.callToCall) +
        turns.assistant[1];
    } else if (m.role === "user") {
      const [before, after] = i === first ? turns.firstUser : turns.user;
      out += before + m.content + after;
    } else if (i > 0) out += turns.laterSystem[0] + m.content + turns.laterSystem[1];
    previous = m.role;
  }
  if (previous === "tool") out += turns.result[2];
  if (messages.length === first) out += turns.afterSystem;
  return out + turns.generation;
}

/** The text before and after the only occurrence of a marker. */
function cut(text: string, marker: string): Around {
  const parts = text.split(marker);
  if (parts.length !== 2) throw new Error(`the chat template writes a content ${parts.length - 1} times`);
  return [parts[0] as string, parts[1] as string];
}

function strip(text: string, prefix: string): string {
  if (!text.startsWith(prefix)) throw new Error("the chat template does not render turns one after another");
  return text.slice(prefix.length);
}

function stripEnd(text: string, suffix: string): string {
  if (!text.endsWith(suffix)) throw new Error("the chat template does not end a turn in one way");
  return text.slice(0, text.length - suffix.length);
}
