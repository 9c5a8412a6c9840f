/**
 * Measures a data set: validity, duplicates, coverage, diversity, leakage; figures for the gate. It
 * changes nothing: dropping and regenerating belong to generate.ts, repairs to the checks that offer them.
 */
import type { QaReport } from "../schemas/generated/qa-report.ts";
import { type Beside, Gathered } from "./scale/report.ts";
import { Tally } from "./scale/tally.ts";
import type { Sample } from "./types.ts";

export { qaMarkdown } from "./qa-markdown.ts";

export interface QaInput extends Beside {
  readonly samples: readonly Sample[];
}

/** Measures what came out of generation, or any data set in our form, that is in memory. The report of a file's samples is the same (scale/measure.ts). */
export function measureQuality({ samples, ...beside }: QaInput): QaReport {
  const tally = new Tally(beside.toolset, beside.heldout, noFolder, Number.POSITIVE_INFINITY, {
    ...(beside.plan === undefined ? {} : { cells: true }),
    ...(beside.thinking === undefined ? {} : { thinking: beside.thinking }),
  });
  for (const sample of samples) tally.see(sample);
  const gathered = new Gathered(beside, noFolder, Number.POSITIVE_INFINITY);
  gathered.add(tally.takePart());
  gathered.addRest(tally.takeRest());
  gathered.findDoubles();
  return gathered.report((place) => samples[place]?.id ?? "");
}

const noFolder = (): never => {
  throw new Error("samples in memory are measured in memory");
};
