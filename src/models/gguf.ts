/**
 * What a GGUF says of itself, without llama.cpp: single texts of its metadata, and where its last tensor ends. The file may come from
 * anywhere, so nothing of it is believed: lengths are checked against what was read, and one that is not understood says nothing.
 *
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

/** Metadata and the list of tensors are looked for in so many bytes at the beginning; the largest part of it is the vocabulary. */
const READ = 32 << 20;
const UINT32 = 4;
const STRING = 8;
const ARRAY = 9;
/** Bytes of the types of one size, by the format's numbers. */
const SIZES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

/**
 * Elements and bytes of a block of a tensor, by ggml's numbers of types (`type_traits` in ggml.c). Of one that is not listed only the
 * beginning is looked for.
 */
const BLOCKS: Readonly<Record<number, readonly [elements: number, bytes: number]>> = {
  ...{ 0: [1, 4], 1: [1, 2], 24: [1, 1], 25: [1, 2], 26: [1, 4], 27: [1, 8], 28: [1, 8], 30: [1, 2] },
  ...{ 2: [32, 18], 3: [32, 20], 6: [32, 22], 7: [32, 24], 8: [32, 34], 9: [32, 36], 20: [32, 18] },
  ...{ 10: [256, 84], 11: [256, 110], 12: [256, 144], 13: [256, 176], 14: [256, 210], 15: [256, 292] },
  ...{ 16: [256, 66], 17: [256, 74], 18: [256, 98], 19: [256, 50], 21: [256, 110], 22: [256, 82], 23: [256, 136], 29: [256, 56] },
  ...{ 34: [256, 54], 35: [256, 66], 39: [32, 17], 40: [64, 36], 41: [128, 18], 42: [64, 18] },
};
/** Where tensors begin, unless the metadata has another number: at multiples of so many bytes. */
const ALIGNMENT = 32;

