/**
 * Files of lines that we write and read ourselves, of any size: written in large pieces, read line by line without holding more than one. Reading and writing
 * take turns with the rest of the program, so that it can be interrupted.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";

const CHUNK = 1 << 20;
const NEWLINE = 10;

export class LineWriter {
  readonly #file: number;
  #text = "";
  #closed = false;

  /** Throws the file system's error; so do the others. */
  constructor(path: string) {
    this.#file = openSync(path, "w");
  }

  /** Writes a text as it stands, its line break in it. */
  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= CHUNK) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at, bytes.length - at);
  }

  /** Writes what is left. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#flush();
    } finally {
      closeSync(this.#file);
    }
  }
}

/** The lines of a file by pieces of some size, in their order, without their ends; each with the byte that it begins at. */
export async function* linesOf(path: string): AsyncGenerator<readonly Line[]> {
  const file = openSync(path, "r");
  try {
    let buffer = Buffer.allocUnsafeSlow(CHUNK);
    let held = 0;
    for (let at = 0; ; ) {
      if (held === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length);
      const read = readSync(file, buffer, held, buffer.length - held, at + held);
      const end = held + read;
      const lines: Line[] = [];
      let start = 0;
      for (let found = buffer.subarray(0, end).indexOf(NEWLINE, held); found !== -1; found = buffer.subarray(0, end).indexOf(NEWLINE, start)) {
        lines.push({ text: buffer.toString("utf8", start, found), at: at + start });
        start = found + 1;
      }
      if (read === 0 && held > 0) lines.push({ text: buffer.toString("utf8", 0, held), at });
      if (lines.length > 0) yield lines;
      if (read === 0) return;
      buffer.copyWithin(0, start, end);
      held = end - start;
      at += start;
      await new Promise((done) => setImmediate(done));
    }
  } finally {
    closeSync(file);
  }
}

export interface Line {
  readonly text: string;
  readonly at: number;
}

/** Reads single lines by the byte that they begin at. */
export class LineReader {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** The line without its end. */
  read(at: number): string {
    for (let size = 4096; ; size *= 4) {
      const bytes = Buffer.allocUnsafeSlow(size);
      const read = readSync(this.#file, bytes, 0, size, at);
      const end = bytes.subarray(0, read).indexOf(NEWLINE);
      if (end >= 0 || read < size) return bytes.toString("utf8", 0, end < 0 ? read : end);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
