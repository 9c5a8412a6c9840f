/** Repairs of brought data: each is recorded, each can be taken back, and a default stands only where the user's words leave it to that. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bringFile } from "../../src/data/brought.ts";
import { closeJson, importSamples, readLine } from "../../src/data/import.ts";
import { sampleMender } from "../../src/data/repair.ts";
import { type SampleRepair, undoRepairs } from "../../src/data/repairs.ts";
import type { Sample } from "../../src/data/types.ts";
import { toolset } from "./fixtures.ts";

const set = toolset([
  {
    name: "book",
    description: "Books a room.",
    input_schema: {
      type: "object",
      properties: {
        city: { type: "string" },
        nights: { type: "integer", default: 1 },
        unit: { type: "string", enum: ["celsius", "fahrenheit"], default: "celsius" },
        pets: { type: "boolean", default: false, description: "Whether animals come along." },
        note: { type: "string", default: "none" },
        wrong: { type: "integer", default: "many" },
        opts: {
          type: "object",
          properties: {
            pets: { type: "boolean" },
            floor: { type: "integer", default: 2 },
            "a/b": { type: "integer" },
            beds: { type: "array", items: { type: "object", properties: { wide: { type: "boolean" }, kind: { type: "string", enum: ["Twin", "King"] } } } },
            prices: { type: "object", additionalProperties: { type: "number" } },
            name: { type: "string" },
          },
          required: ["floor"],
        },
      },
      required: ["city", "nights"],
    },
  },
]);
const mend = sampleMender(set);
const sampleOf = (user: string, args: string, tool = "book"): Sample => {
  const line = JSON.stringify({
    messages: [
      { role: "user", content: user },
      { role: "assistant", content: null, tool_calls: [{ id: "a", type: "function", function: { name: tool, arguments: args } }] },
      { role: "tool", tool_call_id: "a", content: "{}" },
      { role: "assistant", content: "It is booked." },
    ],
  });
  const [sample] = importSamples(line, false).samples;
  return sample as Sample;
};
const argumentsOf = ({ messages }: Sample): string => (messages[1]?.role === "assistant" ? (messages[1].tool_calls?.[0]?.function.arguments ?? "") : "");

describe("a repair inside a call", () => {
  test.each([
    [
      '{"city":"Lima","nights":2,"opts":{"floor":"3","pets":"True"}}',
      '{"city":"Lima","nights":2,"opts":{"floor":3,"pets":true}}',
      ["/opts/floor", "/opts/pets"],
    ],
    [
      '{"city":"Lima","nights":2,"opts":{"floor":1,"beds":[{"wide":"false","kind":"king"},{"wide":true}]}}',
      '{"city":"Lima","nights":2,"opts":{"floor":1,"beds":[{"wide":false,"kind":"King"},{"wide":true}]}}',
      ["/opts/beds/0/wide", "/opts/beds/0/kind"],
    ],
    [
      '{"city":"Lima","nights":2,"opts":{"floor":1,"prices":{"a":"2.5"}}}',
      '{"city":"Lima","nights":2,"opts":{"floor":1,"prices":{"a":2.5}}}',
      ["/opts/prices/a"],
    ],
    ['{"city":"Lima","nights":2,"opts":{"floor":1,"a/b":"4"}}', '{"city":"Lima","nights":2,"opts":{"floor":1,"a/b":4}}', ["/opts/a~1b"]],
    ['{"city":"Lima","nights":2,"opts":{"floor":1,"name":"Malm\u00c3\u00b6"}}', '{"city":"Lima","nights":2,"opts":{"floor":1,"name":"Malmö"}}', ["/opts/name"]],
  ])("goes to any depth: %s", (given, expected, paths) => {
    const mended = mend(sampleOf("A room in Lima.", given));
    expect(argumentsOf(mended.sample)).toBe(expected);
    expect(mended.repairs.map((r) => r.path).sort()).toEqual(paths.map((p) => `/messages/1/tool_calls/0/function/arguments${p}`).sort());
    expect(mended.repairs.map((r) => r.text !== undefined)).toEqual(paths.map((_, i) => i === 0));
  });

  test("of thousands of wrong values ends", () => {
    const began = performance.now();
    mend(sampleOf("A room.", JSON.stringify({ city: "Lima", nights: 1, opts: { floor: 1, beds: Array.from({ length: 20_000 }, () => ({ wide: "true" })) } })));
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe("a default is filled in", () => {
  const filled = (user: string, args: string): [string, string[]] => {
    const { sample, kinds } = mend(sampleOf(user, args));
    return [argumentsOf(sample), [...kinds]];
  };
  test.each([
    ["where it is required and nothing is said of it", "A room in Oslo, please.", '{"city":"Oslo"}', '{"city":"Oslo","nights":1}'],
    ["where the number that is said is another argument's", "A room in district 9.", '{"city":"district 9"}', '{"city":"district 9","nights":1}'],
    ["inside an object", "A room in Oslo.", '{"city":"Oslo","nights":1,"opts":{"pets":true}}', '{"city":"Oslo","nights":1,"opts":{"pets":true,"floor":2}}'],
  ])("%s", (_, user, args, expected) => expect(filled(user, args)).toEqual([expected, ["default"]]));

  test.each([
    ["a number is said that nothing else has", "A room in Oslo for 3."],
    ["a number is said in words", "A room in Oslo for three."],
    ["a time is said", "A room in Oslo for the weekend."],
    ["the argument is named", "How many nights may I book in Oslo?"],
    ["another form of its name is said", "A room in Oslo, just overnight, one night."],
  ])("not where %s", (_, user) => expect(filled(user, '{"city":"Oslo"}')).toEqual(['{"city":"Oslo"}', []]));

  /** With one more required argument. */
  const needing = (name: string): ReturnType<typeof sampleMender> => {
    const [tool] = set.tools;
    return sampleMender({
      ...set,
      tools: [{ ...tool, input_schema: { ...(tool?.input_schema as object), required: ["city", "nights", name] } }] as typeof set.tools,
    });
  };
  test.each([
    ["unit", "The weather in Oslo.", true],
    ["unit", "The weather in Oslo, in Fahrenheit.", false],
    ["unit", "The weather in Oslo, in °F.", false],
    ["unit", "The weather in Oslo, and in what unit?", false],
    ["pets", "A room in Oslo.", true],
    ["pets", "A room in Oslo for me and my pet.", false],
    ["pets", "A room in Oslo with two animals.", false],
    // Of a free text nobody can say whether the words mean another.
    ["note", "A room in Oslo.", false],
    ["wrong", "A room in Oslo.", false],
    ["city", "A room.", false],
  ])("%s, after %s: %s", (name, user, expected) => {
    const { repairs } = needing(name)(sampleOf(user, name === "city" ? '{"nights":1}' : '{"city":"Oslo","nights":1}'));
    expect(repairs.map((r) => r.check)).toEqual(expected ? ["default"] : []);
  });
});

