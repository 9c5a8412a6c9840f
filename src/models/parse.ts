/**
 * Reads what a model wrote: text for the user, and calls in our syntax. Strict, because what is read
 * leniently here would fail under another runtime; never throws, whatever the model wrote.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";

export interface ParsedCall {
  readonly name: string;
  readonly arguments: JsonObject;
}

export interface ParsedOutput {
  /** What was written outside calls, trimmed. */
  readonly content: string;
  /** The calls that could be read, in order. */
  readonly calls: readonly ParsedCall[];
  /** Whether the model tried to call: a call's opening, or something that can only be meant as one. */
  readonly attempted: boolean;
  /** What is wrong with the first call that could not be read. */
  readonly problem?: string;
}

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";

/** Output that can only be meant as a call though its opening is damaged or absent. */
const LOOKS_LIKE_CALL = /<\/?tool_?call|^\s*(?:```(?:json)?\s*)?[[{]\s*"name"\s*:/i;

/** Parses one output of a model (without its end-of-turn token). */
export function parseOutput(text: string): ParsedOutput {
  const calls: ParsedCall[] = [];
  const outside: string[] = [];
  let problem: string | undefined;
  let at = 0;
  for (;;) {
    const open = text.indexOf(OPEN, at);
    if (open < 0) break;
    outside.push(text.slice(at, open));
    const close = text.indexOf(CLOSE, open + OPEN.length);
    if (close < 0) {
      problem ??= "the call is not closed";
      at = text.length;
      break;
    }
    const call = parseCall(text.slice(open + OPEN.length, close));
    if (typeof call === "string") problem ??= call;
    else calls.push(call);
    at = close + CLOSE.length;
  }
  outside.push(text.slice(at));
  const content = outside
    .map((s) => s.trim())
    .filter((s) => s !== "")
    .join("\n");
  if (problem === undefined && LOOKS_LIKE_CALL.test(content)) problem = "the call is not between <tool_call> and </tool_call>";
  return { content, calls, attempted: calls.length > 0 || problem !== undefined, ...(problem === undefined ? {} : { problem }) };
}

/** The call in the text between the tags, or what is wrong with it. */
function parseCall(text: string): ParsedCall | string {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (e) {
    return `the call is not JSON: ${(e as Error).message}`;
  }
  if (!isObject(value)) return "the call is not a JSON object";
  const extra = Object.keys(value).find((k) => k !== "name" && k !== "arguments");
  if (extra !== undefined) return `the call has an unknown member ${JSON.stringify(extra)}`;
  const { name, arguments: args } = value;
  if (typeof name !== "string") return "the call has no name";
  if (!isObject(args)) return "the call's arguments are not an object";
  return { name, arguments: args };
}

const isObject = (v: JsonValue | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
