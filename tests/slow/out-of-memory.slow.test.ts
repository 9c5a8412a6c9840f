/**
 * Training that is killed for want of memory, with nano: by the kernel itself, in a control group with less memory than the recipe's rows take (where this user
 * may make one), and by a SIGKILL that nobody can tell from it. It goes on by itself, to the curve of one that had all the memory.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryGroups } from "../../src/platform/memory-limits.ts";
import { cacheDir } from "../../src/platform/paths.ts";
import { forgeFile, World } from "../e2e/support/forge.ts";

/** One step takes rows of some 5,000 tokens, which the recipe allows; layers are not recomputed in advance. */
const RECIPE = `version: 1
name: tiny
seed: 3
tools: [{ stub: weather }]
model: { family: nano }
train: { batch: 32, accumulation: 1, gradient_checkpointing: false, row_tokens: 20000, save_steps: 1 }
data: { samples: 200, min_per_tool: 4 }
evaluation: { samples: 12 }
gates: { qa: { schema_pass_rate: 0, min_samples_per_tool: 1 } }
`;
/** Rows of 2,500 tokens fit in it beside Python and PyTorch, rows of 5,000 do not. */
const TOO_LITTLE = "900M";
const LONG = 900_000;

let world: World;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  world = new World();
  world.write("forge.yaml", RECIPE);
  env = { MCP_FORGE_CACHE_DIR: cacheDir(), ...(process.env.MCP_FORGE_PYTHON !== undefined && { MCP_FORGE_PYTHON: process.env.MCP_FORGE_PYTHON }) };
});
afterEach(() => world.remove());

interface Event {
  readonly type: string;
  readonly node?: string;
  readonly message?: string;
  readonly level?: string;
  readonly name?: string;
  readonly value?: number;
  readonly step?: number;
  readonly figures?: Readonly<Record<string, number>>;
}
const events = (out: string): Event[] =>
  out
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Event);
const ARGS = ["apply", "--until", "train", "--json"];
const told = (out: string) => {
  const all = events(out);
  return {
    figures: all.find((e) => e.type === "stage-finished" && e.node === "train")?.figures ?? {},
    warnings: all.filter((e) => e.level === "warning").map((e) => e.message ?? ""),
    losses: new Map(all.filter((e) => e.type === "stage-metric" && e.name === "loss").map((e) => [e.step, e.value ?? Number.NaN])),
  };
};

/** A control group of our own with so little memory; undefined where this user may make none. */
function group(limit: string): { readonly folder: string; readonly end: () => void } | undefined {
  const top = memoryGroups().at(-1);
  if (top === undefined) return undefined;
  const folder = join(top.folder, `forge-test-${process.pid}`);
  try {
    mkdirSync(folder);
    if (!existsSync(join(folder, top.version.limit))) throw new Error("the memory controller is not delegated");
    writeFileSync(join(folder, top.version.limit), limit);
    return { folder, end: () => rmdirSync(folder) };
  } catch {
    if (existsSync(folder)) rmdirSync(folder);
    return undefined;
  }
}
const mayGroup = (() => {
  const made = group(TOO_LITTLE);
  made?.end();
  return made !== undefined;
})();

test.runIf(mayGroup)(
  "what the kernel kills goes on in smaller rows, to the same curve",
  async () => {
    const straight = await world.run(ARGS, env);
    expect(straight, straight.err).toMatchObject({ code: 0 });
    world.remove();
    world = new World();
    world.write("forge.yaml", RECIPE);
    const made = group(TOO_LITTLE);
    if (made === undefined) throw new Error("no control group");
    try {
      const out = execFileSync("sh", ["-c", `echo $$ > ${made.folder}/cgroup.procs; exec "$@"`, "sh", process.execPath, forgeFile, ...ARGS], {
        cwd: world.project,
        env: world.environment(env),
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        maxBuffer: 64 << 20,
      });
      const [short, whole] = [told(out), told(straight.out)];
      expect(
        short.warnings.some((w) => /killed by the system \(by the kernel's out-of-memory killer; it held 0\.\d GB of 0\.9 GB\); it is started again/.test(w)),
      ).toBe(true);
      expect(
        short.warnings.some((w) => /^after the system killed training 1 time, it trains in rows of at most \d+ tokens \(the recipe has 20000\)$/.test(w)),
      ).toBe(true);
      expect(short.figures.killed).toBeGreaterThanOrEqual(1);
      expect(short.figures.row_tokens).toBeLessThan(4000);
      expect([...short.losses.keys()]).toEqual([...whole.losses.keys()]);
      for (const [step, loss] of whole.losses) expect(Math.abs((short.losses.get(step) ?? Number.NaN) - loss) / loss, `step ${step}`).toBeLessThan(0.02);
    } finally {
      made.end();
    }
  },
  LONG,
);

/** The training step of the run, by its command line. */
const stepOf = (forge: number): number =>
  Number(
    execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find(([, parent, ...args]) => Number(parent) === forge && args.join(" ").includes("forge_steps train"))?.[0],
  );

test.runIf(process.platform === "linux")(
  "a kill that the kernel did not count is gone on from once; the second ends the run, which the same command goes on from",
  async () => {
    const run = world.start(ARGS, env);
    const forge = run.process.pid as number;
    await run.until('"name":"grad_norm"', 2);
    const first = stepOf(forge);
    process.kill(first, "SIGKILL");
    await run.until("it is started again");
    await run.until('"name":"grad_norm"', 4);
    const second = stepOf(forge);
    expect(second).not.toBe(first);
    process.kill(second, "SIGKILL");
    const ended = await run.ended;
    expect(ended.code).toBe(1);
    expect(ended.out).toContain("for the 2nd time: the step `train` is not started again");
    expect(world.processes()).toEqual([]);
    const on = await world.run(ARGS, env);
    expect(on, on.err).toMatchObject({ code: 0 });
    expect(told(on.out).figures.resumed_from).toBeGreaterThanOrEqual(2);
  },
  LONG,
);
