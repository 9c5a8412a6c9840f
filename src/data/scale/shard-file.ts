/**
 * The file of a share of a data set that was measured somewhere (`forge qa --shard`): a line of JSON (schemas/qa-shard.schema.json), behind it the numbers that it
 * announces, and so on; at its end the digest of all before. Written and read piece by piece, with a part's room in memory at a time.
 *
 * Whoever reads one has it from another machine: what does not fit together is an error (`ShardError`), and nothing is believed of sizes before it is seen.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import type { ShardDistinct, ShardHead, ShardPart, ShardRecord, ShardSeen, ShardTexts } from "../../schemas/generated/qa-shard.ts";
import { validate as isRecord } from "../../schemas/generated/qa-shard.validate.js";
import { ENTRY, type Texts } from "./alike.ts";
import { WIDTH } from "./digests.ts";
import { type Counted, DISTINCT_WIDTH } from "./distinct.ts";
import { SMALLEST_KEPT } from "./shingle-sets.ts";
import type { Counts, Part, Rest } from "./tally.ts";

/** What is wrong with a file of a share, without its name. */
export class ShardError extends Error {}

/** Bytes that are written or read at a time. */
const CHUNK = 1 << 20;
/** Longest line of JSON: ids of a part, the most of it, are those of a range of the data. */
const LONGEST_LINE = 256 << 20;
const NEWLINE = 10;
const END = "end";

export class ShardWriter {
  readonly #file: number;
  readonly #hash = createHash("sha256");

  /** Throws the file system's error; so do the others. */
  constructor(path: string, head: Omit<ShardHead, "record">) {
    this.#file = openSync(path, "w");
    this.#record({ record: "head", ...head });
  }

  /** Lines that are no conversation, as JSON lines, each of them whole. */
  left(lines: Uint8Array): void {
    this.#record({ record: "left", bytes: [lines.length] }, lines);
  }

  /** @param part with ids */
  part({ digests, shingles, ids, byCell: _, ...rest }: Part): void {
    const blobs = [bytesOf(digests), bytesOf(shingles)];
    const { failures, byTool, byScenario, byKind, grams, ...counts } = rest;
    this.#record(
      {
        record: "part",
        bytes: blobs.map((b) => b.length),
        ...counts,
        failures: failures.map(({ check, sample, message }) => ({ check, sample: sample ?? "", message })),
        byTool: named(byTool),
        byScenario: named(byScenario),
        byKind: named(byKind),
        grams: [...grams],
        ids: [...(ids ?? [])],
      },
      ...blobs,
    );
  }

  rest({ distinct, texts, seen, wordings }: Rest): void {
    this.#distinct(distinct.entries, distinct.kinds);
    for (const { path, kinds } of distinct.spilled) for (const piece of piecesOf(path)) this.#distinct(piece, kinds);
    for (const { tool, samples, entries, words } of texts) {
      const blobs = [bytesOf(entries), bytesOf(words)];
      this.#record({ record: "texts", bytes: blobs.map((b) => b.length), tool, samples }, ...blobs);
    }
    const blobs = [seen.frames, seen.prompts, seen.near, seen.calls, wordings.wordings, wordings.values];
    this.#record({ record: "seen", bytes: blobs.map((b) => b.length) }, ...blobs);
  }

  /** Ends the file. */
  close(): void {
    this.#record({ record: END, sha256: this.#hash.copy().digest("hex") });
    closeSync(this.#file);
  }

  /** Gives up: the file is not whole. */
  abandon(): void {
    closeSync(this.#file);
  }

  #distinct(entries: Uint32Array, kinds: readonly string[]): void {
    const blob = bytesOf(entries);
    this.#record({ record: "distinct", bytes: [blob.length], kinds: [...kinds] }, blob);
  }

  #record(record: ShardRecord, ...blobs: readonly Uint8Array[]): void {
    for (const bytes of [Buffer.from(`${JSON.stringify(record)}\n`), ...blobs]) {
      this.#hash.update(bytes);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at, bytes.length - at);
    }
  }
}

const named = (counts: Counts): [string, number][] => counts.map(([name, n]) => [name, n]);

