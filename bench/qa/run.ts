/**
 * Our side of bench/qa.mjs: `measure [--threads=N] SAMPLES TOOLS OUTPUT` makes the report; `verdicts` names the lines whose calls no tool's schema takes, and those that are
 * duplicates; `brute` names the duplicates that comparing every sample with every one before it finds.
 */
import { readFileSync, writeFileSync } from "node:fs";
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

/** A line's number, which rows.mjs gives as its id. */
const lineOf = (id: string): number => Number(id.slice("row/".length));

async function verdicts(): Promise<object> {
  const [{ sampleChecker }, { findDuplicates }] = await Promise.all([import("../../src/data/checks/index.ts"), import("../../src/data/checks/set-checks.ts")]);
  const all = lines();
  const check = sampleChecker(toolset);
  return {
    invalid: all.filter((s) => check(s)?.check.gates === true).map((s) => lineOf(s.id)),
    near: findDuplicates(all).map((d) => lineOf(d.id)),
  };
}

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

const made = await (what === "measure" ? measure() : what === "verdicts" ? verdicts() : brute());
writeFileSync(output, JSON.stringify(made));
