/**
 * Counts distinct things of several kinds by their 64-bit digests: exactly, but for one chance in a million that a set of ten million has two
 * that share a digest. What does not fit into the table goes to files, by digest, and is counted file by file: memory stays the same however many there are.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Three numbers an entry: the two halves of the digest, and the kind plus one (0: nothing there). */
export const DISTINCT_WIDTH = 3;
const WIDTH = DISTINCT_WIDTH;
/** Files are counted in so many turns. */
const TURNS = 64;
/** A table of so many entries takes 50 MB. */
export const MOST_IN_MEMORY = 2_000_000;

/** Entries in a file, those of each turn together. */
export interface Spilled {
  readonly path: string;
  /** Where each turn's entries begin, in entries; one more for the end. */
  readonly starts: readonly number[];
  /** What each kind of these entries is called. */
  readonly kinds: readonly string[];
}

/** What a counter hands on: to another counter, or over to another thread. */
export interface Counted {
  /** Entries in no order, without holes. */
  readonly entries: Uint32Array<ArrayBuffer>;
  readonly kinds: readonly string[];
  readonly spilled: readonly Spilled[];
}

export class DistinctCounter {
  #slots = new Uint32Array(WIDTH * 1024);
  #size = 0;
  readonly #spilled: Spilled[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #limit: number;
  readonly #folder: () => string;

  /** @param folder where files may be put; it is asked for only when they are needed. */
  constructor(folder: () => string, limit = MOST_IN_MEMORY) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** The number that a kind has here. */
  kind(name: string): number {
    const found = this.#kinds.get(name);
    if (found !== undefined) return found;
    this.#kinds.set(name, this.#kinds.size);
    return this.#kinds.size - 1;
  }

  add(kind: number, low: number, high: number): void {
    if (!put(this.#slots, kind + 1, low, high)) return;
    this.#size++;
    if (this.#size * WIDTH * 2 <= this.#slots.length) return;
    if (this.#size >= this.#limit) this.#spill();
    else this.#slots = rehashed(this.#slots);
  }

  /** Takes in what another has counted. */
  merge(other: Counted): void {
    const kinds = other.kinds.map((name) => this.kind(name));
    for (let i = 0; i < other.entries.length; i += WIDTH)
      this.add(kinds[(other.entries[i + 2] as number) - 1] as number, other.entries[i] as number, other.entries[i + 1] as number);
    this.#spilled.push(...other.spilled);
  }

  /** What was counted, for another to take in; this one is empty then. */
  take(): Counted {
    const entries = dense(this.#slots, this.#size);
    this.#slots = new Uint32Array(WIDTH * 1024);
    this.#size = 0;
    return { entries, kinds: [...this.#kinds.keys()], spilled: this.#spilled.splice(0) };
  }

  /** How many distinct ones there are of each kind. Files that were written are gone then, and the counter is empty. */
  counts(): Map<string, number> {
    const names = [...this.#kinds.keys()];
    const sums = new Map<string, number>(names.map((name) => [name, 0]));
    const sum = (slots: Uint32Array): void => {
      for (let i = 2; i < slots.length; i += WIDTH) {
        const kind = slots[i] as number;
        if (kind > 0) sums.set(names[kind - 1] as string, (sums.get(names[kind - 1] as string) as number) + 1);
      }
    };
    if (this.#spilled.length === 0) sum(this.#slots);
    else {
      this.#spill();
      const files = this.#spilled.splice(0);
      for (const { kinds } of files) for (const name of kinds) if (this.kind(name) === names.length) names.push(name) && sums.set(name, 0);
      for (let turn = 0; turn < TURNS; turn++) sum(this.#turn(files, turn));
      for (const { path } of files) rmSync(path, { force: true });
    }
    this.#slots = new Uint32Array(WIDTH * 1024);
    this.#size = 0;
    return sums;
  }

  #turn(files: readonly Spilled[], turn: number): Uint32Array {
    let slots = new Uint32Array(WIDTH * 1024);
    let size = 0;
    for (const { path, starts, kinds } of files) {
      const own = kinds.map((name) => this.kind(name) + 1);
      const entries = readEntries(path, starts[turn] as number, starts[turn + 1] as number);
      for (let i = 0; i < entries.length; i += WIDTH)
        if (put(slots, own[(entries[i + 2] as number) - 1] as number, entries[i] as number, entries[i + 1] as number)) {
          size++;
          if (size * WIDTH * 2 > slots.length) slots = rehashed(slots);
        }
    }
    return slots;
  }

  #spill(): void {
    if (this.#size === 0) return;
    const entries = dense(this.#slots, this.#size);
    const starts = new Array<number>(TURNS + 1).fill(0);
    for (let i = 1; i < entries.length; i += WIDTH) starts[turnOf(entries[i] as number) + 1] = (starts[turnOf(entries[i] as number) + 1] as number) + 1;
    for (let t = 0; t < TURNS; t++) starts[t + 1] = (starts[t + 1] as number) + (starts[t] as number);
    const next = [...starts];
    const sorted = new Uint32Array(entries.length);
    for (let i = 0; i < entries.length; i += WIDTH) {
      const turn = turnOf(entries[i + 1] as number);
      const at = WIDTH * (next[turn] as number);
      next[turn] = (next[turn] as number) + 1;
      sorted[at] = entries[i] as number;
      sorted[at + 1] = entries[i + 1] as number;
      sorted[at + 2] = entries[i + 2] as number;
    }
    const path = join(this.#folder(), `distinct-${process.pid}-${spills++}-${Math.random().toString(36).slice(2)}`);
    const file = openSync(path, "wx");
    try {
      writeAll(file, new Uint8Array(sorted.buffer));
    } finally {
      closeSync(file);
    }
    this.#spilled.push({ path, starts, kinds: [...this.#kinds.keys()] });
    this.#slots.fill(0);
    this.#size = 0;
  }
}

let spills = 0;

const turnOf = (high: number): number => high >>> 26;

/** Whether it was not there yet. */
function put(slots: Uint32Array, kind: number, low: number, high: number): boolean {
  const places = slots.length / WIDTH;
  for (let at = (low ^ kind) & (places - 1); ; at = (at + 1) & (places - 1)) {
    const i = at * WIDTH;
    const there = slots[i + 2] as number;
    if (there === 0) {
      slots[i] = low;
      slots[i + 1] = high;
      slots[i + 2] = kind;
      return true;
    }
    if (slots[i] === low && slots[i + 1] === high && there === kind) return false;
  }
}

function rehashed(slots: Uint32Array): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(2 * slots.length);
  for (let i = 0; i < slots.length; i += WIDTH) if (slots[i + 2] !== 0) put(more, slots[i + 2] as number, slots[i] as number, slots[i + 1] as number);
  return more;
}

function dense(slots: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(WIDTH * size);
  let n = 0;
  for (let i = 0; i < slots.length; i += WIDTH) {
    if (slots[i + 2] === 0) continue;
    out[n++] = slots[i] as number;
    out[n++] = slots[i + 1] as number;
    out[n++] = slots[i + 2] as number;
  }
  return out;
}

export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
}

function readEntries(path: string, from: number, to: number): Uint32Array {
  const entries = new Uint32Array(WIDTH * (to - from));
  const bytes = new Uint8Array(entries.buffer);
  const file = openSync(path, "r");
  try {
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(file, bytes, at, bytes.length - at, 4 * WIDTH * from + at);
      if (read === 0) throw new Error(`${path} is shorter than it was written`);
      at += read;
    }
  } finally {
    closeSync(file);
  }
  return entries;
}