/** The entries of a file that a counter wrote, piece by piece. */
function* piecesOf(path: string): Generator<Uint32Array> {
  const size = 4 * DISTINCT_WIDTH * Math.floor(CHUNK / (4 * DISTINCT_WIDTH));
  const file = openSync(path, "r");
  try {
    for (let left = fstatSync(file).size; left > 0; left -= size) {
      const piece = Buffer.alloc(Math.min(size, left));
      for (let at = 0; at < piece.length; ) at += readSync(file, piece, at, piece.length - at, null);
      yield numbersIn(piece);
    }
  } finally {
    closeSync(file);
  }
}

/** What a file of a share holds, in its order. */
export type ShardPiece =
  | { readonly record: "left"; readonly lines: Buffer }
  | { readonly record: "part"; readonly part: Part & { readonly ids: readonly string[] } }
  | { readonly record: "distinct"; readonly distinct: Counted }
  | { readonly record: "texts"; readonly texts: Texts }
  | { readonly record: "seen"; readonly rest: Pick<Rest, "seen" | "wordings"> };

/** Reads a file of a share. The head is checked with it; `pieces` may be asked for several times. Throws ShardError and the file system's error. */
export class ShardReader {
  readonly head: ShardHead;
  /** Where what comes after the head begins. */
  readonly #start: number;

  constructor(private readonly path: string) {
    const file = new Bytes(path);
    try {
      const head = file.record();
      if (head.record !== "head") throw new ShardError("does not begin as what `forge qa --shard` writes");
      this.head = head;
      this.#start = file.at;
    } finally {
      file.close();
    }
  }

  /** Whether all is there, and as it was written. @returns the file's own digest */
  verify(signal?: AbortSignal): string {
    const file = new Bytes(this.path);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const before = file.digest();
        const record = file.record();
        if (record.record === END) {
          if (record.sha256 !== before) throw new ShardError("is not as it was written: its digest is another one");
          if (!file.ended) throw new ShardError("goes on behind its end");
          return record.sha256;
        }
        if ("bytes" in record) for (const length of record.bytes) file.skip(length);
      }
    } finally {
      file.close();
    }
  }

  *pieces(): Generator<ShardPiece> {
    const file = new Bytes(this.path, this.#start);
    try {
      for (let record = file.record(); record.record !== END; record = file.record()) yield pieceOf(record, file);
    } finally {
      file.close();
    }
  }
}

function pieceOf(record: ShardRecord, file: Bytes): ShardPiece {
  switch (record.record) {
    case "left":
      return { record: "left", lines: file.read(record.bytes[0] as number) };
    case "part":
      return { record: "part", part: partOf(record, file) };
    case "distinct":
      return { record: "distinct", distinct: distinctOf(record, file) };
    case "texts":
      return { record: "texts", texts: textsOf(record, file) };
    case "seen":
      return { record: "seen", rest: seenOf(record, file) };
    default:
      throw new ShardError(`has a second beginning`);
  }
}

function partOf({ record: _, bytes, ids, grams, ...rest }: ShardPart, file: Bytes): Part & { readonly ids: readonly string[] } {
  const [digests, shingles] = bytes.map((length) => numbersIn(file.read(length))) as [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>];
  if (digests.length !== WIDTH * rest.samples || ids.length !== rest.samples) throw new ShardError("has a part whose samples are not as many as it says");
  let kept = 0;
  for (let i = WIDTH - 1; i < digests.length; i += WIDTH) if ((digests[i] as number) >= SMALLEST_KEPT) kept += digests[i] as number;
  if (kept !== shingles.length) throw new ShardError("has a part whose words are not as many as it says");
  const [one = 0, two = 0, three = 0] = grams;
  return { ...rest, grams: [one, two, three], digests, shingles, ids };
}

function distinctOf({ bytes, kinds }: ShardDistinct, file: Bytes): Counted {
  const entries = numbersIn(file.read(bytes[0] as number));
  let wrong = entries.length % DISTINCT_WIDTH !== 0 || new Set(kinds).size !== kinds.length;
  for (let i = DISTINCT_WIDTH - 1; i < entries.length; i += DISTINCT_WIDTH) wrong ||= (entries[i] as number) === 0 || (entries[i] as number) > kinds.length;
  if (wrong) throw new ShardError("counts things of a kind that it does not name");
  return { entries, kinds, spilled: [] };
}

