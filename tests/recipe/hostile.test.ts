/** Recipes that mean harm, or look as if they did: each is answered in time, with its message, and shows nothing that drives a terminal. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatFailure } from "../../src/recipe/diagnostic.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { GOOD, tempProject } from "./support.ts";

const aliases = (depth: number): string =>
  `a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${Array.from({ length: depth }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]\n`).join("")}`;
const named = (name: string): string => GOOD.replace("weather-expert", name);

const cases: [name: string, text: string | Buffer, message: RegExp][] = [
  ["10 MB of YAML", `# ${"x".repeat(10_000_000)}\n${GOOD}`, /has 100000\d\d bytes; a recipe may have 262144/],
  ["10 MB of nested lists", "[".repeat(10_000_000), /bytes; a recipe may have/],
  ["200 kB of open brackets", "[".repeat(200_000), /nested more than 48 levels deep/],
  ["200 kB of open braces", "{a: ".repeat(50_000), /nested more than 48 levels deep/],
  ["dashes without end", "- ".repeat(100_000), /nested more than 48 levels deep/],
  ["question marks without end", "? ".repeat(100_000), /nested more than 48 levels deep/],
  ["indentation without end", Array.from({ length: 300 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), /nested more than 48 levels deep/],
  ["an alias bomb of a billion", `${GOOD}${aliases(9)}`, /more than 20000 values once its aliases are expanded/],
  ["an alias that contains itself", `${GOOD}seed: &s [*s]\n`, /the alias `\*s` contains itself/],
  ["an alias of nothing", `${GOOD}seed: *nobody\n`, /alias.*nobody/],
  ["a merge of an anchor", `${GOOD}x: &x {a: 1}\n<<: *x\n`, /merge keys \(`<<`\) are not supported/],
  ["a key twice", `${GOOD}name: other\n`, /`name` is given twice; it already stands on line 2/],
  ["a key twice, once in quotes", `${GOOD}"name": other\n`, /`name` is given twice/],
  ["a key that is a collection", `${GOOD}? {a: 1}\n: 1\n`, /a key must be a word; this is a collection/],
  ["the prototype", `${GOOD}__proto__: {polluted: true}\n`, /`__proto__` is no key of a recipe/],
  ["the prototype of a section", `${GOOD}data: {__proto__: {samples: 1}}\n`, /`__proto__` is no key of a recipe/],
  ["the constructor", `${GOOD}constructor: {prototype: 1}\n`, /unknown key `constructor`/],
  ["a number beyond all numbers", `${GOOD}seed: 1e999\n`, /only text, finite numbers/],
  ["a number beyond whole numbers", `${GOOD}seed: 99999999999999999999999\n`, /`seed` must be/],
  ["a million million samples", `${GOOD}data: {samples: 1000000000000}\n`, /`data.samples` must be at most 1000000/],
  ["a number of a hundred thousand digits", `${GOOD}seed: ${"9".repeat(100_000)}\n`, /only text, finite numbers/],
  ["not a number", `${GOOD}seed: .nan\n`, /only text, finite numbers/],
  ["a negative rate", `${GOOD}gates: {qa: {schema_pass_rate: -1}}\n`, /`gates.qa.schema_pass_rate` must be at least 0/],
  ["a NUL", `${GOOD}seed: 1\0\n`, /a NUL byte, which YAML does not allow/],
  ["a terminal escape in the name", named("\u001b]0;owned\u0007x"), /the control character U\+001B/],
  ["an escaped terminal escape in the name", named('"\\e[31mred"'), /`name` must be/],
  ["an 8-bit terminal escape", named('"\u009b31mred"'), /`name` must be/],
  ["text turned around in the name", named('"\u202egnp.exe"'), /`name` must be/],
  ["UTF-16", Buffer.from(`\ufeff${GOOD}`, "utf16le"), /is not UTF-8 text/],
  ["bytes that are no text", Buffer.from("89504e470d0a1a0afffe", "hex"), /is not UTF-8 text/],
  ["a name that is a path", named("../../etc/passwd"), /`name` must be/],
  ["a name that is absolute", named("/etc/passwd"), /`name` must be/],
  ["a name of dots", named(".."), /`name` must be/],
  ["a name of a thousand letters", named("x".repeat(1000)), /`name` may have at most 64 characters/],
  ["a bundle outside the project", `${GOOD}bundle: {output: ../../elsewhere}\n`, /`bundle.output` is `..\/..\/elsewhere`, outside the project/],
  ["a bundle at an absolute path", `${GOOD}bundle: {output: /usr/lib}\n`, /outside the project/],
  ["a bundle behind a link out of the project", `${GOOD}bundle: {output: link/x}\n`, /outside the project/],
  ["a bundle over git's folder", `${GOOD}bundle: {output: .git/hooks}\n`, /lies in `.git`/],
  ["a bundle over the project", `${GOOD}bundle: {output: "."}\n`, /the project itself, which a bundle would overwrite/],
  ["a bundle with a NUL in its path", `${GOOD}bundle: {output: "a\\0b"}\n`, /holds a NUL byte/],
  ["a tag that makes objects", `${GOOD}seed: !!js/function 'x'\n`, /YAML tags \(`!…`\) have no meaning/],
  ["a second document", `${GOOD}---\n${GOOD}`, /more than one YAML document/],
  ["a setting out of the environment's depth", `${GOOD}seed: \${env:__proto__}\n`, /the environment variable __proto__ is not set|does not name/],
  ["a secret where it would be kept", `${GOOD}bundle: {output: "\${secret:AWS_KEY}"}\n`, /a secret may stand only in the `env` or `headers`/],
];

test.each(cases)("%s", async (_name, text, message) => {
  const dir = tempProject();
  symlinkSync("/", join(dir, "link"));
  writeFileSync(join(dir, "forge.yaml"), text);
  const heap = process.memoryUsage().heapUsed;
  const started = performance.now();
  const result = await loadRecipe(join(dir, "forge.yaml"), { env: {} });
  expect(performance.now() - started).toBeLessThan(5000);
  expect(process.memoryUsage().heapUsed - heap).toBeLessThan(256 * 1024 * 1024);
  if (result.ok) throw new Error("accepted");
  expect(result.error.map((f) => f.message).join("\n")).toMatch(message);
  expect(result.error.length).toBeLessThanOrEqual(50);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  for (const failure of result.error) {
    expect(failure.exit).toBe(4);
    const shown = formatFailure(failure);
    expect(shown.length).toBeLessThan(4000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  }
});

test("a mark in front of UTF-8, as some editors write it, is no harm", async () => {
  const dir = tempProject();
  writeFileSync(join(dir, "forge.yaml"), `\ufeff${GOOD}`);
  expect((await loadRecipe(join(dir, "forge.yaml"), { env: {} })).ok).toBe(true);
});
