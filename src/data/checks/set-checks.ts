/** Samples of a data set that say what an earlier one says, exactly or nearly. On the user's words only. */
import { SampleDoubles } from "../sample-doubles.ts";
import type { Sample } from "../types.ts";

export interface Duplicate {
  readonly id: string;
  readonly of: string;
  readonly exact: boolean;
}

/** Samples whose prompt is an earlier one's, or nearly (Jaccard of word 3-grams at the threshold of REFERENCE). */
export function findDuplicates(samples: readonly Sample[]): Duplicate[] {
  const doubles = new SampleDoubles(noFile, Number.POSITIVE_INFINITY);
  for (const s of samples) doubles.add(s);
  doubles.find();
  return samples.flatMap(({ id }, place) => {
    const double = doubles.next(place);
    return double === undefined ? [] : [{ id, of: samples[double.of]?.id ?? "", exact: double.exact }];
  });
}

const noFile = (): never => {
  throw new Error("samples in memory are measured in memory");
};
