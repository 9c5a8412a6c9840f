/**
 * Training by two processes that share the cores (`train.processes: 2`), through the built command: what it says, what an interruption and a kill leave,
 * and that one process goes on where two stopped. The base model nano.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { cacheDir } from "../../src/platform/paths.ts";
import { World } from "../e2e/support/forge.ts";

const recipe = (train: string) => `version: 1
name: tiny
seed: 3
tools: [{ stub: weather }]
model: { family: nano }
train: { batch: 2, accumulation: 2, ${train} }
data: { samples: 100, min_per_tool: 4 }
evaluation: { samples: 12 }
gates: { qa: { schema_pass_rate: 0, min_samples_per_tool: 1 } }
`;

let world: World;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  world = new World();
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
const ranks = (): string[] => world.processes().filter((line) => line.includes("forge_steps.rank"));

it("two processes train, stop, are killed, and one goes on", { timeout: 600_000 }, async () => {
  world.write("forge.yaml", recipe("processes: 2"));
  const first = world.start(["apply", "--until", "train", "--json"], env);
  await first.until('"name":"grad_norm"', 2);
  expect(ranks()).toHaveLength(1);
  const asked = performance.now();
  first.process.kill("SIGINT");
  const stopped = await first.ended;
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect(stopped.code, stopped.err).toBe(130);
  expect(world.processes()).toEqual([]);

  const second = world.start(["apply", "--until", "train", "--json"], env);
  await second.until('"name":"grad_norm"', 2);
  second.process.kill("SIGKILL");
  await second.ended;
  expect(await world.processesAfter(5000)).toEqual([]);
  expect(readdirSync(world.tmp).filter((name) => name.startsWith("forge-ranks-"))).toEqual([]);

  // An edit of `processes` changes no key: what was made is at hand, and the checkpoint is of the same training.
  world.write("forge.yaml", recipe("processes: 1"));
  const ended = await world.run(["apply", "--until", "train", "--json"], env);
  expect(ended, ended.out + ended.err).toMatchObject({ code: 0 });
  const told = events(ended.out);
  expect(told.some((e) => e.type === "stage-cached" && e.node === "generate")).toBe(true);
  const figures = told.find((e) => e.type === "stage-finished" && e.node === "train")?.figures;
  expect(Number(figures?.resumed_from)).toBeGreaterThanOrEqual(2);
  expect(figures?.processes).toBeUndefined();

  // And none of `gpus`, which are refused before anything is made.
  world.write("forge.yaml", recipe("gpus: 2, learning_rate: 0.001").replace("samples: 100", "samples: 60"));
  if (!existsSync("/dev/nvidia1")) {
    const refused = await world.run(["apply", "--until", "train"], env);
    expect([refused.code, refused.err]).toEqual([6, expect.stringMatching(/training is to use 2 NVIDIA GPUs, and .*\n.*forge\.yaml:6:\d+/)]);
    expect(refused.err).not.toContain("Generate");
  }
  expect(existsSync(join(world.project, ".mcp-forge", "reports", "training.csv"))).toBe(true);
});
