/**
 * A file of samples that somebody brings, as samples of ours in another file: read line by line, with `fix` repaired, and what cannot be repaired and what says again
 * what an earlier one says taken out; every line that is left out is named, with the reason. Of a sample some 50 bytes stay in memory, whatever its size; what is
 * in between lies in files. What comes out is that of the whole in memory (tests/data/oracle/repair.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Line, LineReader, LineWriter, linesOf } from "../platform/line-file.ts";
import { type CheckFailure, sampleChecker } from "./checks/index.ts";
import { readLine, tooLong, type Unreadable } from "./import.ts";
import { type Mended, sampleMender } from "./repair.ts";
import { SampleDoubles } from "./sample-doubles.ts";
import { SeenIds } from "./seen-ids.ts";
import { chunksOf, inUtf8, type SourceLine, SourceLines } from "./source-lines.ts";
import type { Sample, TakenOut, Toolset } from "./types.ts";

export interface Bring {
  readonly toolset: Toolset;
  readonly fix: boolean;
  /** Where to write the samples, and what was left out (`TakenOut`, JSON lines). */
  readonly train: string;
  readonly takenOut: string;
  /** A folder for what lies in between; nothing is left in it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

export interface Brought {
  /** Lines with something on them. */
  readonly lines: number;
  /** Lines that are conversations. */
  readonly readable: number;
  /** Samples that were written. */
  readonly samples: number;
  /** How many lines were left out, and how many by reason, in the order in which reasons appear. */
  readonly left: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Kind of repair → samples that got it; none without `fix`. */
  readonly repaired: Readonly<Record<string, number>>;
  /** How many lines are no UTF-8, and the first of them. */
  readonly foreign: { readonly count: number; readonly lines: readonly number[] };
  /** How many lines are no conversations, and the first of them. */
  readonly unreadable: { readonly count: number; readonly first: readonly Unreadable[] };
}

/** Of what there may be very much, so many are named. */
const NAMED = 20;

