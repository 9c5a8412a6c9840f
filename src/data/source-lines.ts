/**
 * The lines of a file that somebody brings, however large it is and whatever its encoding: UTF-16 with or without a mark, else UTF-8, and a line that is no UTF-8 by
 * itself as Windows-1252. They are the lines of `readBytes`, without the white space around them. Never holds more than one line, and of a line that is
 * longer than any conversation only how long it is.
 */
import { isUtf8 } from "node:buffer";
import { open } from "node:fs/promises";
import { TextDecoder } from "node:util";
import { LONGEST_LINE, wideOf } from "./import.ts";
import { fromWindows1252 } from "./windows-1252.ts";

export interface SourceLine {
  /** From 1. */
  readonly number: number;
  /** Without white space around it; undefined where there are more than `LONGEST_LINE` characters. */
  readonly text: string | undefined;
  /** How many characters that is. */
  readonly length: number;
  /** Whether it was no UTF-8. */
  readonly foreign: boolean;
}

const NEWLINE = 10;
const CHUNK = 1 << 20;
/** Bytes of an unfinished line that are held: more than the longest conversation has in any encoding. */
const MOST_HELD = 4 * LONGEST_LINE;

/** The bytes of a file, piece by piece; a piece is good until the next one is asked for. Throws the file system's error. */
export async function* chunksOf(path: string, size = CHUNK): AsyncGenerator<Buffer> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafeSlow(size);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, size, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The same as UTF-8 where it is UTF-16; else as it is. */
export async function* inUtf8(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let decoder: TextDecoder | undefined;
  let first = true;
  for await (const chunk of chunks) {
    const wide = first ? wideOf(chunk) : undefined;
    if (wide !== undefined) decoder = new TextDecoder(wide);
    first = false;
    yield decoder === undefined ? chunk : Buffer.from(decoder.decode(chunk, { stream: true }));
  }
  if (decoder !== undefined) yield Buffer.from(decoder.decode());
}

/** Puts lines together from pieces. Blank lines are handed on too: one may be foreign. */
export class SourceLines {
  #number = 0;
  #held = Buffer.alloc(0);
  #size = 0;
  #long: TextLength | undefined;
  readonly #onLine: (line: SourceLine) => void;
  readonly #most: number;

  /** @param most bytes of an unfinished line that are held; what is behind them is only counted */
  constructor(onLine: (line: SourceLine) => void, most = MOST_HELD) {
    this.#onLine = onLine;
    this.#most = most;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const part = chunk.subarray(start, end);
      if (this.#size === 0 && part.length <= this.#most) this.#emit(part);
      else {
        this.#hold(part);
        this.#finish();
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** Hands on what came after the last line break. */
  end(): void {
    if (this.#size > 0) this.#finish();
  }

  #hold(part: Buffer): void {
    if (this.#long === undefined && this.#size + part.length > this.#most) {
      this.#long = new TextLength();
      this.#long.add(this.#held.subarray(0, this.#size));
    }
    if (this.#long !== undefined) {
      this.#long.add(part);
      // White space behind a conversation may be of any length: what is held stays.
      if (this.#size < this.#most) this.#keep(part.subarray(0, this.#most - this.#size));
      return;
    }
    this.#keep(part);
  }

  #keep(part: Buffer): void {
    if (this.#held.length < this.#size + part.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(this.#size + part.length, 2 * this.#held.length));
      this.#held.copy(more, 0, 0, this.#size);
      this.#held = more;
    }
    part.copy(this.#held, this.#size);
    this.#size += part.length;
  }

  #finish(): void {
    const bytes = this.#held.subarray(0, this.#size);
    const long = this.#long;
    this.#size = 0;
    this.#long = undefined;
    if (long === undefined) this.#emit(bytes);
    else {
      const { length, foreign } = long.end();
      // What was held may end in the middle of a character of the white space behind: it is cut off.
      const text = (foreign ? fromWindows1252(bytes) : bytes.toString("utf8")).trimStart().slice(0, length);
      this.#onLine({ number: ++this.#number, text: length <= LONGEST_LINE && text.length === length ? text : undefined, length, foreign });
    }
    // A line of megabytes is rare: its room is given back.
    if (this.#held.length > 2 * CHUNK) this.#held = Buffer.alloc(0);
  }

  #emit(bytes: Buffer): void {
    const foreign = !isUtf8(bytes);
    const text = (foreign ? fromWindows1252(bytes) : bytes.toString("utf8")).trim();
    this.#onLine({ number: ++this.#number, text: text.length > LONGEST_LINE ? undefined : text, length: text.length, foreign });
  }
}

/** How many characters a text has without the white space around it, of which only a piece is at hand at a time; read as UTF-8 and as Windows-1252 until it is clear which. */
class TextLength {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #foreign = false;
  readonly #utf8 = new Trimmed();
  readonly #other = new Trimmed();

  add(bytes: Buffer): void {
    this.#other.add(fromWindows1252(bytes));
    this.#decode(bytes);
  }

  end(): { readonly length: number; readonly foreign: boolean } {
    this.#decode();
    return { length: (this.#foreign ? this.#other : this.#utf8).length, foreign: this.#foreign };
  }

  #decode(bytes?: Buffer): void {
    if (this.#foreign) return;
    try {
      this.#utf8.add(bytes === undefined ? this.#decoder.decode() : this.#decoder.decode(bytes, { stream: true }));
    } catch {
      this.#foreign = true;
    }
  }
}

class Trimmed {
  #length = 0;
  #behind = 0;

  add(piece: string): void {
    const text = this.#length === 0 ? piece.trimStart() : piece;
    const behind = text.length - text.trimEnd().length;
    this.#behind = behind === text.length ? this.#behind + behind : behind;
    this.#length += text.length;
  }

  get length(): number {
    return this.#length - this.#behind;
  }
}
