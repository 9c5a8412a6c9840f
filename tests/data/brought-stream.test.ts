/** A brought file read line by line says what the whole file in memory says: whatever its lines, their ends, its encoding, and the pieces that it is read in. */
import { isUtf8 } from "node:buffer";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bringFile } from "../../src/data/brought.ts";
import { LONGEST_LINE, readBytes } from "../../src/data/import.ts";
import { measureQuality } from "../../src/data/qa.ts";
import { qaCsv } from "../../src/data/qa-csv.ts";
import { qaHtml } from "../../src/data/qa-html.ts";
import { qaMarkdown } from "../../src/data/qa-markdown.ts";
import { writeReports } from "../../src/data/qa-reports.ts";
import { SeenIds } from "../../src/data/seen-ids.ts";
import { inUtf8, type SourceLine, SourceLines } from "../../src/data/source-lines.ts";
import type { TakenOut } from "../../src/data/types.ts";
import { weatherSet } from "./fixtures.ts";
import { bringInMemory } from "./oracle/repair.ts";

let folder: string;
let scratch: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "forge-brought-"));
  scratch = join(folder, "scratch");
  mkdirSync(scratch);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const said = [
  "How is the weather in Oslo?",
  "how is the weather in oslo",
  "  Will it rain in Zürich \r\n",
  "snÃ¶ in Lima",
  "one two three four five six seven eight nine ten eleven",
];
const args = ['{"location":"Oslo"}', '{"location":"Oslo","days":"3"}', '{"location":"Os', '{"location":"Oslo"', "{}", '{"place":5}'];
const conversation = fc
  .record({ user: fc.constantFrom(...said), n: fc.nat(12), args: fc.constantFrom(...args), name: fc.constantFrom("get_weather", "get_forecast", "no_tool") })
  .map(({ user, n, args, name }) => [
    { role: "user", content: n > 6 ? user : `${user} ${"and more of it ".repeat(n)}${n}` },
    { role: "assistant", content: null, tool_calls: [{ id: "a", type: "function", function: { name, arguments: args } }] },
    { role: "tool", tool_call_id: "a", content: '{"location":"Oslo","temperature_c":3}' },
    { role: "assistant", content: "It is 3 degrees in Oslo." },
  ]);
const id = fc.option(fc.constantFrom("a", "b", "line-2"), { nil: undefined });
const good = fc.record({ id, messages: conversation }).map((s) => JSON.stringify(s));
const line = fc.oneof(
  { weight: 6, arbitrary: good },
  { weight: 1, arbitrary: good.map((l) => l.slice(0, -2)) },
  { weight: 1, arbitrary: good.map((l) => ` \u00a0${l}\ufeff\t`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "\u3000",
      "hello",
      "[1]",
      '{"messages":[]}',
      '{"messages":[{"role":"user","content":5}]}',
      '{"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello"}]}',
    ),
  },
);
/** Lines as bytes: some in Windows-1252, some with the other end of lines. */
const bytesOf = fc
  .record({
    lines: fc.array(fc.tuple(line, fc.constantFrom<BufferEncoding>("utf8", "utf8", "utf8", "latin1"), fc.boolean()), { maxLength: 30 }),
    mark: fc.boolean(),
    ended: fc.boolean(),
    wide: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ lines, mark, ended, wide }) => {
    const narrow = lines.map(([text, encoding, returned]) => Buffer.concat([Buffer.from(text, encoding), Buffer.from(returned ? "\r" : "")]));
    const all = Buffer.concat([
      Buffer.from(mark ? "\ufeff" : ""),
      ...narrow.flatMap((bytes, i) => [bytes, Buffer.from(i < narrow.length - 1 || ended ? "\n" : "")]),
    ]);
    if (wide > 1) return all;
    const swapped = Buffer.from(`\ufeff${all.toString("utf8")}`, "utf16le");
    return wide === 1 ? swapped : swapped.swap16();
  });

