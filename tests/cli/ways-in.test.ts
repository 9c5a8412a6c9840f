/** `run`, `logs`, `completion`, `--offline`, and the GitHub action, with the toy stages. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../../scripts/bundle-options.mjs";
import { annotation } from "../../src/cli/github.ts";
import { loadMade, recipeText, scaledScenarios } from "../../src/recipe/made.ts";
import { RECIPE, Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

describe("run", () => {
  test("makes a recipe, applies it, goes on with it, and can save it", { timeout: 120_000 }, async () => {
    const dir = rig.project(null);
    expect((await rig.run(dir, ["run"])).err).toContain("`run` needs tools");
    const first = await rig.run(dir, ["run", "--stub", "weather", "--samples", "60", "--no-tool-ratio", "0.4"]);
    expect(first, first.err).toMatchObject({ code: 0 });
    expect(existsSync(join(dir, "dist/weather-expert/agent.yaml"))).toBe(true);
    expect(existsSync(join(dir, "forge.yaml"))).toBe(false);
    const again = await rig.run(dir, ["run", "--resume"]);
    expect(again.out).toMatch(/^up to date: weather-expert/);
    const stray = await rig.run(dir, ["run", "--resume", "--no-tool-ratio", "0.2"]);
    expect([stray.code, stray.err]).toEqual([4, expect.stringContaining("--no-tool-ratio would change nothing")]);
    for (const tools of [
      ["--stub", "weather"],
      ["--server", "a b"],
      ["--tools-file", "t.json"],
    ]) {
      const tooled = await rig.run(dir, ["run", "--resume", ...tools]);
      expect([tooled.code, tooled.err]).toEqual([4, expect.stringContaining(`${tools[0]} would change nothing`)]);
    }
    const folder = await rig.run(dir, ["run", "--stub", "weather", "--save-recipe", "dist"]);
    expect([folder.code, folder.err]).toEqual([4, expect.stringContaining("--save-recipe dist is a folder")]);
    const unusable = await rig.run(dir, ["run", "--stub", "weather", "--model", "smolm2", "--save-recipe", "new.yaml"]);
    expect([unusable.code, unusable.err, existsSync(join(dir, "new.yaml"))]).toEqual([4, expect.stringContaining("did you mean `smollm2`"), false]);
    const saved = await rig.run(dir, ["run", "--stub", "weather", "--samples", "60", "--skip-benchmark", "--save-recipe", "forge.yaml"]);
    expect(saved.code, saved.err).toBe(0);
    expect(parse(readFileSync(join(dir, "forge.yaml"), "utf8"))).toMatchObject({ data: { samples: 60 }, evaluation: { benchmark: false }, exports: ["q8_0"] });
    expect(existsSync(join(dir, "forge.lock"))).toBe(true);
    const other = await rig.run(dir, ["run", "--stub", "weather", "--save-recipe", "forge.yaml"]);
    expect([other.code, other.err]).toEqual([4, expect.stringContaining("is another recipe")]);
  });
});

test("run: a plan keeps nothing, and --resume finds the files from any folder of the project", { timeout: 60_000 }, async () => {
  const dir = rig.project(null);
  mkdirSync(join(dir, ".git"));
  mkdirSync(join(dir, "sub/deep"), { recursive: true });
  writeFileSync(join(dir, "sub/tools.json"), '[{"name":"ping","description":"Pings.","inputSchema":{"type":"object"}}]');
  const run = (from: string, ...args: string[]) => rig.run(join(dir, from), ["run", ...args]);
  expect((await run("sub", "--tools-file", "tools.json", "--dry-run")).code).toBe(2);
  expect(existsSync(join(dir, ".mcp-forge"))).toBe(false);
  const first = await run("sub", "--tools-file", "tools.json");
  expect(first, first.err).toMatchObject({ code: 0 });
  for (const from of [".", "sub/deep"]) expect(await run(from, "--resume")).toMatchObject({ code: 0, err: "" });
  expect(existsSync(join(dir, "sub/dist"))).toBe(true);
  expect(existsSync(join(dir, "dist"))).toBe(false);
});

describe("scenario weights from ratios", () => {
  test.each([
    [{}],
    [{ no_tool: 0.4 }],
    [{ error: 0 }],
    [{ no_tool: 0.15, error: 0.1 }],
    [{ no_tool: 1 / 3 }],
    [{ no_tool: 1 }],
    [{ no_tool: 0.7, error: 0.3 }],
  ])("%j", (set) => {
    const scenarios = scaledScenarios(set);
    expect(Object.values(scenarios ?? {}).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    expect(scenarios).toMatchObject(set);
    const recipe = { version: 1 as const, name: "x", tools: [{ stub: "weather" as const }] as [{ stub: "weather" }], data: { scenarios: scenarios ?? {} } };
    const loaded = loadMade(recipe, { file: join(root, "x.yaml"), shown: "x", dir: root, projectRoot: root });
    expect(loaded.ok, recipeText(recipe)).toBe(true);
  });
  test.each([[{ no_tool: 1.1 }], [{ no_tool: -0.1 }], [{ no_tool: 0.6, error: 0.5 }], [{ no_tool: Number.NaN }]])("%j is refused", (set) => {
    expect(scaledScenarios(set)).toBeUndefined();
  });
});

test("logs shows the last run, a stage's part of it, and names the stages there are", { timeout: 60_000 }, async () => {
  const dir = rig.project();
  expect((await rig.run(dir, ["logs"])).err).toContain("nothing ran in this project yet");
  await rig.run(dir, ["apply"], { TOY_FAIL: "train" });
  const all = await rig.run(dir, ["logs"]);
  expect(all.out).toMatch(/gate:qa: passed[\s\S]*train: failed after .*train cannot go on[\s\S]*run finished, exit 1/);
  const stage = await rig.run(dir, ["logs", "train"]);
  expect(stage.out).toContain("train: failed");
  expect(stage.out).not.toContain("generate:");
  const unknown = await rig.run(dir, ["logs", "trian"]);
  expect([unknown.code, unknown.err]).toEqual([4, expect.stringContaining("choose one of inspect, generate")]);
  expect((await rig.run(dir, ["runs"])).out.trim().split("\n")).toHaveLength(1);
});

test("completion: bash completes commands, flags and subcommands from the script itself", { timeout: 60_000 }, async () => {
  const dir = rig.project(null);
  const { out } = await rig.run(dir, ["completion", "bash"]);
  const complete = (...words: string[]): string[] => {
    const script = `${out}\nCOMP_WORDS=(${words.map((w) => `'${w}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _forge 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ran = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" });
    return ran.stdout.trim().split("\n");
  };
  expect(complete("forge", "ap")).toEqual(["apply"]);
  expect(complete("forge", "apply", "--unt")).toEqual(["--until"]);
  expect(complete("forge", "tools", "insp")).toEqual(["inspect"]);
  expect(complete("forge", "qa", "--schema")).toEqual(["--schema-pass-rate"]);
  expect((await rig.run(dir, ["completion", "zsh"])).out).toMatch(/^#compdef forge mcp-forge\n/);
  expect((await rig.run(dir, ["completion", "fish"])).out).toContain("complete -c forge -n __fish_use_subcommand -a apply");
  expect((await rig.run(dir, ["completion", "tcsh"])).err).toContain("choose one of bash, zsh, fish");
});

describe("on GitHub", () => {
  test("an annotation can neither end nor begin a command", () => {
    const failure = { code: "a/b", message: "50 %\n::error::x", exit: 4 as const, place: { file: "a,b:c.yaml", line: 3, column: 2, length: 4 } };
    expect(annotation(failure, "error", {})).toBe("::error file=a%2Cb%3Ac.yaml,line=3,col=2,endColumn=6,title=a/b::50 %25%0A::error::x\n");
  });

  interface Step {
    readonly name?: string;
    readonly id?: string;
    readonly uses?: string;
    readonly run?: string;
    readonly env?: Readonly<Record<string, string>>;
  }
  const action = parse(readFileSync(join(root, "action.yml"), "utf8")) as {
    inputs: Readonly<Record<string, { default: string }>>;
    runs: { using: string; steps: readonly Step[] };
  };

  /** The action's shell steps in order, as the runner would run them; stops at the first that fails. */
  function workflow(
    dir: string,
    inputs: Readonly<Record<string, string>>,
    extra: NodeJS.ProcessEnv = {},
  ): { codes: Record<string, number | null>; out: string; outputs: string; summary: string } {
    const bin = join(dir, "node_modules/.bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "forge"), `#!/bin/sh\nexec "${process.execPath}" "${rig.forge}" "$@"\n`);
    chmodSync(join(bin, "forge"), 0o755);
    const file = (name: string): string => join(dir, "node_modules", name);
    for (const name of ["output", "path", "summary"]) writeFileSync(file(name), "");
    const value = (text: string): string =>
      text.replace(/\$\{\{ *([\w.-]+) *\}\}/g, (_, path: string) =>
        path.startsWith("inputs.") ? (inputs[path.slice(7)] ?? action.inputs[path.slice(7)]?.default ?? "") : dir,
      );
    const codes: Record<string, number | null> = {};
    let out = "";
    for (const step of action.runs.steps) {
      if (step.run === undefined) continue;
      const path = readFileSync(file("path"), "utf8").trim().split("\n").reverse().join(":");
      const env = {
        PATH: `${path}:${process.env.PATH}`,
        HOME: dir,
        CI: "true",
        GITHUB_ACTIONS: "true",
        GITHUB_WORKSPACE: dir,
        RUNNER_TEMP: join(dir, "node_modules"),
        GITHUB_OUTPUT: file("output"),
        GITHUB_PATH: file("path"),
        GITHUB_STEP_SUMMARY: file("summary"),
        ...extra,
      };
      const own = Object.fromEntries(Object.entries(step.env ?? {}).map(([k, v]) => [k, value(v)]));
      const ran = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run], { cwd: dir, env: { ...env, ...own }, encoding: "utf8" });
      codes[step.name ?? ""] = ran.status;
      out += ran.stdout + ran.stderr;
      if (ran.status !== 0) break;
    }
    return { codes, out, outputs: readFileSync(file("output"), "utf8"), summary: readFileSync(file("summary"), "utf8") };
  }
  const WITH_CI = `${RECIPE}gates:\n  qa: { schema_pass_rate: 0.98 }\nvariants:\n  ci: { data: { samples: 50 } }\n`;

  test("the action is composite, and no input reaches a shell but through the environment", () => {
    expect(action.runs.using).toBe("composite");
    for (const step of action.runs.steps) expect(step.run ?? "").not.toContain("${{");
  });

  test("its steps, in order: lockfile missing, then up to date, then a gate that refuses", { timeout: 180_000 }, async () => {
    const dir = rig.project(WITH_CI);
    const unlocked = workflow(dir, {});
    expect(unlocked.codes).toMatchObject({ Plan: 0, Apply: 4 });
    expect(unlocked.out).toContain("::error title=lockfile/out-of-date::");
    expect((await rig.run(dir, ["apply", "--variant", "ci"])).code).toBe(0);
    const fine = workflow(dir, {});
    expect(fine.codes, fine.out).toEqual({ "Name the lockfile": 0, Install: 0, Plan: 0, Apply: 0, "Find the bundle": 0 });
    expect(fine.outputs).toMatch(/^lockfile=forge\.lock$/m);
    expect(fine.outputs).toMatch(/^path=.*dist\/toy-ci$/m);
    expect(fine.summary).toMatch(/### toy: done[\s\S]*\| gate \| figure \|[\s\S]*\| ✓ qa \| schema_pass_rate \|/);
    const refused = workflow(dir, { locked: "false" }, { TOY_RATE: "0.5" });
    expect(refused.codes).toMatchObject({ Apply: 3 });
    expect(refused.out).toMatch(/::error file=forge\.yaml,line=7,col=\d+,endColumn=\d+,title=gate\/qa::schema_pass_rate 0\.500 < 0\.98/);
    expect(refused.summary).toContain("refused by a gate");
    writeFileSync(join(dir, "forge.yaml"), WITH_CI.replace("samples: 50", "sampels: 50"));
    const wrong = workflow(dir, {});
    expect(wrong.codes).toMatchObject({ Plan: 4 });
    expect(wrong.out).toMatch(/::error file=forge\.yaml,line=9,col=\d+,endColumn=\d+,title=recipe\/unknown-key::unknown key `sampels`/);
  });
});
