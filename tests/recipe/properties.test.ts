/** Whatever is done to a recipe, it loads or is answered with located failures: never a throw, never a hang. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";
import { formatFailure } from "../../src/recipe/diagnostic.ts";
import { readRecipe } from "../../src/recipe/load.ts";
import { nearest } from "../../src/recipe/nearest.ts";
import { Source } from "../../src/recipe/source.ts";

const dir = packageRoot();
const base = `${readFileSync(join(dir, "forge.yaml"), "utf8")}variants:\n  ci: {data: {samples: 60}, train: {rank: 4}}\n  big: {exports: [q8_0, f16]}\n`;
const shards = [
  "\t",
  "- ",
  ": ",
  "{",
  "}",
  "[",
  "]",
  "&a ",
  "*a",
  "!!set ",
  "|",
  ">",
  "'",
  '"',
  "#",
  "---\n",
  "\n",
  "\0",
  "${env:",
  "${secret:X}",
  "}",
  "null",
  "~",
  "1e999",
  "-1",
  "0",
  "<<: *a",
  "? ",
  "__proto__: ",
  "constructor: ",
  "toString: 1",
  "\u2028",
  "\ufeff",
  "😀",
  "version",
  "tools",
  "stub",
  "mcp: {}",
  "variants: ",
];

/** Cuts, repeats, swaps and insertions at any place of the text. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant("insert" as const), at: fc.nat(base.length), text: fc.oneof(fc.constantFrom(...shards), fc.string({ maxLength: 8 })) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(base.length), length: fc.nat(60) }),
  fc.record({ kind: fc.constant("repeat" as const), at: fc.nat(base.length), length: fc.nat(40), times: fc.nat(20) }),
);

function mutate(text: string, m: typeof mutation extends fc.Arbitrary<infer T> ? T : never): string {
  if (m.kind === "insert") return text.slice(0, m.at) + m.text + text.slice(m.at);
  const part = text.slice(m.at, m.at + m.length);
  return m.kind === "cut" ? text.slice(0, m.at) + text.slice(m.at + m.length) : text.slice(0, m.at) + part.repeat(m.times) + text.slice(m.at);
}

function check(text: string, variant?: string): void {
  const result = readRecipe(new Source("forge.yaml", text), { dir, projectRoot: dir, env: {}, ...(variant === undefined ? {} : { variant }) });
  if (result.ok) return;
  expect(result.error.length).toBeGreaterThan(0);
  const lines = text.split("\n");
  for (const failure of result.error) {
    const { place } = failure;
    expect(failure.code).toMatch(/^recipe\/[a-z-]+$/);
    expect(failure.exit).toBe(4);
    expect(place).toBeDefined();
    if (place === undefined) continue;
    expect(place.line).toBeGreaterThanOrEqual(1);
    expect(place.line).toBeLessThanOrEqual(lines.length);
    expect(place.source).toBe((lines[place.line - 1] ?? "").replace(/\r$/, ""));
    expect(place.column).toBeGreaterThanOrEqual(1);
    expect(place.column - 1).toBeLessThanOrEqual((lines[place.line - 1] ?? "").length);
    expect(formatFailure(failure)).toContain(`forge.yaml:${place.line}:${place.column}`);
  }
}

it("a mutated recipe loads or is answered, with places inside the file", () => {
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.constantFrom(undefined, "ci"), (mutations, variant) =>
      check(mutations.reduce(mutate, base), variant),
    ),
    { numRuns: 400 },
  );
}, 60_000);

it("any values under the known keys load or are answered", () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(
        fc.oneof(fc.constantFrom("stub", "mcp", "command", "family", "hf_id", "standard", "samples", "output", "ci", "scenarios"), fc.string()),
        tie("any"),
        { maxKeys: 3 },
      ),
    ),
  })).any;
  const keys = ["version", "name", "seed", "tools", "model", "profile", "train", "data", "evaluation", "gates", "exports", "bundle", "variants"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value, { noNullPrototype: true }), (recipe) =>
      check(JSON.stringify({ version: 1, name: "x", tools: [{ stub: "weather" }], ...recipe })),
    ),
    { numRuns: 400 },
  );
}, 60_000);

it("any text at all is answered", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: "binary", maxLength: 200 })), (text) => check(text)),
    { numRuns: 400 },
  );
}, 60_000);

it("the nearest word is a candidate, and an exact one wins", () => {
  const word = fc.string({ minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(word, fc.uniqueArray(word, { minLength: 1 }), (w, candidates) => {
      const found = nearest(w, candidates);
      if (found !== undefined) expect(candidates).toContain(found);
      if (candidates.includes(w)) expect(found?.toLowerCase().replaceAll("-", "_")).toBe(w.toLowerCase().replaceAll("-", "_"));
    }),
  );
});
