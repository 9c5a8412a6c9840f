/**
 * How alike the requests about one tool are, judged on a sample of them that does not depend on the order of the data, nor on who measured which part of it: of each tool
 * the texts whose digests are smallest (a bottom-k sketch; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches"), with their wordings (wording.ts) and how
 * often each is said. Memory is bounded: so many texts of so many words for each tool. Whatever is among the smallest of all is among the smallest of its part, so its count is exact.
 */
import { jaccard } from "../similarity.ts";
import type { Sample, Toolset } from "../types.ts";
import { wordingOfSample } from "../wording.ts";
import { mixHigh, mixLow, saidIn, textDigest } from "./text.ts";

/** Texts that are kept of a tool. */
export const KEPT = 64;
/** Different words that are kept of a text, those with the smallest hashes: a request has tens, and memory is not to grow with one that has a million. */
export const MOST_WORDS = 1024;
/** Texts among which each one's nearest is looked for. The more there are, the more wordings a set needs: of 16 that say five wordings nearly each has its twin, of 16 that say fifty few. */
const AMONG = 16;

/** What is kept of the samples about one tool. */
export interface Texts {
  /** "" for samples that call none. */
  readonly tool: string;
  readonly samples: number;
  /** By digest, the smallest first: its two halves, how often the text is said, and how many words its wording has. */
  readonly entries: Uint32Array<ArrayBuffer>;
  /** The wordings one after another, each sorted: hashes of their different words, values blanked. */
  readonly words: Uint32Array<ArrayBuffer>;
}

/** Numbers of an entry. */
export const ENTRY = 4;

interface Kept {
  readonly low: number;
  readonly high: number;
  count: number;
  readonly words: Uint32Array;
}

interface Group {
  samples: number;
  /** By digest, the smallest first. */
  readonly kept: Kept[];
}

export class Alike {
  /** In the toolset's order, "" first: tools that it does not have are not counted, so that strangers' names take no memory. */
  readonly #groups: ReadonlyMap<string, Group>;

  constructor(toolset: Toolset) {
    this.#groups = new Map(["", ...toolset.tools.map((t) => t.name)].map((tool) => [tool, { samples: 0, kept: [] }]));
  }

  see(sample: Sample): void {
    const group = this.#groups.get(sample.tool_name ?? "");
    if (group === undefined) return;
    group.samples++;
    const { low, high } = digestOf(sample);
    const last = group.kept[KEPT - 1];
    if (last !== undefined && compare(last, low, high) < 0) return;
    keep(group, low, high, 1, () => wordingOfSample(sample).blanked.slice(0, MOST_WORDS));
  }

  /** Takes in what another has kept of a tool. */
  merge({ tool, samples, entries, words }: Texts): void {
    const group = this.#groups.get(tool);
    if (group === undefined) return;
    group.samples += samples;
    let at = 0;
    for (let i = 0; i < entries.length; i += ENTRY) {
      const [low = 0, high = 0, count = 0, size = 0] = entries.subarray(i, i + ENTRY);
      const own = words.subarray(at, at + size);
      keep(group, low, high, count, () => own.slice());
      at += size;
    }
  }

  /** What was kept, of tools that have samples. */
  texts(): Texts[] {
    return [...this.#groups].flatMap(([tool, { samples, kept }]) => {
      if (samples === 0) return [];
      const words = new Uint32Array(kept.reduce((sum, k) => sum + k.words.length, 0));
      let at = 0;
      for (const k of kept) {
        words.set(k.words, at);
        at += k.words.length;
      }
      return [{ tool, samples, entries: Uint32Array.from(kept.flatMap((k) => [k.low, k.high, k.count, k.words.length])), words }];
    });
  }

  /** Samples that have another about the same tool before them. */
  get others(): number {
    return [...this.#groups.values()].reduce((sum, { samples }) => sum + Math.max(0, samples - 1), 0);
  }

  /** How alike the samples about the same tool are, 0 to 1 (see `nearest`): the mean over the tools, each by its samples; 0 where no tool has two. */
  similarity(): number {
    let sum = 0;
    let n = 0;
    for (const group of this.#groups.values()) {
      if (group.samples < 2) continue;
      sum += nearest(group) * group.samples;
      n += group.samples;
    }
    return n === 0 ? 0 : sum / n;
  }

  /** The same of each tool that has two samples. */
  byTool(): Map<string, number> {
    return new Map([...this.#groups].flatMap(([tool, group]) => (tool === "" || group.samples < 2 ? [] : [[tool, nearest(group)]])));
  }
}

/**
 * How like a text is to the one most like it among `AMONG` about the tool, on average. A text that is said several times is as like as can be, with the chance that it is among
 * the others. Where all of a tool's texts are kept each counts as often as it is said; else each once, as a few that happen to be kept must not tip the scales.
 */
function nearest({ samples, kept }: Group): number {
  const groups = Math.max(1, Math.floor(kept.length / AMONG));
  const whole = kept.length < KEPT;
  let sum = 0;
  let weights = 0;
  for (const [i, text] of kept.entries()) {
    let best = 0;
    for (let j = i % groups; j < kept.length; j += groups) if (j !== i) best = Math.max(best, jaccard(text.words, (kept[j] as Kept).words));
    const again = 1 - (1 - (text.count - 1) / (samples - 1)) ** (AMONG - 1);
    const weight = whole ? text.count : 1;
    sum += weight * (again + (1 - again) * best);
    weights += weight;
  }
  return sum / weights;
}

/** Of what the wording is made of: what users say, and the calls' arguments. */
export function digestOf({ messages }: Pick<Sample, "messages">): { readonly low: number; readonly high: number } {
  let { low, high } = textDigest(saidIn(messages));
  for (const m of messages) {
    if (m.role !== "assistant" || !m.tool_calls) continue;
    for (const call of m.tool_calls) {
      const args = textDigest(call.function.arguments);
      low = mixLow((Math.imul(low, 0x9e3779b1) + args.low) | 0);
      high = mixHigh((Math.imul(high, 0x85ebca77) + args.high) | 0);
    }
  }
  return { low, high };
}

/** Before, the same, or behind. */
const compare = (kept: Kept, low: number, high: number): number => kept.low - low || kept.high - high;

function keep(group: Group, low: number, high: number, count: number, words: () => Uint32Array): void {
  const { kept } = group;
  let at = kept.length;
  while (at > 0 && compare(kept[at - 1] as Kept, low, high) > 0) at--;
  const there = kept[at - 1];
  if (there !== undefined && compare(there, low, high) === 0) {
    there.count += count;
    return;
  }
  if (at >= KEPT) return;
  kept.splice(at, 0, { low, high, count, words: words() });
  if (kept.length > KEPT) kept.pop();
}
