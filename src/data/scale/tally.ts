/**
 * Measures samples one after another and keeps what a report needs of them: counts, digests, a few words, no sample. What is said of consecutive samples (a `Part`) is
 * handed on part by part and put together in order by report.ts; what no order matters to (distinct n-grams, how alike samples are, held-out cases seen) once, at the end (`Rest`).
 */
import type { QaReport } from "../../schemas/generated/qa-report.ts";
import { type CheckFailure, sampleChecker } from "../checks/index.ts";
import { type SeenWordings, WordingWatch } from "../leakage.ts";
import { cellOfSample } from "../plan-outcome.ts";
import type { EvaluationCase, Sample, Toolset } from "../types.ts";
import { Alike, type Texts } from "./alike.ts";
import { WIDTH } from "./digests.ts";
import { type Counted, DistinctCounter } from "./distinct.ts";
import { SMALLEST_KEPT } from "./shingle-sets.ts";
import { mixHigh, mixLow, saidIn, TextReader, textDigest } from "./text.ts";
import { HeldoutWatch, type Seen } from "./watch.ts";

/** Most issues that are listed; the totals count all. */
export const LISTED = 200;

export type Issue = QaReport["issues"][number];
export type Counts = readonly (readonly [name: string, samples: number])[];

/** What was measured on consecutive samples. */
export interface Part {
  readonly samples: number;
  readonly invalid: number;
  /** Of these, how many fail a check that counts for the schema pass rate. */
  readonly gated: number;
  readonly simulated: number;
  /** The first ones. */
  readonly failures: readonly Issue[];
  /** In the order in which names appear. */
  readonly byTool: Counts;
  readonly byScenario: Counts;
  readonly byKind: Counts;
  /** By scenario and tool (plan-outcome.ts); only where there is a plan. */
  readonly byCell?: Counts;
  /** See digests.ts and shingle-sets.ts. */
  readonly digests: Uint32Array<ArrayBuffer>;
  readonly shingles: Uint32Array<ArrayBuffer>;
  /** How many words, pairs and triples of words there are. */
  readonly grams: readonly [number, number, number];
  /** Of all samples, where they are wanted. */
  readonly ids?: readonly string[];
}

/** What was measured on all samples, in whatever order. */
export interface Rest {
  readonly distinct: Counted;
  readonly texts: readonly Texts[];
  readonly seen: Seen;
  readonly wordings: SeenWordings;
}

/** Kinds of distinct things: n-grams by their length, frames by their tool. */
export const GRAMS = ["1", "2", "3"] as const;
export const framesOf = (tool: string): string => `frame ${tool}`;

export interface TallyOptions {
  /** Whether parts name all their samples. */
  readonly ids?: boolean;
  /** Whether samples are counted by scenario and tool. */
  readonly cells?: boolean;
  /** Whether the model that is to learn from them thinks aloud; undefined where it is not known. */
  readonly thinking?: boolean;
}

export class Tally {
  readonly #check: (sample: Sample) => CheckFailure | null;
  readonly #watch: HeldoutWatch;
  readonly #wordings: WordingWatch;
  readonly #distinct: DistinctCounter;
  readonly #alike: Alike;
  readonly #reader = new TextReader();
  readonly #grams: readonly [number, number, number];
  #part: OpenPart;
  readonly #options: TallyOptions;

  /** @param folder where files may be put that memory has no room for */
  constructor(toolset: Toolset, heldout: readonly EvaluationCase[], folder: () => string, mostInMemory?: number, options: TallyOptions = {}) {
    this.#options = options;
    this.#part = new OpenPart(options);
    this.#check = sampleChecker(toolset, options.thinking === undefined ? {} : { thinking: options.thinking });
    this.#watch = new HeldoutWatch(heldout);
    this.#wordings = new WordingWatch(heldout, toolset);
    this.#distinct = new DistinctCounter(folder, mostInMemory);
    this.#alike = new Alike(toolset);
    this.#grams = [this.#distinct.kind(GRAMS[0]), this.#distinct.kind(GRAMS[1]), this.#distinct.kind(GRAMS[2])];
  }

