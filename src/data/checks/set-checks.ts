/** Samples of a data set that say what an earlier one says, exactly or nearly. On the user's words only. */
import { Digests, WIDTH } from "../scale/digests.ts";
import { eachDuplicate } from "../scale/duplicates.ts";
import { ShingleSets, SMALLEST_KEPT } from "../scale/shingle-sets.ts";
import { saidIn, TextReader } from "../scale/text.ts";
import type { Sample } from "../types.ts";

export interface Duplicate {
  readonly id: string;
  readonly of: string;
  readonly exact: boolean;
}

/** Samples whose prompt is an earlier one's, or nearly (Jaccard of word 3-grams at the threshold of REFERENCE). */
export function findDuplicates(samples: readonly Sample[]): Duplicate[] {
  const reader = new TextReader();
  const digests = new Digests();
  const sets = new ShingleSets(noFile, Number.POSITIVE_INFINITY);
  const numbers = new Uint32Array(WIDTH);
  for (const s of samples) {
    reader.read(saidIn(s.messages));
    reader.digests(numbers, 0);
    digests.append(numbers);
    if (reader.size >= SMALLEST_KEPT) sets.append(reader.set.slice(0, reader.size));
  }
  const out: Duplicate[] = [];
  const idOf = (place: number): string => samples[place]?.id ?? "";
  eachDuplicate(digests, sets, (at, of, exact) => out.push({ id: idOf(at), of: idOf(of), exact }));
  return out;
}

const noFile = (): never => {
  throw new Error("samples in memory are measured in memory");
};
