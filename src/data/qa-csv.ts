/**
 * The quality report as a table for spreadsheets (RFC 4180): `section,name,value,detail`, one row a figure, a
 * count, an issue or a line that was left out. No figure that is not in the JSON report.
 */
import { safeText } from "../platform/redact.ts";
import type { QaReport } from "../schemas/generated/qa-report.ts";
import { reasonsOf } from "./plan-outcome.ts";
import type { TakenOut } from "./types.ts";

export function qaCsv(r: QaReport): string {
  const { before, after } = qaCsvParts(r);
  return before + after;
}

type Row = readonly [string, string, string | number, string?];

/** The table in two parts: more lines that were left out may stand between them. */
export function qaCsvParts(r: QaReport): { readonly before: string; readonly after: string } {
  const section = (name: string, table: Readonly<Record<string, number | null>>): Row[] =>
    Object.entries(table).map(([key, value]) => [name, key, value ?? ""]);
  const before: Row[] = [
    ["section", "name", "value", "detail"],
    ...section("totals", r.totals),
    ...section("figures", r.figures),
    ...section("dropped", r.dropped),
    ...section("repaired", r.repaired ?? {}),
    ...(r.repairs?.first ?? []).map(
      (m): Row => ["repair", m.check, m.line, `${m.sample}${m.path === "" ? "" : ` ${m.path}`}: ${m.before ?? "nothing"} → ${m.after}`],
    ),
    ...planRows(r.plan),
    ...lengthRows(r.lengths),
    ...(r.taken_out ?? []).map(takenOutRow),
  ];
  const after: Row[] = [
    ...section("tool", r.coverage.by_tool),
    ...section("scenario", r.coverage.by_scenario),
    ...section("kind", r.coverage.by_kind),
    ...r.issues.map((issue): Row => ["issue", issue.check, issue.sample ?? "", issue.message]),
  ];
  return { before: before.map(csvRow).join(""), after: after.map(csvRow).join("") };
}

const planRows = (plan: QaReport["plan"]): Row[] =>
  plan === undefined
    ? []
    : [
        ...plan.cells.map(({ scenario, tool, made, planned, short, why }): Row => {
          const missing = short === 0 ? "" : `, ${short} short: ${reasonsOf(why)}`;
          return ["plan", tool === null ? scenario : `${scenario} ${tool}`, made, `of ${planned} planned${missing}`];
        }),
        ...plan.short.map(({ slot, reason }): Row => ["short", slot, "", reason]),
      ];

const lengthRows = (l: QaReport["lengths"]): Row[] =>
  l === undefined
    ? []
    : [
        ["lengths", "window", l.window, l.family],
        ["lengths", "max_tokens", l.max_tokens, l.profile],
        ["lengths", "longest", l.longest ?? ""],
        ["lengths", "over_profile", l.over_profile ?? ""],
        ["lengths", "too_long", l.too_long],
      ];

export const takenOutRow = (t: TakenOut): Row => ["taken_out", t.check, t.line ?? "", t.sample === null ? t.message : `${t.sample}: ${t.message}`];

export const csvRow = (row: Row): string => `${Array.from({ length: 4 }, (_, i) => cell(row[i] ?? "")).join(",")}\r\n`;

/** Quoted where it must be. Names come from outside: no control sequence gets through, and a text that a spreadsheet would take for a formula gets an apostrophe. */
function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const safe = safeText(value);
  const text = /^[=+\-@\t\r]/.test(safe) ? `'${safe}` : safe;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
