/**
 * What a line says beside its conversation, which the form that it is written in has no place for: told with counts and the first lines, never silently lost.
 */
import { safeText } from "../platform/redact.ts";

/** Fields of a line that are read, and those that only our own form has: what they say is the form's, not the conversation's. */
const READ = new Set("messages conversations system prompt completion id source scenario kind tool_name frame qc_passed simulated".split(" "));
/** Fields of a line that forms have a place for which hold what may be called beside the conversation; ours does not. */
const BESIDE = new Set("tools functions parallel_tool_calls".split(" "));
/** The same of a message; a `name` is a tool's. */
const READ_IN_MESSAGE = new Set("role content tool_calls tool_call_id function_call weight reasoning_content reasoning".split(" "));
/** Characters of a name that is told. */
const LONGEST_NAME = 60;

/** Names of a line's other fields, those of messages behind `messages.`. @param ours the line goes into our own form, where tools stand in a file of their own */
export function otherFields(line: Readonly<Record<string, unknown>>, { ours = false }: { readonly ours?: boolean } = {}): string[] {
  const said = (value: unknown): boolean => value !== null && value !== undefined;
  const beside = Object.keys(line).filter((key) => !READ.has(key) && (ours || !BESIDE.has(key)) && said(line[key]));
  const messages = Array.isArray(line.messages) ? (line.messages as (Readonly<Record<string, unknown>> | null)[]) : [];
  const within = messages.flatMap((m) =>
    Object.keys(m ?? {}).filter((key) => !READ_IN_MESSAGE.has(key) && !(key === "name" && (m?.role === "tool" || m?.role === "function")) && said(m?.[key])),
  );
  return [...beside, ...new Set(within.map((key) => `messages.${key}`))].map((key) => key.slice(0, LONGEST_NAME));
}

/** Lines and names that are told. */
const NAMED = 20;
const NAMES = 5;

/** What was left out of lines of a file. */
export interface Lost {
  readonly count: number;
  /** The first lines, and the first names. */
  readonly lines: readonly number[];
  readonly names: readonly string[];
}

/** Counts what was left out. */
export class LostFields {
  #count = 0;
  readonly #lines: number[] = [];
  readonly #names = new Set<string>();

  add(line: number, names: readonly string[]): void {
    if (names.length === 0) return;
    if (this.#count++ < NAMED) this.#lines.push(line);
    for (const name of names) if (this.#names.size < NAMES) this.#names.add(name);
  }

  lost(): Lost {
    return { count: this.#count, lines: this.#lines, names: [...this.#names] };
  }
}

/** What is to be said of it. */
export function lostWords({ count, lines, names }: Lost): string {
  const fields = names.map((name) => `\`${safeText(name).replaceAll("`", "'")}\``).join(", ");
  const more = count > lines.length ? ` and ${count - lines.length} more` : "";
  return `our form has no place for other fields (${fields}): left out of ${count === 1 ? `line ${lines[0]}` : `lines ${lines.join(", ")}${more}`}`;
}
