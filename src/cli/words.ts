/**
 * Figures into words: durations, sizes, rates, bars and small tables. Pure, and the same in every
 * locale, so that what a test or a log reader sees is what everyone sees.
 */

/** Seconds in the unit that a reader wants: `0.4 s`, `12 s`, `3 min 05 s`, `1 h 02 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Bytes in decimal units, as disks and downloads are sold: `85 MB`, `1.5 GB`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A figure in the recipe's own unit: rates with three decimals, counts as they are, none as a dash. What is less than 1 never reads as 1. */
export function figure(value: unknown): string {
  if (typeof value === "number") return withDecimals(value, () => true);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" && value !== "" ? value : "-";
}

/** A figure with as many decimals as tell it from another: `0.9796` where 0.98 is wanted. */
export function figureBeside(value: unknown, other: unknown): string {
  if (typeof value !== "number" || typeof other !== "number") return figure(value);
  return value === other ? threshold(value) : withDecimals(value, (text, decimals) => Number(text) !== Number(other.toFixed(decimals)));
}

/** A threshold (or what just reaches it) exactly as the recipe has it, with no fewer decimals than figures have. */
export function threshold(value: number): string {
  const short = figure(value);
  return Number(short) === value ? short : String(value);
}

/** Decimals after which a double says nothing new. */
const MOST_DECIMALS = 17;

/** A number with three decimals, or with more until it does not read as 1 where it is less, and `tells` agrees. */
function withDecimals(value: number, tells: (text: string, decimals: number) => boolean): string {
  if (!Number.isFinite(value)) return "-";
  if (Number.isInteger(value) && Math.abs(value) > 1) return String(value);
  for (let decimals = Math.abs(value) < 1000 ? 3 : 0; ; decimals++) {
    const text = value.toFixed(decimals);
    const reachesOne = Math.abs(value) < 1 && Math.abs(Number(text)) >= 1;
    if (decimals >= MOST_DECIMALS || (!reachesOne && tells(text, decimals))) return text;
  }
}

/** `1 sample`, `2 samples`. */
export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** A bar of `width` cells; full only when everything is done. */
export function bar(done: number, total: number, width: number): string {
  const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
  const cells = share >= 1 ? width : Math.min(width - 1, Math.floor(share * width));
  return `${"█".repeat(cells)}${"░".repeat(Math.max(0, width - cells))}`;
}

/** Cuts text to `width` characters, with an ellipsis where something was cut. */
export const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`);

/** Seconds, files and other words in one line: the first line of a text, trimmed. */
export const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

/**
 * Columns aligned with spaces, two between columns; the first to the left, the others to the right
 * unless named in `left`. Cells may be styled afterwards through `paint`, which gets the padded cell.
 */
export function table(
  rows: readonly (readonly string[])[],
  o: { readonly left?: readonly number[]; readonly indent?: string; readonly paint?: (cell: string, row: number, column: number) => string } = {},
): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const last = widths.length - 1;
  return rows.map((row, y) => {
    const cells = row.map((cell, x) => {
      const toLeft = x === 0 || o.left?.includes(x) === true;
      const padded = toLeft ? (x === last ? cell : cell.padEnd(widths[x] ?? 0)) : cell.padStart(widths[x] ?? 0);
      return o.paint ? o.paint(padded, y, x) : padded;
    });
    return `${o.indent ?? ""}${cells.join("  ")}`.trimEnd();
  });
}

/** "35 s" or "35 s, replies of $0.42 (kept ones are free)": what a stage took last time; empty when nothing is known. */
export function lastTimeWords(of: { readonly estimateSeconds?: number; readonly estimateUsd?: number }): string {
  return of.estimateSeconds === undefined ? "" : `${duration(of.estimateSeconds)}${of.estimateUsd === undefined ? "" : `, ${replies(of.estimateUsd)}`}`;
}

/** What paid replies cost, where none of them is kept from before. */
export const replies = (usd: number): string => `replies of ${dollars(usd)} (kept ones are free)`;

/** Cents, and finer what is less than one. */
export const dollars = (usd: number): string => `$${usd.toFixed(usd < 0.01 ? 4 : 2)}`;
