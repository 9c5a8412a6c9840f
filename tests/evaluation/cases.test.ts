/** Cases that people write: read whole, errors located. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { caseMessages, parseCases, readCases, strayArguments } from "../../src/evaluation/cases.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import type { Toolset } from "../../src/schemas/generated/toolset.ts";

const TOOLS: Pick<Toolset, "tools"> = {
  tools: [
    {
      name: "get_weather",
      description: "",
      input_schema: { type: "object", properties: { location: { type: "string" } } },
      source: "stub",
      origin: "stub:weather",
    },
  ],
};
const good = '{"id":"a","messages":[{"role":"user","content":"hi"}],"expect":null}';

describe("cases", () => {
  test("of the repository are all valid", async () => {
    const file = join(packageRoot(), "bench", "cases", "weather-ordinary.jsonl");
    const read = await readCases(file);
    expect(read.ok && read.value.length).toBe((await readFile(file, "utf8")).trim().split("\n").length);
  });

  test.each([
    ["is not JSON", "{", "not JSON"],
    ["has an unknown member", good.replace("}]", '}],"expected":1'), "expected"],
    ["ends with an assistant", good.replace('"role":"user"', '"role":"assistant"'), "last message"],
    [
      "has a user without words",
      good.replace('"hi"', "null").replace('"role":"user"', '"role":"system"').replace("}]", '},{"role":"user","content":"x"}]'),
      "no content",
    ],
    ["has an id twice", good, "already that of line 1"],
  ])("name the line that %s", (_, line, message) => {
    const read = parseCases(`${good}\r\n\n${line}\n`, "cases.jsonl");
    expect(read).toMatchObject({
      ok: false,
      error: { code: "evaluation/bad-cases", message: expect.stringContaining(message) as string, place: { file: "cases.jsonl", line: 3 }, exit: 4 },
    });
  });

  test("say what an argument must be, and that a tool is none", () => {
    const expects = (calls: string) => parseCases(good.replace("null", calls), "x", TOOLS);
    const failed = (calls: string): string => {
      const read = expects(calls);
      return read.ok ? "" : read.error.message;
    };
    expect(failed('[{"name":"get_weather","arguments":{"location":"Oslo"}}]')).toBe(
      'expect.0.arguments.location must be the list of values that are accepted: "location": ["Oslo"]',
    );
    expect(failed('[{"name":"get_weather"}]')).toBe("expect.0 must have required property 'arguments'");
    expect(failed('"get_weather"')).toContain("expect must be");
    expect(failed('[{"name":"get_wether","arguments":{}}]')).toBe('expects a call of "get_wether", which is none of the tools: did you mean "get_weather"?');
    const read = expects('[{"name":"get_weather","arguments":{"loc":["Oslo"],"location":["Oslo"]}}]');
    if (!read.ok) throw new Error(read.error.message);
    expect(strayArguments(read.value, TOOLS)).toEqual(['case "a" expects get_weather with "loc", which is none of its arguments: did you mean "location"?']);
  });

  test("that are none, or nowhere, are a failure", async () => {
    expect(parseCases("\n\n", "x")).toMatchObject({ ok: false, error: { code: "evaluation/no-cases" } });
    expect(await readCases("/nowhere/cases.jsonl")).toMatchObject({ ok: false, error: { code: "evaluation/no-cases-file" } });
  });

  test("keep earlier calls and results of their conversation", () => {
    const read = parseCases(
      '{"id":"a","expect":null,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","content":"r","tool_call_id":"1"}]}',
      "x",
    );
    expect(read.ok && read.value[0] && caseMessages(read.value[0])).toMatchObject([
      { role: "user" },
      { role: "assistant", tool_calls: [{ function: { name: "f", arguments: '{"a":1}' } }] },
      { role: "tool", content: "r" },
    ]);
  });
});