/** Throws the file system's error, and what the signal was aborted with. */
export async function bringFile(path: string, o: Bring): Promise<Brought> {
  const folder = mkdtempSync(join(o.scratch, "brought-"));
  try {
    return await (o.fix ? fixed(path, o, folder) : asItIs(path, o));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What both ways count. */
class Counts {
  lines = 0;
  readable = 0;
  samples = 0;
  left = 0;
  readonly repaired: Record<string, number> = {};
  readonly #foreign: number[] = [];
  #foreignCount = 0;
  readonly #unreadable: Unreadable[] = [];
  #unreadableCount = 0;
  /** Reason → the line that it appears in first, and how many have it. */
  readonly #dropped = new Map<string, { readonly line: number; count: number }>();

  foreign(line: number): void {
    if (this.#foreignCount++ < NAMED) this.#foreign.push(line);
  }

  unreadable(line: Unreadable): TakenOut {
    if (this.#unreadableCount++ < NAMED) this.#unreadable.push(line);
    return this.out({ line: line.line, sample: null, check: line.reason, message: line.message });
  }

  out(entry: TakenOut & { readonly line: number }): TakenOut {
    this.left++;
    const known = this.#dropped.get(entry.check);
    if (known === undefined) this.#dropped.set(entry.check, { line: entry.line, count: 1 });
    else known.count++;
    return entry;
  }

  repair(kind: string, samples = 1): void {
    this.repaired[kind] = (this.repaired[kind] ?? 0) + samples;
  }

  brought(): Brought {
    const { lines, readable, samples, left, repaired } = this;
    const dropped = Object.fromEntries([...this.#dropped].sort(([, a], [, b]) => a.line - b.line).map(([check, { count }]) => [check, count]));
    const foreign = { count: this.#foreignCount, lines: this.#foreign };
    return { lines, readable, samples, left, dropped, repaired, foreign, unreadable: { count: this.#unreadableCount, first: this.#unreadable } };
  }
}

/** Hands on each line that is a conversation, under an id of its own, and each that is none. */
async function eachConversation(
  path: string,
  { fix, signal }: Bring,
  counts: Counts,
  take: (sample: Sample, line: SourceLine) => void,
  leave: (entry: TakenOut) => void,
): Promise<{ readonly closed: number }> {
  const ids = new SeenIds();
  let closed = 0;
  const lines = new SourceLines((line) => {
    if (line.foreign) counts.foreign(line.number);
    if (line.length === 0) return;
    counts.lines++;
    const read = line.text === undefined ? tooLong(line.number, line.length) : readLine(line.text, line.number, fix);
    if ("reason" in read) return leave(counts.unreadable(read));
    counts.readable++;
    if (read.closed) closed++;
    // Two conversations under one id are two conversations.
    const known = !ids.add(read.sample.id);
    const id = known ? `${read.sample.id}#line-${line.number}` : read.sample.id;
    if (known) ids.add(id);
    take(known ? { ...read.sample, id } : read.sample, line);
  });
  for await (const chunk of inUtf8(chunksOf(path))) {
    signal.throwIfAborted();
    lines.push(chunk);
  }
  lines.end();
  return { closed };
}

async function asItIs(path: string, o: Bring): Promise<Brought> {
  const counts = new Counts();
  const train = new LineWriter(o.train);
  const out = new LineWriter(o.takenOut);
  try {
    const take = (sample: Sample): void => {
      counts.samples++;
      train.write(`${JSON.stringify(sample)}\n`);
    };
    await eachConversation(path, o, counts, take, (entry) => out.write(`${JSON.stringify(entry)}\n`));
  } finally {
    train.close();
    out.close();
  }
  return counts.brought();
}

/** What stands before what lies in between: its line, with an `f` where that was no UTF-8. */
const HEAD = /^(\d+)(f?) /;

/** First all that is whole in itself, and what is not; then, with the duplicates known, what is left and what is not, each in the order of the lines. */
async function fixed(path: string, o: Bring, folder: string): Promise<Brought> {
  const counts = new Counts();
  const whole = join(folder, "whole");
  const refused = join(folder, "refused");
  const doubles = new SampleDoubles(() => folder);
  try {
    const closed = await writeWhole(path, o, counts, { whole, refused, doubles });
    o.signal.throwIfAborted();
    doubles.find();
    const reread = await writeKept(o, counts, { whole, refused, doubles });
    if (closed > 0) counts.repair("truncation", closed);
    if (reread > 0) counts.repair("encoding", reread);
  } finally {
    doubles.close();
  }
  return counts.brought();
}

interface Between {
  readonly whole: string;
  readonly refused: string;
  readonly doubles: SampleDoubles;
}

async function writeWhole(path: string, o: Bring, counts: Counts, { whole, refused, doubles }: Between): Promise<number> {
  const mend: (sample: Sample) => Mended = sampleMender(o.toolset);
  const check: (sample: Sample) => CheckFailure | null = sampleChecker(o.toolset);
  const kept = new LineWriter(whole);
  const out = new LineWriter(refused);
  const leave = (entry: TakenOut): void => out.write(`${entry.line} ${JSON.stringify(entry)}\n`);
  try {
    const { closed } = await eachConversation(
      path,
      o,
      counts,
      (read, line) => {
        const { sample, kinds } = mend(read);
        const failure = check(sample);
        if (failure !== null && !failure.check.ruleOfThumb)
          return leave(counts.out({ line: line.number, sample: sample.id, check: failure.check.name, message: failure.message }));
        for (const kind of kinds) counts.repair(kind);
        const text = `${line.number}${line.foreign ? "f" : ""} ${JSON.stringify({ ...sample, qc_passed: failure === null })}\n`;
        doubles.add(sample, Buffer.byteLength(text));
        kept.write(text);
      },
      leave,
    );
    return closed;
  } finally {
    kept.close();
    out.close();
  }
}

/** @returns of how many samples that were written the line was no UTF-8 */
async function writeKept(o: Bring, counts: Counts, { whole, refused, doubles }: Between): Promise<number> {
  const train = new LineWriter(o.train);
  const out = new LineWriter(o.takenOut);
  const reader = new LineReader(whole);
  const others = new Refused(refused);
  const idOf = (place: number): string => (JSON.parse(withoutHead(reader.read(doubles.placeOf(place)))) as Sample).id;
  let reread = 0;
  let place = 0;
  try {
    for await (const lines of linesOf(whole)) {
      o.signal.throwIfAborted();
      for (const { text } of lines) {
        const [head = "", number = "", foreign] = HEAD.exec(text) ?? [];
        await others.before(Number(number), (entry) => out.write(entry));
        const double = doubles.next(place++);
        if (double !== undefined) {
          const { id } = JSON.parse(text.slice(head.length)) as Sample;
          const check = double.exact ? "duplicate" : "near_duplicate";
          out.write(`${JSON.stringify(counts.out({ line: Number(number), sample: id, check, message: `says what ${idOf(double.of)} says` }))}\n`);
          continue;
        }
        counts.samples++;
        if (foreign === "f") reread++;
        train.write(`${text.slice(head.length)}\n`);
      }
    }
    await others.before(Number.POSITIVE_INFINITY, (entry) => out.write(entry));
  } finally {
    reader.close();
    train.close();
    out.close();
  }
  return reread;
}

const withoutHead = (text: string): string => text.replace(HEAD, "");

/** Reads what was refused before, as far as it stands before a line. */
class Refused {
  readonly #pieces: AsyncGenerator<readonly Line[]>;
  #piece: readonly Line[] = [];
  #at = 0;
  #over = false;

  constructor(path: string) {
    this.#pieces = linesOf(path);
  }

  async before(line: number, take: (entry: string) => void): Promise<void> {
    while (!this.#over) {
      const next = this.#piece[this.#at];
      if (next === undefined) await this.#read();
      else if (Number.parseInt(next.text, 10) > line) return;
      else {
        take(`${withoutHead(next.text)}\n`);
        this.#at++;
      }
    }
  }

  async #read(): Promise<void> {
    const { value, done } = await this.#pieces.next();
    this.#piece = value ?? [];
    this.#at = 0;
    this.#over = done === true;
  }
}
