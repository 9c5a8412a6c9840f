/**
 * Single steps on files, with the real stages, as far as they need no model; and every step's answer to flags that
 * are missing or wrong. Nothing of a step stays but what it was asked for. The command runs in this process, from its
 * sources: only its streams, its folder and its temporary folder are the test's.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import type { RunOutcome } from "../../src/engine/apply.ts";
import { type Delivery, deliver } from "../../src/stages/single/deliver.ts";
import { prepareStep } from "../../src/stages/single/steps.ts";
import { treeOf, World } from "../e2e/support/forge.ts";

let world: World;
const home = process.cwd();
const tmp = process.env.TMPDIR;
const cache = process.env.MCP_FORGE_CACHE_DIR;
beforeEach(() => {
  world = new World();
  process.chdir(world.project);
  process.env.TMPDIR = world.tmp;
  process.env.MCP_FORGE_CACHE_DIR = world.cache;
});
afterEach(() => {
  process.chdir(home);
  if (tmp === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = tmp;
  if (cache === undefined) delete process.env.MCP_FORGE_CACHE_DIR;
  else process.env.MCP_FORGE_CACHE_DIR = cache;
  world.remove();
});

async function forge(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += String(text);
      return true;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      err += String(text);
      return true;
    }),
  ];
  try {
    const code = await runCli(args);
    return { code, out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const TOOLS = JSON.stringify({
  tools: ["get_weather", "get_forecast"].map((name) => ({
    name,
    description: `Gives ${name}.`,
    input_schema: {
      type: "object",
      properties: { location: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 14 }, unit: { type: "string", enum: ["metric", "imperial"] } },
      required: ["location"],
    },
  })),
});

const PLACES = "Paris Oslo Rome Lima Cairo Tokyo Delhi Bern Riga Kyiv Quito Accra".split(" ");
interface Line {
  readonly ask: string;
  readonly tool?: string;
  /** Text of the arguments. */
  readonly args?: string;
}
const conversation = ({ ask, tool = "get_weather", args = '{"location":"Paris"}' }: Line): string =>
  JSON.stringify({
    messages: [
      { role: "user", content: ask },
      { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: tool, arguments: args } }] },
      { role: "tool", tool_call_id: "c", content: "{}" },
      { role: "assistant", content: "It is dry." },
    ],
  });
/** Twelve good samples a tool. */
const GOOD = ["get_weather", "get_forecast"].flatMap((tool) =>
  PLACES.map((place, i) =>
    conversation({ ask: `${tool} of day ${i} around ${place}, part ${i * 7}, please`, tool, args: JSON.stringify({ location: place }) }),
  ),
);
const data = (...more: string[]): void => void world.write("train.jsonl", `${[...GOOD, ...more].join("\n")}\n`);
const samples = (name: string): { id: string; messages: { content: string | null; tool_calls?: { function: { arguments: string } }[] }[] }[] =>
  readFileSync(join(world.project, name), "utf8")
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l));

