/**
 * What a GGUF says of itself, without llama.cpp: single texts of its metadata. The file may come from anywhere, so nothing of it is
 * believed: lengths are checked against what was read, and one that is not understood says nothing.
 *
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** Metadata is looked for in so many bytes at the beginning; the largest part of it is the vocabulary. */
const READ = 32 << 20;
const STRING = 8;
const ARRAY = 9;
/** Bytes of the types of one size, by the format's numbers. */
const SIZES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

/** The text under a metadata key; undefined where the file has none, or is no GGUF. */
export function ggufText(path: string, key: string): string | undefined {
  try {
    return new Reader(beginning(path)).find(key);
  } catch (error) {
    if (error instanceof RangeError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}

function beginning(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(READ);
    return buffer.subarray(0, readSync(file, buffer, 0, READ, 0));
  } finally {
    closeSync(file);
  }
}

/** Reads from the left to the right; a RangeError where the bytes end. */
class Reader {
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  find(key: string): string | undefined {
    const version = this.#text(4) === "GGUF" ? this.#uint32() : 0;
    if (version !== 2 && version !== 3) return undefined;
    this.#uint64(); // tensors
    for (let left = this.#uint64(); left > 0; left--) {
      const name = this.#string();
      const type = this.#uint32();
      if (name === key) return type === STRING ? this.#string() : undefined;
      this.#skip(type);
    }
    return undefined;
  }

  #skip(type: number): void {
    if (type === STRING) this.#move(this.#uint64());
    else if (type !== ARRAY) this.#move(sizeOf(type));
    else {
      const item = this.#uint32();
      const count = this.#uint64();
      if (item === STRING) for (let i = 0; i < count; i++) this.#move(this.#uint64());
      else this.#move(count * sizeOf(item));
    }
  }

  #move(bytes: number): number {
    const from = this.#at;
    if (!(bytes <= this.bytes.length - from)) throw new RangeError("the metadata ends too early");
    this.#at += bytes;
    return from;
  }
  #text(bytes: number): string {
    const from = this.#move(bytes);
    return this.bytes.toString("utf8", from, from + bytes);
  }
  #string(): string {
    return this.#text(this.#uint64());
  }
  #uint32(): number {
    return this.bytes.readUInt32LE(this.#move(4));
  }
  #uint64(): number {
    return Number(this.bytes.readBigUInt64LE(this.#move(8)));
  }
}

function sizeOf(type: number): number {
  const size = SIZES[type];
  if (size === undefined) throw new RangeError(`no type has the number ${type}`);
  return size;
}
