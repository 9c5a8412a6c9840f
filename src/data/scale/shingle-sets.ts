/**
 * The shingles of many samples, one set after another: in memory while they are few, else in a file. Only what may be a near-duplicate of something
 * else than its like is kept (similarity 0.95 between two different sets takes 19 shingles).
 */
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeAll } from "./distinct.ts";

/** Sets of fewer shingles have no near-duplicate but their like. */
export const SMALLEST_KEPT = 19;
/** Shingles that are held in memory; four bytes each. */
const IN_MEMORY = 16_000_000;

export class ShingleSets {
  #parts: { readonly start: number; readonly shingles: Uint32Array }[] = [];
  #length = 0;
  #file: number | undefined;
  #path = "";
  readonly #folder: () => string;
  readonly #limit: number;

  constructor(folder: () => string, limit = IN_MEMORY) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** How many shingles there are. */
  get length(): number {
    return this.#length;
  }

  append(shingles: Uint32Array): void {
    if (shingles.length === 0) return;
    if (this.#file === undefined && this.#length + shingles.length > this.#limit) {
      this.#path = join(this.#folder(), `shingles-${process.pid}-${Math.random().toString(36).slice(2)}`);
      this.#file = openSync(this.#path, "wx+");
      for (const part of this.#parts) writeAll(this.#file, bytesOf(part.shingles));
      this.#parts = [];
    }
    if (this.#file === undefined) this.#parts.push({ start: this.#length, shingles });
    else writeAll(this.#file, bytesOf(shingles));
    this.#length += shingles.length;
  }

  /** So many shingles from a place on. */
  read(at: number, count: number): Uint32Array {
    if (this.#file === undefined) {
      let low = 0;
      for (let high = this.#parts.length - 1; low < high; ) {
        const middle = (low + high + 1) >> 1;
        if ((this.#parts[middle]?.start as number) <= at) low = middle;
        else high = middle - 1;
      }
      const part = this.#parts[low] as { start: number; shingles: Uint32Array };
      return part.shingles.subarray(at - part.start, at - part.start + count);
    }
    const out = new Uint32Array(count);
    const bytes = bytesOf(out);
    for (let n = 0; n < bytes.length; ) {
      const read = readSync(this.#file, bytes, n, bytes.length - n, 4 * at + n);
      if (read === 0) throw new Error(`${this.#path} is shorter than it was written`);
      n += read;
    }
    return out;
  }

  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
    this.#file = undefined;
  }
}

const bytesOf = (list: Uint32Array): Uint8Array => new Uint8Array(list.buffer, list.byteOffset, list.byteLength);
