/** Tables of the benchmarks' lines: what docs/measurements.md holds is what bench/figures says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { comparisonOf, figuresIn, renewed, tableOf } from "../../bench/figures.mjs";

const root = join(import.meta.dirname, "../..");

describe("figures of the benchmarks", () => {
  it("stand in docs/measurements.md as they were printed", () => {
    const document = readFileSync(join(root, "docs/measurements.md"), "utf8");
    expect(renewed(document)).toBe(document);
  });

  it("all have a name, a value, how many and a machine", () => {
    const folder = join(root, "bench/figures");
    const figures = readdirSync(folder).flatMap((name) => figuresIn(readFileSync(join(folder, name), "utf8")));
    expect(figures.length).toBeGreaterThan(0);
    for (const f of figures) {
      expect(f).toMatchObject({ name: expect.any(String), n: expect.any(Number), machine: expect.stringMatching(/^\d+ x /) });
      expect(typeof (f.ours ?? f.value), f.name).toBe("number");
    }
  });

  it("are found among other lines, and told apart by what they are of", () => {
    const text = [
      "progress: 3",
      '{"name":"a","ours":2,"peer":4,"ratio":0.5,"n":10,"machine":"2 x M"}',
      "[1]",
      '{"name":"a","toolset":"t|u","value":0.25,"n":3}',
      "",
    ];
    const figures = figuresIn(text.join("\n"));
    expect(tableOf(figures).split("\n")).toEqual([
      "| figure | ours | peer | ratio | n |",
      "| --- | --- | --- | --- | --- |",
      "| a | 2 | 4 | 0.5 | 10 |",
      "| a, toolset t\\|u | 0.25 |  |  | 3 |",
      "",
      "On 2 x M.",
    ]);
  });

  it("of two runs are compared by their ratios where they have some", () => {
    const before = figuresIn('{"name":"a","ours":2,"peer":4,"ratio":0.5,"n":1}\n{"name":"b","value":4,"n":1}\n{"name":"old","value":1,"n":1}');
    const after = figuresIn('{"name":"a","ours":9,"peer":9,"ratio":1,"n":1}\n{"name":"b","value":2,"n":1}\n{"name":"new","value":1,"n":1}');
    expect(comparisonOf(before, after).split("\n").slice(2)).toEqual([
      "| a | ratio | 0.5 | 1 | 2 |",
      "| b | value | 4 | 2 | 0.5 |",
      "| new | value |  | 1 |  |",
      "| old | not in the second | 1 |  |  |",
    ]);
  });
});
