/** Data that somebody brings: what is read as the same, what is mended, and what is left alone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleChecker } from "../../src/data/checks/index.ts";
import { findDuplicates } from "../../src/data/checks/set-checks.ts";
import { foreignWords, importSamples, readBytes } from "../../src/data/import.ts";
import { removeOverlap } from "../../src/data/overlap.ts";

import type { Sample } from "../../src/data/types.ts";
import type { EvaluationCase } from "../../src/schemas/generated/case.ts";
import { toolset } from "./fixtures.ts";
import { repairSamples } from "./oracle/repair.ts";

const conversation = (user: string, args: string, name = "f") => ({
  messages: [
    { role: "user", content: user },
    { role: "assistant", content: null, tool_calls: [{ id: "a", type: "function", function: { name, arguments: args } }] },
    { role: "tool", tool_call_id: "a", content: '{"status":"ok"}' },
    { role: "assistant", content: "It is done." },
  ],
});
const read = (...lines: object[]): Sample[] => {
  const { samples, unreadable } = importSamples(lines.map((l) => JSON.stringify(l)).join("\n"), false);
  expect(unreadable).toEqual([]);
  return [...samples];
};

describe("requests that differ in a sign are not the same", () => {
  test.each([
    [["What is 5 + 3?", "What is 5 - 3?", "What is 5 * 3?", "What is 5 % 3?"]],
    [["Convert 40 degrees to Fahrenheit please.", "Convert -40 degrees to Fahrenheit please."]],
    [["jobs for C developers in Oslo", "jobs for C# developers in Oslo", "jobs for C++ developers in Oslo"]],
    [["दिन", "दान"]],
  ])("%j", (users) => {
    const samples = read(...users.map((u) => conversation(u, "{}")));
    expect(findDuplicates(samples)).toEqual([]);
    const [first = "", ...others] = users;
    const cases = [{ id: "a", messages: [{ role: "user", content: first }], expect: null }] as EvaluationCase[];
    expect(removeOverlap(samples, cases).kept).toHaveLength(others.length);
  });
  test("those that differ in punctuation are", () => {
    const samples = read(...["What's the weather in Oslo?", "what's the weather in Oslo", "What's the weather, in Oslo!"].map((u) => conversation(u, "{}")));
    expect(findDuplicates(samples)).toHaveLength(2);
  });
});

describe("a repair", () => {
  const set = toolset([
    {
      name: "f",
      description: "Does it.",
      input_schema: {
        type: "object",
        properties: {
          id: { type: ["integer", "string"] },
          code: { anyOf: [{ type: "string" }, { type: "integer" }] },
          n: { type: "integer" },
          on: { type: "boolean" },
          size: { type: "string", enum: ["Small", "Large"] },
          big: { type: "integer" },
        },
      },
    },
  ]);
  const mended = (args: string): [string | undefined, object] => {
    const { samples, repaired } = repairSamples(read(conversation("Do it.", args)), set);
    const message = samples[0]?.messages[1];
    return [message?.role === "assistant" ? message.tool_calls?.[0]?.function.arguments : undefined, repaired];
  };
  test.each([
    ["of what a union allows: nothing", '{"id":"007"}', '{"id":"007"}', {}],
    ["of the other branch: nothing", '{"code":12}', '{"code":12}', {}],
    ["of every value that is refused", '{"n":"3","on":"True","size":"small"}', '{"n":3,"on":true,"size":"Small"}', { schema: 1 }],
    ["of one argument leaves the others as they are", '{"id":"007","n":"3"}', '{"id":"007","n":3}', { schema: 1 }],
  ])("%s", (_, given, expected, repaired) => expect(mended(given)).toEqual([expected, repaired]));
  test("never rewrites a number of many digits", () => {
    // The sample cannot be mended without that, so it is taken out.
    expect(mended('{"big":1234567890123456789,"n":"3"}')).toEqual([undefined, {}]);
    expect(mended('{"big":1234567890123456789,"n":3}')).toEqual(['{"big":1234567890123456789,"n":3}', {}]);
  });
});

describe("forms that are read", () => {
  const check = sampleChecker(toolset([{ name: "f", description: "Does it.", input_schema: { type: "object", properties: {} } }]));
  const ends = [{ role: "assistant", content: "Both are done." }];
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  test("results in another order than their calls", () => {
    const [sample] = read({
      messages: [
        { role: "user", content: "Do both." },
        { role: "assistant", content: null, tool_calls: [call("a"), call("b")] },
        { role: "tool", tool_call_id: "b", content: "second" },
        { role: "tool", tool_call_id: "a", content: "first" },
        ...ends,
      ],
    });
    expect(sample?.messages.filter((m) => m.role === "tool").map((m) => m.content)).toEqual(["first", "second"]);
    expect(check(sample as Sample)?.check.name).toBeUndefined();
  });
  test("ShareGPT's calls with ids of their own", () => {
    const turns = [
      ["human", "Do it."],
      ["function_call", '{"id":"mine","name":"f","arguments":{}}'],
      ["observation", '{"status":"ok"}'],
      ["gpt", "It is done."],
    ];
    const [sample] = read({ conversations: turns.map(([from, value]) => ({ from, value })) });
    expect(sample?.messages[2]).toMatchObject({ role: "tool", tool_call_id: "mine" });
    expect(check(sample as Sample)).toBeNull();
  });
  test("OpenAI's older function_call", () => {
    const [sample] = read({
      messages: [
        { role: "user", content: "Do it." },
        { role: "assistant", content: "Let me see.", function_call: { name: "f", arguments: "{}" }, tool_calls: null },
        { role: "function", name: "f", content: '{"status":"ok"}' },
        { role: "assistant", content: "It is done." },
      ],
    });
    expect(sample).toMatchObject({ scenario: "standard", tool_name: "f" });
    expect(check(sample as Sample)).toBeNull();
    const unanswered = read({
      messages: [
        { role: "user", content: "Do it." },
        { role: "assistant", content: "Let me see.", function_call: { name: "f", arguments: "{}" } },
      ],
    });
    expect(check(unanswered[0] as Sample)?.check.name).toBe("roles");
  });
  test.each<[string, number[]]>([
    ["UTF-16 with its mark", [0xff, 0xfe, 0x7b, 0, 0xe9, 0]],
    ["UTF-16, the other way round", [0xfe, 0xff, 0, 0x7b, 0, 0xe9]],
    ["UTF-16 without a mark", [0x7b, 0, 0xe9, 0]],
    ["the same the other way round", [0, 0x7b, 0, 0xe9]],
  ])("%s", (_, bytes) => expect(readBytes(Uint8Array.from(bytes))).toEqual({ text: "{é", foreign: [] }));
  test("a line that is no UTF-8 among lines that are", () => {
    const bytes = Buffer.concat([Buffer.from("\ufeffZürich\r\n"), Buffer.from("caf\xe9\n", "latin1"), Buffer.from("–\n\n"), Buffer.from([0x93, 0x94])]);
    expect(readBytes(bytes)).toEqual({ text: "Zürich\r\ncafé\n–\n\n“”", foreign: [2, 5] });
  });
  test("any text is read as it was written, whatever stands around it", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: "binary" }).map((s) => s.replaceAll(/[\n\ufeff]/g, "")),
          { minLength: 1 },
        ),
        (lines) => {
          const bytes = Buffer.concat([Buffer.from("{\n\xe9\n", "latin1"), Buffer.from(lines.join("\n"))]);
          expect(readBytes(bytes)).toEqual({ text: `{\né\n${lines.join("\n")}`, foreign: [2] });
        },
      ),
    ));
  test("the lines that are named are few", () => {
    expect(foreignWords([3])).toBe("line 3 is no UTF-8 and was read as Windows-1252");
    expect(foreignWords([1, 2])).toBe("lines 1, 2 are no UTF-8 and were read as Windows-1252");
    expect(foreignWords([1, 2], 9)).toBe("lines 1, 2 and 7 more are no UTF-8 and were read as Windows-1252");
  });
});
