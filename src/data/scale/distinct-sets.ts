/**
 * Numbers the different sets of shingles among samples, and finds a set by its digest: an open-addressed table of four bytes a place, the digests
 * themselves stay where they are. What a place has to spare holds bits of the digest, so that a set that is not there is mostly refused without a look at another.
 */
import type { Digests } from "./digests.ts";

export class DistinctSets {
  /** Sample → number of its set. */
  readonly of: Uint32Array;
  /** Number of a set → the first sample that has it. */
  readonly first: Uint32Array;
  readonly count: number;
  readonly #slots: Uint32Array;
  readonly #mask: number;
  /** Bits of a place that are the set's number plus one. */
  readonly #numbers: number;
  readonly #digests: Digests;

  constructor(digests: Digests) {
    const n = digests.count;
    let places = 16;
    while (places < n * 1.6) places *= 2;
    this.#slots = new Uint32Array(places);
    this.#mask = places - 1;
    this.#numbers = 2 ** Math.ceil(Math.log2(n + 2)) - 1;
    this.#digests = digests;
    this.of = new Uint32Array(n);
    const first = new Uint32Array(n);
    let count = 0;
    for (let s = 0; s < n; s++) {
      const at = this.#place(digests.setLow(s), digests.setHigh(s), digests.size(s), first);
      const there = this.#slots[at] as number;
      if (there !== 0) {
        this.of[s] = (there & this.#numbers) - 1;
        continue;
      }
      first[count] = s;
      this.of[s] = count++;
      this.#slots[at] = (digests.setHigh(s) & ~this.#numbers) | count;
    }
    this.count = count;
    this.first = first.subarray(0, count);
  }

  /** Number of the set with this digest, or -1. */
  find(low: number, high: number, size: number): number {
    return ((this.#slots[this.#place(low, high, size, this.first)] as number) & this.#numbers) - 1;
  }

  /** Where a set stands, or the free place where it would. */
  #place(low: number, high: number, size: number, first: Uint32Array): number {
    const mark = (high & ~this.#numbers) >>> 0;
    for (let at = (low ^ (high << 7)) & this.#mask; ; at = (at + 1) & this.#mask) {
      const there = this.#slots[at] as number;
      if (there === 0) return at;
      if ((there & ~this.#numbers) >>> 0 !== mark) continue;
      const s = first[(there & this.#numbers) - 1] as number;
      if (this.#digests.setLow(s) === low && this.#digests.setHigh(s) === high && this.#digests.size(s) === size) return at;
    }
  }
}
