/** What a model wrote is read strictly, and never crashes the reader. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseOutput } from "../../src/models/parse.ts";
import type { JsonObject } from "../../src/platform/json.ts";

const written = (json: string) => `<tool_call>\n${json}\n</tool_call>`;

describe("a call", () => {
  test("is read back as it was written", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (name, args) => {
        const json = JSON.stringify({ name, arguments: args });
        fc.pre(!json.includes("</tool_call>"));
        const parsed = parseOutput(written(json));
        expect(parsed).toEqual({ content: "", attempted: true, calls: [JSON.parse(json) as { name: string; arguments: JsonObject }] });
      }),
    );
  });

  test("may come with text and with others", () => {
    expect(parseOutput(`Let me look.\n${written('{"name":"a","arguments":{}}')}\n${written('{"name":"b","arguments":{"x":1}}')}`)).toEqual({
      content: "Let me look.",
      attempted: true,
      calls: [
        { name: "a", arguments: {} },
        { name: "b", arguments: { x: 1 } },
      ],
    });
  });

  test.each([
    ["is not closed", '<tool_call>\n{"name":"a","arguments":{}}', "not closed"],
    ["is not JSON", written('{"name":"a","arguments":{'), "not JSON"],
    ["is a list", written("[]"), "not a JSON object"],
    ["has no name", written('{"arguments":{}}'), "no name"],
    ["has arguments as text", written('{"name":"a","arguments":"{}"}'), "not an object"],
    ["has another member", written('{"name":"a","arguments":{},"parameters":{}}'), "unknown member"],
    ["stands without its tags", '{"name": "a", "arguments": {}}', "not between"],
    ["has a damaged tag", 'tool_call>\n</tool_call>\n{"name":"a"}', "not between"],
  ])("that %s is tried and not read", (_, text, problem) => {
    const parsed = parseOutput(text);
    expect(parsed.calls).toEqual([]);
    expect(parsed.attempted).toBe(true);
    expect(parsed.problem).toContain(problem);
  });
});

test("an answer is no call", () => {
  for (const text of ["It is 5 °C.", "", 'The JSON {"name": "x"} is nice.', "a < b"]) {
    expect(parseOutput(text)).toEqual({ content: text.trim(), calls: [], attempted: false });
  }
});

test("anything at all is read without a throw", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom("<tool_call>", "</tool_call>", "\n", '{"name":', '"arguments":', "{", "}", "__proto__"));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const parsed = parseOutput(pieces.join(""));
      expect(parsed.attempted).toBe(parsed.calls.length > 0 || parsed.problem !== undefined);
    }),
  );
});
