/**
 * Repairs a sample as far as its meaning is certain (`forge qa --fix`):
 * encoding, white space, arguments that break off after a whole value, values of the wrong JSON type whose right
 * form is certain (`"3"` where an integer is due), enum values in the wrong case. Nothing is invented: a missing
 * argument, an unknown tool, a text cut off in its middle stay, for the checks to refuse (brought.ts).
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { closeJson } from "./import.ts";
import { lostNumbers } from "./numbers.ts";
import { type ArgumentCheck, compileArguments, type Property, readProperties } from "./schema.ts";
import type { Message, Sample, Toolset } from "./types.ts";
import { toWindows1252 } from "./windows-1252.ts";

export interface Mended {
  readonly sample: Sample;
  /** Kinds of repair that it got: `encoding`, `whitespace`, `truncation`, `schema`. */
  readonly kinds: ReadonlySet<string>;
}

/** Makes the function that repairs samples, each by itself; whether one is good then is for the checks to say. */
export function sampleMender(toolset: Toolset): (sample: Sample) => Mended {
  const tools = new Map(toolset.tools.map((t): [string, Form] => [t.name, { properties: readProperties(t), check: compileArguments(t) }]));
  return (sample) => {
    const kinds = new Set<string>();
    return { sample: { ...sample, messages: sample.messages.map((m) => mendMessage(m, tools, kinds)) }, kinds };
  };
}

/** What a tool's arguments should be. */
interface Form {
  readonly properties: readonly Property[];
  readonly check: ArgumentCheck;
}

function mendMessage(message: Message, tools: ReadonlyMap<string, Form>, kinds: Set<string>): Message {
  const content = message.content === null ? null : mendText(message.content, kinds);
  if (message.role !== "assistant" || message.tool_calls === undefined) return { ...message, content } as Message;
  const calls = message.tool_calls.map((call) => ({
    ...call,
    function: { name: call.function.name.trim(), arguments: mendArguments(call.function.arguments, tools.get(call.function.name.trim()), kinds) },
  }));
  return { ...message, content, tool_calls: calls as typeof message.tool_calls };
}

/** UTF-8 that was once read as Windows-1252: every such pair is a letter that no language writes so. */
const MOJIBAKE = /[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u2122\u0153\u201c\u201d\u2013\u2014\u00a6\u02dc\u009d]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text without what an encoding did to it. */
function mendEncoding(text: string, kinds: Set<string>): string {
  const out = (MOJIBAKE.test(text) ? fromMojibake(text) : text).replace(CONTROLS, "");
  if (out !== text) kinds.add("encoding");
  return out;
}

/** A text without what an encoding did to it and without white space around it. */
function mendText(text: string, kinds: Set<string>): string {
  const out = mendEncoding(text, kinds);
  const trimmed = out.replace(/\r\n?/g, "\n").trim();
  if (trimmed !== out) kinds.add("whitespace");
  return trimmed;
}

/** The text whose UTF-8 bytes were read as Windows-1252; the same text where they are no UTF-8. */
function fromMojibake(text: string): string {
  const bytes = toWindows1252(text);
  if (bytes === undefined) return text;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return text;
  }
}

function mendArguments(text: string, form: Form | undefined, kinds: Set<string>): string {
  let value = parseObject(text);
  const mine = new Set<string>();
  if (value === undefined) {
    const closed = closeJson(text.trim());
    value = closed === undefined ? undefined : parseObject(closed);
    if (value === undefined) return text;
    mine.add("truncation");
  }
  const mended: Record<string, JsonValue> = {};
  const set = (name: string, to: JsonValue): void => {
    Object.defineProperty(mended, name, { value: to, enumerable: true, configurable: true, writable: true });
  };
  for (const [name, given] of Object.entries(value)) {
    const isText = typeof given === "string" && form?.properties.find((p) => p.name === name)?.type === "string";
    // White space around a value may be part of it (a file's content): only what an encoding did is undone.
    set(name, isText ? mendEncoding(given, mine) : given);
  }
  // Only what the schema refuses has a wrong form: each value once, until nothing more is refused.
  const tried = new Set<string>();
  for (let name = refused(mended, form); name !== undefined && !tried.has(name); name = refused(mended, form)) {
    tried.add(name);
    const property = form?.properties.find((p) => p.name === name);
    if (property !== undefined) set(name, mendValue(mended[name] as JsonValue, property, mine));
  }
  // As it was where nothing was wrong, and where a number of many digits would not survive.
  if (mine.size === 0 || holdsLongNumber(text)) return text;
  for (const kind of mine) kinds.add(kind);
  return JSON.stringify(mended);
}

/** The argument that a schema refuses first; of several those that are there. */
function refused(args: JsonObject, form: Form | undefined): string | undefined {
  for (const { keyword, path } of form?.check(args) ?? []) {
    const name = (path.split("/")[1] ?? "").replaceAll("~1", "/").replaceAll("~0", "~");
    if (keyword !== "required" && Object.hasOwn(args, name)) return name;
  }
  return undefined;
}

/** Digits that JavaScript's numbers hold for sure. */
const SAFE_DIGITS = 15;
const holdsLongNumber = (json: string): boolean =>
  lostNumbers(json).size > 0 ||
  (json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').match(/\d[\d.]*/g) ?? []).some((n) => n.replace(".", "").replace(/^0+/, "").length > SAFE_DIGITS);

function mendValue(value: JsonValue, property: Property, kinds: Set<string>): JsonValue {
  const named = property.enum;
  if (named !== undefined && !named.some((v) => v === value)) {
    const word = String(value).trim().toLowerCase();
    const meant = named.filter((v) => String(v).toLowerCase() === word);
    if (meant.length === 1) {
      kinds.add("schema");
      return meant[0] as JsonValue;
    }
  }
  if (typeof value !== "string") {
    if (property.type !== "string" || (typeof value !== "number" && typeof value !== "boolean")) return value;
    kinds.add("schema");
    return String(value);
  }
  const text = value.trim();
  if ((property.type === "integer" && /^-?\d{1,15}$/.test(text)) || (property.type === "number" && /^-?\d{1,15}(\.\d{1,15})?$/.test(text))) {
    kinds.add("schema");
    return Number(text);
  }
  if (property.type === "boolean" && /^(true|false)$/i.test(text)) {
    kinds.add("schema");
    return text.toLowerCase() === "true";
  }
  return value;
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
