/** What measures ranges of files: in this thread, or in one of its own (threads.ts). */
import type { EvaluationCase, Sample, Toolset } from "../types.ts";
import { isBlank, RangeReader } from "./ranges.ts";
import { type Part, type Rest, Tally, type TallyOptions } from "./tally.ts";

export interface Setup extends TallyOptions {
  readonly paths: readonly string[];
  readonly toolset: Toolset;
  readonly heldout: readonly EvaluationCase[];
  /** A folder that is there, for what memory has no room for. */
  readonly folder: string;
  readonly mostInMemory?: number;
}

export interface Range {
  /** Which of the paths. */
  readonly file: number;
  readonly from: number;
  readonly to: number;
}

export interface Measured {
  readonly part: Part;
  /** Lines of the range, blank ones too. */
  readonly lines: number;
  /** A line that is not JSON, from 1 in the range; what comes after it was not measured. */
  readonly failed?: { readonly line: number; readonly message: string };
}

export class RangeWorker {
  readonly #readers: RangeReader[];
  readonly #tally: Tally;

  constructor(setup: Setup) {
    this.#readers = setup.paths.map((path) => new RangeReader(path));
    this.#tally = new Tally(setup.toolset, setup.heldout, () => setup.folder, setup.mostInMemory, setup);
  }

  measure({ file, from, to }: Range): Measured {
    let lines = 0;
    let failed: Measured["failed"];
    this.#readers[file]?.lines(from, to, (bytes, start, end) => {
      lines++;
      if (failed !== undefined || isBlank(bytes, start, end)) return;
      let sample: Sample;
      try {
        sample = JSON.parse(bytes.toString("utf8", start, end)) as Sample;
      } catch (e) {
        failed = { line: lines, message: (e as Error).message };
        return;
      }
      this.#tally.see(sample);
    });
    return { part: this.#tally.takePart(), lines, ...(failed === undefined ? {} : { failed }) };
  }

  rest(): Rest {
    return this.#tally.takeRest();
  }

  close(): void {
    for (const reader of this.#readers) reader.close();
  }
}
