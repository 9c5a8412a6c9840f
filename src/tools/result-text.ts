/**
 * Turns what a tool answered into the text that the model reads: the same for every source, bounded,
 * and never more than the answer said. An MCP result is foreign data and is read leniently: a part
 * that makes no sense becomes a placeholder, not an exception.
 */
import { canonicalJson } from "../platform/json.ts";

/** Longest result text in characters; the rest is cut off and said so. */
export const MAX_RESULT_CHARACTERS = 100_000;

/** A `tools/call` result as text, and whether the tool called it an error. */
export function resultText(result: unknown): { readonly text: string; readonly isError: boolean } {
  const isError = member(result, "isError") === true;
  const content = member(result, "content");
  const parts = Array.isArray(content) ? content.map(partText) : [];
  const structured = member(result, "structuredContent");
  // A server that sends structured content is asked by the specification to send it as ordinary content too: then that is
  // what counts, also when it is an empty text or a picture (whose bytes the structured form may repeat).
  if (parts.length === 0 && structured !== undefined && structured !== null) return { text: bound(jsonOf(structured, JSON.stringify)), isError };
  if (!Array.isArray(content) && structured === undefined) return { text: bound(jsonOf(result ?? null, canonicalJson)), isError };
  return { text: bound(parts.join("\n")), isError };
}

/** Cuts a text at `limit` characters, never inside a character, and says how much is missing. */
export function bound(text: string, limit = MAX_RESULT_CHARACTERS): string {
  if (text.length <= limit) return text;
  const end = /[\ud800-\udbff]/.test(text.charAt(limit - 1)) ? limit - 1 : limit;
  return `${text.slice(0, end)}\n[cut: ${text.length - end} more characters]`;
}

/** A foreign value as JSON; what is nested more deeply than the stack allows becomes a placeholder. */
function jsonOf<T>(value: T, write: (value: T) => string): string {
  try {
    return write(value);
  } catch {
    return "[unreadable: nested too deeply]";
  }
}

/** One content part. */
function partText(part: unknown): string {
  const type = member(part, "type");
  const text = member(part, "text");
  if (type === "text" && typeof text === "string") return text;
  const mime = label(member(part, "mimeType"));
  if (type === "image" || type === "audio") return `[${type}${mime === "" ? "" : `: ${mime}`}]`;
  if (type === "resource_link") return `[resource: ${label(member(part, "uri"))}]`;
  if (type === "resource") {
    const resource = member(part, "resource");
    const inner = member(resource, "text");
    return typeof inner === "string" ? inner : `[resource: ${label(member(resource, "uri"))}]`;
  }
  return "[unknown content]";
}

const member = (value: unknown, key: string): unknown =>
  value !== null && typeof value === "object" && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
const label = (value: unknown): string => (typeof value === "string" ? value.slice(0, 300) : "");
