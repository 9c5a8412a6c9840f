/** A bad recipe is answered at its line, with what was expected and the nearest valid word; all problems at once. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatFailure } from "../../src/recipe/diagnostic.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { complaints, GOOD, load, only, tempProject } from "./support.ts";

describe("words", () => {
  const cases: [name: string, yaml: string, place: string, message: RegExp, hint: RegExp][] = [
    ["an unknown key", `${GOOD}data:\n  sampels: 300\n`, "6:3", /unknown key `sampels` in `data`/, /did you mean `samples`/],
    ["a key in the wrong place", `${GOOD}learning_rate: 1\n`, "5:1", /unknown key `learning_rate` at the top level/, /belongs under `train`/],
    ["an unknown hyperparameter", `${GOOD}train: {lr: 1}\n`, "5:9", /unknown key `lr` in `train`/, /learning_rate/],
    [
      "a backend by its library's name",
      `${GOOD}train: {backend: peft}\n`,
      "5:18",
      /`train.backend` must be one of `transformers`/,
      /PEFT is called `transformers`/,
    ],
    ["an unknown format", `${GOOD}exports: [q8_0, q4_km]\n`, "5:17", /`exports\[1\]` must be one of/, /did you mean `q4_k_m`/],
    [
      "an unknown stub",
      GOOD.replace("weather\n", "weather\n").replace("stub: weather", "stub: wether"),
      "4:11",
      /must be one of `weather`/,
      /did you mean `weather`/,
    ],
    ["the beginning of a word", `${GOOD}profile: fast\n`, "5:10", /`profile` must be one of/, /did you mean `fast_dev`/],
    ["a number in quotes", `${GOOD}seed: "7"\n`, "5:7", /must be a whole number; this is text `7`/, /without quotes: 7/],
    ["a YAML 1.1 truth", `${GOOD}evaluation: {constrained: yes}\n`, "5:27", /true or false/, /write true/],
    ["a percentage", `${GOOD}gates: {validate: {tool_call_parse_rate: 98}}\n`, "5:42", /at most 1/, /0\.98/],
    ["an empty value", `${GOOD}data:\n`, "5:1", /`data` must be a mapping.*empty/, /take the key away/],
    ["a fraction of a sample", `${GOOD}data: {samples: 1.5}\n`, "5:17", /whole number; this is the number 1\.5/, /samples: 300/],
    ["no source", "version: 1\nname: x\ntools:\n  - execute: all\n", "4:5", /must have exactly one of `stub`, `mcp`, `openai`, `file`/, /stub: weather/],
    ["two sources in one", `${GOOD}    openai: f.json\n`, "5:5", /only one may be there/, /two entries/],
    ["a misspelt source", "version: 1\nname: x\ntools:\n  - stb: weather\n", "4:5", /unknown key `stb`/, /did you mean `stub`/],
    ["a stub of a wrong form", "version: 1\nname: x\ntools:\n  - stub: {frm: t.json}\n", "4:12", /unknown key `frm`/, /did you mean `from`/],
    ["a name that is a path", GOOD.replace("weather-expert", "../../etc"), "2:7", /`name` must be lower-case/, /no path/],
    ["a missing key", "version: 1\ntools:\n  - stub: weather\n", "1:1", /lacks the key `name`/, /name: weather-expert/],
    ["another version", GOOD.replace("version: 1", "version: 2"), "1:10", /`version` must be `1`/, /.?/],
    ["a version in quotes", GOOD.replace("version: 1", 'version: "1"'), "1:10", /`version` must be `1`/, /write it without quotes: 1/],
    [
      "a family that nobody has",
      `${GOOD}model: {family: nope}\n`,
      "5:17",
      /must be one of `smollm2`, `nano`, .*`qwen-3`, or the path of a family file \(.*\); this is/,
      /forge models add/,
    ],
    [
      "a family file that is not there",
      `${GOOD}model: {family: models/nope.json}\n`,
      "5:17",
      /the family file `models\/nope.json` does not exist/,
      /relative to the folder/,
    ],
    ["no tools", "version: 1\nname: x\ntools: []\n", "3:1", /at least 1 entry/, /tools:/],
    ["a format twice", `${GOOD}exports: [q8_0, f16, q8_0]\n`, "5:22", /lists text `q8_0` twice/, /keep one/],
    ["a timeout of nothing", "version: 1\nname: x\ntools:\n  - mcp: {command: x, timeout: 0}\n", "4:32", /more than 0/, /.?/],
    ["weights below one", `${GOOD}data:\n  scenarios: {standard: 0.6, no_tool: 0.15}\n`, "6:3", /add up to 0\.75, not 1/, /0\.25 more/],
    ["weights above one", `${GOOD}data:\n  scenarios: {standard: 1, no_tool: 0.000002}\n`, "6:3", /add up to 1\.000002/, /take/],
    ["a file that is not there", `${GOOD}evaluation: {cases: cases.jsonl}\n`, "5:21", /`cases.jsonl` does not exist/, /relative to the folder/],
    ["headers without a url", "version: 1\nname: x\ntools:\n  - mcp: {command: x, headers: {A: b}}\n", "4:23", /`headers` goes with `url`/, /remove/],
    [
      "a gate on what is not measured",
      `${GOOD}evaluation: {constrained: false}\ngates: {decoding: constrained}\n`,
      "6:19",
      /not measured/,
      /constrained: true/,
    ],
    ["a family that is written otherwise than ours", `${GOOD}model: {family: Qwen2.5}\n`, "5:17", /one of `smollm2`/, /write `family: qwen-2\.5`/],
    ["a size in a family's name", `${GOOD}model: {family: smollm2-360m}\n`, "5:17", /one of/, /write `model: \{ family: smollm2, source: 360m \}`/],
    ["a slip in a family's name", `${GOOD}model: {family: smollm}\n`, "5:17", /one of/, /did you mean `smollm2`/],
    ["two kinds of model", `${GOOD}model: {family: smollm2, hf_id: a/b}\n`, "5:26", /only one may be there/, /remove one/],
    ["a revision of a family", `${GOOD}model: {family: smollm2, revision: main}\n`, "5:36", /goes with `hf_id`/, /remove/],
  ];
  it.each(cases)("%s", async (_name, yaml, place, message, hint) => {
    const failure = await only(yaml);
    expect(`${failure.place?.line}:${failure.place?.column}`).toBe(place);
    expect(failure.message).toMatch(message);
    expect(failure.hint ?? "").toMatch(hint);
    expect(failure.exit).toBe(4);
  });

  it("says everything at once, in the order of the file", async () => {
    const yaml = 'version: 1\nname: A B\nseed: "7"\ntools:\n  - stb: weather\ntrain: {rank: 0}\nexports: [q9]\nbundle: {output: ../out}\n';
    expect(await complaints(yaml)).toEqual([
      "name 2:7|3",
      "wrong-type 3:7|3",
      "unknown-key 5:5|3",
      "out-of-range 6:15|1",
      "unknown-word 7:11|2",
      "bundle-output 8:18|6",
    ]);
  });

  it("says nothing about the tolerance of decimals", async () => {
    const result = await load(`${GOOD}data:\n  scenarios: {standard: 0.3333333, no_tool: 0.3333333, error: 0.3333333}\n`);
    expect(result.ok).toBe(true);
  });
});

describe("files that are no recipe", () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${"bcdefghi"
    .split("")
    .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(", ")}]\n`)
    .join("")}`;
  const cases: [name: string, text: string | Buffer, code: string, line: number][] = [
    ["empty", "", "empty", 1],
    ["white space", "\n\n  \n", "empty", 1],
    ["comments only", "# nothing\n", "empty", 1],
    ["a tab as indentation", "version: 1\ndata:\n\tsamples: 1\n", "tab", 3],
    ["a NUL byte", "version: 1\nname: a\0b\n", "syntax", 2],
    ["an escape sequence", "version: 1\nname: \u001b[31mx\n", "syntax", 2],
    ["two documents", `${GOOD}---\nversion: 1\n`, "several-documents", 5],
    ["a duplicate key", `${GOOD}name: other\n`, "duplicate-key", 5],
    ["an alias bomb", bomb, "too-large", 5], // The alias whose expansion went too far.
    ["an alias of itself", "version: 1\nname: x\ntools: &t [*t]\n", "alias", 3],
    ["an unknown alias", "version: 1\nname: *x\n", "alias", 2],
    ["brackets without end", "[".repeat(100_000), "too-deep", 1],
    ["braces without end", "{a: ".repeat(50_000), "too-deep", 1],
    ["lists in lists on one line", "- ".repeat(50_000), "too-deep", 1],
    ["nesting line by line", Array.from({ length: 120 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), "too-deep", 50],
    ["a list", "- version: 1\n", "wrong-type", 1],
    ["text", "hello\n", "wrong-type", 1],
    ["a tag", `${GOOD}seed: !!binary aGk=\n`, "tag", 5],
    ["a key that is a list", `${GOOD}? [a]\n: 1\n`, "key", 5],
    ["a merge key", `${GOOD}<<: {a: 1}\n`, "key", 5],
    ["a prototype", `${GOOD}__proto__: {a: 1}\n`, "unknown-key", 5],
    ["infinity", `${GOOD}seed: .inf\n`, "wrong-type", 5],
    ["an open quote", 'version: 1\nname: "x\n', "syntax", 3],
    ["an open bracket", "version: 1\ntools: [a\nname: x\n", "syntax", 3],
    ["Latin-1", Buffer.from([0x6e, 0x61, 0x6d, 0x65, 0x3a, 0x20, 0xe9, 0x0a]), "encoding", 1],
    ["too large", `# ${"x".repeat(300_000)}\n${GOOD}`, "too-large", 1],
  ];
  it.each(cases)("%s", async (_name, text, code, line) => {
    const started = performance.now();
    const result = await load(text);
    expect(performance.now() - started).toBeLessThan(2000);
    if (result.ok) throw new Error("accepted");
    expect(result.error[0]?.code).toBe(`recipe/${code}`);
    expect(result.error[0]?.place?.line).toBe(line);
    expect(result.error[0]?.exit).toBe(4);
    expect(result.error.length).toBeLessThanOrEqual(50);
  });

  it("a missing file, with the one that was meant", async () => {
    const dir = tempProject();
    writeFileSync(join(dir, "forge.yaml"), GOOD);
    const result = await loadRecipe(join(dir, "forge.yml"));
    expect(result.ok ? [] : result.error.map((f) => [f.code, f.hint, f.exit])).toEqual([["recipe/missing", "did you mean `forge.yaml`?", 4]]);
  });

  it("a folder", async () => {
    const result = await loadRecipe(tempProject());
    expect(result.ok ? [] : result.error.map((f) => f.code)).toEqual(["recipe/not-a-file"]);
  });
});

describe("where a bundle may go", () => {
  const refused = ["../x", "/tmp/x", ".", "", "a/../..", ".git/x", ".mcp-forge/x", "node_modules", "forge.yaml", "link/x"];
  it.each(refused)("not to %j", async (output) => {
    const dir = tempProject();
    symlinkSync("..", join(dir, "link"));
    writeFileSync(join(dir, "forge.yaml"), `${GOOD}bundle: {output: ${JSON.stringify(output)}}\n`);
    const result = await loadRecipe(join(dir, "forge.yaml"));
    expect(result.ok ? [] : result.error.map((f) => f.place?.line)).toEqual([5]);
  });

  it("to a folder beside the recipe's, inside the project", async () => {
    const dir = tempProject();
    mkdirSync(join(dir, "recipes"));
    writeFileSync(join(dir, "recipes", "a.yaml"), `${GOOD}bundle: {output: ../dist/x}\n`);
    const result = await loadRecipe(join(dir, "recipes", "a.yaml"));
    expect(result.ok && [result.value.projectRoot, result.value.dir]).toEqual([dir, join(dir, "recipes")]);
  });
});

describe("how a failure is shown", () => {
  const failure = { code: "recipe/unknown-key", message: "unknown key `sampels` in `data`", hint: "did you mean `samples`?", exit: 4 as const };

  it("with its line and a caret", () => {
    const text = formatFailure({ ...failure, place: { file: "forge.yaml", line: 12, column: 3, length: 7, source: "  sampels: 300" } });
    expect(text).toBe(
      [
        "error[recipe/unknown-key]: unknown key `sampels` in `data`",
        "  --> forge.yaml:12:3",
        "   |",
        "12 |   sampels: 300",
        "   |   ^^^^^^^",
        "   = help: did you mean `samples`?",
      ].join("\n"),
    );
  });

  it("with the caret under the word behind a tab, and in a long line", () => {
    const tab = formatFailure({ ...failure, place: { file: "f", line: 1, column: 2, length: 1, source: "\tx: 1" } }).split("\n");
    expect(tab[4]?.indexOf("^")).toBe(tab[3]?.indexOf("x"));
    const long = formatFailure({
      ...failure,
      place: { file: "f", line: 1, column: 5001, length: 6, source: `${"a".repeat(5000)}needle${"b".repeat(5000)}` },
    }).split("\n");
    expect(long[4]?.indexOf("^")).toBe(long[3]?.indexOf("needle"));
    expect(long[3]?.length).toBeLessThan(200);
  });

  it("without anything that drives a terminal", () => {
    const text = formatFailure({
      ...failure,
      message: "\u001b[2Jx",
      details: "a\u0007\nb",
      place: { file: "f\u001b", line: 1, column: 1, source: "\u009b1mx" },
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it("in colours only when asked", () => {
    expect(formatFailure(failure)).not.toContain("\u001b");
    expect(formatFailure(failure, { color: true })).toContain("\u001b[31m");
  });
});
