/**
 * The quality report as a table for spreadsheets (RFC 4180): `section,name,value,detail`, one row a figure, a
 * count, an issue or a line that was left out. No figure that is not in the JSON report.
 */
import type { QaReport } from "../schemas/generated/qa-report.ts";

export function qaCsv(r: QaReport): string {
  const rows: (readonly [string, string, string | number, string?])[] = [["section", "name", "value", "detail"]];
  const section = (name: string, table: Readonly<Record<string, number | null>>): void => {
    for (const [key, value] of Object.entries(table)) rows.push([name, key, value ?? ""]);
  };
  section("totals", r.totals);
  section("figures", r.figures);
  section("dropped", r.dropped);
  section("repaired", r.repaired ?? {});
  for (const t of r.taken_out ?? []) rows.push(["taken_out", t.check, t.line ?? "", t.sample === null ? t.message : `${t.sample}: ${t.message}`]);
  section("tool", r.coverage.by_tool);
  section("scenario", r.coverage.by_scenario);
  section("kind", r.coverage.by_kind);
  for (const issue of r.issues) rows.push(["issue", issue.check, issue.sample ?? "", issue.message]);
  return rows.map((row) => `${Array.from({ length: 4 }, (_, i) => cell(row[i] ?? "")).join(",")}\r\n`).join("");
}

/** Quoted where it must be. A text that a spreadsheet would take for a formula gets an apostrophe: names come from outside. */
function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
