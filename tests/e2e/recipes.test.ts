/**
 * The recipes in recipes/: each is loaded, its servers are opened for real, its data is made and judged by its own gate
 * qa. Only the base model, which answers plain questions, is stood in for; the slow suite runs them whole.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { measureQuality } from "../../src/data/qa.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { openTools } from "../../src/tools/open.ts";
import { answerPlain } from "../data/fixtures.ts";
import { stubEntry } from "../tools/rig.ts";

const TOKEN = "demo-token-for-tests";
const folder = join(packageRoot(), "recipes");
const before = contents(join(folder, "sandbox"));
let server: ChildProcess | undefined;
afterAll(() => server?.kill());

/** Every file under a folder with its text. */
function contents(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  return Object.fromEntries(files.map((e) => [join(e.parentPath, e.name), readFileSync(join(e.parentPath, e.name), "utf8")]));
}

/** Starts recipes/http-server.mjs on a free port. */
async function startHttp(): Promise<NodeJS.ProcessEnv> {
  server = spawn(process.execPath, [join(folder, "http-server.mjs")], {
    env: { ...process.env, PORT: "0", DEMO_TOKEN: TOKEN },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(server.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return { DEMO_SERVER: line.toString().trim(), DEMO_TOKEN: TOKEN };
}

const RECIPES: readonly (readonly [file: string, tools: number, executes: boolean])[] = [
  ["weather.yaml", 3, true],
  ["filesystem.yaml", 14, true],
  ["openai-functions.yaml", 3, false],
  ["file.yaml", 3, false],
  ["two-servers.yaml", 6, true],
  ["http.yaml", 2, true],
];

it("are all listed, here and in their README", () => {
  const there = readdirSync(folder).filter((f) => f.endsWith(".yaml") && f !== "shop.tools.yaml");
  expect(there.sort()).toEqual(RECIPES.map(([file]) => file).sort());
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  expect(there.filter((f) => !readme.includes(`(${f})`))).toEqual([]);
});

describe.each(RECIPES)("recipes/%s", (file, tools, executes) => {
  it("passes its gate qa", { timeout: 120_000 }, async () => {
    const env = { ...process.env, ...(file === "http.yaml" ? await startHttp() : {}) };
    const loaded = await loadRecipe(join(folder, file), { variant: "ci", env });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    expect(loaded.value.warnings).toEqual([]);
    const pipeline = buildPipeline(loaded.value);
    if (!pipeline.ok) throw new Error(pipeline.error.message);
    const gate = pipeline.value.nodes.find((n) => n.id === "gate:qa");
    if (gate?.kind !== "gate") throw new Error("no gate");
    const { recipe, dir } = loaded.value;

    const session = await openTools(recipe.tools, { dir, env, stubEntry: await stubEntry() });
    if (!session.ok) throw new Error(`${session.error.message} ${session.error.details ?? ""}`);
    const { toolset } = session.value;
    expect(toolset.tools).toHaveLength(tools);
    const { samples, min_per_tool: minPerTool, scenarios } = recipe.data;
    const plan = planSynthesis({ toolset, samples, minPerTool, scenarios, evaluationSamples: recipe.evaluation.samples, seed: recipe.seed });
    const made = await generate({ toolset, plan, seed: recipe.seed, session: session.value, answerPlain });
    await session.value.close();
    if (!made.ok) throw new Error(made.error.message);
    const { train, heldout, statistics } = made.value;
    expect(statistics.short).toEqual([]);
    expect(statistics.calls.executed > 0).toBe(executes);
    expect(JSON.stringify(made.value)).not.toContain(TOKEN);
    const report = measureQuality({ samples: train, heldout, toolset, plan, statistics });
    const verdict = gate.judge(report.figures as unknown as JsonObject);
    expect(verdict.verdicts.filter((v) => !v.passed)).toEqual([]);
    expect(verdict.verdicts.length).toBeGreaterThan(1);
  });
});

it("leave the sandbox as it was", () => expect(contents(join(folder, "sandbox"))).toEqual(before));

it("work from anywhere: a copy of the folder is enough", async () => {
  const copy = mkdtempSync(join(realpathSync(tmpdir()), "forge-recipes-"));
  cpSync(folder, copy, { recursive: true });
  const loaded = await loadRecipe(join(copy, "two-servers.yaml"), { env: process.env });
  rmSync(copy, { recursive: true });
  expect(loaded.ok).toBe(true);
});