/** The text under a metadata key; undefined where the file has none, or is no GGUF. */
export function ggufText(path: string, key: string): string | undefined {
  try {
    return new Reader(beginning(path)).find(key);
  } catch (error) {
    if (error instanceof RangeError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}

/** A value of a GGUF's metadata; lists as far as `MOST_ITEMS`. */
export type GgufValue = string | number | boolean | readonly GgufValue[];

export interface GgufHeader {
  /** The keys that were asked for and are there. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly { readonly name: string; readonly elements: number; readonly type: number }[];
}

/** A list of a metadata value: how long it is, and what it begins with. */
export interface GgufList {
  readonly count: number;
  readonly first: readonly (string | number | boolean)[];
}

export interface GgufTensor {
  readonly name: string;
  readonly elements: number;
  /** ggml's number of the type. */
  readonly type: number;
  /** Undefined where the type is not known. */
  readonly bytes?: number;
}

/** A whole file, as far as it can be told without its weights. */
export interface GgufContents {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, string | number | boolean | GgufList>;
  readonly tensors: readonly GgufTensor[];
  /** The token texts under these places of the vocabulary, where it has them. */
  readonly tokens: ReadonlyMap<number, string>;
}

/** Everything that a GGUF says of itself, its long lists as their lengths; a text where it cannot be read, which says why. */
export function ggufContents(path: string): GgufContents | string {
  const { size } = statSync(path);
  // A file of hundreds of languages' tokens may have a large head; nothing that lies is read further than the second.
  for (const most of [READ, MOST_READ]) {
    try {
      return new Reader(beginning(path, most)).contents();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (size > most && most < MOST_READ && !(error instanceof Nonsense) && !(error instanceof UnknownType)) continue;
      return error instanceof Nonsense || error instanceof UnknownType ? error.message : `it ends within its metadata or its list of tensors, at byte ${size}`;
    }
  }
  return `its metadata is longer than ${MOST_READ >> 20} MiB`;
}

const MOST_READ = 256 << 20;
const MOST_KEYS = 1 << 16;
/** Of a list so many values are kept. */
const KEPT_ITEMS = 512;
const MOST_DIMENSIONS = 4;

/** A vocabulary has some hundred thousand. */
const MOST_ITEMS = 1 << 20;
const MOST_TENSORS = 1 << 16;

/** What a GGUF says of itself; undefined where it is none, or not understood. */
export function ggufHeader(path: string, keys: ReadonlySet<string>): GgufHeader | undefined {
  try {
    return new Reader(beginning(path)).header(keys);
  } catch (error) {
    if (error instanceof RangeError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}

/** What is missing of a GGUF that ends before its last tensor does; undefined where nothing is, or where it is not understood. */
export function truncatedGguf(path: string): string | undefined {
  const { size } = statSync(path);
  const bytes = beginning(path);
  try {
    const end = new Reader(bytes).end();
    return end === undefined || size >= end ? undefined : `its tensors end at byte ${end}, and it has ${size}`;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // Of a larger file only the beginning was read.
    return size > bytes.length || error instanceof UnknownType ? undefined : "it ends within its metadata";
  }
}

function beginning(path: string, most = READ): Buffer {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(Math.min(most, fstatSync(file).size));
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(file);
  }
}

class UnknownType extends RangeError {}
/** What can be in no file. */
class Nonsense extends RangeError {}

/** Reads from the left to the right; a RangeError where the bytes end. */
class Reader {
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  find(key: string): string | undefined {
    if (!this.#known()) return undefined;
    this.#uint64(); // tensors
    for (let left = this.#uint64(); left > 0; left--) {
      const name = this.#string();
      const type = this.#uint32();
      if (name === key) return type === STRING ? this.#string() : undefined;
      this.#skip(type);
    }
    return undefined;
  }

  /** The byte at which the last tensor ends; undefined where the file is of no version that is known. */
  end(): number | undefined {
    if (!this.#known()) return undefined;
    const tensors = this.#uint64();
    let alignment = ALIGNMENT;
    for (let left = this.#uint64(); left > 0; left--) {
      const name = this.#string();
      const type = this.#uint32();
      if (name === "general.alignment" && type === UINT32) alignment = Math.max(1, this.#uint32());
      else this.#skip(type);
    }
    let data = 0;
    for (let left = tensors; left > 0; left--) {
      this.#string();
      let elements = 1;
      for (let dimensions = this.#uint32(); dimensions > 0; dimensions--) elements *= this.#uint64();
      const [inBlock, bytes] = BLOCKS[this.#uint32()] ?? [1, 0];
      data = Math.max(data, this.#uint64() + (elements / inBlock) * bytes);
    }
    return Math.ceil(this.#at / alignment) * alignment + data;
  }

  header(keys: ReadonlySet<string>): GgufHeader | undefined {
    if (!this.#known()) return undefined;
    const count = this.#uint64();
    if (count > MOST_TENSORS) throw new RangeError("too many tensors");
    const metadata = new Map<string, GgufValue>();
    for (let left = this.#uint64(); left > 0; left--) {
      const name = this.#string();
      const type = this.#uint32();
      if (keys.has(name)) metadata.set(name, this.#value(type));
      else this.#skip(type);
    }
    const tensors = [];
    for (let left = count; left > 0; left--) {
      const name = this.#string();
      let elements = 1;
      for (let dimensions = this.#uint32(); dimensions > 0; dimensions--) elements *= this.#uint64();
      const type = this.#uint32();
      this.#uint64();
      tensors.push({ name, elements, type });
    }
    return { metadata, tensors };
  }

  contents(): GgufContents {
    if (this.#text(4) !== "GGUF") throw new Nonsense("it does not begin as a GGUF does");
    const version = this.#uint32();
    if (version !== 2 && version !== 3) throw new Nonsense(`it is a GGUF of version ${version}, and only 2 and 3 can be read`);
    const count = this.#uint64();
    const keys = this.#uint64();
    if (count > MOST_TENSORS || keys > MOST_KEYS) throw new Nonsense(`it says that it has ${count} tensors and ${keys} keys, which no model has`);
    const metadata = new Map<string, string | number | boolean | GgufList>();
    let vocabulary: number | undefined;
    for (let left = keys; left > 0; left--) {
      const name = this.#string();
      const type = this.#uint32();
      const at = this.#at;
      if (type === ARRAY) metadata.set(name, this.#list());
      else metadata.set(name, this.#value(type) as string | number | boolean);
      if (name === "tokenizer.ggml.tokens" && type === ARRAY) vocabulary = at;
    }
    const tensors: GgufTensor[] = [];
    for (let left = count; left > 0; left--) {
      const name = this.#string();
      const dimensions = this.#uint32();
      if (dimensions > MOST_DIMENSIONS) throw new Nonsense(`the tensor ${tensors.length + 1} has ${dimensions} dimensions, which none has`);
      let elements = 1;
      for (let i = 0; i < dimensions; i++) elements *= this.#uint64();
      if (!Number.isSafeInteger(elements)) throw new Nonsense(`the tensor ${tensors.length + 1} is larger than any can be`);
      const type = this.#uint32();
      this.#uint64();
      const block = BLOCKS[type];
      tensors.push({ name, elements, type, ...(block === undefined ? {} : { bytes: (elements / block[0]) * block[1] }) });
    }
    return { version, metadata, tensors, tokens: this.#tokens(vocabulary, metadata) };
  }

  /** The texts of the control tokens that the metadata names by number. */
  #tokens(at: number | undefined, metadata: GgufContents["metadata"]): Map<number, string> {
    const wanted = new Set([...metadata].flatMap(([key, value]) => (/^tokenizer\.ggml\.\w+_token_id$/.test(key) && typeof value === "number" ? [value] : [])));
    const found = new Map<number, string>();
    if (at === undefined || wanted.size === 0) return found;
    this.#at = at;
    if (this.#uint32() !== STRING) return found;
    const last = Math.min(this.#uint64() - 1, Math.max(...wanted));
    for (let i = 0; i <= last; i++) {
      if (wanted.has(i)) found.set(i, this.#string());
      else this.#move(this.#uint64());
    }
    return found;
  }

  #list(): GgufList {
    const item = this.#uint32();
    const count = this.#uint64();
    if (item === ARRAY) throw new Nonsense("it has a list of lists, which no model has");
    const first: GgufList["first"][number][] = [];
    for (let i = 0; i < Math.min(count, KEPT_ITEMS); i++) first.push(this.#value(item) as string | number | boolean);
    const left = count - first.length;
    if (item !== STRING) this.#move(left * sizeOf(item));
    else for (let i = 0; i < left; i++) this.#move(this.#uint64());
    return { count, first };
  }

  #value(type: number): GgufValue {
    if (type === STRING) return this.#string();
    if (type === ARRAY) {
      const item = this.#uint32();
      const count = this.#uint64();
      if (count > MOST_ITEMS) throw new RangeError("too many values");
      return Array.from({ length: count }, () => this.#value(item));
    }
    const at = this.#move(sizeOf(type));
    switch (type) {
      case 0:
        return this.bytes.readUInt8(at);
      case 1:
        return this.bytes.readInt8(at);
      case 2:
        return this.bytes.readUInt16LE(at);
      case 3:
        return this.bytes.readInt16LE(at);
      case 4:
        return this.bytes.readUInt32LE(at);
      case 5:
        return this.bytes.readInt32LE(at);
      case 6:
        return this.bytes.readFloatLE(at);
      case 7:
        return this.bytes.readUInt8(at) !== 0;
      case 10:
        return Number(this.bytes.readBigUInt64LE(at));
      case 11:
        return Number(this.bytes.readBigInt64LE(at));
      default:
        return this.bytes.readDoubleLE(at);
    }
  }

  #known(): boolean {
    const version = this.#text(4) === "GGUF" ? this.#uint32() : 0;
    return version === 2 || version === 3;
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
  if (size === undefined) throw new UnknownType(`no type has the number ${type}`);
  return size;
}
