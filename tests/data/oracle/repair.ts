/** Reading and cleaning a file as it was first made: all of it in memory. What the streaming of src/data/brought.ts must agree with. */
import { sampleChecker } from "../../../src/data/checks/index.ts";
import { findDuplicates } from "../../../src/data/checks/set-checks.ts";
import { importSamples, readBytes } from "../../../src/data/import.ts";
import { sampleMender } from "../../../src/data/repair.ts";
import type { Sample, TakenOut, Toolset } from "../../../src/data/types.ts";

export interface RepairOutcome {
  readonly samples: readonly Sample[];
  readonly repaired: Readonly<Record<string, number>>;
  readonly takenOut: readonly TakenOut[];
}

export function repairSamples(samples: readonly Sample[], toolset: Toolset, lineOf: ReadonlyMap<string, number> = new Map()): RepairOutcome {
  const check = sampleChecker(toolset);
  const mend = sampleMender(toolset);
  const repaired: Record<string, number> = {};
  const takenOut: TakenOut[] = [];
  const out = ({ id }: Sample, check: string, message: string): void => void takenOut.push({ line: lineOf.get(id) ?? null, sample: id, check, message });
  const whole: Sample[] = [];
  for (const sample of samples) {
    const { sample: mended, kinds } = mend(sample);
    const failure = check(mended);
    if (failure !== null && !failure.check.ruleOfThumb) out(sample, failure.check.name, failure.message);
    else {
      for (const kind of kinds) repaired[kind] = (repaired[kind] ?? 0) + 1;
      whole.push({ ...mended, qc_passed: failure === null });
    }
  }
  const doubles = new Map(findDuplicates(whole).map((d) => [d.id, d]));
  const kept = whole.filter((s) => {
    const double = doubles.get(s.id);
    if (double !== undefined) out(s, double.exact ? "duplicate" : "near_duplicate", `says what ${double.of} says`);
    return double === undefined;
  });
  return { samples: kept, repaired, takenOut: takenOut.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) };
}

/** What `bringFile` gives and writes, of a file's bytes. */
export function bringInMemory(bytes: Uint8Array, toolset: Toolset, fix: boolean) {
  const { text, foreign } = readBytes(bytes);
  const read = importSamples(text.replace(/^\ufeff/, ""), fix);
  const mended = fix ? repairSamples(read.samples, toolset, read.lineOf) : { samples: read.samples, repaired: {}, takenOut: [] };
  const unread = read.unreadable.map(({ line, reason, message }): TakenOut => ({ line, sample: null, check: reason, message }));
  const takenOut = [...unread, ...mended.takenOut].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const dropped: Record<string, number> = {};
  for (const { check } of takenOut) dropped[check] = (dropped[check] ?? 0) + 1;
  const kept = new Set(mended.samples.map((s) => read.lineOf.get(s.id)));
  const reread = foreign.filter((line) => kept.has(line)).length;
  return {
    samples: mended.samples,
    takenOut,
    lines: read.lines,
    readable: read.samples.length,
    dropped,
    repaired: sum(sum(mended.repaired, read.repaired), reread === 0 ? {} : { encoding: reread }),
    foreign,
    unreadable: read.unreadable,
  };
}

const sum = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((k) => [k, (a[k] ?? 0) + (b[k] ?? 0)]));
