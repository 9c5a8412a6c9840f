/**
 * Puts the shares of a data set together that were measured apart (shard-file.ts): the report is that of the whole, to the byte, however it was cut at its line ends
 * and whoever measured what. Of the samples their digests, their ids' digests and their shingles are held, the last in a file where memory has no room.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LineWriter } from "../../platform/line-file.ts";
import type { Lengths, QaReport } from "../../schemas/generated/qa-report.ts";
import { type Brought, placeOf, secondId } from "../brought.ts";
import { lineId } from "../import.ts";
import { SeenIds } from "../seen-ids.ts";
import type { TakenOut } from "../types.ts";
import { type Beside, Gathered } from "./report.ts";
import type { ShardReader } from "./shard-file.ts";
import type { Part } from "./tally.ts";

export interface MergeOptions {
  /** A folder for what memory has no room for; nothing is left in it. */
  readonly scratch: string;
  readonly mostInMemory?: number;
  readonly signal?: AbortSignal;
}

/** @param shares in the order of the data. Throws ShardError and the file system's error. */
export function mergeShares(shares: readonly ShardReader[], beside: Beside, o: MergeOptions): QaReport {
  const folder = mkdtempSync(join(o.scratch, "qa-"));
  const gathered = new Gathered(beside, () => folder, o.mostInMemory);
  const names = new Names();
  try {
    for (const [share, first] of withFirstLines(shares))
      for (const piece of share.pieces()) {
        o.signal?.throwIfAborted();
        if (piece.record === "part") gathered.add(names.named(piece.part, gathered.samples, first));
        else if (piece.record === "distinct") gathered.addDistinct(piece.distinct);
        else if (piece.record === "texts") gathered.addTexts(piece.texts);
        else if (piece.record === "seen") gathered.addSeen(piece.rest);
      }
    const ids = idsAt(shares, new Set(gathered.findDoubles().flatMap(({ at, of }) => [at, of])), names, o.signal);
    return gathered.report((place) => ids.get(place) ?? "");
  } finally {
    gathered.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each share, and how many lines there are before it. */
function withFirstLines(shares: readonly ShardReader[]): (readonly [ShardReader, number])[] {
  let before = 0;
  return shares.map((share) => {
    const first = before;
    before += share.head.line_ends;
    return [share, first] as const;
  });
}

/** Gives samples the ids that they have in the whole: the second of two that are alike is told by its line. */
class Names {
  readonly #seen = new SeenIds();
  /** Places of the samples whose id an earlier one has. */
  readonly #second = new Set<number>();

  /** A part with the ids of the whole where it names samples. @param place of its first sample */
  named(part: Part & { readonly ids: readonly string[] }, place: number, linesBefore: number): Part {
    const named = new Map(part.failures.map((f) => [f.sample ?? "", ""]));
    for (const [i, placed] of part.ids.entries()) {
      const { line, id } = inWhole(placed, linesBefore);
      const second = !this.#seen.add(id);
      if (second) {
        this.#second.add(place + i);
        this.#seen.add(secondId(id, line));
      }
      if (named.has(placed)) named.set(placed, second ? secondId(id, line) : id);
    }
    return { ...part, failures: part.failures.map((f) => ({ ...f, sample: named.get(f.sample ?? "") ?? null })) };
  }

  /** The id of the sample at a place, of which a share says this. */
  of(place: number, placed: string, linesBefore: number): string {
    const { line, id } = inWhole(placed, linesBefore);
    return this.#second.has(place) ? secondId(id, line) : id;
  }
}

/** Line and id that a sample of a share has in the whole, but for what is there twice. */
function inWhole(placed: string, linesBefore: number): { readonly line: number; readonly id: string } {
  const { line, id } = placeOf(placed);
  return { line: linesBefore + line, id: id ?? lineId(linesBefore + line) };
}

/** The ids of some samples: the shares are read once more. */
function idsAt(shares: readonly ShardReader[], places: ReadonlySet<number>, names: Names, signal: AbortSignal | undefined): Map<number, string> {
  const ids = new Map<number, string>();
  let place = 0;
  for (const [share, first] of withFirstLines(shares)) {
    if (ids.size === places.size) break;
    for (const piece of share.pieces()) {
      signal?.throwIfAborted();
      if (piece.record !== "part") continue;
      for (const [i, placed] of piece.part.ids.entries()) if (places.has(place + i)) ids.set(place + i, names.of(place + i, placed, first));
      place += piece.part.samples;
    }
  }
  return ids;
}

/** Lines of which so many are named (brought.ts). */
const NAMED = 20;
const LINE = /^line \d+/;

/** What was read of all shares, as if it had been one file. */
export function mergedRead(shares: readonly ShardReader[]): Brought {
  const sum = { lineEnds: 0, lines: 0, readable: 0, samples: 0, left: 0 };
  const dropped = new Map<string, number>();
  const foreign = { count: 0, lines: [] as number[] };
  const unreadable = { count: 0, first: [] as { line: number; reason: "json"; message: string }[] };
  for (const [{ head }, before] of withFirstLines(shares)) {
    const { read } = head;
    for (const name of ["lines", "readable", "samples", "left"] as const) sum[name] += read[name];
    sum.lineEnds += head.line_ends;
    for (const [check, n] of Object.entries(read.dropped)) dropped.set(check, (dropped.get(check) ?? 0) + n);
    foreign.count += read.foreign.count;
    foreign.lines.push(...read.foreign.first.map(({ line }) => before + line));
    unreadable.count += read.unreadable.count;
    for (const { line, message } of read.unreadable.first)
      unreadable.first.push({ line: before + line, reason: "json", message: message.replace(LINE, `line ${before + line}`) });
  }
  return {
    ...sum,
    dropped: Object.fromEntries(dropped),
    repaired: {},
    foreign: { count: foreign.count, lines: foreign.lines.slice(0, NAMED) },
    unreadable: { count: unreadable.count, first: unreadable.first.slice(0, NAMED) },
  };
}

/** Writes the lines of all shares that are no conversation (`TakenOut`, JSON lines), as if they had been of one file. */
export function writeLeft(shares: readonly ShardReader[], path: string): void {
  const out = new LineWriter(path);
  try {
    for (const [share, before] of withFirstLines(shares))
      for (const piece of share.pieces()) {
        if (piece.record !== "left") continue;
        for (const text of piece.lines.toString("utf8").split("\n")) {
          if (text === "") continue;
          const entry = JSON.parse(text) as TakenOut & { readonly line: number };
          const line = before + entry.line;
          out.write(`${JSON.stringify({ ...entry, line, message: entry.message.replace(LINE, `line ${line}`) })}\n`);
        }
      }
  } finally {
    out.close();
  }
}

/** The lengths of all samples; undefined where they were not measured. The heads say the same of model and profile. */
export function mergedLengths(shares: readonly ShardReader[]): Lengths | undefined {
  const lengths = shares.flatMap(({ head }) => (head.lengths === null ? [] : [head.lengths]));
  const [first] = lengths;
  if (first === undefined) return undefined;
  const sum = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0);
  const known = (of: readonly (number | null)[]): number[] => of.filter((n) => n !== null);
  const over = known(lengths.map((l) => l.over_profile));
  const longest = known(lengths.map((l) => l.longest));
  return {
    ...first,
    too_long: sum(lengths.map((l) => l.too_long)),
    over_profile: over.length < lengths.length ? null : sum(over),
    longest: longest.length === 0 ? null : Math.max(...longest),
  };
}
