/**
 * Finds the samples that say what an earlier one says, or nearly (Jaccard similarity of shingles at least 0.95, REFERENCE), in time that
 * grows with the data and no faster, whatever is in it. An earlier one that is itself a duplicate does not count.
 *
 * Two sets of shingles whose sizes sum to less than 78 are that similar only if they are the same or one is the other and one shingle more: such pairs
 * are looked up by digest, all of them found. Longer ones are in long-sets.ts.
 */
import { NEAR_DUPLICATE } from "../similarity.ts";
import type { Digests } from "./digests.ts";
import { DistinctSets } from "./distinct-sets.ts";
import { LongSets, SMALLEST_LONG } from "./long-sets.ts";
import { type ShingleSets, SMALLEST_KEPT } from "./shingle-sets.ts";
import { mixHigh, mixLow } from "./text.ts";

const NOT_KEPT = 0xffffffff;

/** @param found a sample, the earlier one that it doubles, and whether all words are the same. Called in the samples' order. */
export function eachDuplicate(digests: Digests, sets: ShingleSets, found: (sample: number, of: number, exact: boolean) => void): void {
  const distinct = new DistinctSets(digests);
  const at = placesOf(digests, sets);
  const read = (sample: number): Uint32Array => sets.read(at[sample] as number, digests.size(sample));
  const neighbours = neighboursOf(distinct, digests, read);
  const kept = new Uint32Array(distinct.count).fill(NOT_KEPT);
  const long = new LongSets(read);
  const near: number[] = [];
  for (let s = 0; s < digests.count; s++) {
    const set = distinct.of[s] as number;
    near.length = 0;
    const same = kept[set] as number;
    if (same !== NOT_KEPT) near.push(same);
    for (const other of neighbours(set)) if (kept[other] !== NOT_KEPT) near.push(kept[other] as number);
    const shingles = digests.size(s) >= SMALLEST_LONG ? read(s) : undefined;
    // A set's own like is asked for by number; what else is near only matters where a choice is due.
    if (shingles !== undefined) long.find(shingles, same, near);
    if (near.length > 0) {
      const of = near.length === 1 ? (near[0] as number) : chosen(read(s), near, read);
      found(s, of, digests.sameWords(s, of));
      continue;
    }
    kept[set] = s;
    if (shingles !== undefined) long.add(s, shingles);
  }
}

/** Where the shingles of each sample stand, of those that are kept. */
function placesOf(digests: Digests, sets: ShingleSets): Uint32Array | Float64Array {
  const at = sets.length > 0xffffffff ? new Float64Array(digests.count) : new Uint32Array(digests.count);
  let sum = 0;
  for (let s = 0; s < digests.count; s++) {
    at[s] = sum;
    if (digests.size(s) >= SMALLEST_KEPT) sum += digests.size(s);
  }
  return at;
}

/** Of each set that is not long, the sets that have one shingle more or less: each set of 20 to 38 is looked for without each of its shingles. */
function neighboursOf(distinct: DistinctSets, digests: Digests, read: (sample: number) => Uint32Array): (set: number) => Iterable<number> {
  const pairs = new Pairs(distinct.count);
  const sizes = new Set<number>();
  for (let set = 0; set < distinct.count; set++) sizes.add(digests.size(distinct.first[set] as number));
  for (let set = 0; set < distinct.count; set++) {
    const s = distinct.first[set] as number;
    const size = digests.size(s);
    if (size <= SMALLEST_KEPT || size > SMALLEST_LONG || !sizes.has(size - 1)) continue;
    const low = digests.setLow(s);
    const high = digests.setHigh(s);
    for (const shingle of read(s)) {
      const smaller = distinct.find((low - mixLow(shingle)) >>> 0, (high - mixHigh(shingle)) >>> 0, size - 1);
      if (smaller >= 0) pairs.add(set, smaller);
    }
  }
  return (set) => pairs.of(set);
}

const NONE: readonly number[] = [];

/** Pairs of numbers, found by either; sixteen bytes a pair. */
class Pairs {
  /** Number → its newest entry, plus one. */
  #newest: Uint32Array | undefined;
  /** Two numbers an entry: the entry before it plus one, and the other of the pair. */
  #entries = new Uint32Array(1024);
  #count = 0;

  constructor(private readonly numbers: number) {}

  add(a: number, b: number): void {
    this.#newest ??= new Uint32Array(this.numbers);
    if (this.#entries.length < 2 * this.#count + 4) {
      const more = new Uint32Array(2 * this.#entries.length);
      more.set(this.#entries);
      this.#entries = more;
    }
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#entries[2 * this.#count] = this.#newest[from] as number;
      this.#entries[2 * this.#count + 1] = to;
      this.#newest[from] = ++this.#count;
    }
  }

  of(number: number): Iterable<number> {
    const newest = this.#newest?.[number] ?? 0;
    return newest === 0 ? NONE : this.#list(newest);
  }

  *#list(from: number): Generator<number> {
    for (let entry = from; entry !== 0; entry = this.#entries[2 * entry - 2] as number) yield this.#entries[2 * entry - 1] as number;
  }
}

/**
 * Which of several near ones a sample is said to double: the first that NearIndex comes upon, which goes through the sample's first
 * shingles, and for each through the earlier samples that have it among their first.
 */
function chosen(shingles: Uint32Array, near: readonly number[], read: (sample: number) => Uint32Array): number {
  const first = prefix(shingles);
  const rank = (sample: number): number => {
    const theirs = prefix(read(sample));
    return first.findIndex((shingle) => theirs.includes(shingle));
  };
  const ranked = near.map((sample) => ({ sample, rank: rank(sample) }));
  ranked.sort((a, b) => a.rank - b.rank || a.sample - b.sample);
  return ranked[0]?.sample as number;
}

const prefix = (set: Uint32Array): Uint32Array => set.subarray(0, set.length - Math.ceil(NEAR_DUPLICATE * set.length) + 1);
