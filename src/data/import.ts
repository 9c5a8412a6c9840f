/**
 * Reads a data set that somebody brings (JSON lines: our own samples, or any form of formats/), whatever state it
 * is in. A line that cannot be a conversation is counted with its reason, never silently lost, and stops nothing:
 * that is what a quality report is for. `readBytes` undoes what editors and exports do to a file's encoding. No number of a
 * call is read as another: a line where one would be is such a line.
 */
import { splitThought } from "../models/thinking.ts";
import { validate } from "../schemas/generated/sample.validate.js";
import { withMessages } from "./formats/index.ts";
import { LostNumber, lostIn, lostNumbers } from "./numbers.ts";
import type { Message, Sample } from "./types.ts";
import { fromWindows1252 } from "./windows-1252.ts";

/** A line of the file that is no conversation. */
export interface Unreadable {
  /** 1-based. */
  readonly line: number;
  /** The name of the check that refuses it. */
  readonly reason: "json" | "truncated" | "shape" | "number";
  readonly message: string;
}

export interface Imported {
  readonly samples: readonly Sample[];
  /** Id of a sample → the line that it stands in, 1-based. */
  readonly lineOf: ReadonlyMap<string, number>;
  readonly unreadable: readonly Unreadable[];
  /** Lines with something on them. */
  readonly lines: number;
  /** Repair → how many lines needed it to be read. */
  readonly repaired: Readonly<Record<string, number>>;
}

/** A sample is a conversation; a line of megabytes is something else. */
export const LONGEST_LINE = 4_000_000;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** A file's text, and the lines (1-based) that were no UTF-8. */
export interface ReadText {
  readonly text: string;
  readonly foreign: readonly number[];
}

/**
 * Bytes of a file as text: UTF-16 with or without a mark, else UTF-8. A line that is no UTF-8 is read as Windows-1252 (the usual cause of a
 * broken é), and that line alone: files are put together of others.
 */
export function readBytes(bytes: Uint8Array): ReadText {
  const wide = wideOf(bytes);
  if (wide !== undefined) return { text: new TextDecoder(wide).decode(bytes), foreign: [] };
  const lines: string[] = [];
  const foreign: number[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(10, start);
    const end = found < 0 ? bytes.length : found;
    const line = decodeLine(bytes.subarray(start, end));
    lines.push(line.text);
    if (line.foreign) foreign.push(lines.length);
    start = end + 1;
  }
  return { text: lines.join("\n"), foreign };
}

/** One line of a file that is not UTF-16, as `readBytes` reads it. */
export function decodeLine(bytes: Uint8Array): { readonly text: string; readonly foreign: boolean } {
  try {
    return { text: UTF8.decode(bytes), foreign: false };
  } catch {
    return { text: fromWindows1252(bytes), foreign: true };
  }
}

/** Lines that are named. */
const NAMED = 20;

/** What is to be said of lines that were no UTF-8. @param count how many there are, where not all are at hand */
export function foreignWords(lines: readonly number[], count = lines.length): string {
  const named = lines.slice(0, NAMED);
  const more = count > named.length ? ` and ${count - named.length} more` : "";
  return count === 1
    ? `line ${named[0]} is no UTF-8 and was read as Windows-1252`
    : `lines ${named.join(", ")}${more} are no UTF-8 and were read as Windows-1252`;
}

/** Which UTF-16 it is: by its mark, else by the zeros beside the ASCII that JSON begins with. */
export function wideOf(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  const [a, b] = bytes;
  if (a === 0xff && b === 0xfe) return "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (a === 0 && b !== undefined && b !== 0) return "utf-16be";
  return b === 0 && a !== undefined && a !== 0 ? "utf-16le" : undefined;
}

