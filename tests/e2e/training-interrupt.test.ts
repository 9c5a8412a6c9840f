/**
 * Training that is interrupted, and training that is killed: the base model nano, forge's own Python environment
 * (or the one that MCP_FORGE_PYTHON names), training of half a minute. The next apply goes on from the last checkpoint.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hexOf } from "../../src/platform/digest.ts";
import { digestText } from "../../src/platform/hash.ts";
import { cacheDir } from "../../src/platform/paths.ts";
import { type Running, World } from "./support/forge.ts";

const RECIPE = `version: 1
name: tiny
seed: 3
tools: [{ stub: weather }]
model: { family: nano }
train: { batch: 2, accumulation: 2 }
data: { samples: 100, min_per_tool: 4 }
evaluation: { samples: 12 }
gates: { qa: { schema_pass_rate: 0, min_samples_per_tool: 1 } }
`;

const LONG = 180_000;
/** tests/slow/training-interrupt.slow.test.ts runs the longer half. */
const slow = it.runIf(process.env.FORGE_SLOW);
const quick = it.skipIf(process.env.FORGE_SLOW);

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
  readonly figures?: Readonly<Record<string, unknown>>;
}
const events = (out: string): Event[] =>
  out
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Event);

/** A run that has finished so many optimiser steps. */
async function training(steps: number): Promise<Running> {
  const run = world.start(["apply", "--until", "train", "--json"], env);
  await run.until('"name":"grad_norm"', steps);
  return run;
}

/** Runs on to the end of training; the step that it went on from. */
async function goesOn(): Promise<number> {
  const ended = await world.run(["apply", "--until", "train", "--json"], env);
  expect(ended, ended.out + ended.err).toMatchObject({ code: 0, signal: null });
  const told = events(ended.out);
  for (const id of ["inspect", "generate", "qa"])
    expect(
      told.some((e) => e.type === "stage-cached" && e.node === id),
      id,
    ).toBe(true);
  const figures = told.find((e) => e.type === "stage-finished" && e.node === "train")?.figures;
  const from = Number(figures?.resumed_from);
  if (from > 0) expect(told.some((e) => e.node === "train" && e.message === `going on after step ${from} of ${String(figures?.steps)}`)).toBe(true);
  return from;
}

slow(
  "Ctrl-C saves a checkpoint within 10 s, and training goes on from it",
  async () => {
    const run = await training(2);
    const asked = performance.now();
    run.process.kill("SIGINT");
    const ended = await run.ended;
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(ended.code, ended.err).toBe(130);
    expect(world.processes()).toEqual([]);
    const from = await goesOn();
    expect(from).toBeGreaterThanOrEqual(2);
  },
  LONG,
);

quick(
  "the second Ctrl-C ends training at once",
  async () => {
    const run = await training(1);
    run.process.kill("SIGINT");
    await run.until("press Ctrl-C again");
    const asked = performance.now();
    run.process.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
    expect(performance.now() - asked).toBeLessThan(1500);
    expect(await world.processesAfter(5000)).toEqual([]);
  },
  LONG,
);

quick(
  "a kill takes training along within 5 s, and the next apply goes on",
  async () => {
    const run = await training(2);
    run.process.kill("SIGKILL");
    await run.ended;
    expect(await world.processesAfter(5000)).toEqual([]);
    // The step hears that its parent is gone, and saves what it has before it leaves.
    expect(await goesOn()).toBeGreaterThan(0);
  },
  LONG,
);

slow(
  "a training on files goes on too, and leaves nothing where its result would be; a stranger's random.py is not run",
  async () => {
    world.write("random.py", "raise SystemExit('a file of the folder that the user stands in')\n");
    await world.run(["generate", "--stub", "weather", "--samples", "100", "--family", "nano", "--output", "train.jsonl"], env);
    const args = ["train", "--data", "train.jsonl", "--model", "nano", "--output", "adapter", "--json"];
    const run = world.start(args, env);
    await run.until('"name":"grad_norm"', 2);
    run.process.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
    expect(existsSync(join(world.project, "adapter"))).toBe(false);
    const slip = await world.run(
      args.map((a) => (a === "nano" ? "nanno" : a)),
      env,
    );
    expect([slip.code, slip.err]).toEqual([4, expect.stringContaining("did you mean `nano`")]);
    const ended = await world.run(args, env);
    expect(ended, ended.out + ended.err).toMatchObject({ code: 0 });
    const figures = events(ended.out).find((e) => e.type === "stage-finished" && e.node === "train")?.figures;
    expect(Number(figures?.resumed_from)).toBeGreaterThanOrEqual(2);
    expect(readdirSync(join(world.project, "adapter")).sort()).toEqual(["adapter", "model.json", "rows.jsonl", "tools.json", "training.json"]);
    expect(readdirSync(join(cacheDir(), "steps"))).not.toContain(hexOf(digestText(`train ${join(world.project, "adapter")}`)).slice(0, 16));
  },
  LONG,
);
