/** Files of lines that we write and read ourselves: what was written is read, however long the lines are and wherever pieces end. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Line, LineReader, LineWriter, linesOf } from "../../src/platform/line-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "forge-lines-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Around the size of the pieces, in characters of one and of three bytes. */
const long = fc
  .tuple(fc.constantFrom(1 << 20, 1 << 19, 3 << 20), fc.integer({ min: -2, max: 2 }), fc.constantFrom("x", "語"))
  .map(([n, more, c]) => c.repeat(n + more));
const line = fc.oneof({ weight: 12, arbitrary: fc.string({ unit: "grapheme" }).map((s) => s.replaceAll("\n", " ")) }, { weight: 1, arbitrary: long });

test("are read as they were written, in order and one by one", () =>
  fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 20 }), fc.boolean(), async (lines, ended) => {
      const path = join(folder, "lines");
      const writer = new LineWriter(path);
      for (const [i, text] of lines.entries()) writer.write(i < lines.length - 1 || ended ? `${text}\n` : text);
      writer.close();
      writer.close();
      expect(readFileSync(path, "utf8") === lines.join("\n") + (ended && lines.length > 0 ? "\n" : "")).toBe(true);
      const found: Line[] = [];
      for await (const piece of linesOf(path)) found.push(...piece);
      // The empty end of a file is no line.
      const expected = ended || lines.at(-1) !== "" ? lines : lines.slice(0, -1);
      expect(found.length).toBe(expected.length);
      const reader = new LineReader(path);
      for (const [i, { text, at }] of found.entries()) expect([text === expected[i], reader.read(at) === text]).toEqual([true, true]);
      reader.close();
    }),
    { numRuns: 30 },
  ));