/** @param fix also read lines that were cut off after a whole value, by closing what is open. */
export function importSamples(text: string, fix: boolean): Imported {
  const samples: Sample[] = [];
  const unreadable: Unreadable[] = [];
  const repaired: Record<string, number> = {};
  const lineOf = new Map<string, number>();
  let lines = 0;
  for (const [i, raw] of text.split("\n").entries()) {
    const source = raw.trim();
    if (source === "") continue;
    lines++;
    const read = readLine(source, i + 1, fix);
    if ("reason" in read) unreadable.push(read);
    else {
      // Two conversations under one id are two conversations.
      const id = lineOf.has(read.sample.id) ? `${read.sample.id}#line-${i + 1}` : read.sample.id;
      samples.push({ ...read.sample, id });
      lineOf.set(id, i + 1);
      if (read.closed) repaired.truncation = (repaired.truncation ?? 0) + 1;
    }
  }
  return { samples, lineOf, unreadable, lines, repaired };
}

/** What is said of a line with so many characters. */
export const tooLong = (line: number, length: number): Unreadable => ({
  line,
  reason: "shape",
  message: `line ${line} has ${length} characters, more than a conversation has`,
});

/** The id of a conversation that has none of its own. */
export const lineId = (line: number): string => `line-${line}`;

/** A line that is a conversation. */
export interface ReadLine {
  readonly sample: Sample;
  /** It broke off, and its open brackets were closed. */
  readonly closed: boolean;
  /** Its id stands in it, and was not made from its line. */
  readonly named: boolean;
  /** What the line says, whatever of it the sample takes over. */
  readonly value: Readonly<Record<string, unknown>>;
}

