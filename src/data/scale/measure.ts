/**
 * Measures samples in files, whatever their number: one pass, a bounded share of memory, as many threads as there are cores. The report is that of `measureQuality`
 * on the same samples, to the byte. Throws SyntaxError naming the line where one is not JSON, and the file system's errors.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { QaReport } from "../../schemas/generated/qa-report.ts";
import { MOST_IN_MEMORY } from "./distinct.ts";
import { isBlank, RangeReader } from "./ranges.ts";
import { type Beside, Gathered } from "./report.ts";
import type { ShardWriter } from "./shard-file.ts";
import type { Part, Rest } from "./tally.ts";
import { canThread, type Hand, ownHand, thread } from "./threads.ts";
import type { Measured, Range, Setup } from "./work.ts";

export interface MeasureOptions {
  /** A folder for what memory has no room for; nothing is left in it. */
  readonly scratch: string;
  /** How many threads; by default as many as there are cores where the files are large, else none. */
  readonly threads?: number;
  /** Bytes that are measured at a time. */
  readonly rangeBytes?: number;
  readonly mostInMemory?: number;
  readonly signal?: AbortSignal;
}

const RANGE_BYTES = 4 << 20;
/** What is read in less time than a thread takes to start. */
const SMALL = 8 << 20;
/** Each takes some 200 MB. */
const MOST_THREADS = 8;

/** @param paths files of samples, JSON lines, one after another */
export async function measureFiles(paths: readonly string[], beside: Beside, o: MeasureOptions): Promise<QaReport> {
  const folder = mkdtempSync(join(o.scratch, "qa-"));
  const gathered = new Gathered(beside, () => folder, o.mostInMemory);
  try {
    const firsts: number[] = [];
    const ranges = rangesOf(paths, o.rangeBytes ?? RANGE_BYTES);
    const rests = await measureRanges(ranges, setupOf(paths, beside, folder, o), o, (part) => {
      firsts.push(gathered.samples);
      gathered.add(part);
    });
    for (const rest of rests) gathered.addRest(rest);
    const ids = readIds(paths, ranges, firsts, new Set(gathered.findDoubles().flatMap(({ at, of }) => [at, of])));
    return gathered.report((place) => ids.get(place) ?? "");
  } finally {
    gathered.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Measures a share of the data, for somebody to put the shares together (shares.ts).
 * @param path samples whose ids stand behind their lines (brought.ts)
 */
export async function measureShare(
  path: string,
  beside: Pick<Beside, "toolset" | "heldout" | "thinking">,
  o: MeasureOptions,
  to: Pick<ShardWriter, "part" | "rest">,
): Promise<void> {
  const folder = mkdtempSync(join(o.scratch, "qa-"));
  try {
    const setup: Setup = { ...setupOf([path], beside, folder, o), ids: true };
    const rests = await measureRanges(rangesOf([path], o.rangeBytes ?? RANGE_BYTES), setup, o, (part) => to.part(part));
    for (const rest of rests) to.rest(rest);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const setupOf = (
  paths: readonly string[],
  { toolset, heldout, plan, thinking }: Pick<Beside, "toolset" | "heldout" | "plan" | "thinking">,
  folder: string,
  { mostInMemory }: MeasureOptions,
): Setup => ({
  paths,
  toolset,
  heldout,
  folder,
  ...(plan === undefined ? {} : { cells: true }),
  ...(thinking === undefined ? {} : { thinking }),
  ...(mostInMemory === undefined ? {} : { mostInMemory }),
});

/** Measures ranges side by side; hands on their parts in order, gives the rests. */
async function measureRanges(ranges: readonly Range[], setup: Setup, o: MeasureOptions, take: (part: Part) => void): Promise<Rest[]> {
  const hands: Hand[] = [];
  try {
    const bytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    const threads = !canThread() ? 0 : (o.threads ?? (bytes <= SMALL ? 0 : Math.min(MOST_THREADS, availableParallelism())));
    if (threads === 0) hands.push(ownHand(setup));
    else {
      // Each has a table of its own: many threads take no more than one.
      const mostInMemory = setup.mostInMemory ?? Math.floor(MOST_IN_MEMORY / threads);
      for (let i = 0; i < Math.min(threads, ranges.length); i++) hands.push(thread({ ...setup, mostInMemory }));
    }
    let lines = 0;
    let file = 0;
    for await (const [i, { part, lines: more, failed }] of inOrder(ranges, hands, o.signal)) {
      if (ranges[i]?.file !== file) lines = 0;
      file = ranges[i]?.file ?? 0;
      if (failed !== undefined) throw new SyntaxError(`line ${lines + failed.line}: ${failed.message}`);
      lines += more;
      take(part);
    }
    const rests: Rest[] = [];
    for (const hand of hands) {
      rests.push(await hand.rest());
      hand.close();
    }
    return rests;
  } finally {
    for (const hand of hands) hand.close();
  }
}

function rangesOf(paths: readonly string[], bytes: number): Range[] {
  const out: Range[] = [];
  for (const [file, path] of paths.entries()) {
    const { size } = statSync(path);
    for (let from = 0; from < size; from += bytes) out.push({ file, from, to: Math.min(size, from + bytes) });
  }
  return out;
}

/** Ranges measured side by side, handed on in their order; each hand has one in work and one waiting. */
async function* inOrder(ranges: readonly Range[], hands: readonly Hand[], signal: AbortSignal | undefined): AsyncGenerator<readonly [number, Measured]> {
  const open = new Map<number, Promise<Measured>>();
  const begin = (i: number): void => {
    const range = ranges[i];
    if (range === undefined) return;
    const measured = (hands[i % hands.length] as Hand).measure(range);
    measured.catch(() => undefined); // It is looked at in its turn.
    open.set(i, measured);
  };
  const ahead = hands.length > 1 ? 3 * hands.length : 1;
  for (let i = 0; i < ahead; i++) begin(i);
  for (let i = 0; i < ranges.length; i++) {
    signal?.throwIfAborted();
    const measured = await (open.get(i) as Promise<Measured>);
    open.delete(i);
    begin(i + ahead);
    yield [i, measured];
  }
}

/** The ids of some samples, by their places: their lines are read once more. */
function readIds(paths: readonly string[], ranges: readonly Range[], firsts: readonly number[], places: ReadonlySet<number>): Map<number, string> {
  const ids = new Map<number, string>();
  const sorted = [...places].sort((a, b) => a - b);
  for (let r = 0, next = 0; next < sorted.length && r < ranges.length; r++) {
    const end = firsts[r + 1] ?? Number.POSITIVE_INFINITY;
    if ((sorted[next] as number) >= end) continue;
    const { file, from, to } = ranges[r] as Range;
    const reader = new RangeReader(paths[file] as string);
    let place = firsts[r] as number;
    reader.lines(from, to, (bytes, start, stop) => {
      if (isBlank(bytes, start, stop)) return;
      if (place === sorted[next]) {
        ids.set(place, (JSON.parse(bytes.toString("utf8", start, stop)) as { id: string }).id);
        next++;
      }
      place++;
    });
    reader.close();
  }
  return ids;
}
