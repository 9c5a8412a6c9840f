/** JSON values, and the one canonical text that digests are taken of. */

export type JsonPrimitive = string | number | boolean | null;
export type JsonValue = JsonPrimitive | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * Deterministic JSON: object keys sorted by UTF-16 code unit, no white space, `undefined` members
 * left out. The same value gives the same text on every machine and locale (in the spirit of RFC 8785).
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  // One text that grows, for keys of a thousand stages are made in every plan.
  let text = "";
  if (Array.isArray(value)) {
    for (const v of value) text += text === "" ? canonicalJson(v) : `,${canonicalJson(v)}`;
    return `[${text}]`;
  }
  const members = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(members).sort()) {
    const v = members[key];
    if (v !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(v)}`;
  }
  return `{${text}}`;
}

/** Parses JSON Lines; blank lines are skipped. Throws SyntaxError naming the line (1-based). */
export function parseJsonLines<T = JsonValue>(text: string): T[] {
  const out: T[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      out.push(JSON.parse(line) as T);
    } catch (e) {
      throw new SyntaxError(`line ${i + 1}: ${(e as Error).message}`);
    }
  }
  return out;
}

/** One value a line, with a final newline (empty text for no values). */
export const toJsonLines = (values: Iterable<unknown>): string => {
  let out = "";
  for (const v of values) out += `${JSON.stringify(v)}\n`;
  return out;
};
