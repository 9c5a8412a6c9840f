/**
 * Takes the repairs of a cleaned file back: the samples as they were read, in our form, from what `forge qa --fix` wrote (NAME.clean.jsonl and its
 * NAME.clean.repairs.jsonl). Both are read line by line, side by side: repairs stand in the order of their samples.
 */
import { linesOf } from "../platform/line-file.ts";
import { writeOutput } from "../platform/output-file.ts";
import { validate } from "../schemas/generated/sample.validate.js";
import { NotAsRepairedError, type Repair, type SampleRepair, undoRepairs } from "./repairs.ts";
import type { Sample } from "./types.ts";

export interface Undone {
  readonly samples: number;
  /** Samples that were changed back, and how many repairs that took. */
  readonly changed: number;
  readonly repairs: number;
  /** Lines that were no UTF-8: they are not made so again. */
  readonly encodings: number;
}

/** What is wrong with one of the two files: which, in which line, and what. */
export class UndoError extends Error {
  constructor(
    readonly file: "samples" | "repairs",
    readonly line: number,
    what: string,
  ) {
    super(what);
  }
}

/**
 * A line that had broken off before it could be read is put back as it was, to the byte; every other sample is as it was read.
 * @param only ids of samples; without it all of them. Throws UndoError, the file system's error, that of the output as an OutputError.
 */
export async function undoFile(samples: string, repairs: string, to: string, only?: ReadonlySet<string>): Promise<Undone> {
  let count = 0;
  let changed = 0;
  let taken = 0;
  let encodings = 0;
  const log = new RepairLines(repairs);
  const unseen = new Set(only);
  async function* lines(): AsyncGenerator<string> {
    for await (const some of linesOf(samples)) {
      let text = "";
      for (const line of some) {
        if (line.text.trim() === "") continue;
        count++;
        const sample = parsed<Sample>(line.text, "samples", count, (s) => validate(s) as boolean);
        const mine = await log.of(sample.id);
        unseen.delete(sample.id);
        if (mine.length === 0 || only?.has(sample.id) === false) {
          text += `${line.text}\n`;
          continue;
        }
        changed++;
        taken += mine.length;
        encodings += mine.filter((r) => r.check === "encoding" && r.path === "").length;
        const brokenOff = mine.find((r) => r.check === "truncation" && r.path === "");
        const before = undone(sample, mine, count);
        text += `${brokenOff === undefined ? JSON.stringify(before) : String(brokenOff.before)}\n`;
      }
      yield text;
    }
    const left = await log.next();
    if (left !== undefined) throw new UndoError("repairs", left.at, `is of a sample that is not there (\`${left.repair.sample}\`)`);
    for (const id of unseen) throw new UndoError("samples", count, `is the last, and there is no sample \`${id}\``);
  }
  await writeOutput(to, lines(), { keep: () => count > 0 });
  return { samples: count, changed, repairs: taken, encodings };
}

/** A sample before its repairs; whether it was good then nobody says any more. */
function undone(sample: Sample, repairs: readonly Repair[], line: number): Omit<Sample, "qc_passed"> & { readonly qc_passed: false } {
  let before: Sample;
  try {
    before = undoRepairs(sample, repairs);
  } catch (e) {
    if (!(e instanceof NotAsRepairedError)) throw e;
    throw new UndoError("samples", line, `(\`${sample.id}\`) ${e.message}: it was edited since, or its repairs were taken back already`);
  }
  if (!validate(before)) throw new UndoError("samples", line, `(\`${sample.id}\`) would be no sample with its repairs taken back`);
  return { ...before, qc_passed: false };
}

/** The lines of a file of repairs, sample by sample. */
class RepairLines {
  readonly #lines: AsyncGenerator<{ readonly at: number; readonly repair: SampleRepair }>;
  #ahead: { readonly at: number; readonly repair: SampleRepair } | undefined;
  #ended = false;

  constructor(path: string) {
    this.#lines = read(path);
  }

  /** What comes next; undefined at the end. */
  async next(): Promise<{ readonly at: number; readonly repair: SampleRepair } | undefined> {
    if (this.#ahead === undefined && !this.#ended) {
      const { value, done } = await this.#lines.next();
      if (done === true) this.#ended = true;
      else this.#ahead = value;
    }
    return this.#ahead;
  }

  /** All repairs of a sample, if it is the next that has any. */
  async of(sample: string): Promise<Repair[]> {
    const found: Repair[] = [];
    for (let line = await this.next(); line?.repair.sample === sample; line = await this.next()) {
      found.push(line.repair);
      this.#ahead = undefined;
    }
    return found;
  }
}

async function* read(path: string): AsyncGenerator<{ readonly at: number; readonly repair: SampleRepair }> {
  let at = 0;
  for await (const lines of linesOf(path))
    for (const { text } of lines) {
      at++;
      if (text.trim() === "") continue;
      yield { at, repair: parsed<SampleRepair>(text, "repairs", at, (r) => typeof r.sample === "string" && typeof r.path === "string") };
    }
}

function parsed<T extends object>(text: string, file: "samples" | "repairs", line: number, good: (value: T) => boolean): T {
  let value: T | null;
  try {
    value = JSON.parse(text) as T | null;
  } catch {
    throw new UndoError(file, line, "is not JSON");
  }
  if (typeof value !== "object" || value === null || !good(value))
    throw new UndoError(file, line, file === "samples" ? "is no sample of ours" : "is no repair");
  return value;
}
