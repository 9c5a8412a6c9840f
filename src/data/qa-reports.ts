/**
 * Writes the quality report in its four forms. What was left out of data that somebody brought, and what was repaired in it, may be more than memory should hold:
 * it is read from its file piece by piece. The texts are those of the report with all of what was left out inside; of repairs a report has the first.
 */
import { LineWriter, linesOf } from "../platform/line-file.ts";
import type { QaReport, Repairs } from "../schemas/generated/qa-report.ts";
import { csvRow, qaCsvParts, takenOutRow } from "./qa-csv.ts";
import { qaHtml } from "./qa-html.ts";
import { LISTED, qaMarkdown } from "./qa-markdown.ts";
import type { SampleRepair } from "./repairs.ts";
import type { TakenOut } from "./types.ts";

/** What a report does not have in itself. */
export interface BesideReport {
  /** The file of what was left out (`TakenOut`, JSON lines). */
  readonly takenOut?: string | undefined;
  /** The file of repairs (`SampleRepair`, JSON lines). */
  readonly repairs?: string | undefined;
}

/** @param outputs where each form goes */
export async function writeReports(
  measured: QaReport,
  outputs: Readonly<Record<"report" | "markdown" | "csv" | "html", string>>,
  { takenOut, repairs }: BesideReport = {},
): Promise<void> {
  const report = repairs === undefined || measured.repaired === undefined ? measured : withRepairs(measured, await repairsIn(repairs));
  let left = report.taken_out?.length ?? 0;
  const first = [...(report.taken_out ?? [])];
  const [head, tail] = takenOut === undefined ? [JSON.stringify(report, null, 2), ""] : aroundTakenOut(report);
  const csv = takenOut === undefined ? qaCsvParts(report) : qaCsvParts({ ...report, taken_out: [] });
  await writing(outputs.report, async (json) =>
    writing(outputs.csv, async (table) => {
      json.write(head);
      table.write(csv.before);
      if (takenOut !== undefined)
        for await (const lines of linesOf(takenOut))
          for (const { text } of lines) {
            const entry = JSON.parse(text) as TakenOut;
            if (first.length < LISTED) first.push(entry);
            json.write(`${left++ === 0 ? "" : ","}\n    ${JSON.stringify(entry, null, 2).replaceAll("\n", "\n    ")}`);
            table.write(csvRow(takenOutRow(entry)));
          }
      json.write(takenOut === undefined ? "\n" : `${left === 0 ? "" : "\n  "}]${tail}\n`);
      table.write(csv.after);
    }),
  );
  const shown = report.taken_out === undefined ? report : { ...report, taken_out: first };
  await writing(outputs.markdown, async (markdown) => markdown.write(qaMarkdown(shown, left)));
  await writing(outputs.html, async (page) => page.write(qaHtml(shown, left)));
}

/** Characters of a value in a report; the file of repairs has it whole. */
const SHOWN = 240;
/** Repairs that a report names. */
const NAMED = 50;

const shortened = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
};

/** What a report says of repairs. */
async function repairsIn(path: string): Promise<Repairs> {
  let total = 0;
  let samples = 0;
  let last = 0;
  const first: Repairs["first"] = [];
  for await (const lines of linesOf(path))
    for (const { text } of lines) {
      total++;
      const line = Number(LINE.exec(text)?.[1]);
      if (line !== last) samples++;
      last = line;
      if (first.length === NAMED) continue;
      const { sample, check, path: at, before, after } = JSON.parse(text) as SampleRepair;
      first.push({ line, sample, check, path: at, before: before === undefined ? null : shortened(before), after: shortened(after) });
    }
  return { total, samples, first };
}

/** Of a repair as it is written (brought.ts): the line stands first. */
const LINE = /^\{"line":(\d+)/;

/** Behind the numbers of what was repaired. */
const withRepairs = (report: QaReport, repairs: Repairs): QaReport =>
  Object.fromEntries(
    Object.entries(report).flatMap(([name, value]) =>
      name === "repaired"
        ? [
            [name, value],
            ["repairs", repairs],
          ]
        : [[name, value]],
    ),
  ) as unknown as QaReport;

/** The report's JSON up to what is in the list of what was left out, and from behind it on. */
function aroundTakenOut(report: QaReport): readonly [string, string] {
  const list = '\n  "taken_out": [';
  // A text in JSON has no line break: this is the report's own member.
  const [head = "", tail = ""] = JSON.stringify({ ...report, taken_out: [] }, null, 2).split(`${list}]`);
  return [head + list, tail];
}

async function writing(path: string, write: (file: LineWriter) => Promise<void>): Promise<void> {
  const file = new LineWriter(path);
  try {
    await write(file);
  } finally {
    file.close();
  }
}