function textsOf({ bytes, tool, samples }: ShardTexts, file: Bytes): Texts {
  const [entries, words] = bytes.map((length) => numbersIn(file.read(length))) as [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>];
  let said = 0;
  let size = 0;
  let wrong = entries.length % ENTRY !== 0;
  for (let i = ENTRY - 1; i < entries.length; i += ENTRY) {
    wrong ||= entries[i - 1] === 0;
    said += entries[i - 1] as number;
    size += entries[i] as number;
  }
  if (wrong || said > samples || size !== words.length) throw new ShardError("has texts of a tool that are not as many as it says");
  return { tool, samples, entries, words };
}

function seenOf({ bytes }: ShardSeen, file: Bytes): Pick<Rest, "seen" | "wordings"> {
  const [frames, prompts, near, calls, wordings, values] = bytes.map((length) => new Uint8Array(file.read(length))) as Uint8Array<ArrayBuffer>[];
  const of = (flags: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> => flags ?? new Uint8Array(0);
  return {
    seen: { frames: of(frames), prompts: of(prompts), near: of(near), calls: of(calls) },
    wordings: { wordings: of(wordings), values: of(values) },
  };
}

/** A file read from its beginning on, records and what is behind them. */
class Bytes {
  readonly #file: number;
  readonly #size: number;
  readonly #hash = createHash("sha256");
  #buffer = Buffer.alloc(0);
  /** Where in the file the next byte stands. */
  at: number;

  constructor(path: string, start = 0) {
    this.#file = openSync(path, "r");
    this.#size = fstatSync(this.#file).size;
    this.at = start;
  }

  get ended(): boolean {
    return this.at === this.#size;
  }

  /** Of all that was read. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  record(): ShardRecord {
    let end = this.#buffer.indexOf(NEWLINE);
    while (end === -1) {
      const from = this.#buffer.length;
      // What is no file of ours may be one line of gigabytes.
      if (from >= LONGEST_LINE || (this.at === 0 && from > 0 && this.#buffer[0] !== 0x7b)) throw new ShardError("is no file that `forge qa --shard` wrote");
      if (this.#fill(from + Math.max(CHUNK, from)) === 0) throw new ShardError(this.at === 0 ? "is no file that `forge qa --shard` wrote" : "breaks off");
      end = this.#buffer.indexOf(NEWLINE, from);
    }
    let record: unknown;
    try {
      record = JSON.parse(this.#take(end + 1).toString("utf8"));
    } catch {
      throw new ShardError("is no file that `forge qa --shard` wrote");
    }
    if (!isRecord(record)) throw new ShardError(this.at <= CHUNK ? "is no file that this version's `forge qa --shard` wrote" : "has a record of no known form");
    const known = record as ShardRecord;
    if ("bytes" in known && known.bytes.reduce((sum, n) => sum + n, 0) > this.#size - this.at) throw new ShardError("breaks off");
    return known;
  }

  read(length: number): Buffer {
    if (this.#buffer.length < length) this.#fill(length);
    if (this.#buffer.length < length) throw new ShardError("breaks off");
    return this.#take(length);
  }

  skip(length: number): void {
    for (let left = length; left > 0; left -= CHUNK) this.read(Math.min(left, CHUNK));
  }

  /** Reads on until there are so many bytes. @returns how many came */
  #fill(wanted: number): number {
    const held = this.#buffer.length;
    const more = Buffer.allocUnsafe(Math.max(wanted, held));
    this.#buffer.copy(more);
    let end = held;
    while (end < wanted) {
      const read = readSync(this.#file, more, end, wanted - end, this.at + end);
      if (read === 0) break;
      end += read;
    }
    this.#buffer = more.subarray(0, end);
    return end - held;
  }

  #take(length: number): Buffer {
    const bytes = this.#buffer.subarray(0, length);
    this.#hash.update(bytes);
    this.#buffer = this.#buffer.subarray(length);
    this.at += length;
    return bytes;
  }

  close(): void {
    closeSync(this.#file);
  }
}

const bytesOf = (list: Uint32Array): Uint8Array => new Uint8Array(list.buffer, list.byteOffset, list.byteLength);

/** Little-endian numbers of 32 bits, wherever they stand in memory. */
function numbersIn(bytes: Buffer): Uint32Array<ArrayBuffer> {
  if (bytes.length % 4 !== 0) throw new ShardError("has numbers that break off");
  const out = new Uint32Array(bytes.length / 4);
  new Uint8Array(out.buffer).set(bytes);
  return out;
}
