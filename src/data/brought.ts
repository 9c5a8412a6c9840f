/**
 * A file of samples that somebody brings, as samples of ours in another file: read line by line, with `fix` repaired, and what cannot be repaired and what says again
 * what an earlier one says taken out; every line that is left out is named, with the reason. Of a sample some 50 bytes stay in memory, whatever its size; what is
 * in between lies in files. What comes out is that of the whole in memory (tests/data/oracle/repair.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Line, LineReader, LineWriter, linesOf } from "../platform/line-file.ts";
import { type CheckFailure, sampleChecker } from "./checks/index.ts";
import { closeJson, readLine, tooLong, type Unreadable } from "./import.ts";
import { type Lost, LostFields, otherFields } from "./other-fields.ts";
import { sampleMender } from "./repair.ts";
import type { Repair, SampleRepair } from "./repairs.ts";
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
  /** Where to write the repairs of the samples that were written (`SampleRepair`, JSON lines). */
  readonly repairs?: string;
  /** Whether the model that is to learn from them thinks aloud; undefined where it is not known. */
  readonly thinking?: boolean;
  /** With `fix`: what is to be said of a sample that the model's window does not hold; null of one that it does. */
  readonly tooLong?: (sample: Sample) => Promise<string | null>;
  /**
   * The file is a share of a data set: each sample's id is written behind the number of its line and a space (`17 my-sample`, `17` where it has none), as only the
   * whole knows its line there and which ids there are twice. Not with `fix`.
   */
  readonly share?: boolean;
  /** A folder for what lies in between; nothing is left in it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

export interface Brought {
  /** Lines in all, blank ones too. */
  readonly lineEnds: number;
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
  /** With `fix`: fields of conversations that our form has no place for. */
  readonly lost?: Lost;
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
  lineEnds = 0;
  lines = 0;
  readable = 0;
  samples = 0;
  left = 0;
  readonly repaired: Record<string, number> = {};
  readonly lostFields = new LostFields();
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
    const { lineEnds, lines, readable, samples, left, repaired } = this;
    const dropped = Object.fromEntries([...this.#dropped].sort(([, a], [, b]) => a.line - b.line).map(([check, { count }]) => [check, count]));
    const foreign = { count: this.#foreignCount, lines: this.#foreign };
    const lost = this.lostFields.lost();
    return {
      ...(lost.count === 0 ? {} : { lost }),
      lineEnds,
      lines,
      readable,
      samples,
      left,
      dropped,
      repaired,
      foreign,
      unreadable: { count: this.#unreadableCount, first: this.#unreadable },
    };
  }
}

/** Hands on each line that is a conversation, under an id of its own (of a share: as it is, behind its line), and each that is none, in their order. */
async function eachConversation(
  path: string,
  { fix, share, signal }: Bring,
  counts: Counts,
  take: (sample: Sample, line: SourceLine, closed: boolean) => void | Promise<void>,
  leave: (entry: TakenOut) => void,
): Promise<{ readonly closed: number }> {
  const ids = new SeenIds();
  let closed = 0;
  // What a piece of the file holds is handed on once it is read: somebody may have to be asked.
  const found: (() => void | Promise<void>)[] = [];
  const handOn = async (): Promise<void> => {
    for (const one of found.splice(0)) {
      const asked = one();
      if (asked !== undefined) await asked;
    }
  };
  const lines = new SourceLines((line) => {
    counts.lineEnds = line.number;
    if (line.foreign) counts.foreign(line.number);
    if (line.length === 0) return;
    counts.lines++;
    const read = line.text === undefined ? tooLong(line.number, line.length) : readLine(line.text, line.number, fix);
    if ("reason" in read) {
      const entry = counts.unreadable(read);
      found.push(() => leave(entry));
      return;
    }
    counts.readable++;
    if (read.closed) closed++;
    if (fix) counts.lostFields.add(line.number, otherFields(read.value, { ours: true }));
    if (share === true) {
      found.push(() => take({ ...read.sample, id: placedId(line.number, read.named ? read.sample.id : undefined) }, line, read.closed));
      return;
    }
    // Two conversations under one id are two conversations.
    const known = !ids.add(read.sample.id);
    const id = known ? secondId(read.sample.id, line.number) : read.sample.id;
    if (known) ids.add(id);
    found.push(() => take(known ? { ...read.sample, id } : read.sample, line, read.closed));
  });
  for await (const chunk of inUtf8(chunksOf(path))) {
    signal.throwIfAborted();
    lines.push(chunk);
    await handOn();
  }
  lines.end();
  await handOn();
  return { closed };
}

/** The id of a conversation whose id an earlier one has. */
export const secondId = (id: string, line: number): string => `${id}#line-${line}`;

/** The id of a sample of a share, behind its line; the line alone where it has none of its own. And back. */
export const placedId = (line: number, id: string | undefined): string => (id === undefined ? String(line) : `${line} ${id}`);
export function placeOf(placed: string): { readonly line: number; readonly id: string | undefined } {
  const end = placed.indexOf(" ");
  return end === -1 ? { line: Number(placed), id: undefined } : { line: Number(placed.slice(0, end)), id: placed.slice(end + 1) };
}

async function asItIs(path: string, o: Bring): Promise<Brought> {
  const counts = new Counts();
  if (o.repairs !== undefined) new LineWriter(o.repairs).close();
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
  const repairs = join(folder, "repairs");
  const doubles = new SampleDoubles(() => folder);
  try {
    const closed = await writeWhole(path, o, counts, { whole, refused, repairs, doubles });
    o.signal.throwIfAborted();
    doubles.find();
    const reread = await writeKept(o, counts, { whole, refused, repairs, doubles });
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
  readonly repairs: string;
  readonly doubles: SampleDoubles;
}

async function writeWhole(path: string, o: Bring, counts: Counts, { whole, refused, repairs, doubles }: Between): Promise<number> {
  const mend = sampleMender(o.toolset);
  const check: (sample: Sample) => CheckFailure | null = sampleChecker(o.toolset, o.thinking === undefined ? {} : { thinking: o.thinking });
  const kept = new LineWriter(whole);
  const out = new LineWriter(refused);
  const mended = new LineWriter(repairs);
  const leave = (entry: TakenOut): void => out.write(`${entry.line} ${JSON.stringify(entry)}\n`);
  try {
    const { closed } = await eachConversation(
      path,
      o,
      counts,
      (read, line, wasClosed) => {
        const { sample, kinds, repairs: inside } = mend(read);
        const failure = check(sample);
        if (failure !== null && !failure.check.ruleOfThumb)
          return leave(counts.out({ line: line.number, sample: sample.id, check: failure.check.name, message: failure.message }));
        const keep = (): void => {
          for (const kind of kinds) counts.repair(kind);
          for (const repair of [...ofLine(line, wasClosed), ...inside])
            mended.write(`${line.number} ${JSON.stringify({ line: line.number, sample: sample.id, ...repair } satisfies SampleRepair)}\n`);
          const text = `${line.number}${line.foreign ? "f" : ""} ${JSON.stringify({ ...sample, qc_passed: failure === null })}\n`;
          doubles.add(sample, Buffer.byteLength(text));
          kept.write(text);
        };
        if (o.tooLong === undefined) return keep();
        return o.tooLong(sample).then((message) => {
          o.signal.throwIfAborted();
          if (message === null) keep();
          else leave(counts.out({ line: line.number, sample: sample.id, check: "too_long", message }));
        });
      },
      leave,
    );
    return closed;
  } finally {
    kept.close();
    out.close();
    mended.close();
  }
}

/** Repairs without which the line would not have been read. */
function ofLine({ foreign, text }: SourceLine, closed: boolean): Repair[] {
  return [
    ...(foreign ? [{ check: "encoding", path: "", before: "windows-1252", after: "utf-8" } as const] : []),
    ...(closed ? [{ check: "truncation", path: "", before: text as string, after: closeJson(text as string) as string } as const] : []),
  ];
}

/** @returns of how many samples that were written the line was no UTF-8 */
async function writeKept(o: Bring, counts: Counts, { whole, refused, repairs, doubles }: Between): Promise<number> {
  const train = new LineWriter(o.train);
  const out = new LineWriter(o.takenOut);
  const mended = o.repairs === undefined ? undefined : new LineWriter(o.repairs);
  const reader = new LineReader(whole);
  const others = new Numbered(refused);
  const changes = new Numbered(repairs);
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
        // Those of samples that were taken out since are passed over.
        if (mended !== undefined) await changes.before(Number(number), (entry, of) => of === Number(number) && mended.write(entry));
      }
    }
    await others.before(Number.POSITIVE_INFINITY, (entry) => out.write(entry));
  } finally {
    reader.close();
    train.close();
    out.close();
    mended?.close();
  }
  return reread;
}

const withoutHead = (text: string): string => text.replace(HEAD, "");

/** Reads what was written down before, each entry with the number of its line, as far as it stands before a line or belongs to it. */
class Numbered {
  readonly #pieces: AsyncGenerator<readonly Line[]>;
  #piece: readonly Line[] = [];
  #at = 0;
  #over = false;

  constructor(path: string) {
    this.#pieces = linesOf(path);
  }

  async before(line: number, take: (entry: string, line: number) => void): Promise<void> {
    while (!this.#over) {
      const next = this.#piece[this.#at];
      if (next === undefined) {
        await this.#read();
        continue;
      }
      const of = Number.parseInt(next.text, 10);
      if (of > line) return;
      take(`${withoutHead(next.text)}\n`, of);
      this.#at++;
    }
  }

  async #read(): Promise<void> {
    const { value, done } = await this.#pieces.next();
    this.#piece = value ?? [];
    this.#at = 0;
    this.#over = done === true;
  }
}
