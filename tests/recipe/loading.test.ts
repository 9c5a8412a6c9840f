/** What a good recipe becomes: defaults, profiles, variants, settings, secrets, places. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";
import { FAMILIES } from "../../src/recipe/available.ts";
import { DEFAULT_SCENARIOS } from "../../src/recipe/defaults.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { PROFILES } from "../../src/recipe/profiles.ts";
import { resolveSecrets } from "../../src/tools/secrets.ts";
import { resolveSettings } from "../../src/tools/settings.ts";
import type { ToolSource } from "../../src/tools/types.ts";
import { complaints, GOOD, load, loadGood, only } from "./support.ts";

describe("defaults", () => {
  it("are those that the schema announces to editors", async () => {
    const schema = JSON.parse(readFileSync(join(packageRoot(), "schemas", "forge.schema.json"), "utf8")) as Schema;
    const { recipe } = await loadGood(GOOD);
    const announced = [...defaultsIn(schema, schema, [])].filter(([path]) => path[0] !== "variants" && path[0] !== "tools");
    expect(announced.length).toBeGreaterThan(20);
    for (const [path, value] of announced) expect([path, at(recipe, path)]).toEqual([path, value]);
  });

  it("make a bundle of the recipe's name, and follow a lower min_per_tool", async () => {
    const { recipe } = await loadGood(`${GOOD}data: {min_per_tool: 4}\n`);
    expect(recipe.bundle.output).toBe("dist/weather-expert");
    expect(recipe.gates.qa.min_samples_per_tool).toBe(4);
    expect((await loadGood(`${GOOD}data: {min_per_tool: 40}\n`)).recipe.gates.qa.min_samples_per_tool).toBe(10);
    expect(recipe.gates.qa).toMatchObject({ max_shared_frames: 0, max_shared_prompts: 0, max_near_prompts: 0 });
    // Frames of a hosted teacher nobody knows.
    expect(recipe.gates.qa.max_near_wordings).toBeUndefined();
    expect((await loadGood(`${GOOD}data: {teacher: {provider: openai}}\n`)).recipe.gates.qa.max_near_wordings).toBe(0);
  });

  it("let stubs do everything, servers read, and files nothing", async () => {
    const { recipe } = await loadGood(`${GOOD}  - mcp: {command: x}\n  - openai: f.json\n  - file: t.yaml\n    execute: [a]\n`, {
      files: { "f.json": "[]", "t.yaml": "[]" },
    });
    expect(recipe.tools).toEqual([
      { stub: "weather", execute: "all" },
      { mcp: { command: "x", args: [], timeout: 30 }, execute: "read_only" },
      { openai: "f.json", execute: "none" },
      { file: "t.yaml", execute: ["a"] },
    ]);
  });

  it("take scenarios that are left out as none once any is given", async () => {
    const { recipe } = await loadGood(`${GOOD}data: {scenarios: {standard: 0.8, no_tool: 0.2}}\n`);
    expect(recipe.data.scenarios).toEqual({ standard: 0.8, no_tool: 0.2, error: 0, ambiguous: 0, edge: 0 });
    expect(Object.values(DEFAULT_SCENARIOS).reduce<number>((a, b) => a + b, 0)).toBeCloseTo(1, 9);
  });

  it("keep the user's hyperparameters apart from the profile's", async () => {
    const { recipe } = await loadGood(`${GOOD}profile: fast_dev\ntrain: {rank: 16}\n`);
    expect(recipe.train).toEqual({ rank: 16 });
    expect(recipe.profileTable).toEqual(PROFILES.fast_dev);
  });

  it("alpha is twice the rank in every profile", () => {
    for (const p of Object.values(PROFILES)) expect(p.alpha).toBe(2 * p.rank);
  });
});

describe("the recipes that come with the package", () => {
  it("are good, without a warning", async () => {
    const result = await loadRecipe(join(packageRoot(), "forge.yaml"), { env: {} });
    expect(result.ok && [result.value.name, result.value.warnings, result.value.recipe.evaluation.samples, result.value.recipe.data.samples]).toEqual([
      "weather-expert",
      [],
      100,
      440,
    ]);
  });

  it("name only families that this version has a data file for", async () => {
    for (const family of FAMILIES)
      expect(JSON.parse(readFileSync(join(packageRoot(), "src", "models", "families", `${family}.json`), "utf8"))).toMatchObject({ name: family });
  });
});

describe("settings of a tool server", () => {
  const text = `version: 1
name: x
tools:
  - stub: weather
  - mcp:
      command: run
      args: ["--key", "\${env:K}", "$\${env:K}", "$\${secret:K}", "\${env:NONE:-as it is}"]
      env: { A: "\${env:K}", B: "\${secret:S}", C: "$\${secret:S}" }
      timeout: \${env:T}
  - mcp: { url: "https://host/mcp?key=\${env:K}", headers: { X: "\${env:K}" } }
`;

  it("are put in for the run, and stay names in what is said of the server", async () => {
    const { recipe } = await loadGood(text, { env: { K: "the-key", T: "7" } });
    expect(recipe.tools[1]?.mcp).toEqual({
      command: "run",
      args: ["--key", "the-key", "${env:K}", "${secret:K}", "as it is"],
      env: { A: "the-key", B: "${secret:S}", C: "$${secret:S}" },
      timeout: 7,
    });
    expect(recipe.statedTools).toEqual([
      { stub: "weather", execute: "all" },
      {
        mcp: {
          command: "run",
          args: ["--key", "${env:K}", "$${env:K}", "${secret:K}", "${env:NONE:-as it is}"],
          env: { A: "${env:K}", B: "${secret:S}", C: "$${secret:S}" },
          timeout: 7,
        },
        execute: "read_only",
      },
      { mcp: { url: "https://host/mcp?key=${env:K}", headers: { X: "${env:K}" }, timeout: 30 }, execute: "read_only" },
    ]);
  });

  it("and come to the same where a bundle's taker has them", async () => {
    const env = { K: "the-${secret:S}-key", T: "7" };
    const { recipe } = await loadGood(text, { env });
    expect(resolveSettings(recipe.statedTools as readonly ToolSource[], env)).toEqual({ ok: true, value: recipe.tools });
  });

  it("are the same sources where none is written", async () => {
    const { recipe } = await loadGood(`${GOOD}  - mcp: {command: x, args: [a, "--key=b"]}\n`);
    expect(recipe.statedTools).toEqual(recipe.tools);
  });
});

describe("variants", () => {
  const recipe = `${GOOD}data: {samples: 300, min_per_tool: 5}\nexports: [q8_0]\nvariants:\n  ci:\n    data: {samples: 60}\n    exports: [f16, q8_0]\n`;

  it("merge mappings and replace lists", async () => {
    const plain = await loadGood(recipe);
    const ci = await loadGood(recipe, { variant: "ci" });
    expect([plain.recipe.data.samples, plain.recipe.exports, plain.variant]).toEqual([300, ["q8_0"], undefined]);
    expect([ci.recipe.data.samples, ci.recipe.data.min_per_tool, ci.recipe.exports, ci.variant]).toEqual([60, 5, ["f16", "q8_0"], "ci"]);
  });

  it("put their bundle beside the recipe's own, unless they say where", async () => {
    const text = (over: string): string => `${GOOD}bundle: {output: out/x/}\nvariants: {ci: ${over}}\n`;
    const output = async (over: string) => (await loadGood(text(over), { variant: "ci" })).recipe.bundle.output;
    expect([await output("{seed: 1}"), await output("{bundle: {output: out/y}}")]).toEqual(["out/x-ci", "out/y"]);
    expect((await loadGood(recipe, { variant: "ci" })).recipe.bundle.output).toBe("dist/weather-expert-ci");
  });

  it("are refused where that place is another's", async () => {
    const at = (output: string): string => `${GOOD}bundle: {output: ${output}}\nvariants: {ci: {seed: 1}}\n`;
    // What is wrong of the recipe's own place may be right of the variant's, and the other way round.
    expect((await loadGood(at("node_modules"), { variant: "ci" })).recipe.bundle.output).toBe("node_modules-ci");
    expect(await complaints(at("node_modules"))).toEqual([expect.stringMatching(/^bundle-output /)]);
    expect(await complaints(`${GOOD}bundle: {output: dist/}\nvariants: {ci: {seed: 1}}\n`, { variant: "ci", files: { "dist-ci": "a file" } })).toEqual([
      expect.stringMatching(/^bundle-output /),
    ]);
  });

  it("point into the variant where it says the value", async () => {
    const ci = await loadGood(recipe, { variant: "ci" });
    expect([ci.placeOf(["data", "samples"]).line, ci.placeOf(["data", "min_per_tool"]).line]).toEqual([9, 5]);
  });

  it("replace one way to name a model by the other", async () => {
    const text = `${GOOD}model: {family: smollm2, source: hub}\nvariants: {other: {model: {hf_id: a/b}}}\n`;
    expect((await loadGood(text, { variant: "other" })).recipe.model).toEqual({ hf_id: "a/b" });
    expect(await complaints(text)).toEqual([]);
  });

  it("keep the source of the same family, and no other family's", async () => {
    const text = (model: string) =>
      `${GOOD}model: {${model}}\nvariants: {plain: {model: {family: smollm2, head_start: false}}, other: {model: {family: nano}}}\n`;
    expect((await loadGood(text("family: smollm2, source: hub"), { variant: "plain" })).recipe.model).toMatchObject({ family: "smollm2", source: "hub" });
    expect((await loadGood(text("source: hub"), { variant: "plain" })).recipe.model).toMatchObject({ family: "smollm2", source: "hub" });
    expect((await loadGood(text("family: smollm2, source: hub"), { variant: "other" })).recipe.model).toMatchObject({ family: "nano", source: "default" });
  });

  it("may name what trains, whether or not this machine can run it", async () => {
    const text = `${GOOD}variants: {gpu: {train: {backend: unsloth}}, small: {train: {backend: qlora}}}\n`;
    expect((await loadGood(text, { variant: "gpu" })).recipe.train.backend).toBe("unsloth");
    expect((await loadGood(text, { variant: "small" })).recipe.train.backend).toBe("qlora");
    expect((await only(text.replace("qlora", "qlara"))).hint).toContain("qlora");
  });

  it("are checked although they were not asked for, at their own lines", async () => {
    const text = `${GOOD}variants:\n  a: {data: {sampels: 1}}\n  b: {data: {scenarios: {standard: 0.5}}}\n  c: {name: x}\n  "D d": {}\n  e: 3\n`;
    expect(await complaints(text)).toEqual(["unknown-key 6:14|7", "weights 7:14|9", "unknown-key 8:7|4", "name 9:3|5", "wrong-type 10:6|1"]);
  });

  it("may use settings that are not set here, unless they are asked for", async () => {
    const text = `${GOOD}variants:\n  a: {data: {samples: "\${env:N}"}}\n`;
    expect(await complaints(text)).toEqual([]);
    expect(await complaints(text, { variant: "a" })).toEqual(["env-missing 6:24|8"]);
  });

  it("name the one that was meant", async () => {
    expect((await only(recipe, { variant: "cj" })).hint).toBe("did you mean `ci`?");
  });
});

describe("settings", () => {
  it("are read as YAML reads them when they stand alone, without quotes", async () => {
    const text = `${GOOD}seed: \${env:SEED}\nevaluation:\n  constrained: \${env:C}\nmodel:\n  source: \${env:S:-default}\n`;
    const { recipe } = await loadGood(text, { env: { SEED: "11", C: "false" } });
    expect([recipe.seed, recipe.evaluation.constrained, recipe.model.source]).toEqual([11, false, "default"]);
  });

  it("stay text in quotes or within text", async () => {
    const text = 'version: 1\nname: x\ntools:\n  - mcp: {command: run, args: ["${env:A}", "--n=${env:A}", "$${env:A} ${HOME}"]}\n';
    const { recipe } = await loadGood(text, { env: { A: "5" } });
    expect(recipe.tools[0]?.mcp?.args).toEqual(["5", "--n=5", "${env:A} ${HOME}"]);
  });

  it("that are missing are pointed at, all of them, and nothing else is said about them", async () => {
    const text = `${GOOD}seed: \${env:NOPE}\ndata: {samples: "\${env:NOPE2}", min_per_tool: x}\n`;
    expect(await complaints(text)).toEqual(["env-missing 5:7|11", "env-missing 6:18|12", "wrong-type 6:47|1"]);
  });

  it("are validated like what is written", async () => {
    expect(await complaints(`${GOOD}seed: \${env:SEED}\n`, { env: { SEED: "-1" } })).toEqual(["out-of-range 5:7|11"]);
  });

  it("with a wrong word or name are refused", async () => {
    const text = `${GOOD}seed: \${evn:SEED}\nprofile: "\${env:a b}"\n`;
    expect(await complaints(text)).toEqual(["reference 5:7|11", "env-name 6:11|10"]);
  });
});

describe("secrets", () => {
  const server = (mcp: string): string => `version: 1\nname: x\ntools:\n  - mcp: ${mcp}\n`;

  it("stay names", async () => {
    const { recipe } = await loadGood(server(`{command: x, env: {TOKEN: "Bearer \${secret:API_TOKEN}"}}`), { env: { API_TOKEN: "hunter2" } });
    expect(recipe.tools[0]?.mcp?.env).toEqual({ TOKEN: "Bearer ${secret:API_TOKEN}" });
    expect(JSON.stringify(recipe)).not.toContain("hunter2");
  });

  it("are not what a setting or an escape brings", async () => {
    const { recipe } = await loadGood(server(`{command: x, env: {A: "\${env:FOO}", B: "$\${secret:NOPE}", C: "\${env:FOO} \${secret:REAL}"}}`), {
      env: { FOO: "${secret:NOPE}" },
    });
    const env = recipe.tools[0]?.mcp?.env ?? {};
    expect(resolveSecrets({ A: env.A ?? "", B: env.B ?? "" }, "x", {})).toMatchObject({
      ok: true,
      value: { env: { A: "${secret:NOPE}", B: "${secret:NOPE}" } },
    });
    expect(resolveSecrets({ C: env.C ?? "" }, "x", { REAL: "hunter2", NOPE: "taken" })).toMatchObject({
      ok: true,
      value: { env: { C: "${secret:NOPE} hunter2" } },
    });
  });

  it.each([`{command: "\${secret:A}"}`, `{command: x, args: ["\${secret:A}"]}`])("may not stand in %s", async (mcp) => {
    expect((await only(server(mcp))).code).toBe("recipe/secret-place");
  });

  it("need the name of a variable", async () => {
    expect((await only(server(`{command: x, env: {A: "\${secret:a-b}"}}`))).code).toBe("recipe/secret-name");
  });
});

it("loads the default recipe fast", async () => {
  await loadRecipe(join(packageRoot(), "forge.yaml"));
  const started = performance.now();
  for (let i = 0; i < 20; i++) await loadRecipe(join(packageRoot(), "forge.yaml"));
  expect((performance.now() - started) / 20).toBeLessThan(50);
});

it("warns of what is allowed and hardly meant", async () => {
  const result = await load(`${GOOD}data: {scenarios: {standard: 1}}\n`);
  expect(result.ok && result.value.warnings.map((w) => [w.code, w.place?.line])).toEqual([["recipe/doubtful", 5]]);
});

interface Schema {
  readonly $ref?: string;
  readonly default?: unknown;
  readonly properties?: Record<string, Schema>;
  readonly definitions?: Record<string, Schema>;
}

function* defaultsIn(root: Schema, schema: Schema, path: string[]): Generator<[string[], unknown]> {
  const node = schema.$ref === undefined ? schema : root.definitions?.[schema.$ref.replace("#/definitions/", "")];
  if (node?.default !== undefined) yield [path, node.default];
  for (const [key, child] of Object.entries(node?.properties ?? {})) yield* defaultsIn(root, child, [...path, key]);
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((v, key) => (typeof v === "object" && v !== null ? (v as Record<string, unknown>)[key] : undefined), value);
