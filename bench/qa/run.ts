/**
 * Our side of bench/qa.mjs: `measure [--threads=N] SAMPLES TOOLS OUTPUT` makes the report; `same` does what the peers do and no more, in one thread: schemas and
 * duplicates, by the report's own parts, and names the lines whose calls no tool's schema takes and those that are duplicates; `brute` names the duplicates that comparing every sample with every one before it finds.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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

async function same(): Promise<object> {
  const [{ compileArguments }, { readCalls }, { RangeReader, isBlank }, { saidIn, TextReader }, { Digests, WIDTH }, { ShingleSets, SMALLEST_KEPT }, doubles] =
    await Promise.all([
      import("../../src/data/schema.ts"),
      import("../../src/data/checks/check.ts"),
      import("../../src/data/scale/ranges.ts"),
      import("../../src/data/scale/text.ts"),
      import("../../src/data/scale/digests.ts"),
      import("../../src/data/scale/shingle-sets.ts"),
      import("../../src/data/scale/duplicates.ts"),
    ]);
  const began = performance.now();
  const check = new Map(toolset.tools.map((t) => [t.name, compileArguments(t)]));
  const [reader, text, digests, sets] = [new RangeReader(samples), new TextReader(), new Digests(), new ShingleSets(tmpdir)];
  const numbers = new Uint32Array(WIDTH);
  const invalid: number[] = [];
  const near: number[] = [];
  let line = 0;
  const { size } = statSync(samples);
  for (let from = 0; from < size; from += 4 << 20)
    reader.lines(from, Math.min(size, from + (4 << 20)), (bytes, start, end) => {
      if (isBlank(bytes, start, end)) return;
      const sample = JSON.parse(bytes.toString("utf8", start, end)) as Sample;
      const isObject = (v: unknown): boolean => typeof v === "object" && v !== null && !Array.isArray(v);
      if (!readCalls(sample).every((c) => isObject(c.value) && check.get(c.name)?.(c.value as never).length === 0)) invalid.push(line);
      text.read(saidIn(sample.messages));
      text.digests(numbers, 0);
      digests.append(numbers);
      if (text.size >= SMALLEST_KEPT) sets.append(text.set.slice(0, text.size));
      line++;
    });
  doubles.eachDuplicate(digests, sets, (at) => near.push(at));
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  sets.close();
  reader.close();
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

const made = await (what === "measure" ? measure() : what === "same" ? same() : brute());
writeFileSync(output, JSON.stringify(made));