describe("qa of a file", () => {
  beforeEach(() => void world.write("tools.json", TOOLS));

  test("good data: exit 0, the report in four forms, and nothing else", async () => {
    data();
    const ended = await forge(["qa", "--data", "train.jsonl", "--tools", "tools.json"]);
    expect(ended, ended.err).toMatchObject({ code: 0, err: "" });
    expect(readdirSync(world.project).sort()).toEqual(["tools.json", "train.jsonl", "train.qa.csv", "train.qa.html", "train.qa.json", "train.qa.md"]);
    const report = JSON.parse(readFileSync(join(world.project, "train.qa.json"), "utf8")) as { totals: unknown; figures: Record<string, number> };
    expect(report.totals).toMatchObject({ samples: 24, valid: 24, invalid: 0 });
    expect(report.figures).toMatchObject({ schema_pass_rate: 1, min_samples_per_tool: 12 });
    expect(readFileSync(join(world.project, "train.qa.md"), "utf8")).toContain("# Data quality");
    expect(readFileSync(join(world.project, "train.qa.csv"), "utf8")).toMatch(
      /^section,name,value,detail\r\n[\s\S]*figures,schema_pass_rate,1,\r\n[\s\S]*tool,get_weather,12,\r\n/,
    );
    expect(treeOf(world.tmp)).toEqual({});
  });

  test("the exit code is the gate, and thresholds are flags", async () => {
    data(conversation({ ask: "one more thing about the sea", tool: "no_such_tool" }));
    const args = ["qa", "--data", "train.jsonl"];
    const refused = await forge(args);
    expect(refused.code).toBe(3);
    expect(refused.out).toContain("schema_pass_rate 0.960 < 0.98");
    expect((await forge([...args, "--schema-pass-rate", "0.95"])).code).toBe(0);
    expect((await forge([...args, "--schema-pass-rate", "0.95", "--min-samples-per-tool", "13"])).code).toBe(3);
    expect((await forge([...args, "--schema-pass-rate", "98"])).err).toContain("number from 0 to 1");
  });

  const mended: [name: string, line: string, kind: string, holds: (text: string) => boolean][] = [
    ["a number as text", conversation({ ask: "the week ahead", args: '{"location":"Zug","days":"3"}' }), "schema", (t) => t.includes('"days\\":3')],
    [
      "an enum in the wrong case",
      conversation({ ask: "the week ahead", args: '{"location":"Zug","unit":"Metric"}' }),
      "schema",
      (t) => t.includes('\\"metric\\"'),
    ],
    [
      "arguments that break off after a value",
      conversation({ ask: "the week ahead", args: '{"location":"Zug"' }),
      "truncation",
      (t) => t.includes('{\\"location\\":\\"Zug\\"}'),
    ],
    ["a line that breaks off after a value", conversation({ ask: "the week ahead" }).slice(0, -2), "truncation", (t) => t.includes("the week ahead")],
    ["white space around a request", conversation({ ask: "  the week ahead \r\n" }), "whitespace", (t) => t.includes('"the week ahead"')],
    ["UTF-8 read as Windows-1252", conversation({ ask: "the week in ZÃ¼rich" }), "encoding", (t) => t.includes("the week in Zürich")],
    ["control characters", conversation({ ask: "the \u0007week\u001b ahead" }), "encoding", (t) => t.includes('"the week ahead"')],
  ];
  test.each(mended)("--fix repairs %s", async (_name, line, kind, holds) => {
    data(line);
    const ended = await forge(["qa", "--data", "train.jsonl", "--fix", "--output", "out/clean.jsonl"]);
    expect(ended.code, ended.out + ended.err).toBe(0);
    expect(samples("out/clean.jsonl")).toHaveLength(25);
    expect(holds(readFileSync(join(world.project, "out/clean.jsonl"), "utf8"))).toBe(true);
    expect((JSON.parse(readFileSync(join(world.project, "train.qa.json"), "utf8")) as { repaired: object }).repaired).toEqual({ [kind]: 1 });
    expect((await forge(["qa", "--data", "out/clean.jsonl", "--tools", "tools.json"])).code).toBe(0);
  });

  test("--fix leaves arguments alone that have nothing wrong, to the digit and the space", async () => {
    const args = '{"location": "Zug ", "unit":"metric", "station": 9007199254740993}';
    data(conversation({ ask: "the week ahead", args }));
    await forge(["qa", "--data", "train.jsonl", "--fix", "--output", "out/clean.jsonl"]);
    expect((JSON.parse(readFileSync(join(world.project, "train.qa.json"), "utf8")) as { repaired: object }).repaired).toEqual({});
    expect(readFileSync(join(world.project, "out/clean.jsonl"), "utf8")).toContain(JSON.stringify(args));
  });

  const dropped: [name: string, line: string, reason: string][] = [
    ["an unknown tool", conversation({ ask: "the week ahead", tool: "get_wether" }), "tool_exists"],
    ["a missing argument", conversation({ ask: "the week ahead", args: "{}" }), "required"],
    ["a value out of range", conversation({ ask: "the week ahead", args: '{"location":"Zug","days":99}' }), "schema"],
    ["arguments cut off in a word", conversation({ ask: "the week ahead", args: '{"location":"Zu' }), "parse"],
    ["a line cut off in a word", conversation({ ask: "the week ahead" }).slice(0, -6), "json"],
    ["no JSON at all", "hello", "json"],
    ["JSON that is no conversation", '{"x": "a", "y": "b"}', "shape"],
    ["a conversation without its answer", '{"messages":[{"role":"user","content":"the week ahead"},{"role":"user","content":"well?"}]}', "roles"],
    ["the same again", GOOD[3] as string, "duplicate"],
    ["nearly the same again", conversation({ ask: "get_weather of day 3 around Lima, part 21, please!", args: '{"location":"Lima"}' }), "duplicate"],
  ];
  test.each(dropped)("--fix takes out %s", async (_name, line, reason) => {
    data(line);
    const ended = await forge(["qa", "--data", "train.jsonl", "--fix"]);
    expect(ended.code, ended.out + ended.err).toBe(0);
    expect(samples("train.clean.jsonl")).toHaveLength(24);
    expect((JSON.parse(readFileSync(join(world.project, "train.qa.json"), "utf8")) as { dropped: object }).dropped).toEqual({ [reason]: 1 });
  });

  test("two samples under one id are two samples", async () => {
    const twin = (ask: string): string => JSON.stringify({ id: "a", ...JSON.parse(conversation({ ask })) });
    data(twin("the week ahead in the valley"), twin("storms over the northern sea today"));
    await forge(["qa", "--data", "train.jsonl", "--fix"]);
    expect(new Set(samples("train.clean.jsonl").map((s) => s.id)).size).toBe(26);
  });

  test("an issue that would be a formula in a spreadsheet is none", async () => {
    data(JSON.stringify({ id: "=cmd|'/c calc'!A0", ...JSON.parse(conversation({ ask: "the week ahead", tool: "no" })) }));
    await forge(["qa", "--data", "train.jsonl", "--report", "r"]);
    expect(readFileSync(join(world.project, "r.csv"), "utf8")).toContain("issue,tool_exists,'=cmd|'/c calc'!A0,");
  });

  const report = () =>
    JSON.parse(readFileSync(join(world.project, "train.qa.json"), "utf8")) as { repaired: object; dropped: object; taken_out: object[]; issues: object[] };
  const written = (ending: string): string => readFileSync(join(world.project, `train.qa.${ending}`), "utf8");

  test("one line that is no UTF-8 is read as Windows-1252, and it alone; the lines are named", async () => {
    const broken = Buffer.from(`${conversation({ ask: "the café by the sea" })}\n`, "latin1");
    world.write("train.jsonl", Buffer.concat([Buffer.from(`${GOOD.join("\n")}\n${conversation({ ask: "the week in Zürich – ein Überblick" })}\n`), broken]));
    const ended = await forge(["qa", "--data", "train.jsonl", "--fix"]);
    expect([ended.code, ended.err]).toEqual([0, expect.stringContaining("line 26 is no UTF-8 and was read as Windows-1252")]);
    expect(samples("train.clean.jsonl").map((s) => s.messages[0]?.content)).toEqual(
      expect.arrayContaining(["the week in Zürich – ein Überblick", "the café by the sea"]),
    );
    expect(report().repaired).toEqual({ encoding: 1 });
  });

  test("what --fix takes out is named with its line and the reason, in every form of the report", async () => {
    data("hello", conversation({ ask: "the week ahead", args: '{"location":"Zug","days":99}' }), GOOD[3] as string, conversation({ ask: "storms at sea" }));
    await forge(["qa", "--data", "train.jsonl", "--fix"]);
    expect(report().dropped).toEqual({ json: 1, schema: 1, duplicate: 1 });
    expect(report().taken_out).toEqual([
      { line: 25, sample: null, check: "json", message: "line 25 is not JSON" },
      { line: 26, sample: "line-26", check: "schema", message: expect.stringContaining("days") },
      { line: 27, sample: "line-27", check: "duplicate", message: "says what line-4 says" },
    ]);
    expect(written("md")).toMatch(/## Left out\n[\s\S]*\| 26 \| `line-26` \| schema \| `get_weather: \/days /);
    expect(written("csv")).toMatch(/\r\ntaken_out,json,25,line 25 is not JSON\r\ntaken_out,schema,26,/);
    expect(written("md")).not.toMatch(/generat/);
    // Without --fix only what could not be read is left out.
    await forge(["qa", "--data", "train.jsonl"]);
    expect(report().taken_out).toHaveLength(1);
  });

  test("the report for people lists the first fifty of them", async () => {
    data(...Array.from({ length: 60 }, (_, i) => `broken ${i}`));
    await forge(["qa", "--data", "train.jsonl", "--fix"]);
    expect(written("md").match(/^\| \d+ \| {2}\| json \|/gm)).toHaveLength(50);
    expect(written("md")).toContain("And 10 more; the JSON report names them all.");
    expect(report().taken_out).toHaveLength(60);
  });

  test.each([
    [
      "as an object, with more digits than a number holds",
      '{"location":"Zug","station":9007199254740993}',
      "number",
      "9007199254740993, which would come out as 9007199254740992",
    ],
    ["as an object, beyond every number", '{"location":"Zug","days":1e400}', "number", "1e400, which would come out as null"],
  ])("arguments %s: the line is left out, with the number", async (_, args, check, message) => {
    data(conversation({ ask: "the week ahead" }).replace(/"arguments":"(?:[^"\\]|\\.)*"/, `"arguments":${args}`));
    const ended = await forge(["qa", "--data", "train.jsonl"]);
    expect(ended.err).toContain(`line 25 has a call with the number ${message}`);
    expect(report().dropped).toEqual({ [check]: 1 });
  });

  test("arguments as text keep every digit, and a number beyond all others is not one", async () => {
    data(
      conversation({ ask: "the week ahead", args: '{"location":"Zug","days":1e400}' }),
      conversation({ ask: "fog", args: '{"location":"Zug","x":9007199254740993}' }),
    );
    await forge(["qa", "--data", "train.jsonl"]);
    expect(report().issues).toEqual([{ check: "parse", sample: "line-25", message: expect.stringContaining("the number 1e400") }]);
  });

  test("a file with nothing in it is wrong input, not a pass", async () => {
    world.write("train.jsonl", "\n\n");
    const ended = await forge(["qa", "--data", "train.jsonl"]);
    expect(ended.code).toBe(4);
    expect(ended.err).toContain("error[data/no-samples]: there are no samples in train.jsonl");
  });
});

describe("flags that are missing or wrong: exit 4, with the flag that mends it", () => {
  beforeEach(() => {
    world.write("tools.json", TOOLS);
    world.write("train.jsonl", `${GOOD.join("\n")}\n`);
    world.write("no.gguf", "not a model");
    world.write("forge.yaml", "version: 1\nname: x\ntools:\n  - stub: weather\n");
    symlinkSync("train.jsonl", join(world.project, "link.jsonl"));
    mkdirSync(join(world.project, "full"));
    world.write("full/x", "x");
    mkdirSync(join(world.project, "adapter/adapter"), { recursive: true });
    world.write("adapter/adapter/x", "of an earlier training");
  });
  const cases: [args: string[], message: string, help: string][] = [
    [["generate", "--samples", "5"], "`generate` needs tools", "--server"],
    [["generate", "--stub", "weather", "--samples", "few"], "whole number", "--help"],
    [["generate", "--stub", "wether"], "`tools[0].stub` must be one of `weather`", "did you mean `weather`"],
    [["generate", "--stub", "weather", "--server", "x"], "--server and --stub", "name one"],
    [["generate", "--server", "'x"], "open single quote", "close the quote"],
    [["generate", "--stub", "weather", "--no-tool-ratio", "0.9", "--error-ratio", "0.5"], "together at most 1", "--no-tool-ratio 0.15"],
    [["generate", "--tools", "none.json"], "`none.json` (--tools) does not exist", "relative to the folder"],
    [["generate", "--stub", "weather", "--output", "full"], "--output full is a folder", "name a file"],
    [["generate", "--stub", "weather", "--cases", "full"], "full is a folder", "name a file"],
    [["generate", "--tools", "tools.json", "--output", "tools.json"], "`tools.json` would be written over, and it is read", "--output, --cases"],
    [["qa", "--data", "train.jsonl", "--tools", "tools.json", "--fix", "--output", "train.jsonl"], "`train.jsonl` would be written over", "--output, --report"],
    [["qa", "--data", "train.jsonl", "--tools", "tools.json", "--fix", "--output", "./link.jsonl"], "`./link.jsonl` would be written over", "name of its own"],
    [["qa", "--data", "train.jsonl", "--tools", "tools.json", "--fix", "--output", "tools.json"], "`tools.json` would be written over", "name of its own"],
    [["qa", "--data", "train.jsonl", "--tools", "tools.json", "--report", "tools"], "`tools.json` would be written over", "--output, --report"],
    [["validate", "--model", "no.gguf", "--tools", "tools.json", "--output", "tools.json"], "`tools.json` would be written over", "(--output)"],
    [["benchmark", "--model", "no.gguf", "--tools", "tools.json", "--output", "no.gguf"], "`no.gguf` would be written over", "(--output)"],
    [["tools", "inspect", "--stub", "weather", "--output", "."], "--output . is a folder", "name a file in it"],
    [["tools", "inspect", "--file", "tools.json", "--output", "tools.json"], "`tools.json` would be written over", "name of its own"],
    [["tools", "inspect", "forge.yaml", "--output", "forge.yaml"], "`forge.yaml` would be written over", "name of its own"],
    [["tools", "inspect", "--openai", "none.json"], "cannot read `none.json` (--openai): there is no such file", "relative to the folder that you stand in"],
    [["tools", "import", "--from", "tools.json", "--output", "tools.json"], "`tools.json` would be written over", "name of its own"],
    [["tools", "import", "--from", "full", "--output", "t.json"], "`full` (--from): it is a folder", "relative to the folder"],
    [["stub", "--from", "none.json"], "`none.json` (--from): there is no such file", "relative to the folder that you stand in"],
    [["data", "convert", "--from", "train.jsonl", "--to", "trl", "--output", "link.jsonl"], "`link.jsonl` would be written over", "name of its own"],
    [["data", "convert", "--from", "train.jsonl", "--to", "trl", "--tools", "tools.json", "--output", "full"], "--output full is a folder", "name a file"],
    [["qa", "--tools", "tools.json"], "needs --data", "--data train.jsonl"],
    [["qa", "--data", "none.jsonl"], "`none.jsonl` (--data) does not exist", "relative to the folder"],
    [["qa", "--data", "full"], "`full` (--data) is not a file", "relative to the folder"],
    [["qa", "forge.yaml", "--data", "train.jsonl"], "are both given", "either name a recipe"],
    [["qa", "--data", "train.jsonl", "--locked"], "--locked goes with a recipe", "leave --locked out"],
    [["train", "--data", "train.jsonl"], "needs --model", "--model smollm2"],
    [["train", "--model", "smollm2"], "needs --data", "--data train.jsonl --model smollm2"],
    [["train", "--data", "train.jsonl", "--model", "smolm2", "--output", "elsewhere"], "`model.family` must be one of", "did you mean `smollm2`"],
    [["train", "--data", "train.jsonl", "--model", "smollm2", "--profile", "fast"], "no profile `fast`", "fast_dev"],
    [["train", "--data", "train.jsonl", "--model", "smollm2", "--output", "full"], "there and not empty", "another folder"],
    [["train", "--data", "train.jsonl", "--model", "nano"], "adapter is there and not empty", "another folder"],
    [["validate", "--samples", "3"], "needs --model", "--model model.gguf"],
    [["validate", "--model", "none.gguf", "--stub", "weather"], "`none.gguf` (--model) does not exist", "relative to the folder"],
    [["validate", "--model", "full", "--stub", "weather"], "no model.gguf in `full`", "folder of a bundle"],
    [["validate", "--model", "no.gguf", "--stub", "weather", "--cases", "none.jsonl"], "`none.jsonl` (--cases) does not exist", "relative"],
    [["generate", "--stub", "weather", "--output", "x.jsonl", "--cases", "x.jsonl"], "two results would be written to x.jsonl", "a name of its own"],
    [["validate", "--model", "no.gguf", "--stub", "weather", "--output", "report.md"], "two results would be written to report.md", "--output report.json"],
    [["benchmark", "--tools", "tools.json"], "needs --model", "--model model.gguf"],
    [["benchmark", "--no-tool-correctness", "0.9"], "needs --model", "--model model.gguf"],
    [["benchmark", "forge.yaml", "--exact-arguments", "0.9"], "--exact-arguments goes with --model or --cases", "`gates.benchmark.exact_arguments`"],
    [["benchmark", "full", "--cases", "train.jsonl", "--tool-call-parse-rate", "0.98"], "error[evaluation/bad-cases]", "case.schema.json"],
    [["benchmark", "forge.yaml", "--tool-call-parse-rate", "0.9"], "goes with a bundle and --cases", "`gates.validate.tool_call_parse_rate`"],
    [["benchmark", "--model", "no.gguf", "--loop-completion-rate", "0.9"], "goes with a bundle and --cases", "forge validate --model no.gguf"],
    [["benchmark", "full", "--cases", "train.jsonl", "--dry-run"], "--dry-run goes with a recipe", "leave it out"],
    [["benchmark", "forge.yaml", "--stub", "weather"], "--stub goes with --model", "--model FILE"],
    [["benchmark", "--model", "no.gguf", "--baseline", "none.gguf"], "`none.gguf` (--baseline) does not exist", "relative"],
    [["export", "--output", "m.gguf"], "needs --model", "--model adapter"],
    [["export", "--model", "full"], "`full` is no trained model: it lacks adapter, rows.jsonl", "forge train --data"],
    [["pack", "--tools", "tools.json"], "needs --model", "--validation"],
    [["pack", "--model", "no.gguf"], "needs --validation", "forge validate --model"],
    [["pack", "--model", "no.gguf", "--validation", "tools.json"], "no file `tools.records.jsonl`", "--records FILE"],
  ];
  test.each(cases)("%j", async (args, message, help) => {
    const before = treeOf(world.project);
    const ended = await forge(args);
    expect(ended.err).toContain(message);
    expect(ended.err).toMatch(/= help: /);
    expect(ended.err).toContain(help);
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.code).toBe(4);
    expect(treeOf(world.project)).toEqual(before);
    expect(treeOf(world.tmp)).toEqual({});
  });

  it("a model that is none is said before anything is asked of it", async () => {
    world.write("cases.jsonl", '{"id":"a","messages":[{"role":"user","content":"hi"}],"expect":null}\n');
    const ended = await forge(["validate", "--model", "no.gguf", "--tools", "tools.json", "--cases", "cases.jsonl"]);
    expect(ended.code).toBe(4);
    expect(ended.err).toContain("error[models/not-gguf]: no.gguf is no GGUF file");
    expect(existsSync(join(world.project, ".mcp-forge"))).toBe(false);
    expect(treeOf(world.tmp)).toEqual({});
  });
});

