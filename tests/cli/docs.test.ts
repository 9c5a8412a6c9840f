/** What the documentation promises is what the program has. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../scripts/bundle-options.mjs";
import { CATALOGUE } from "../../src/cli/catalogue.ts";
import { EXIT } from "../../src/platform/exit.ts";

const read = (name: string): string => readFileSync(join(root, name), "utf8");
const words = (text: string): Set<string> =>
  new Set([...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`[^`]+`/g)].flatMap((m) => m[0].match(/[A-Za-z][A-Za-z0-9_-]*/g) ?? []));

describe("docs/recipe.md", () => {
  interface Schema {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly [key: string]: unknown;
  }
  const keys = (schema: unknown): string[] => {
    if (schema === null || typeof schema !== "object") return [];
    if (Array.isArray(schema)) return schema.flatMap(keys);
    const { properties, ...rest } = schema as Schema;
    return [...Object.keys(properties ?? {}), ...Object.values(properties ?? {}).flatMap(keys), ...Object.values(rest).flatMap(keys)];
  };

  test("names every key of the schema", () => {
    const known = words(read("docs/recipe.md"));
    expect([...new Set(keys(JSON.parse(read("schemas/forge.schema.json"))))].filter((key) => !known.has(key))).toEqual([]);
  });
});

describe("docs/cli.md", () => {
  const text = read("docs/cli.md");
  test("names every command", () => expect(CATALOGUE.map((c) => c.name).filter((name) => !words(text).has(name))).toEqual([]));
  for (const file of ["docs/cli.md", "README.md"]) {
    test(`${file} lists exactly the exit codes there are`, () => {
      const section = read(file).split("## Exit codes")[1]?.split("\n## ")[0] ?? "";
      const listed = [...section.matchAll(/^\| (\d+) \|/gm)].map((m) => Number(m[1]));
      expect(listed).toEqual(Object.values(EXIT));
    });
  }
});

describe("README.md", () => {
  const fenced = [...read("README.md").matchAll(/^```[a-z]*\n([\s\S]*?)^```/gm)].flatMap((m) => (m[1] ?? "").split("\n"));
  test("the two lines that a newcomer types", () => {
    expect(fenced.find((line) => line.includes("forge apply"))).toBe("npm ci && npx forge apply forge.yaml");
    expect(fenced.find((line) => line.includes("npm test"))).toBe("npm ci && npm test");
  });
  test("every forge command in it exists", () => {
    const used = fenced.flatMap((line) => [...line.matchAll(/(?:^|npx )(?:mcp-)?forge ([a-z-]+)/g)].map((m) => m[1]));
    expect(used.length).toBeGreaterThan(3);
    expect(used.filter((name) => !CATALOGUE.some((c) => c.name === name))).toEqual([]);
  });
});
