/** Samples in files: whatever the ranges, the threads and the files, the report is that of the samples in memory. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { measureQuality } from "../../src/data/qa.ts";
import { measureFiles } from "../../src/data/scale/measure.ts";
import { RangeReader } from "../../src/data/scale/ranges.ts";
import type { EvaluationCase, Sample } from "../../src/data/types.ts";
import { weatherSet } from "./fixtures.ts";

let folder: string;
let scratch: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "forge-scale-files-"));
  scratch = join(folder, "scratch");
  mkdirSync(scratch);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const seeds = readFileSync(join(import.meta.dirname, "../../bench/qa/seeds.jsonl"), "utf8")
  .trim()
  .split("\n");
const samples = Array.from({ length: 400 }, (_, i): Sample => {
  const sample = JSON.parse(seeds[(i * 7) % seeds.length] as string) as Sample;
  const said = sample.messages.find((m) => m.role === "user") as { content: string };
  if (i % 3 !== 0) said.content += ` snö number ${i % 90} and so on`;
  return { ...sample, id: `s/${i}` };
});
const heldout = samples
  .slice(0, 20)
  .map((s, i): EvaluationCase => ({ id: `e/${i}`, messages: [s.messages.find((m) => m.role === "user")], expect: null, frame: s.frame }) as EvaluationCase);
const beside = { toolset: weatherSet, heldout };
const expected = JSON.stringify(measureQuality({ samples, ...beside }));
/** With blank lines, both ends of lines, and none after the last. */
const text = (some: readonly Sample[]): string => some.map((s, i) => `${JSON.stringify(s)}${i % 5 === 0 ? "\r" : ""}${i % 11 === 0 ? "\n \n" : ""}`).join("\n");

function write(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe("a file", () => {
  it.each([1, 7, 900, 10_000, 1 << 22])("is read by ranges of %i bytes", async (bytes) => {
    const few = bytes < 100 ? samples.slice(0, 4) : samples;
    const path = write(`all-${bytes}.jsonl`, text(few));
    const report = await measureFiles([path], beside, { scratch, rangeBytes: bytes });
    expect(JSON.stringify(report)).toBe(bytes < 100 ? JSON.stringify(measureQuality({ samples: few, ...beside })) : expected);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("may be several, one after another", async () => {
    const paths = [write("a.jsonl", text(samples.slice(0, 90))), write("none.jsonl", ""), write("b.jsonl", text(samples.slice(90)))];
    expect(JSON.stringify(await measureFiles(paths, beside, { scratch, rangeBytes: 5000, mostInMemory: 2000 }))).toBe(expected);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("names the line that is not JSON, and leaves nothing behind", async () => {
    const path = write("bad.jsonl", `${text(samples.slice(0, 50))}\n{"id":\n${text(samples.slice(50))}`);
    const line = readFileSync(path, "utf8").split("\n").indexOf('{"id":') + 1;
    await expect(measureFiles([path], beside, { scratch, rangeBytes: 3000 })).rejects.toThrow(new RegExp(`^line ${line}: `));
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("gives each of its lines to one range", () => {
    const path = write("lines.txt", "a\n\nbb\n\n\nccc\nd");
    for (let bytes = 1; bytes < 16; bytes++) {
      const reader = new RangeReader(path);
      const lines: string[] = [];
      for (let from = 0; from < 13; from += bytes)
        reader.lines(from, Math.min(13, from + bytes), (b, start, end) => lines.push(b.toString("utf8", start, end)));
      reader.close();
      expect(lines).toEqual(["a", "", "bb", "", "", "ccc", "d"]);
    }
  });

  it("is measured on threads where the program is bundled", async () => {
    const source = join(import.meta.dirname, "../../src/data/scale/measure.ts");
    const entry = write(
      "entry.ts",
      `const { measureFiles } = await import(${JSON.stringify(source)});\nconst [o] = process.argv.slice(2);\nconst { paths, beside, options } = JSON.parse(o!);\nprocess.stdout.write(JSON.stringify(await measureFiles(paths, beside, options)));\n`,
    );
    await build({
      entryPoints: { entry },
      outdir: join(folder, "bundle"),
      outExtension: { ".js": ".mjs" },
      absWorkingDir: join(import.meta.dirname, "../.."),
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
      banner: { js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);' },
    });
    const run = (path: string): string =>
      execFileSync(
        process.execPath,
        [join(folder, "bundle/entry.mjs"), JSON.stringify({ paths: [path], beside, options: { scratch, rangeBytes: 20_000, threads: 3, mostInMemory: 1500 } })],
        { encoding: "utf8", stdio: "pipe" },
      );
    expect(run(write("threads.jsonl", text(samples)))).toBe(expected);
    expect(() => run(write("bad-threads.jsonl", `${text(samples.slice(0, 200))}\n{\n${text(samples.slice(200))}`))).toThrow(/SyntaxError: line \d+: /);
    expect(readdirSync(scratch)).toEqual([]);
  });
});
