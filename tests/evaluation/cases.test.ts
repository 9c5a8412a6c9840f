/** Cases that people write: read whole, errors located. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { caseMessages, parseCases, readCases } from "../../src/evaluation/cases.ts";
import { packageRoot } from "../../src/platform/paths.ts";

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
