/**
 * Our side of bench/qa.mjs: `measure [--threads=N] SAMPLES TOOLS OUTPUT` makes the report; `same [--threads=N]` does what the peers do and no more, in one thread or so
 * many: schemas and duplicates, by the report's own parts, and names the lines whose calls no tool's schema takes and those that are duplicates; `brute` names the duplicates that comparing every sample with every one before it finds.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import type { Sample, Toolset } from "../../src/data/types.ts";

const [what, ...rest] = process.argv.slice(2);
const threads = rest.find((a) => a.startsWith("--threads="))?.slice(10);
const [samples, tools, output] = rest.filter((a) => !a.startsWith("--")) as [string, string, string];
const toolset = JSON.parse(readFileSync(tools, "utf8")) as Toolset;
const lines = (): Sample[] =>
  readFileSync(samples, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Sample);

async function measure(): Promise<object> {
  const { measureFiles } = await import("../../src/data/scale/measure.ts");
  const began = performance.now();
  const { figures } = await measureFiles(
    [samples],
    { toolset, heldout: [] },
    { scratch: tmpdir(), ...(threads === undefined ? {} : { threads: Number(threads) }) },
  );
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return { seconds: (performance.now() - began) / 1000, cpu: (userCPUTime + systemCPUTime) / 1e6, rss_mb: maxRSS / 1024, figures };
}

/** What looking at a range came to: its lines that no tool's schema takes (from 0 in the range), what near-duplicates are found by, how many lines it has. */
interface Looked {
  readonly invalid: readonly number[];
  readonly digests: Uint32Array<ArrayBuffer>;
  readonly shingles: Uint32Array<ArrayBuffer>;
  readonly lines: number;
}

const RANGE_BYTES = 4 << 20;

/** Looks at the lines of ranges by the report's own parts: schemas, and what duplicates are found by. */
async function looker(): Promise<(from: number) => Looked> {
  const [{ compileArguments }, { readCalls }, { RangeReader, isBlank }, { saidIn, TextReader }, { WIDTH }, { SMALLEST_KEPT }] = await Promise.all([
    import("../../src/data/schema.ts"),
    import("../../src/data/checks/check.ts"),
    import("../../src/data/scale/ranges.ts"),
    import("../../src/data/scale/text.ts"),
    import("../../src/data/scale/digests.ts"),
    import("../../src/data/scale/shingle-sets.ts"),
  ]);
  const check = new Map(toolset.tools.map((t) => [t.name, compileArguments(t)]));
  const [reader, text] = [new RangeReader(samples), new TextReader()];
  const { size } = statSync(samples);
  const isObject = (v: unknown): boolean => typeof v === "object" && v !== null && !Array.isArray(v);
  return (from) => {
    const invalid: number[] = [];
    let [digests, shingles, lines, kept] = [new Uint32Array(WIDTH << 12), new Uint32Array(1 << 20), 0, 0];
    const room = (list: Uint32Array, length: number): Uint32Array<ArrayBuffer> => {
      if (length <= list.length) return list as Uint32Array<ArrayBuffer>;
      const larger = new Uint32Array(2 * length);
      larger.set(list);
      return larger;
    };
    reader.lines(from, Math.min(size, from + RANGE_BYTES), (bytes, start, end) => {
      if (isBlank(bytes, start, end)) return;
      const sample = JSON.parse(bytes.toString("utf8", start, end)) as Sample;
      if (!readCalls(sample).every((c) => isObject(c.value) && check.get(c.name)?.(c.value as never).length === 0)) invalid.push(lines);
      text.read(saidIn(sample.messages));
      digests = room(digests, (lines + 1) * WIDTH);
      text.digests(digests, lines * WIDTH);
      if (text.size >= SMALLEST_KEPT) {
        shingles = room(shingles, kept + text.size);
        shingles.set(text.set.subarray(0, text.size), kept);
        kept += text.size;
      }
      lines++;
    });
    return { invalid, digests: digests.slice(0, lines * WIDTH), shingles: shingles.slice(0, kept), lines };
  };
}

/** Looks at ranges in this thread, or on so many threads of their own, and hands on what came of each in order. */
async function* looks(froms: readonly number[]): AsyncGenerator<Looked> {
  if (threads === undefined) {
    const look = await looker();
    for (const from of froms) yield look(from);
    return;
  }
  const workers = Array.from({ length: Number(threads) }, () => new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }));
  const waiting = workers.map(() => [] as ((looked: Looked) => void)[]);
  for (const [w, worker] of workers.entries())
    worker
      .on("message", (looked: Looked) => waiting[w]?.shift()?.(looked))
      .on("error", (e) => {
        throw e;
      });
  const ask = (i: number): Promise<Looked> =>
    new Promise((done) => {
      waiting[i % workers.length]?.push(done);
      workers[i % workers.length]?.postMessage(froms[i]);
    });
  const open: Promise<Looked>[] = [];
  for (let i = 0; i < froms.length; i++) {
    while (open.length < froms.length && open.length < i + 3 * workers.length) open.push(ask(open.length));
    yield await (open[i] as Promise<Looked>);
    open[i] = Promise.resolve({} as Looked);
  }
  for (const worker of workers) void worker.terminate();
}

async function same(): Promise<object> {
  const [{ Digests }, { ShingleSets }, doubles] = await Promise.all([
    import("../../src/data/scale/digests.ts"),
    import("../../src/data/scale/shingle-sets.ts"),
    import("../../src/data/scale/duplicates.ts"),
  ]);
  const began = performance.now();
  const [digests, sets] = [new Digests(), new ShingleSets(tmpdir)];
  const invalid: number[] = [];
  const near: number[] = [];
  let lines = 0;
  const { size } = statSync(samples);
  for await (const looked of looks(Array.from({ length: Math.ceil(size / RANGE_BYTES) }, (_, i) => i * RANGE_BYTES))) {
    for (const line of looked.invalid) invalid.push(lines + line);
    digests.append(looked.digests);
    sets.append(looked.shingles);
    lines += looked.lines;
  }
  doubles.eachDuplicate(digests, sets, (at) => near.push(at));
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  sets.close();
  return { seconds: (performance.now() - began) / 1000, cpu: (userCPUTime + systemCPUTime) / 1e6, rss_mb: maxRSS / 1024, invalid, near };
}

/** A line's number, which rows.mjs gives as its id. */
const lineOf = (id: string): number => Number(id.slice("row/".length));

async function brute(): Promise<object> {
  const [{ jaccard, NEAR_DUPLICATE, shingles }, { promptKey }] = await Promise.all([import("../../src/data/similarity.ts"), import("../../src/data/split.ts")]);
  const kept: Uint32Array[] = [];
  const near: number[] = [];
  for (const s of lines()) {
    const said = s.messages.filter((m) => m.role === "user").map((m) => m.content);
    const set = shingles(promptKey(said.join(" / ")));
    if (kept.some((k) => jaccard(k, set) >= NEAR_DUPLICATE)) near.push(lineOf(s.id));
    else kept.push(set);
  }
  return { near };
}

if (isMainThread) {
  const made = await (what === "measure" ? measure() : what === "same" ? same() : brute());
  writeFileSync(output, JSON.stringify(made));
} else {
  const look = await looker();
  parentPort?.on("message", (from: number) => {
    const looked = look(from);
    parentPort?.postMessage(looked, [looked.digests.buffer, looked.shingles.buffer]);
  });
}