describe("every repair is written down", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "forge-repairs-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const pieces = fc.array(
    fc.constantFrom(" ", "\r\n", "room", "Zürich", "Z\u00c3\u00bcrich", "\u0007", "\ufeff", '"', "\\", "}", "0", "\ud83d\ude00", "\ud800"),
    { maxLength: 5 },
  );
  const text = pieces.map((p) => p.join(""));
  const value = fc.oneof(text, fc.constantFrom<unknown>("3", "007", " true", "king", 7, true, null, 1e21));
  const args = fc
    .tuple(
      fc.dictionary(fc.constantFrom("city", "nights", "pets", "unit", "opts", "__proto__", "x"), value),
      fc.dictionary(fc.constantFrom("floor", "pets", "name", "a/b"), value),
      fc.nat(3),
    )
    .map(([outer, inner, cut]) => {
      const whole = JSON.stringify({ ...outer, opts: inner }, null, cut === 1 ? 1 : 0);
      return cut === 2 ? whole.slice(0, -1) : cut === 3 ? `${whole} ` : whole;
    });
  const samples = fc.tuple(fc.uuid(), text, args, fc.constantFrom("book", " book", "none"), fc.nat(5)).map(([id, user, given, tool, cut]) => {
    const line = JSON.stringify({ ...sampleOf(`${id} ${user}`, given, tool), id });
    return cut === 0 ? line.slice(0, -1) : line;
  });

  test("and taken back, sample by sample, gives what was read, to the byte of every text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(samples, { maxLength: 12 }), async (lines) => {
        const [path, train, takenOut, repairs] = ["data", "train", "out", "repairs"].map((name) => join(folder, name)) as [string, string, string, string];
        writeFileSync(path, lines.map((l) => `${l}\n`).join(""));
        const signal = new AbortController().signal;
        const brought = await bringFile(path, { toolset: set, fix: true, train, takenOut, repairs, scratch: folder, signal });
        const read = <T>(file: string): T[] => readFileSync(file, "utf8").split("\n").slice(0, -1).map((l) => JSON.parse(l) as T); // biome-ignore format: one line
        const made = read<SampleRepair>(repairs);
        const kept = read<Sample>(train);
        for (const sample of kept) {
          const mine = made.filter((r) => r.sample === sample.id);
          const line = lines.findIndex((l) => l.includes(`"id":"${sample.id}"`));
          for (const r of mine) expect(r.line).toBe(line + 1);
          const before = readLine(lines[line]?.trim() as string, line + 1, true);
          if ("reason" in before) throw new Error(before.message);
          expect(undoRepairs(sample, mine)).toEqual({ ...before.sample, qc_passed: sample.qc_passed });
          // A line that broke off is the first repair of its sample.
          expect(mine.filter((r) => r.path === "").map((r) => [r.before, r.after])).toEqual(
            before.closed ? [[lines[line], closeJson(lines[line] as string)]] : [],
          );
          if (mine.length === 0) expect(before.sample.messages).toEqual(sample.messages);
        }
        // None of a sample that was taken out, and none that the report does not count.
        expect(made.filter((r) => !kept.some((s) => s.id === r.sample))).toEqual([]);
        for (const kind of new Set(made.map((r) => r.check))) expect(brought.repaired[kind]).toBeGreaterThan(0);
      }),
      { numRuns: 120 },
    );
  });

  test("a line that was no UTF-8, with what it was", async () => {
    const [path, train, takenOut, repairs] = ["d", "t", "o", "r"].map((name) => join(folder, name)) as [string, string, string, string];
    writeFileSync(path, Buffer.from(`${JSON.stringify(sampleOf("Ein Zimmer in Zürich", '{"city":"Zürich","nights":1}'))}\n`, "latin1"));
    await bringFile(path, { toolset: set, fix: true, train, takenOut, repairs, scratch: folder, signal: new AbortController().signal });
    expect(readFileSync(repairs, "utf8")).toBe('{"line":1,"sample":"line-1","check":"encoding","path":"","before":"windows-1252","after":"utf-8"}\n');
  });
});
