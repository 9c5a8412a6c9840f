/**
 * What of the held-out cases training has too, beyond what is word for word the same (checks/set-checks.ts): wordings that are near each other
 * with their values blanked, and values of free text. Measured on the finished files alone, with the comparisons that generation keeps the
 * sides apart by (line.ts): of a hosted teacher's data no wording is near. The builtin teacher's is split by frame, and wordings of two frames may be near.
 *
 * The cases are what is kept, so that memory does not grow with the training data; what parts of it have shown is put together by `merge`.
 */
import { readCalls } from "./checks/check.ts";
import { FreeText, type FreeValue, HeldValues } from "./free-text.ts";
import type { EvaluationCase, Sample, Toolset } from "./types.ts";
import { WordingIndex, wordingOfCase, wordingOfSample } from "./wording.ts";

export interface Share {
  /** Null where nothing could be shared. */
  readonly value: number | null;
  readonly numerator: number;
  readonly denominator: number;
}

export interface WordingLeakage {
  /** Held-out cases with a wording that is near one of training's. */
  readonly near_wordings: Share;
  /** Uses of free-text values in due calls of held-out cases, of arguments that have many values, that training has too. */
  readonly shared_values: Share;
}

/** What a part of the training data has shown, a number for each case and each use of a value: not 0 where training has it. */
export interface SeenWordings {
  readonly wordings: Uint8Array<ArrayBuffer>;
  readonly values: Uint8Array<ArrayBuffer>;
}

/** Looks, sample by sample, for wordings and values of the held-out cases. */
export class WordingWatch {
  readonly seen: SeenWordings;
  private readonly freeText: FreeText;
  private readonly cases = new WordingIndex<number>();
  private readonly uses = new Map<string, number[]>();

  constructor(heldout: readonly EvaluationCase[], toolset: Toolset) {
    this.freeText = new FreeText(toolset);
    const due = heldout.map((c) => dueValues(c, this.freeText));
    const held = new HeldValues();
    for (const values of due) held.add(values);
    const judged = due.flat().filter((v) => !held.hasFew(v.argument));
    for (const [at, c] of heldout.entries()) this.cases.add(at, wordingOfCase(c));
    for (const [at, { value }] of judged.entries()) this.uses.set(value, [...(this.uses.get(value) ?? []), at]);
    this.seen = { wordings: new Uint8Array(heldout.length), values: new Uint8Array(judged.length) };
  }

  look(sample: Sample): void {
    const { wordings, values } = this.seen;
    if (wordings.length === 0) return;
    for (const at of this.cases.near(wordingOfSample(sample))) wordings[at] = 1;
    if (values.length === 0) return;
    for (const call of readCalls(sample)) {
      for (const { value } of this.freeText.of(call.name, call.value)) for (const at of this.uses.get(value) ?? []) values[at] = 1;
    }
  }

  /** Takes in what another part of the data has shown. */
  merge(other: SeenWordings): void {
    for (const name of ["wordings", "values"] as const) for (const [i, flag] of other[name].entries()) if (flag !== 0) this.seen[name][i] = 1;
  }

  leakage(): WordingLeakage {
    return { near_wordings: shareOf(this.seen.wordings), shared_values: shareOf(this.seen.values) };
  }
}

/** The same of a set that is all there. */
export function wordingLeakage(samples: readonly Sample[], heldout: readonly EvaluationCase[], toolset: Toolset): WordingLeakage {
  const watch = new WordingWatch(heldout, toolset);
  for (const s of samples) watch.look(s);
  return watch.leakage();
}

/** The values that a case's calls have to have; of several that would do, the first. */
const dueValues = (c: EvaluationCase, freeText: FreeText): FreeValue[] =>
  (c.expect ?? []).flatMap((call) => {
    const said = Object.entries(call.arguments).flatMap(([name, accepted]) => (accepted.includes("") ? [] : [[name, accepted[0]] as const]));
    return freeText.of(call.name, Object.fromEntries(said));
  });

function shareOf(flags: Uint8Array): Share {
  const numerator = flags.reduce((n, flag) => n + flag, 0);
  return { value: flags.length === 0 ? null : numerator / flags.length, numerator, denominator: flags.length };
}