test("data convert names lines with numbers that would be others (exit 1), and lines that are no UTF-8", async () => {
  const long = conversation({ ask: "station", args: '{"location":"Zug","station":9007199254740993}' });
  world.write("a.jsonl", Buffer.concat([Buffer.from(`${GOOD[0]}\n${long}\n`), Buffer.from(`${conversation({ ask: "the café" })}\n`, "latin1")]));
  const ended = await forge(["data", "convert", "--from", "a.jsonl", "--to", "trl", "--output", "b.jsonl"]);
  expect(ended).toMatchObject({ code: 1, out: "2 conversations in b.jsonl; 1 line left out\n" });
  expect(ended.err).toBe(
    "warning: line 3 is no UTF-8 and was read as Windows-1252\nline 2 has a call with the number 9007199254740993, which would come out as 9007199254740992: write it in quotes\n",
  );
  expect((await forge(["data", "convert", "--from", "a.jsonl", "--to", "openai", "--output", "c.jsonl"])).code).toBe(0);
});

test("data convert says what the form has no place for, and makes folders", async () => {
  const [thinking] = GOOD.slice(0, 1).map((line) => line.replace('"It is dry."', '"It is dry.","weight":0'));
  world.write("a.jsonl", `${GOOD[0]}\n${thinking}\n`);
  world.write("tools.json", TOOLS);
  const ended = await forge(["data", "convert", "--from", "a.jsonl", "--to", "trl", "--output", "new/b.jsonl"]);
  expect(ended).toEqual({
    code: 0,
    out: "2 conversations in new/b.jsonl\n",
    err: "warning: trl has no place for the mark of a turn that is not to be learned from (`weight: 0`): left out of 1 line (2)\n",
  });
  const own = await forge(["data", "convert", "--from", "a.jsonl", "--to", "forge", "--tools", "tools.json", "--output", "c.jsonl"]);
  expect(own).toMatchObject({ code: 0, err: "warning: forge has no place for tools: tools.json (--tools) is not used\n" });
});