let files = 0;
async function stream(bytes: Uint8Array, fix: boolean) {
  const at = join(folder, String(files++));
  mkdirSync(at);
  const [path, train, takenOut] = ["data", "train", "out"].map((name) => join(at, name)) as [string, string, string];
  writeFileSync(path, bytes);
  const read = await bringFile(path, { toolset: weatherSet, fix, train, takenOut, scratch, signal: new AbortController().signal });
  expect(readdirSync(scratch)).toEqual([]);
  return { read, at, train, takenOut, samples: lines(train), out: lines<TakenOut>(takenOut) };
}
const lines = <T = unknown>(path: string): T[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((l) => l !== "")
    .map((l) => JSON.parse(l) as T);

test.each([false, true])("is the same as in memory, with fix %s: samples, what is left out, every figure and its order", (fix) =>
  fc.assert(
    fc.asyncProperty(bytesOf, async (bytes) => {
      const expected = bringInMemory(bytes, weatherSet, fix);
      const { read, samples, out } = await stream(bytes, fix);
      const { lineEnds, ...counted } = read;
      const ends = bytes.filter((byte) => byte === 10).length;
      if (isUtf8(bytes) && !bytes.includes(0)) expect(lineEnds).toBe(ends + (bytes.length > 0 && bytes.at(-1) !== 10 ? 1 : 0));
      expect(samples).toEqual(expected.samples);
      expect(out).toEqual(expected.takenOut);
      const { lines, readable, dropped, foreign, unreadable } = expected;
      const repaired = fix ? expected.repaired : {};
      expect(counted).toEqual({
        lines,
        readable,
        samples: expected.samples.length,
        left: expected.takenOut.length,
        dropped,
        repaired,
        foreign: { count: foreign.length, lines: foreign.slice(0, 20) },
        unreadable: { count: unreadable.length, first: unreadable.slice(0, 20) },
      });
      expect([Object.keys(read.dropped), Object.keys(read.repaired)]).toEqual([Object.keys(dropped), Object.keys(repaired)]);
    }),
    { numRuns: 60 },
  ),
);

test("the four forms of the report are those with everything inside", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ line: fc.nat(), sample: fc.option(fc.string()), check: fc.constantFrom("json", "=x"), message: fc.string({ unit: "binary" }) }), {
        maxLength: 70,
      }),
      async (left) => {
        const report = { ...measureQuality({ samples: [], heldout: [], toolset: weatherSet }), taken_out: left };
        const [inside, beside] = ["inside", "beside"].map((name) => ({
          report: join(folder, `${name}.json`),
          markdown: join(folder, `${name}.md`),
          csv: join(folder, `${name}.csv`),
          html: join(folder, `${name}.html`),
        }));
        writeFileSync(join(folder, "left"), left.map((l) => `${JSON.stringify(l)}\n`).join(""));
        await writeReports(report, inside as never);
        await writeReports({ ...report, taken_out: [] }, beside as never, { takenOut: join(folder, "left") });
        for (const form of ["report", "markdown", "csv", "html"] as const)
          expect(readFileSync(beside?.[form] as string, "utf8")).toBe(readFileSync(inside?.[form] as string, "utf8"));
        expect(readFileSync(inside?.report as string, "utf8")).toBe(`${JSON.stringify(report, null, 2)}\n`);
        expect(readFileSync(inside?.markdown as string, "utf8")).toBe(qaMarkdown(report));
        expect(readFileSync(inside?.csv as string, "utf8")).toBe(qaCsv(report));
        expect(readFileSync(inside?.html as string, "utf8")).toBe(qaHtml(report));
      },
    ),
    { numRuns: 30 },
  ));

describe("lines", () => {
  const split = async (bytes: Uint8Array, piece: number, most?: number): Promise<SourceLine[]> => {
    const found: SourceLine[] = [];
    const into = new SourceLines((l) => found.push(l), most);
    async function* pieces() {
      // One buffer for all, as a file is read.
      const buffer = Buffer.alloc(piece);
      for (let at = 0; at < bytes.length; at += piece) {
        const part = Buffer.from(bytes.subarray(at, at + piece));
        part.copy(buffer);
        yield buffer.subarray(0, part.length);
      }
    }
    for await (const chunk of inUtf8(pieces())) into.push(chunk);
    into.end();
    return found;
  };

  test("are those of the whole file, without the white space around them, whatever pieces they come in", () =>
    fc.assert(
      fc.asyncProperty(bytesOf, fc.integer({ min: 2, max: 900 }), async (bytes, piece) => {
        const { text, foreign } = readBytes(bytes);
        const whole = text.split("\n").map((l, i) => ({ number: i + 1, text: l.trim(), length: l.trim().length, foreign: foreign.includes(i + 1) }));
        const something = ({ length, foreign }: SourceLine): boolean => length > 0 || foreign;
        expect((await split(bytes, piece)).filter(something)).toEqual(whole.filter(something));
      }),
    ));

  test("that are longer than what is held are counted to the character, in either encoding", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ unit: "binary", maxLength: 40 }), fc.nat(5), fc.constantFrom<BufferEncoding>("utf8", "latin1")), { maxLength: 5 }),
        fc.integer({ min: 2, max: 40 }),
        async (parts, piece) => {
          const bytes = Buffer.concat(
            parts.flatMap(([text, blank, encoding]) => [
              Buffer.from(`  ${text.replaceAll(/[\n\ufeff\0]/g, "-")}\u00a0${" ".repeat(blank)}x`, encoding),
              Buffer.from("\n"),
            ]),
          );
          const { text } = readBytes(bytes);
          const found = await split(bytes, piece, 3);
          expect(found.map((l) => l.length)).toEqual(
            text
              .split("\n")
              .slice(0, -1)
              .map((l) => l.trim().length),
          );
        },
      ),
    ));

  test("of many megabytes are named with their length; white space of any length around a conversation is none", async () => {
    const sample = '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}';
    const blank = Buffer.alloc(3 * LONGEST_LINE, 32);
    const long = Buffer.concat([Buffer.from('{"messages": "'), Buffer.alloc(5 * LONGEST_LINE, "é"), Buffer.from('"}')]);
    const bytes = Buffer.concat([blank, Buffer.from(sample), blank, blank, Buffer.from("\n"), long, Buffer.from("\r\n"), Buffer.from(sample)]);
    const { read, out } = await stream(bytes, false);
    expect(read).toMatchObject({ lines: 3, samples: 2, left: 1 });
    expect(out).toEqual([{ line: 2, sample: null, check: "shape", message: `line 2 has ${16 + 2.5 * LONGEST_LINE} characters, more than a conversation has` }]);
  });
});

test("an abort ends it, and leaves nothing in between", async () => {
  const path = join(folder, "aborted");
  writeFileSync(path, "{}\n");
  const signal = AbortSignal.abort();
  await expect(bringFile(path, { toolset: weatherSet, fix: true, train: join(folder, "t"), takenOut: join(folder, "o"), scratch, signal })).rejects.toThrow();
  expect(readdirSync(scratch)).toEqual([]);
});

test("ids that differ are told apart, and the same one is known", () => {
  const ids = new SeenIds();
  const added = (name: string, step = 1): number => Array.from({ length: 20_000 / step }, (_, i) => ids.add(`${name}${i * step}`)).filter(Boolean).length;
  expect(["row/", "line-", ""].map((name) => added(name))).toEqual([20_000, 20_000, 20_000]);
  expect(added("line-", 10)).toBe(0);
});
