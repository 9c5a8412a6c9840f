/**
 * Writes the quality report in its three forms. What was left out of data that somebody brought may be more than memory should hold: it is read from its file
 * piece by piece, once for each form that names it all. The texts are those of the report with all of it inside.
 */
import { LineWriter, linesOf } from "../platform/line-file.ts";
import type { QaReport } from "../schemas/generated/qa-report.ts";
import { csvRow, qaCsvParts, takenOutRow } from "./qa-csv.ts";
import { LISTED, qaMarkdown } from "./qa-markdown.ts";
import type { TakenOut } from "./types.ts";

/**
 * @param outputs where each form goes
 * @param takenOut the file of what was left out (JSON lines), where the report itself does not have it
 */
export async function writeReports(report: QaReport, outputs: Readonly<Record<"report" | "markdown" | "csv", string>>, takenOut?: string): Promise<void> {
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
  await writing(outputs.markdown, async (markdown) =>
    markdown.write(qaMarkdown(report.taken_out === undefined ? report : { ...report, taken_out: first }, left)),
  );
}

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