  see(sample: Sample): void {
    const part = this.#part;
    const reader = this.#reader;
    part.samples++;
    part.ids?.push(sample.id);
    const failure = this.#check(sample);
    if (failure !== null) {
      part.invalid++;
      if (failure.check.gates) part.gated++;
      if (part.failures.length < LISTED) part.failures.push({ check: failure.check.name, sample: sample.id, message: failure.message });
    }
    if (sample.simulated === true) part.simulated++;
    count(part.byScenario, sample.scenario);
    count(part.byKind, `${sample.scenario}/${sample.kind}`);
    if (part.byCell !== undefined) count(part.byCell, cellOfSample(sample));
    if (sample.tool_name !== null) {
      count(part.byTool, sample.tool_name);
      const { low, high } = textDigest(sample.frame);
      this.#distinct.add(this.#distinct.kind(framesOf(sample.tool_name)), low, high);
    }
    reader.read(saidIn(sample.messages));
    part.words(reader);
    this.#alike.see(sample);
    this.#countGrams();
    this.#watch.look(sample, reader);
    this.#wordings.look(sample);
  }

  #countGrams(): void {
    const { words, wordDigests } = this.#reader;
    const [one, two, three] = this.#grams;
    const [n1, n2, n3] = this.#part.grams;
    this.#part.grams = [n1 + words, n2 + Math.max(0, words - 1), n3 + Math.max(0, words - 2)];
    let low2 = 0;
    let high2 = 0;
    for (let i = 0; i < words; i++) {
      const low = wordDigests[2 * i] as number;
      const high = wordDigests[2 * i + 1] as number;
      this.#distinct.add(one, low, high);
      if (i > 1) this.#distinct.add(three, joinLow(low2, low), joinHigh(high2, high));
      if (i === 0) continue;
      low2 = joinLow(wordDigests[2 * i - 2] as number, low);
      high2 = joinHigh(wordDigests[2 * i - 1] as number, high);
      this.#distinct.add(two, low2, high2);
    }
  }

  /** What was measured since the last call. */
  takePart(): Part {
    const part = this.#part.close();
    this.#part = new OpenPart(this.#options);
    return part;
  }

  takeRest(): Rest {
    return { distinct: this.#distinct.take(), texts: this.#alike.texts(), seen: this.#watch.seen, wordings: this.#wordings.seen };
  }
}

const joinLow = (a: number, b: number): number => mixLow((Math.imul(a, 0x9e3779b1) + b) | 0);
const joinHigh = (a: number, b: number): number => mixHigh((Math.imul(a, 0x85ebca77) + b) | 0);

const count = (table: Map<string, number>, name: string): unknown => table.set(name, (table.get(name) ?? 0) + 1);

class OpenPart {
  samples = 0;
  invalid = 0;
  gated = 0;
  simulated = 0;
  readonly failures: Issue[] = [];
  readonly ids: string[] | undefined;
  readonly byTool = new Map<string, number>();
  readonly byScenario = new Map<string, number>();
  readonly byKind = new Map<string, number>();
  readonly byCell: Map<string, number> | undefined;
  grams: readonly [number, number, number] = [0, 0, 0];
  #digests = new Uint32Array(WIDTH * 1024);
  #shingles = new Uint32Array(4096);
  #shingleCount = 0;

  constructor({ ids, cells }: TallyOptions) {
    this.ids = ids === true ? [] : undefined;
    this.byCell = cells === true ? new Map() : undefined;
  }

  words(reader: TextReader): void {
    const at = WIDTH * (this.samples - 1);
    if (this.#digests.length < at + WIDTH) this.#digests = grown(this.#digests, at + WIDTH);
    reader.digests(this.#digests, at);
    if (reader.size < SMALLEST_KEPT) return;
    const end = this.#shingleCount + reader.size;
    if (this.#shingles.length < end) this.#shingles = grown(this.#shingles, end);
    this.#shingles.set(reader.set.subarray(0, reader.size), this.#shingleCount);
    this.#shingleCount = end;
  }

  close(): Part {
    return {
      samples: this.samples,
      invalid: this.invalid,
      gated: this.gated,
      simulated: this.simulated,
      failures: this.failures,
      byTool: [...this.byTool],
      byScenario: [...this.byScenario],
      byKind: [...this.byKind],
      ...(this.byCell === undefined ? {} : { byCell: [...this.byCell] }),
      digests: this.#digests.slice(0, WIDTH * this.samples),
      shingles: this.#shingles.slice(0, this.#shingleCount),
      grams: this.grams,
      ...(this.ids === undefined ? {} : { ids: this.ids }),
    };
  }
}

const grown = (list: Uint32Array<ArrayBuffer>, needed: number): Uint32Array<ArrayBuffer> => {
  const more = new Uint32Array(Math.max(needed, 2 * list.length));
  more.set(list);
  return more;
};
