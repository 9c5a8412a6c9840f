/** Base models that come with forge: whole, small, described, and no word of the machine that made them. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { familyNames, getFamily } from "../../src/models/family.ts";
import { packagedFolder } from "../../src/models/packaged.ts";
import { digestFile } from "../../src/platform/hash.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import type { PackageSource } from "../../src/schemas/generated/family.ts";

const shipped = familyNames().flatMap((name) => {
  const family = getFamily(name);
  if (!family.ok) throw new Error(family.error.message);
  return Object.values(family.value.sources)
    .filter((s): s is PackageSource => s?.kind === "package")
    .map((source) => ({ family: family.value, source, name }));
});

test("every folder under models is a family's", () => {
  const folder = join(packageRoot(), "models");
  expect(existsSync(folder) ? readdirSync(folder).sort() : []).toEqual(shipped.map((s) => s.source.folder).sort());
});

describe.each(shipped)("the model of $name", ({ family, source }) => {
  const folder = packagedFolder(source);

  test("has the bytes that the family's file names", async () => {
    for (const [name, file] of Object.entries(source.files)) {
      expect(await digestFile(join(folder, name)), name).toBe(`sha256:${file.sha256}`);
      expect(statSync(join(folder, name)).size, name).toBe(file.bytes);
    }
  });

  test("is at most 10 MB with all that is told of it", () => {
    const files = readdirSync(folder);
    expect(files).toEqual(expect.arrayContaining([...Object.keys(source.files), "README.md", "training.json", "loss.csv"]));
    expect(files.reduce((sum, f) => sum + statSync(join(folder, f)).size, 0)).toBeLessThanOrEqual(10e6);
    for (const name of files.filter((f) => !f.endsWith(".safetensors")))
      expect(readFileSync(join(folder, name), "utf8"), name).not.toMatch(/\/(tmp|home|root|work)\//);
    expect(readFileSync(join(folder, "README.md"), "utf8")).toContain(family.title);
  });

  test("is described as its own files say", () => {
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as { model_type: string; max_position_embeddings: number };
    expect(config).toMatchObject({ model_type: family.architecture, max_position_embeddings: family.context_tokens });
    const { figures } = JSON.parse(readFileSync(join(folder, "training.json"), "utf8")) as { figures: { parameters: number } };
    expect(family.parameters).toBe(figures.parameters);
  });
});
