/**
 * Near-duplicates among long texts (38 shingles and more). Two that are similar differ in few shingles: of all shingles, divided by their value into one part more than that,
 * one part is the same in both, and is what they are found by. From 304 shingles on the parts are 16 groups of four minima (MinHash; Broder
 * 1997): of pairs at the threshold one in 10^11 shares no group.
 * Guarantees: what it gives is near; a new text is compared with at most `MOST` earlier ones a part, the newest, so that none is missed among few, and many that have a
 * part in common cost no more than few.
 */
import { jaccard, NEAR_DUPLICATE } from "../similarity.ts";
import { mixHigh, mixLow } from "./text.ts";

export const SMALLEST_LONG = 38;
/** Of sizes from 38 on, doubled class by class: how many parts a class has, one more than the shingles in which near ones of it may differ. */
const PARTS = [4, 8, 16];
const MINIMA = 4;
const GROUPS = 16;
/** Earlier texts that one is compared with, a part. */
export const MOST = 256;

const classOf = (size: number): number => Math.min(PARTS.length, Math.floor(Math.log2(size / SMALLEST_LONG)));

export class LongSets {
  /** Part → its newest entry, plus one; a table of two numbers a place. */
  #table = new Uint32Array(2 * 1024);
  #keys = 0;
  /** Two numbers an entry: the entry before it plus one, and the text. */
  #entries = new Uint32Array(2 * 1024);
  #entryCount = 0;
  /** Four numbers a text: its sample, its size, and a sketch of 64 bits. */
  #texts = new Uint32Array(4 * 256);
  #textCount = 0;
  /** The last text that was looked at, by the query that did. */
  #seen = new Uint32Array(256);
  #queries = 0;
  readonly #read: (sample: number) => Uint32Array;

  /** @param read the shingles of a sample that was added */
  constructor(read: (sample: number) => Uint32Array) {
    this.#read = read;
  }

  /** Puts the samples that a set is near to into `into`, without the one that is known already. */
  find(set: Uint32Array, known: number, into: number[]): void {
    const query = ++this.#queries;
    const [low, high] = sketch(set);
    for (const key of keysOf(set)) {
      let entry = this.#table[2 * this.#place(key) + 1] as number;
      for (let n = 0; entry !== 0 && n < MOST; n++) {
        const text = this.#entries[2 * entry - 1] as number;
        entry = this.#entries[2 * entry - 2] as number;
        if (this.#seen[text] === query) continue;
        this.#seen[text] = query;
        const size = this.#texts[4 * text + 1] as number;
        const most = Math.floor(((1 - NEAR_DUPLICATE) / (1 + NEAR_DUPLICATE)) * (size + set.length) + 1e-9);
        // Every shingle turns one bit of a sketch: sets do not differ in fewer than their sketches do.
        const apart = bits(low ^ (this.#texts[4 * text + 2] as number)) + bits(high ^ (this.#texts[4 * text + 3] as number));
        if (apart > most || Math.abs(size - set.length) > most) continue;
        const sample = this.#texts[4 * text] as number;
        if (sample !== known && jaccard(set, this.#read(sample)) >= NEAR_DUPLICATE) into.push(sample);
      }
    }
  }

  add(sample: number, set: Uint32Array): void {
    const text = this.#textCount++;
    if (this.#texts.length < 4 * this.#textCount) this.#texts = grown(this.#texts);
    if (this.#seen.length < this.#textCount) this.#seen = grown(this.#seen);
    const [low, high] = sketch(set);
    this.#texts.set([sample, set.length, low >>> 0, high >>> 0], 4 * text);
    for (const key of keysOf(set)) {
      const place = this.#place(key);
      if (this.#table[2 * place + 1] === 0) this.#keys++;
      if (this.#entries.length < 2 * this.#entryCount + 2) this.#entries = grown(this.#entries);
      this.#entries[2 * this.#entryCount] = this.#table[2 * place + 1] as number;
      this.#entries[2 * this.#entryCount + 1] = text;
      this.#table[2 * place] = key;
      this.#table[2 * place + 1] = ++this.#entryCount;
      if (this.#keys * 4 > this.#table.length) this.#rehash();
    }
  }

  #place(key: number): number {
    const mask = this.#table.length / 2 - 1;
    let at = key & mask;
    while (this.#table[2 * at + 1] !== 0 && this.#table[2 * at] !== key) at = (at + 1) & mask;
    return at;
  }

  #rehash(): void {
    const old = this.#table;
    this.#table = new Uint32Array(2 * old.length);
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === 0) continue;
      const at = this.#place(old[i] as number);
      this.#table[2 * at] = old[i] as number;
      this.#table[2 * at + 1] = old[i + 1] as number;
    }
  }
}

/** What a set is found by. A near one may be of the next class: a set that is near its end has that one's parts too. */
function keysOf(set: Uint32Array): Uint32Array {
  const own = classOf(set.length);
  const next = classOf(Math.floor(set.length / NEAR_DUPLICATE + 1e-9));
  const first = partsOf(set, own);
  if (next === own) return first;
  const second = partsOf(set, next);
  const both = new Uint32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function partsOf(set: Uint32Array, sizes: number): Uint32Array {
  const parts = PARTS[sizes];
  if (parts === undefined) return minima(set);
  const sums = new Uint32Array(parts);
  for (const shingle of set) {
    const mixed = mixLow(shingle);
    const part = mixed >>> (32 - Math.log2(parts));
    sums[part] = ((sums[part] as number) + mixHigh(shingle)) >>> 0;
  }
  for (let p = 0; p < parts; p++) sums[p] = mixLow((sums[p] as number) ^ Math.imul(sizes * 64 + p + 1, 0x9e3779b1));
  return sums;
}

/** The least of each of 64 parts, four to a group. */
function minima(set: Uint32Array): Uint32Array {
  const least = new Uint32Array(GROUPS * MINIMA).fill(0xffffffff);
  for (const shingle of set) {
    const mixed = mixLow(shingle);
    const part = mixed >>> 26;
    const value = mixHigh(shingle);
    if (value < (least[part] as number)) least[part] = value;
  }
  const groups = new Uint32Array(GROUPS);
  for (let g = 0; g < GROUPS; g++) {
    let h = Math.imul(1024 + g, 0x9e3779b1);
    for (let i = 0; i < MINIMA; i++) h = mixLow(Math.imul(h, 31) ^ (least[g * MINIMA + i] as number));
    groups[g] = h;
  }
  return groups;
}

function sketch(set: Uint32Array): readonly [number, number] {
  let low = 0;
  let high = 0;
  for (const shingle of set) {
    const bit = mixHigh(shingle) >>> 26;
    if (bit < 32) low ^= 1 << bit;
    else high ^= 1 << (bit - 32);
  }
  return [low, high];
}

function bits(x: number): number {
  let v = x - ((x >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const grown = (list: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
  const more = new Uint32Array(2 * list.length);
  more.set(list);
  return more;
};
