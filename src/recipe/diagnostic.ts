/**
 * Renders a failure the way a compiler does: what, where, the line itself with a caret, and the help.
 *
 *     error[recipe/unknown-key]: unknown key `sampels` in `data`
 *       --> forge.yaml:12:3
 *        |
 *     12 |   sampels: 300
 *        |   ^^^^^^^
 *        = help: did you mean `samples`?
 *
 * Foreign text (a line of a file, a process's stderr) loses its control characters here, so that it
 * cannot drive the terminal.
 */
import type { Failure } from "../platform/result.ts";

export interface FormatOptions {
  /** ANSI colours. Default: none. */
  readonly color?: boolean;
  /** The word in front. Default: `error`. */
  readonly severity?: "error" | "warning";
}

const CODES = { bold: 1, red: 31, yellow: 33, blue: 34, cyan: 36, dim: 2 } as const;
const TAB = "    ";
const WIDEST_LINE = 160;

/** The failure as text of one or more lines, without a final newline. */
export function formatFailure(failure: Failure, options: FormatOptions = {}): string {
  const severity = options.severity ?? "error";
  const paint = (text: string, ...styles: (keyof typeof CODES)[]): string =>
    options.color ? `${styles.map((s) => `\u001b[${CODES[s]}m`).join("")}${text}\u001b[0m` : text;
  const lines = [
    `${paint(`${severity}[${clean(failure.code)}]`, "bold", severity === "error" ? "red" : "yellow")}${paint(`: ${clean(failure.message)}`, "bold")}`,
  ];
  const { place } = failure;
  const gutter = place?.source === undefined ? 1 : String(place.line).length;
  const pad = " ".repeat(gutter);
  const bar = paint("|", "blue");
  if (place) {
    lines.push(`${pad}${paint("-->", "blue")} ${clean(place.file)}:${place.line}:${place.column}`);
    if (place.source !== undefined) {
      const shown = excerpt(place.source, place.column, place.length ?? 1);
      lines.push(
        `${pad} ${bar}`,
        `${paint(String(place.line), "blue")} ${bar} ${shown.text}`,
        `${pad} ${bar} ${" ".repeat(shown.indent)}${paint("^".repeat(shown.length), "bold", "red")}`,
      );
    }
  }
  if (failure.hint !== undefined) lines.push(`${pad} ${paint("=", "blue")} ${paint("help:", "cyan")} ${clean(failure.hint)}`);
  for (const line of failure.details?.split("\n") ?? []) lines.push(`${pad} ${bar} ${paint(clean(line), "dim")}`);
  return lines.join("\n");
}

/** Several failures, a blank line between them. */
export const formatFailures = (failures: readonly Failure[], options: FormatOptions = {}): string =>
  failures.map((f) => formatFailure(f, options)).join("\n\n");

/** The part of a line around the caret, tabs widened, with where to put the caret (in columns of the excerpt). */
function excerpt(source: string, column: number, length: number): { text: string; indent: number; length: number } {
  const start = Math.max(0, column - 1 > WIDEST_LINE - 40 ? column - 1 - 40 : 0);
  const lead = start > 0 ? "…" : "";
  const before = widen(source.slice(start, column - 1));
  const marked = widen(source.slice(column - 1, column - 1 + Math.max(1, length)));
  const after = widen(source.slice(column - 1 + Math.max(1, length)));
  const whole = lead + before + marked + after;
  const text = whole.length > WIDEST_LINE ? `${whole.slice(0, WIDEST_LINE)}…` : whole;
  const indent = lead.length + before.length;
  return { text: text.trimEnd(), indent, length: Math.max(1, Math.min(marked.length, WIDEST_LINE - indent)) };
}

const widen = (text: string): string => clean(text.replaceAll("\t", TAB));

/** Shows control characters (ANSI escapes among them) and bidirectional overrides as a replacement character. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
