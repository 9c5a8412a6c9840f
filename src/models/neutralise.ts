/**
 * Keeps foreign text from speaking with the model's control words. A special token's text (`<|im_end|>`)
 * or a word of our tool syntax inside a message, a tool's description or a result would be read as the
 * real thing, because prompts are tokenized with special tokens on.
 *
 * Plain text: a space goes in after the word's first character (`< |im_end|>`): readable, and no token
 * any more. JSON: the first character is written as its escape (`\u003c|im_end|>`), which is the same
 * value to whoever parses it. All other text stays as it is.
 */
import type { JsonValue } from "../platform/json.ts";

/** Plain text with every forbidden word broken by a space after its first character. */
export const breakTokens = (text: string, forbidden: readonly string[]): string => replaceFirst(text, forbidden, (first) => `${first} `);

export interface Hidden<T> {
  /** The value with a placeholder for the first character of every forbidden word, in strings and keys. */
  readonly value: T;
  /** The finished rendering with the JSON escape of that character at each placeholder. */
  readonly reveal: (rendered: string) => string;
}

/**
 * Hides forbidden words in a value that a template will write as JSON: the template's `tojson` cannot
 * escape them itself, so placeholders go in before it and escapes come out after it.
 *
 * @param others other text of the same rendering; the placeholders are characters (of Unicode's private use) that occur in none of it
 */
export function hideTokens<T extends JsonValue>(value: T, forbidden: readonly string[], others: readonly string[]): Hidden<T> {
  const taken = JSON.stringify(value) + others.join("");
  const placeholders = new Map<string, string>();
  let code = 0xe000;
  for (const first of new Set(forbidden.map((t) => t.charAt(0)))) {
    while (taken.includes(String.fromCodePoint(code))) code = code === 0xf8ff ? 0xf0000 : code + 1;
    placeholders.set(first, String.fromCodePoint(code));
    code += 1;
  }
  const hide = (text: string): string => replaceFirst(text, forbidden, (first) => placeholders.get(first) ?? first);
  return {
    value: mapStrings(value, hide) as T,
    reveal(rendered) {
      let out = rendered;
      for (const [first, placeholder] of placeholders) out = out.replaceAll(placeholder, `\\u${first.charCodeAt(0).toString(16).padStart(4, "0")}`);
      return out;
    },
  };
}

/** Replaces the first character of every occurrence of a word. */
function replaceFirst(text: string, words: readonly string[], by: (first: string) => string): string {
  let out = text;
  for (const word of words) if (out.includes(word)) out = out.replaceAll(word, () => by(word.charAt(0)) + word.slice(1));
  return out;
}

/** The value with `f` applied to every string and key; keeps the order of keys, and a key `__proto__` stays a key. */
function mapStrings(value: JsonValue, f: (text: string) => string): JsonValue {
  if (typeof value === "string") return f(value);
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((v) => mapStrings(v, f));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [f(k), mapStrings(v, f)]));
}
