/**
 * Splits a byte stream of unknown origin into lines, within bounds.
 * Guarantees: never holds more than `maxLineBytes` of an unfinished line; characters that are split between two
 * chunks come out whole; a line longer than the bound is handed on once, cut, and its rest dropped.
 */
export class LineSplitter {
  readonly #onLine: (line: string, cut: boolean) => void;
  readonly #maxLineBytes: number;
  readonly #decode: (line: Buffer) => string;
  #parts: Buffer[] = [];
  #size = 0;
  #dropping = false;

  /** @param decode a line's bytes as text; UTF-8 if left out */
  constructor(onLine: (line: string, cut: boolean) => void, maxLineBytes: number, decode = (line: Buffer): string => line.toString("utf8")) {
    this.#onLine = onLine;
    this.#maxLineBytes = maxLineBytes;
    this.#decode = decode;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#take(chunk.subarray(start, end));
      this.#finishLine();
      start = end + 1;
    }
    if (start < chunk.length) this.#take(chunk.subarray(start));
  }

  /** Hands on what came after the last line break. */
  end(): void {
    if (this.#size > 0) this.#finishLine();
  }

  #take(part: Buffer): void {
    if (this.#dropping) return;
    const room = this.#maxLineBytes - this.#size;
    this.#parts.push(part.length > room ? part.subarray(0, room) : part);
    this.#size += Math.min(part.length, room);
    if (part.length <= room) return;
    this.#emit(true);
    this.#dropping = true;
  }

  #finishLine(): void {
    if (!this.#dropping) this.#emit(false);
    this.#dropping = false;
  }

  #emit(cut: boolean): void {
    const text = this.#decode(Buffer.concat(this.#parts));
    this.#parts = [];
    this.#size = 0;
    this.#onLine(text.endsWith("\r") ? text.slice(0, -1) : text, cut);
  }
}

/** Keeps the first, or the last, so many bytes of a stream. */
export class BoundedText {
  readonly #keep: "head" | "tail";
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #size = 0;
  /** Whether something was left out. */
  cut = false;

  constructor(keep: "head" | "tail", maxBytes: number) {
    this.#keep = keep;
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): void {
    if (this.#keep === "head") {
      const part = chunk.subarray(0, Math.max(0, this.#maxBytes - this.#size));
      if (part.length < chunk.length) this.cut = true;
      if (part.length === 0) return;
      this.#parts.push(part);
      this.#size += part.length;
      return;
    }
    this.#parts.push(chunk);
    this.#size += chunk.length;
    for (let first = this.#parts[0]; first !== undefined && this.#size - first.length >= this.#maxBytes; first = this.#parts[0]) {
      this.#size -= first.length;
      this.#parts.shift();
      this.cut = true;
    }
  }

  text(): string {
    const all = Buffer.concat(this.#parts);
    if (this.#keep === "head" || all.length <= this.#maxBytes) return all.toString("utf8");
    this.cut = true;
    return all.subarray(all.length - this.#maxBytes).toString("utf8");
  }
}