/** One line, as `importSamples` reads it. */
export function readLine(source: string, line: number, fix: boolean): ReadLine | Unreadable {
  if (source.length > LONGEST_LINE) return tooLong(line, source.length);
  let value = parse(source);
  const closed = value === undefined ? closeJson(source) : undefined;
  if (value === undefined && closed === undefined) return { line, reason: "json", message: `line ${line} is not JSON` };
  if (value === undefined && closed !== undefined) {
    if (!fix) return { line, reason: "truncated", message: `line ${line} breaks off` };
    value = parse(closed);
  }
  const refused = (reason: Unreadable["reason"], what: string): Unreadable => ({ line, reason, message: `line ${line} ${what}` });
  try {
    const sample = asSample(value, line, lostNumbers(closed ?? source));
    if (typeof sample === "string") return refused("shape", sample);
    const said = value as Readonly<Record<string, unknown>>;
    return { sample, closed: closed !== undefined, named: typeof said.id === "string", value: said };
  } catch (e) {
    if (e instanceof LostNumber) return refused("number", e.what);
    // A value of any depth, and with anything where a text is due.
    if (!(e instanceof RangeError || e instanceof TypeError)) throw e;
    return refused("shape", "is no conversation: it is nested too deeply, or has something else where a text is due");
  }
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * JSON that breaks off after a whole value, with its open brackets closed; undefined where it breaks off inside a text,
 * a number or a word (what is missing there nobody knows), or is wrong in another way.
 */
export function closeJson(source: string): string | undefined {
  const open: string[] = [];
  let inText = false;
  for (let i = 0; i < source.length; i++) {
    const c = source[i];
    if (inText) {
      if (c === "\\") i++;
      else if (c === '"') inText = false;
    } else if (c === '"') inText = true;
    else if (c === "{" || c === "[") open.push(c === "{" ? "}" : "]");
    else if ((c === "}" || c === "]") && open.pop() !== c) return undefined;
  }
  if (inText || open.length === 0) return undefined;
  const ended = source.trimEnd();
  const whole = ended.endsWith(",") ? ended.slice(0, -1).trimEnd() : ended;
  if (!/(?:["}\]]|true|false|null)$/.test(whole)) return undefined;
  const closed = whole + open.reverse().join("");
  return parse(closed) === undefined ? undefined : closed;
}

/**
 * A value as a sample: what our own form has and a foreign one lacks is worked out from the messages; else why not.
 * @param lost numbers of the line's text that the value has otherwise; throws LostNumber where one of them is in a call
 */
export function asSample(value: unknown, line: number, lost: ReadonlyMap<number, string> = new Map()): Sample | string {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return "is no object";
  const given = withMessages(value as Record<string, unknown>);
  if (!Array.isArray(given.messages)) return "has no list `messages`";
  const stated = given.messages.map(plainly);
  const strange = notText(stated.find((m) => Array.isArray((m as { content?: unknown } | null)?.content)));
  if (strange !== undefined) return `has a message with a part that is no text (\`${strange}\`)`;
  const messages = inOrderOfCalls(stated.map((m, i) => asMessage(m, i, stated, lost)));
  const first = calledTool(messages);
  const request = messages.find((m) => (m as Message | null)?.role === "user") as { content?: unknown } | undefined;
  const sample = {
    id: typeof given.id === "string" ? given.id : lineId(line),
    source: given.source ?? "seed",
    scenario: given.scenario ?? (first === null ? "no_tool" : "standard"),
    kind: typeof given.kind === "string" ? given.kind : "plain",
    tool_name: given.tool_name === undefined ? first : given.tool_name,
    frame: typeof given.frame === "string" ? given.frame : (typeof request?.content === "string" ? request.content : "").normalize("NFC").toLowerCase(),
    qc_passed: given.qc_passed === true,
    ...(typeof given.simulated === "boolean" ? { simulated: given.simulated } : {}),
    messages,
  };
  if (validate(sample)) return sample as unknown as Sample;
  const problem = (validate.errors ?? []).find((e) => e.keyword !== "oneOf" && e.keyword !== "const") ?? validate.errors?.[0];
  return `is no conversation: ${problem?.instancePath ? `${problem.instancePath.slice(1).replaceAll("/", ".")} ` : ""}${problem?.message ?? "its form is not known"}`;
}

/** A message without what only other forms of it have: parts of a text, OpenAI's newer name of the system, its older calls. */
function plainly(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const message = value as Record<string, unknown>;
  const usual = !Array.isArray(message.content) && message.function_call === undefined && message.role !== "developer" && message.role !== "function";
  if (usual) return value;
  const { role, content, ...rest } = message;
  return asToolCall({ role: role === "developer" ? "system" : role, ...("content" in message && { content: wholeText(content) }), ...rest });
}

/** A text that comes in parts, as one: each part is a block of its own. Left as it is where a part is no text. */
function wholeText(content: unknown): unknown {
  if (!Array.isArray(content) || content.length === 0) return content;
  const parts = content.map((part: unknown) => {
    const { type, text, refusal } = (part ?? {}) as { type?: unknown; text?: unknown; refusal?: unknown };
    return typeof part === "string" ? part : type === "text" ? text : type === "refusal" ? refusal : undefined;
  });
  return parts.every((t) => typeof t === "string") ? parts.join("\n") : content;
}

/** The kind of the first of a message's parts that is no text. */
function notText(message: unknown): string | undefined {
  const { content } = (message ?? {}) as { content?: unknown };
  if (!Array.isArray(content)) return undefined;
  const kinds = content.map((part: unknown) => (part as { type?: unknown } | null)?.type);
  return kinds.find((kind): kind is string => typeof kind === "string" && kind !== "text" && kind !== "refusal")?.slice(0, 40);
}

/** OpenAI's older form: a `function_call` in place of `tool_calls`, answered by a `function`. */
function asToolCall(value: Record<string, unknown>): unknown {
  const { function_call: call, ...rest } = value;
  if (rest.role === "function") return { ...rest, role: "tool" };
  const called = Array.isArray(rest.tool_calls) && rest.tool_calls.length > 0;
  return rest.role === "assistant" && !called && call !== null && typeof call === "object" ? { ...rest, tool_calls: [call] } : value;
}

/** Results of one turn's calls may come in any order; ours stand in that of the calls. */
function inOrderOfCalls(messages: readonly unknown[]): unknown[] {
  const out = [...messages];
  for (const [at, m] of messages.entries()) {
    const calls = (m as { tool_calls?: readonly { id?: unknown }[] } | null)?.tool_calls;
    if (!Array.isArray(calls) || calls.length < 2) continue;
    const results = messages.slice(at + 1, at + 1 + calls.length) as ({ role?: unknown; tool_call_id?: unknown } | null)[];
    const sorted = calls.map((c) => results.find((r) => r?.role === "tool" && r.tool_call_id === c?.id));
    if (sorted.every((r) => r !== undefined) && new Set(sorted).size === calls.length) out.splice(at + 1, calls.length, ...sorted);
  }
  return out;
}

/** Arguments that stand as an object (as MCP and many tools write them) become the text that OpenAI's form has; a call gets an id. */
function asMessage(value: unknown, at: number, all: readonly unknown[], lost: ReadonlyMap<number, string>): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const { role, content, tool_calls, tool_call_id, name, weight } = value as Record<string, unknown>;
  if (role === "assistant") {
    const calls = Array.isArray(tool_calls) && tool_calls.length > 0 ? { tool_calls: tool_calls.map((c, i) => asCall(c, `call_${at}_${i}`, lost)) } : {};
    return { role, ...thoughtAndContent(value as Record<string, unknown>), ...(weight === 0 && { weight }), ...calls };
  }
  if (role === "tool") return { role, content, tool_call_id: tool_call_id ?? idOfCall(all, at), ...(typeof name === "string" ? { name } : {}) };
  return { role, content };
}

/** A thought stands in a field of its own, under either name that interfaces have for it; one at the head of the content is taken off it. */
function thoughtAndContent({ content, reasoning_content, reasoning }: Record<string, unknown>): {
  readonly content: unknown;
  readonly reasoning_content?: string;
} {
  const beside = [reasoning_content, reasoning].find((t): t is string => typeof t === "string" && t.trim() !== "");
  const found = typeof content === "string" && beside === undefined ? splitThought(content) : undefined;
  const thought = beside ?? found?.thought ?? "";
  return { content: found === undefined ? (content ?? null) : found.content || null, ...(thought !== "" && { reasoning_content: thought }) };
}

/** The id of the call that a result without one belongs to: the results stand in the order of the calls before them. */
function idOfCall(all: readonly unknown[], at: number): string {
  const caller = all.slice(0, at).findLastIndex((m) => (m as { role?: unknown } | null)?.role === "assistant");
  const calls = (all[caller] as { tool_calls?: unknown } | undefined)?.tool_calls;
  const own = Array.isArray(calls) ? (calls[at - caller - 1] as { id?: unknown } | null | undefined)?.id : undefined;
  return typeof own === "string" ? own : `call_${caller}_${at - caller - 1}`;
}

function asCall(value: unknown, id: string, lost: ReadonlyMap<number, string>): unknown {
  if (value === null || typeof value !== "object") return value;
  const call = value as Record<string, unknown>;
  const fn = (call.function ?? call) as Record<string, unknown>;
  const args = fn.arguments;
  const changed = typeof args === "string" || lost.size === 0 ? undefined : lostIn(args, lost);
  if (changed !== undefined) throw new LostNumber(changed);
  return {
    id: typeof call.id === "string" ? call.id : id,
    type: "function",
    function: { name: fn.name, arguments: typeof args === "string" ? args : JSON.stringify(args ?? {}) },
  };
}

function calledTool(messages: readonly unknown[]): string | null {
  for (const m of messages) {
    const calls = (m as { tool_calls?: { function?: { name?: unknown } }[] } | null)?.tool_calls;
    const name = calls?.[0]?.function?.name;
    if (typeof name === "string") return name;
  }
  return null;
}