test("outputs go where a link leads, and into a FIFO; nothing is left beside one", async () => {
  world.write("a.jsonl", `${GOOD[0]}\n`);
  world.write("far/target.jsonl", "old\n");
  symlinkSync("far/target.jsonl", join(world.project, "link.jsonl"));
  expect((await forge(["data", "convert", "--from", "a.jsonl", "--to", "trl", "--output", "link.jsonl"])).code).toBe(0);
  expect(lstatSync("link.jsonl").isSymbolicLink()).toBe(true);
  expect(readFileSync("far/target.jsonl", "utf8")).toMatch(/^\{"messages"/);
  expect((await forge(["generate", "--stub", "weather", "--samples", "5", "--no-tool-ratio", "0", "--output", "link.jsonl"])).code).toBe(0);
  expect(lstatSync("link.jsonl").isSymbolicLink()).toBe(true);
  expect(readFileSync("far/target.jsonl", "utf8")).toMatch(/^\{"id"/);

  execFileSync("mkfifo", ["pipe"]);
  const cat = spawn("cat", ["pipe"], { stdio: ["ignore", "pipe", "inherit"] });
  let got = "";
  cat.stdout.on("data", (chunk) => {
    got += chunk;
  });
  const closed = new Promise((done) => cat.once("close", done));
  expect((await forge(["generate", "--stub", "weather", "--samples", "5", "--no-tool-ratio", "0", "--output", "pipe"])).code).toBe(0);
  await closed;
  expect(got).toBe(readFileSync("far/target.jsonl", "utf8"));
  expect(lstatSync("pipe").isFIFO()).toBe(true);
  expect(readdirSync(".").sort()).toEqual(["a.jsonl", "far", "link.jsonl", "link.tools.json", "pipe"]);
  const report = await forge(["qa", "--data", "a.jsonl", "--tools", "link.tools.json", "--report", "pipe"]);
  expect(report.code).toBe(4);
  expect(report.err).toContain("--report pipe is no file");
});

test("cases are held against the tools: names that are none are refused, arguments warned about", async () => {
  world.write("tools.json", TOOLS);
  const one = (name: string, argument: string): string =>
    `${JSON.stringify({ id: "a", messages: [{ role: "user", content: "hi" }], expect: [{ name, arguments: { [argument]: ["Oslo"] } }] })}\n`;
  world.write("cases.jsonl", one("get_wether", "location"));
  world.write(
    "train.jsonl",
    `${JSON.stringify({
      messages: [
        { role: "user", content: "hi" },
        { role: "assistant", content: "Hello." },
      ],
    })}\n`,
  );
  world.write("m.gguf", "GGUF and no more");
  const steps = [
    ["validate", "--model", "m.gguf", "--tools", "tools.json", "--cases", "cases.jsonl"],
    ["qa", "--data", "train.jsonl", "--tools", "tools.json", "--cases", "cases.jsonl"],
  ];
  for (const args of steps) {
    const ended = await forge(args);
    expect([ended.code, ended.err]).toEqual([4, expect.stringContaining('did you mean "get_weather"?')]);
  }
  world.write("cases.jsonl", one("get_weather", "locaton"));
  for (const args of steps) expect((await forge(args)).err).toContain('with "locaton", which is none of its arguments: did you mean "location"?');
});

test("results appear together, or where one cannot be written none, and the next try finds nothing in its way", async () => {
  world.write("a", "first");
  world.write("b", "second");
  const stage = (id: string, output: string) => ({ id, status: "done", outputs: { it: output } });
  const run = { nodes: [stage("one", "a"), stage("two", "b")] } as unknown as RunOutcome;
  world.write("there/file", "of the user's");
  const to = (two: string): Delivery[] => [
    { stage: "one", output: "it", to: "out/one" },
    { stage: "two", output: "it", to: two },
  ];
  expect(await deliver(run, to("there"), { "out/about": "text" })).toMatchObject({ ok: false, error: { message: expect.stringContaining("there") } });
  expect(await deliver(run, to("there/file/two"), { "out/about": "text" })).toMatchObject({ ok: false });
  expect(Object.keys(treeOf(world.project)).filter((path) => /^out\/.|part/.test(path))).toEqual([]);
  expect(await deliver(run, to("out/two"), { "out/about": "text" })).toEqual({ ok: true, value: ["out/one", "out/two"] });
  expect(["one", "two", "about"].map((name) => readFileSync(join("out", name), "utf8"))).toEqual(["first", "second", "text"]);
});

describe("a neighbour that nobody named", () => {
  const here = (name: string): string => readFileSync(join(world.project, name), "utf8");
  beforeEach(() => {
    world.write("tools.json", TOOLS);
    data();
  });

  test("is moved beside where forge did not leave it, and replaced where it did", async () => {
    world.write("train.clean.jsonl", "hand-made");
    world.write("train.qa.md", "my notes");
    const args = ["qa", "--data", "train.jsonl", "--tools", "tools.json", "--fix"];
    const first = await forge(args);
    expect(first.code, first.err).toBe(0);
    expect(first.err).toBe(
      "train.clean.jsonl was not as forge had left it: what was there is now train.clean.jsonl.edited-1\ntrain.qa.md was not as forge had left it: what was there is now train.qa.md.edited-1\n",
    );
    expect([here("train.clean.jsonl.edited-1"), here("train.qa.md.edited-1")]).toEqual(["hand-made", "my notes"]);
    expect(samples("train.clean.jsonl")).toHaveLength(24);
    // Other data: every file comes out otherwise, and those of before were forge's own.
    data(conversation({ ask: "one more thing about the sea" }));
    expect(await forge(args)).toMatchObject({ code: 0, err: "" });
    expect(samples("train.clean.jsonl")).toHaveLength(25);
    world.write("train.clean.jsonl", "corrected by hand");
    expect((await forge(args)).err).toContain("is now train.clean.jsonl.edited-2");
    expect(here("train.clean.jsonl.edited-2")).toBe("corrected by hand");
    expect(
      readdirSync(world.project)
        .filter((name) => name.includes("edited"))
        .sort(),
    ).toEqual(["train.clean.jsonl.edited-1", "train.clean.jsonl.edited-2", "train.qa.md.edited-1"]);
  });

  test("is replaced without a word where it holds just what is written, and what was named always", async () => {
    const args = ["qa", "--data", "train.jsonl", "--tools", "tools.json", "--fix", "--output", "clean.jsonl"];
    await forge(args);
    for (const name of ["train.qa.json", "train.qa.csv", "train.qa.md"]) world.write(name, here(name));
    world.write("clean.jsonl", "named");
    expect(await forge(args)).toMatchObject({ code: 0, err: "" });
    expect(readdirSync(world.project).filter((name) => name.includes("edited"))).toEqual([]);
  });

  test("that is what was read stays as it is", () => {
    const wanted = prepareStep("generate", { tools: "train.tools.json", output: "train.jsonl" }, [{ file: "train.tools.json", execute: "none" }]);
    expect(wanted.ok).toBe(false);
    world.write("train.tools.json", TOOLS);
    const prepared = prepareStep("generate", { tools: "train.tools.json", output: "new/../train.jsonl" }, [{ file: "train.tools.json", execute: "none" }]);
    expect(prepared.ok && prepared.value.deliveries.map((d) => d.to)).toEqual(["new/../train.jsonl"]);
  });

  test("comes back where a result after it cannot be written", async () => {
    world.write("a", "first");
    world.write("mine.tools.json", "hand-made");
    world.write("there/file", "of the user's");
    const run = { nodes: [{ id: "one", status: "done", outputs: { it: "a" } }] } as unknown as RunOutcome;
    const to = (path: string) => ({ stage: "one", output: "it", to: path });
    expect(await deliver(run, [{ ...to("mine.tools.json"), implied: true }, to("there")])).toMatchObject({ ok: false });
    expect([here("mine.tools.json"), existsSync(join(world.project, "mine.tools.json.edited-1"))]).toEqual(["hand-made", false]);
  });
});

test("without file flags a stage command is apply up to that stage", async () => {
  world.write("forge.yaml", "version: 1\nname: x\ntools:\n  - stub: wether\n");
  const ended = await forge(["qa"]);
  expect(ended.code).toBe(4);
  expect(ended.err).toContain("forge.yaml:4:11");
  writeFileSync(join(world.project, "forge.yaml"), "version: 1\nname: x\ntools:\n  - file: tools.json\n");
  world.write("tools.json", TOOLS);
  const offered = await forge(["apply", "--until", "inspect"]);
  expect(offered.code, offered.err).toBe(0);
});
