/**
 * Ctrl-C once, twice, and a kill, at stages that wait for something: the built command, real children, one of
 * which will not leave when asked. Every process is found by a mark in its environment, so none can hide.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Running, World } from "./support/forge.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.remove());

/** A server that answers nothing while a file named `slow` lies beside it; it ends when its stdin does. */
const SERVER = `
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
const results = {
  initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } },
  "tools/list": { tools: [{ name: "ping", description: "Answers", inputSchema: { type: "object", properties: {} } }] },
};
createInterface({ input: process.stdin }).on("line", (line) => {
  const m = JSON.parse(line);
  if (results[m.method] && !existsSync("slow")) console.log(JSON.stringify({ jsonrpc: "2.0", id: m.id, result: results[m.method] }));
});
`;
const SERVED = `version: 1\nname: x\ntools:\n  - mcp: { command: ${JSON.stringify(process.execPath)}, args: [server.mjs], timeout: 60 }\n`;
const STUBBED = "version: 1\nname: x\ntools:\n  - stub: weather\n";

/** A Python that never answers, hears neither the end of its stdin nor SIGTERM, and has a child that does the same. */
const stubborn = (): string =>
  join(
    world.bin({ stubborn: '#!/bin/sh\ntrap "" TERM INT HUP\n(trap "" TERM INT HUP; while :; do sleep 1; done) &\nwhile :; do sleep 1; done\n' }),
    "stubborn",
  );

/** A run that stands in `generate`, waiting for that Python, with its stub server open. */
async function waiting(): Promise<Running> {
  world.write("forge.yaml", STUBBED);
  const python = stubborn();
  const run = world.start(["apply"], { MCP_FORGE_PYTHON: python });
  await run.until("generate: started");
  while (world.processes().filter((p) => p.includes("stubborn")).length < 2) await sleep(20);
  expect(world.processes().some((p) => p.includes("stub weather"))).toBe(true);
  return run;
}

async function planned(): Promise<Record<string, string>> {
  const plan = await world.run(["plan", "--json"]);
  const { nodes } = JSON.parse(plan.out) as { nodes: { id: string; status: string }[] };
  return Object.fromEntries(nodes.map((n) => [n.id, n.status]));
}

it.skipIf(process.platform !== "linux")("the first Ctrl-C ends a server that is slow, and leaves nothing", async () => {
  world.write("server.mjs", SERVER);
  world.write("slow", "");
  world.write("forge.yaml", SERVED);
  const run = world.start(["apply"]);
  await run.until("inspect: started");
  while (!world.processes().some((p) => p.includes("server.mjs"))) await sleep(10);
  const asked = performance.now();
  run.process.kill("SIGINT");
  const ended = await run.ended;
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect(ended.code).toBe(130);
  expect(ended.err).toContain("press Ctrl-C again to stop at once");
  expect(ended.out).toMatch(/stopped after .*the same command goes on from here/);
  expect(ended.out + ended.err).not.toMatch(/error\[|^\s+at /m);
  expect(world.processes()).toEqual([]);
  expect((await planned()).inspect).toBe("run");
});

it.skipIf(process.platform !== "linux")("the first Ctrl-C ends children that will not leave within 10 s, and keeps what was finished", async () => {
  const run = await waiting();
  const asked = performance.now();
  run.process.kill("SIGINT");
  const ended = await run.ended;
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect(ended.code).toBe(130);
  expect(await world.processesAfter(500)).toEqual([]);
  const plan = await planned();
  expect(plan.inspect).toBe("cached");
  expect(plan.generate).toBe("run");
});

it.skipIf(process.platform !== "linux")("the second Ctrl-C ends at once, children included", async () => {
  const run = await waiting();
  run.process.kill("SIGINT");
  await run.until("press Ctrl-C again");
  const asked = performance.now();
  run.process.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
  expect(performance.now() - asked).toBeLessThan(1500);
  expect(await world.processesAfter(5000)).toEqual([]);
  expect((await planned()).inspect).toBe("cached");
});

it.skipIf(process.platform !== "linux")("a kill takes the children along, and the next run goes on", async () => {
  world.write("server.mjs", SERVER);
  const slow = world.write("slow", "");
  world.write("forge.yaml", SERVED);
  const run = world.start(["apply", "--until", "inspect"]);
  await run.until("inspect: started");
  while (!world.processes().some((p) => p.includes("server.mjs"))) await sleep(10);
  run.process.kill("SIGKILL");
  await run.ended;
  expect(await world.processesAfter(5000)).toEqual([]);
  rmSync(slow);
  const next = await world.run(["apply", "--until", "inspect"]);
  expect(next.code, next.err).toBe(0);
  expect(next.out).toMatch(/took over the lock of process \d+.*which is gone/);
  expect(next.out).toContain("inspect: done");
});
