/**
 * Reads the lines of a file by ranges of bytes, so that several can read it side by side: a line belongs to the range that its first byte lies in. Never holds more
 * than a range and one line.
 */
import { closeSync, openSync, readSync } from "node:fs";

const NEWLINE = 10;
/** How much more is read at once to find the end of a range's last line. */
const STEP = 1 << 16;

export class RangeReader {
  #buffer = Buffer.allocUnsafeSlow(STEP);
  readonly #file: number;
  #closed = false;

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** Hands on the bytes of each line that begins in a range, in order; they may not be kept. The empty end of a file is no line. */
  lines(from: number, to: number, onLine: (bytes: Buffer, start: number, end: number) => void): void {
    // The byte before tells whether a line begins here.
    const first = Math.max(0, from - 1);
    let end = this.#fill(0, first, to - first);
    const ended = end < to - first;
    let at = 0;
    if (from > 0) {
      const before = this.#buffer.subarray(0, end).indexOf(NEWLINE);
      if (before < 0) return;
      at = before + 1;
    }
    const last = to - first;
    let read = ended;
    while (at < Math.min(end, last)) {
      const found = this.#buffer.subarray(0, end).indexOf(NEWLINE, at);
      if (found >= 0) {
        onLine(this.#buffer, at, found);
        at = found + 1;
      } else if (read) {
        onLine(this.#buffer, at, end);
        return;
      } else {
        // The last line goes on behind the range.
        const more = this.#fill(end, first + end, STEP);
        read = more < STEP;
        end += more;
      }
    }
  }

  /** Reads so many bytes of the file to a place of the buffer; how many there were. */
  #fill(at: number, from: number, count: number): number {
    if (this.#buffer.length < at + count) {
      const more = Buffer.allocUnsafeSlow(Math.max(at + count, 2 * this.#buffer.length));
      this.#buffer.copy(more, 0, 0, at);
      this.#buffer = more;
    }
    let n = 0;
    while (n < count) {
      const read = readSync(this.#file, this.#buffer, at + n, count - n, from + n);
      if (read === 0) break;
      n += read;
    }
    return n;
  }

  close(): void {
    if (!this.#closed) closeSync(this.#file);
    this.#closed = true;
  }
}

/** Whether there is something on a line. */
export const isBlank = (bytes: Buffer, start: number, end: number): boolean => {
  if (start === end) return true;
  const c = bytes[start] as number;
  // White space of ASCII, or what may be white space of another script.
  return (c <= 32 || c > 127) && bytes.toString("utf8", start, end).trim() === "";
};
