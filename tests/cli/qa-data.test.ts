/** `forge qa --data`: its page, its repairs, and what its flags judge. The command runs in this process, from its sources, in a folder of its own. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { undoRepairs } from "../../src/data/repairs.ts";
import { World } from "../e2e/support/forge.ts";

let world: World;
const [home, tmp, cache] = [process.cwd(), process.env.TMPDIR, process.env.MCP_FORGE_CACHE_DIR];
beforeEach(() => {
  world = new World();
  process.chdir(world.project);
  Object.assign(process.env, { TMPDIR: world.tmp, MCP_FORGE_CACHE_DIR: world.cache });
});
afterEach(() => {
  process.chdir(home);
  for (const [name, value] of Object.entries({ TMPDIR: tmp, MCP_FORGE_CACHE_DIR: cache }))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  world.remove();
});

async function forge(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const into = (name: "out" | "err") => (text: unknown) => {
    said[name] += String(text);
    return true;
  };
  const spies = [vi.spyOn(process.stdout, "write").mockImplementation(into("out")), vi.spyOn(process.stderr, "write").mockImplementation(into("err"))];
  try {
    return { code: await runCli(args), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const here = (name: string): string => readFileSync(join(world.project, name), "utf8");
const line = (ask: string, args: object | string, tool = "get_weather", more: object = {}): string =>
  JSON.stringify({
    ...more,
    messages: [
      { role: "user", content: ask },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "a", type: "function", function: { name: tool, arguments: typeof args === "string" ? args : JSON.stringify(args) } }],
      },
      { role: "tool", tool_call_id: "a", content: "{}" },
      { role: "assistant", content: "There is no data." },
    ],
  });
const lines = (...all: string[]): string => all.map((l) => `${l}\n`).join("");
const PLACES = "Oslo Rome Lima Quito Paris Berlin Bonn Turin Nice Cork Fes Ulm".split(" ");
const ask = (place: string): string => `Could you tell me what the weather is like in ${place} right now?`;
const FEW = ["--stub", "weather", "--min-samples-per-tool", "0"];

describe("cases that the data nearly has", () => {
  beforeEach(() => {
    world.write("d.jsonl", lines(...PLACES.map((place) => line(ask(place), { location: place }))));
    const cases = ["Kyoto", "Dakar"].map((place) => ({
      id: place,
      messages: [{ role: "user", content: ask(place) }],
      expect: [{ name: "get_weather", arguments: { location: [place] } }],
    }));
    world.write("c.jsonl", lines(...cases.map((c) => JSON.stringify(c))));
  });

  test("are refused, and allowed by a flag", async () => {
    const refused = await forge("qa", "--data", "d.jsonl", "--cases", "c.jsonl", ...FEW);
    expect(refused.code).toBe(3);
    expect(refused.out).toContain("max_near_wordings 1.000 > 0");
    expect(refused.out).toContain("--max-near-wordings");
    expect((await forge("qa", "--data", "d.jsonl", "--cases", "c.jsonl", ...FEW, "--max-near-wordings", "1")).code).toBe(0);
  });

  test("may be near where both sides were kept apart by their frames", async () => {
    await forge("generate", "--stub", "weather", "--samples", "60", "--no-tool-ratio", "0", "--output", "own.jsonl", "--cases", "own.cases.jsonl");
    const ended = await forge("qa", "--data", "own.jsonl", "--cases", "own.cases.jsonl");
    expect(ended.code, ended.out + ended.err).toBe(0);
    expect(ended.out).not.toContain("max_near_wordings");
    expect((await forge("qa", "--data", "d.jsonl", "--cases", "own.cases.jsonl", ...FEW)).out).toContain("max_near_wordings");
  });
});

test("limits against collapse are flags; how alike requests are is judged of many only, whatever their order", async () => {
  world.write("d.jsonl", lines(...PLACES.map((place) => line(ask(place), { location: place }))));
  const few = await forge("qa", "--data", "d.jsonl", ...FEW, "--distinct-2", "0.9");
  expect(few.code).toBe(3);
  expect(few.out).toMatch(/distinct_2 0\.\d+ < 0\.9/);
  expect(few.out).not.toContain("max_self_similarity:");
  const many = PLACES.flatMap((place) => [1, 2, 3, 4, 5].map((n) => `${place}${n}`));
  world.write("d.jsonl", lines(...many.map((place) => line(ask(place), { location: place }))));
  const alike = await forge("qa", "--data", "d.jsonl", ...FEW);
  expect(alike.code).toBe(3);
  expect(alike.out).toContain("max_self_similarity 1.000 > 0.85");
  expect((await forge("qa", "--data", "d.jsonl", ...FEW, "--max-self-similarity", "1")).code).toBe(0);
  const other = (place: string): string => `Will I need an umbrella over at ${place} tomorrow?`;
  world.write("d.jsonl", lines(...many.map((place, i) => line(i % 2 === 0 ? ask(place) : other(place), { location: place }))));
  const turns = await forge("qa", "--data", "d.jsonl", ...FEW);
  expect(turns.code).toBe(3);
  expect(turns.out).toMatch(/max_self_similarity (?:1\.000|0\.9\d+) > 0\.85/);
});

test("--fix says which fields of a line our form has no place for", async () => {
  const whole = JSON.parse(line(ask("Oslo"), { location: "Oslo" })) as object;
  const more = { ...whole, tools: [{ type: "function", function: { name: "get_weather" } }], parallel_tool_calls: false, rating: 4 };
  world.write("d.jsonl", lines(line(ask("Bergen"), { location: "Bergen" }), JSON.stringify(more)));
  const ended = await forge("qa", "--data", "d.jsonl", "--fix", ...FEW);
  expect(ended.out + ended.err).toContain("our form has no place for other fields (`tools`, `parallel_tool_calls`, `rating`): left out of line 2");
  expect((await forge("qa", "--data", "d.jsonl", ...FEW)).err).not.toContain("no place");
});

test("nothing that is left is refused in words of its own", async () => {
  world.write("d.jsonl", lines(line("Hi", {}, "no_such_tool")));
  const ended = await forge("qa", "--data", "d.jsonl", "--fix", ...FEW, "--schema-pass-rate", "0");
  expect(ended.code).toBe(3);
  expect(ended.out).toContain("try: samples: no sample is left: what was brought has none, or all were taken out");
  expect(ended.out.match(/try:/g)).toHaveLength(1);
});

describe("the page", () => {
  const HOSTILE = ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "\"'></td><svg/onload=alert(3)>", "\u202eevil\u0007", "&amp;<b>"];
  test("holds no text of a stranger's as anything but text, and loads nothing", async () => {
    world.write(
      "d.jsonl",
      lines(
        ...HOSTILE.flatMap((text, i) => [
          line(`Weather ${i} ${text}`, { location: text }, text, { id: `${text}${i}`, kind: text, frame: text, tool_name: text }),
          line(`  Sky ${i * 7} ${text}`, `{"location":${JSON.stringify(text)}`, "get_weather", {
            id: `s${text}${i}`,
            kind: text,
            frame: text,
            tool_name: text,
          }),
        ]),
        "<script>not JSON</script>",
      ),
    );
    const ended = await forge("qa", "--data", "d.jsonl", "--fix", ...FEW, "--report", "page.html");
    expect(ended.code, ended.out + ended.err).toBe(0);
    expect(readdirSync(world.project).sort()).toEqual(["d.clean.jsonl", "d.clean.repairs.jsonl", "d.jsonl", "page.csv", "page.html", "page.json", "page.md"]);
    const page = here("page.html");
    // Every tag is one of ours, and none has an attribute that is not.
    const tags = [...page.matchAll(/<(\/?[a-z0-9!]+)((?:\s+[a-z-]+="[^"<>]*"|\s+html|\s+[a-z-]+)*)\s*>/g)];
    expect(page.match(/</g)).toHaveLength(tags.length);
    expect(new Set(tags.map(([, name]) => (name as string).replace("/", "")))).toEqual(
      new Set("!doctype html head meta title style body main h1 h2 h3 section div b span i p table thead tbody tr th td code bdi del".split(" ")),
    );
    expect([...new Set(tags.flatMap(([, , attributes]) => [...(attributes as string).matchAll(/\s([a-z-]+)="/g)].map(([, name]) => name)))].sort()).toEqual([
      "charset",
      "class",
      "content",
      "data-of",
      "http-equiv",
      "lang",
      "name",
      "style",
    ]);
    expect(page).not.toMatch(/https?:|url\(|@import/);
    for (const hidden of ["\u0007", "\u202e"]) expect(page).not.toContain(hidden);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("\\u202eevil");
  });
});

test("--fix leaves the repairs beside the cleaned file; the report shows them, and they can be taken back", async () => {
  const broken = ["7", "8", "9"].map((days, i) =>
    line(` The sky over ${PLACES[i]}, all ${i} of it? `, { location: PLACES[i], days }, "get_forecast", { id: `r${i}` }),
  );
  world.write("d.jsonl", lines(...broken, line("Fine in Oslo?", { location: "Oslo" })));
  const ended = await forge("qa", "--data", "d.jsonl", "--fix", ...FEW, "--output", "out/clean.jsonl");
  expect(ended.code, ended.out + ended.err).toBe(0);
  expect(ended.out).toContain("wrote out/clean.jsonl, out/clean.repairs.jsonl, d.qa.json, d.qa.md, d.qa.csv, d.qa.html");
  const read = (name: string) => here(name).trimEnd().split("\n").map((l) => JSON.parse(l)); // biome-ignore format: one line
  const repairs = read("out/clean.repairs.jsonl");
  expect(repairs).toHaveLength(6);
  expect(repairs[1]).toEqual({
    line: 1,
    sample: "r0",
    check: "schema",
    path: "/messages/1/tool_calls/0/function/arguments/days",
    before: "7",
    after: 7,
    text: '{"location":"Oslo","days":"7"}',
  });
  const report = JSON.parse(here("d.qa.json"));
  expect(report.repaired).toEqual({ whitespace: 3, schema: 3 });
  expect(report.repairs).toMatchObject({ total: 6, samples: 3 });
  expect(report.repairs.first[1]).toEqual({ line: 1, sample: "r0", check: "schema", path: repairs[1].path, before: '"7"', after: "7" });
  for (const form of ["md", "csv", "html"]) expect(here(`d.qa.${form}`)).toContain("/messages/1/tool_calls/0/function/arguments/days");
  const undone = read("out/clean.jsonl").map((sample) =>
    undoRepairs(
      sample,
      repairs.filter((r: { sample: string }) => r.sample === sample.id),
    ),
  );
  expect(undone.slice(0, 3).map((s) => s.messages)).toEqual(broken.map((l) => JSON.parse(l).messages));

  const all = await forge("data", "undo", "--from", "out/clean.jsonl", "--output", "before.jsonl");
  expect([all.code, all.out]).toEqual([0, expect.stringContaining("6 repairs taken back in 3 of them")]);
  expect(read("before.jsonl").map((sample) => sample.messages)).toEqual(undone.map((sample) => sample.messages));
  const one = await forge("data", "undo", "--from", "out/clean.jsonl", "--output", "one.jsonl", "--sample", "r1", "--json");
  expect(JSON.parse(one.out)).toMatchObject({ changed: 1 });
  expect(read("one.jsonl").map((sample) => sample.messages)).toEqual(
    read("out/clean.jsonl").map((sample, i) => (sample.id === "r1" ? undone[i] : sample).messages),
  );
  world.write("other.jsonl", `${JSON.stringify({ ...repairs[0], sample: "none" })}\n`);
  const again = await forge("data", "undo", "--from", "before.jsonl", "--repairs", "out/clean.repairs.jsonl", "--output", "x.jsonl");
  expect([again.code, again.err]).toEqual([4, expect.stringMatching(/line 1 of before.jsonl \(`r0`\) is at .* not as its repair left it/)]);
  for (const strange of [
    { path: "/messages/99/content", before: "x" },
    { path: "/foo", before: 1 },
    { path: repairs[1].path, after: 7, before: "x", text: undefined },
    { path: "/messages/0/content", after: JSON.parse(here("out/clean.jsonl").split("\n")[0] as string).messages[0].content, before: { x: 1 } },
  ]) {
    world.write("strange.jsonl", `${JSON.stringify({ line: 1, sample: "r0", check: "schema", after: 1, ...strange })}\n`);
    const refused = await forge("data", "undo", "--from", "out/clean.jsonl", "--repairs", "strange.jsonl", "--output", "x.jsonl");
    expect([refused.code, refused.err]).toEqual([4, expect.stringContaining("line 1 of out/clean.jsonl (`r0`)")]);
  }
  const nobody = await forge("data", "undo", "--from", "out/clean.jsonl", "--output", "x.jsonl", "--sample", "line-999");
  expect([nobody.code, nobody.err]).toEqual([4, expect.stringContaining("there is no sample `line-999`")]);
  const wrong = await forge("data", "undo", "--from", "out/clean.jsonl", "--repairs", "other.jsonl", "--output", "x.jsonl");
  expect([wrong.code, wrong.err]).toEqual([4, expect.stringContaining("line 1 of other.jsonl is of a sample that is not there (`none`)")]);
  expect((await forge("data", "undo", "--from", "other.jsonl", "--repairs", "other.jsonl", "--output", "x.jsonl")).err).toContain(
    "line 1 of other.jsonl is no sample of ours",
  );
  expect(existsSync(join(world.project, "x.jsonl"))).toBe(false);
});

test("a line that had broken off is put back to the byte", async () => {
  const whole = line("Fine in Oslo?", { location: "Oslo" });
  world.write("d.jsonl", `${lines(line("Rain in Rome?", { location: "Rome" }))}${whole.slice(0, -2)}\n`);
  expect((await forge("qa", "--data", "d.jsonl", "--fix", ...FEW)).code).toBe(0);
  expect((await forge("data", "undo", "--from", "d.clean.jsonl", "--output", "before.jsonl")).code).toBe(0);
  expect(here("before.jsonl").trimEnd().split("\n")[1]).toBe(whole.slice(0, -2));
});

test.each([
  [["--profile", "fast_dev"], "--profile is about the length of samples", "--family smollm2"],
  [["--max-too-long", "3"], "--max-too-long is about the length of samples", "--family smollm2"],
  [["--family", "nanno"], "there is no model family `nanno`", "mistral, nano, phi-4"],
  [["--family", "models/none.json"], "models/none.json", "forge models add"],
  [["--family", "nano", "--profile", "fast"], "no profile `fast`", "fast_dev"],
])("flags about the model that are wrong: %j", async (flags, message, help) => {
  world.write("d.jsonl", lines(line("Fine in Oslo?", { location: "Oslo" })));
  const ended = await forge("qa", "--data", "d.jsonl", ...FEW, ...flags);
  expect([ended.code, ended.err]).toEqual([4, expect.stringContaining(message)]);
  expect(ended.err).toContain(help);
});

test("--family measures the samples for a model, without opening it where all are surely short", async () => {
  world.write("d.jsonl", lines(line("Fine in Oslo?", { location: "Oslo" })));
  world.write(
    "t.json",
    JSON.stringify({
      tools: [{ name: "get_weather", description: "Weather.", input_schema: { type: "object", properties: { location: { type: "string" } } } }],
    }),
  );
  const ended = await forge("qa", "--data", "d.jsonl", "--tools", "t.json", "--min-samples-per-tool", "0", "--family", "nano");
  expect(ended.code, ended.out + ended.err).toBe(0);
  expect(ended.out).toContain("max_too_long");
  expect(JSON.parse(here("d.qa.json")).lengths).toEqual({
    family: "nano",
    window: 8192,
    too_long: 0,
    profile: "balanced",
    max_tokens: 4096,
    over_profile: 0,
    longest: null,
  });
  expect(existsSync(join(world.cache, "models"))).toBe(false);
});

describe("a data set in shares", () => {
  const data = (places: readonly string[]): string =>
    lines(...places.map((place, i) => line(ask(place), { location: place }, "get_weather", { id: `s${i % 5}` })));
  beforeEach(() => {
    world.write("all.jsonl", `${data(PLACES)}nothing\n${data(["Oslo"])}`);
    world.write("a.jsonl", data(PLACES.slice(0, 4)));
    world.write(
      "b.jsonl",
      data(PLACES)
        .split("\n")
        .slice(4, -1)
        .map((l) => `${l}\n`)
        .join(""),
    );
    world.write("c.jsonl", `nothing\n${data(["Oslo"])}`);
  });
  const share = (name: string, ...more: string[]) => forge("qa", "--data", `${name}.jsonl`, "--shard", `${name}.shard`, "--stub", "weather", ...more);
  const shares = ["a", "b", "c"].flatMap((name) => ["--merge", `${name}.shard`]);

  test("has the report of the whole", async () => {
    const whole = await forge("qa", "--data", "all.jsonl", "--report", "whole", ...FEW);
    for (const name of ["a", "b", "c"]) {
      const measured = await share(name);
      expect(measured.code, measured.err).toBe(0);
    }
    const merged = await forge("qa", ...shares, "--report", "merged", ...FEW);
    expect([merged.code, whole.code]).toEqual([3, 3]);
    for (const ending of ["json", "md", "csv", "html"]) expect(here(`merged.${ending}`)).toBe(here(`whole.${ending}`));
    expect(here("merged.json")).toContain("s0#line-14");
    expect(here("merged.json")).toContain('"message": "line 13 is not JSON"');
    expect(readdirSync(world.project).filter((name) => name.includes("qa."))).toEqual([]);
  });

  test("is refused where something is wrong", async () => {
    await share("a");
    const before = here("a.jsonl");
    world.write("copy.shard", readFileSync(join(world.project, "a.shard")));
    world.write("old.shard", readFileSync(join(world.project, "a.shard"), "latin1").replace(/"measured_by":\d+/, '"measured_by":1'));
    const wrong: readonly (readonly [string[], string])[] = [
      [["--merge", "none.shard", "--stub", "weather"], "the share `none.shard` (--merge) does not exist"],
      [["--merge", "a.jsonl", "--stub", "weather"], "a.jsonl is no file that"],
      [["--merge", "a.shard", "--merge", "./a.shard", "--stub", "weather"], "./a.shard is named twice"],
      [["--merge", "a.shard", "--merge", "copy.shard", "--stub", "weather"], "copy.shard is the same share as a.shard"],
      [["--data", "a.jsonl", "--data", "b.jsonl", "--stub", "weather"], "It is given twice"],
      [["--merge", "old.shard", "--stub", "weather"], "old.shard was measured by another version of forge"],
      [["--merge", "a.shard", "--stub", "filesystem"], "a.shard was measured with other tools"],
      [["--merge", "a.shard", "--stub", "weather", "--family", "nano"], "a.shard was measured for no model, here it is nano"],
      [["--merge", "a.shard", "--data", "a.jsonl", "--stub", "weather"], "--merge and --data are both given"],
      [["--merge", "a.shard", "--stub", "weather", "--fix"], "--fix does not go with --merge"],
      [["--shard", "x.shard", "--stub", "weather"], "--shard needs --data"],
      [["--data", "a.jsonl", "--shard", "x.shard", "--distinct-2", "0.5"], "--distinct-2 does not go with --shard"],
      [["--data", "a.jsonl", "--shard", "x.shard", "--report", "x.json"], "--report does not go with --shard"],
      [["--data", "a.jsonl", "--shard", "a.jsonl", "--stub", "weather"], "a.jsonl"],
    ];
    for (const [flags, message] of wrong) {
      const ended = await forge("qa", ...flags);
      expect([flags, ended.code, ended.err]).toEqual([flags, 4, expect.stringContaining(message)]);
    }
    expect(here("a.jsonl")).toBe(before);
  });
});

test("what a step left that was killed days ago is removed, and nothing else", async () => {
  const { pid } = spawnSync(process.execPath, ["-e", "0"]);
  const folder = (name: string, daysAgo: number): void => {
    mkdirSync(join(world.tmp, name, "deep"), { recursive: true });
    const time = Date.now() / 1000 - daysAgo * 86_400;
    utimesSync(join(world.tmp, name), time, time);
  };
  const kept = [`mcp-forge-${process.pid}-running`, `mcp-forge-${pid}-young`, "mcp-forge-notours", "other-1-x"];
  folder(`mcp-forge-${pid}-old`, 4);
  folder(kept[0] as string, 4);
  folder(kept[1] as string, 1);
  folder(kept[2] as string, 4);
  folder(kept[3] as string, 4);
  world.write("d.jsonl", lines(line("Fine in Oslo?", { location: "Oslo" })));
  expect((await forge("qa", "--data", "d.jsonl", ...FEW)).code).toBe(0);
  expect(
    readdirSync(world.tmp)
      .filter((name) => /^(mcp-forge|other)-/.test(name))
      .sort(),
  ).toEqual(kept.sort());
});
