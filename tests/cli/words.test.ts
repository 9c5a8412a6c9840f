/** Figures into words: durations, sizes, bars, tables, and the words of a shell command. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonText } from "../../src/cli/json.ts";
import { splitCommandLine } from "../../src/cli/shell-words.ts";
import { openTerminal } from "../../src/cli/terminal.ts";
import { bar, bytes, cut, dollars, duration, figure, figureBeside, lastTimeWords, plural, table, threshold } from "../../src/cli/words.ts";

describe("durations", () => {
  test.each([
    [0, "0.0 s"],
    [0.44, "0.4 s"],
    [9.96, "10 s"],
    [59.6, "1 min 00 s"],
    [185, "3 min 05 s"],
    [3599.7, "1 h 00 min"],
    [7320, "2 h 02 min"],
    [Number.NaN, "?"],
    [-1, "?"],
  ])("%f s", (seconds, text) => expect(duration(seconds)).toBe(text));

  test("never says 60 of anything", () => fc.assert(fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (s) => !/\b60 (s|min)\b/.test(duration(s)))));
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1500, "1.5 kB"],
  [85e6, "85 MB"],
  [999_600_000, "1.0 GB"],
])("%d bytes", (count, text) => expect(bytes(count)).toBe(text));

test("what a stage took last time, with its cost where it had one", () => {
  expect(lastTimeWords({})).toBe("");
  expect(lastTimeWords({ estimateSeconds: 35 })).toBe("35 s");
  expect(lastTimeWords({ estimateSeconds: 35, estimateUsd: 0.4215 })).toBe("35 s, replies of $0.42 (kept ones are free)");
  expect([0.004, 0.0123, 1.5].map(dollars)).toEqual(["$0.0040", "$0.01", "$1.50"]);
});

test.each([
  [0.975, "0.975"],
  [1, "1.000"],
  [33, "33"],
  [null, "-"],
  [undefined, "-"],
  [true, "yes"],
  [0.9996, "0.9996"],
  [0.9999999, "0.9999999"],
  [-0.9996, "-0.9996"],
])("figure %s", (value, text) => expect(figure(value)).toBe(text));

test.each([
  [0.97959, 0.98, "0.9796"],
  [0.98004, 0.98, "0.98004"],
  [0.96, 0.98, "0.960"],
  [0.98, 0.98, "0.980"],
  [0.9999, 1, "0.9999"],
  [9, 10, "9"],
  [-0.000001, 0, "-0.000001"],
  [null, 0.98, "-"],
])("figure %s where %s is wanted", (value, wanted, text) => expect(figureBeside(value, wanted)).toBe(text));

test("a figure below what is wanted reads as less, one above it as more", () =>
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: -9, max: 9 }), (hundredThousandths, by) => {
      const wanted = hundredThousandths / 100_000;
      const value = wanted + by / 1_000_000;
      expect(Math.sign(Number(figureBeside(value, wanted)) - Number(threshold(wanted)))).toBe(Math.sign(value - wanted));
    }),
  ));

test.each([
  [0.98, "0.980"],
  [0.9995, "0.9995"],
  [0.12345, "0.12345"],
  [10, "10"],
])("threshold %s", (value, text) => expect(threshold(value)).toBe(text));

test("a bar is full only when everything is done, and always as wide as asked", () =>
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 60 }), (done, total, width) => {
      const drawn = bar(done, total, width);
      expect(drawn).toHaveLength(width);
      expect(!drawn.includes("░")).toBe(total > 0 && done >= total);
    }),
  ));

test("columns line up whatever stands in them", () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.stringMatching(/^[a-z]{0,9}$/), fc.stringMatching(/^[0-9]{1,9}$/)), { minLength: 1 }), (rows) => {
      const lines = table(rows);
      expect(new Set(lines.map((l) => l.length)).size).toBe(1);
    }),
  ));

test("cut text is never longer than asked", () => fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 40 }), (s, n) => cut(s, n).length <= n)));

test("plural", () => expect([plural(1, "stage"), plural(2, "stage")]).toEqual(["1 stage", "2 stages"]));

describe("JSON for stdout", () => {
  test("the value that a parser reads is the same", () =>
    fc.assert(
      fc.property(fc.jsonValue(), (v) => {
        expect(JSON.parse(jsonText(v))).toEqual(JSON.parse(JSON.stringify(v)));
      }),
    ));

  test("no control character or bidirectional override reaches the terminal", () => {
    const hostile = Array.from({ length: 0x2100 }, (_, i) => String.fromCharCode(i)).join("");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(jsonText({ [hostile]: hostile }, 0).trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/);
  });
});

describe("a command line is split as a shell would", () => {
  test.each([
    ["npx -y server .", ["npx", "-y", "server", "."]],
    ["  a   b  ", ["a", "b"]],
    [`say "two words" 'and "these"'`, ["say", "two words", `and "these"`]],
    [`a\\ b "c\\"d" "e\\f"`, ["a b", `c"d`, "e\\f"]],
    [`x "" ''`, ["x", "", ""]],
    ["$HOME `id` *", ["$HOME", "`id`", "*"]],
  ])("%s", (line, words) => expect(splitCommandLine(line)).toEqual({ ok: true, value: words }));

  test.each(["", "   ", `a "b`, "a 'b", "a \\"])("refuses %j", (line) => {
    const split = splitCommandLine(line);
    expect(split.ok).toBe(false);
    expect(!split.ok && split.error.exit).toBe(4);
  });

  test("quoting every word gives the words back", () =>
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
        fc.pre(words[0] !== "");
        const line = words.map((w) => `'${w.replaceAll("'", `'\\''`)}'`).join(" ");
        expect(splitCommandLine(line)).toEqual({ ok: true, value: words });
      }),
    ));
});

describe("what a terminal can show", () => {
  const stream = (isTTY: boolean) => ({ write: () => true, isTTY });
  const open = (isTTY: boolean, env: NodeJS.ProcessEnv) => openTerminal(stream(isTTY), stream(isTTY), env);
  const coloured = (isTTY: boolean, env: NodeJS.ProcessEnv) => open(isTTY, env).paint("red", "x") !== "x";

  test("colours on a terminal only, and never with NO_COLOR or TERM=dumb", () => {
    expect(coloured(true, {})).toBe(true);
    expect(coloured(false, {})).toBe(false);
    expect(coloured(true, { NO_COLOR: "1" })).toBe(false);
    expect(coloured(true, { NO_COLOR: "" })).toBe(true);
    expect(coloured(true, { TERM: "dumb" })).toBe(false);
    expect(coloured(false, { FORCE_COLOR: "1" })).toBe(true);
    expect(coloured(false, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
  });

  test("live on a terminal that is neither dumb nor CI", () => {
    expect([
      open(true, {}).live,
      open(false, {}).live,
      open(true, { TERM: "dumb" }).live,
      open(true, { CI: "true" }).live,
      open(true, { CI: "false" }).live,
    ]).toEqual([true, false, false, false, true]);
  });
});
