/** Ctrl-C once and twice, SIGTERM, and a reader that goes away. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, RECIPE, Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

const LONG = { TOY_TRAIN_MS: "60000" };

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("the first %s saves a checkpoint, keeps what finished, and ends with 130", async (signal) => {
  const dir = rig.project();
  const run = rig.start(dir, ["apply"], LONG);
  await run.until("train: started");
  await sleep(100);
  run.process.kill(signal);
  const ended = await run.ended;
  expect(ended.code).toBe(130);
  expect(ended.err).toContain("stopping, saving a checkpoint; press Ctrl-C again to stop at once");
  expect(ended.out).toContain("train: stopped after");
  const next = await rig.run(dir, ["apply"]);
  expect(next.code).toBe(0);
  expect(next.out).toContain("unchanged: inspect, generate, qa");
});

test("status and why tell of the stage that runs, and of the one that was interrupted and what comes of it", async () => {
  const dir = rig.project();
  const run = rig.start(dir, ["apply"], LONG);
  await run.until("train: started");
  await sleep(500);
  const running = [await rig.run(dir, ["status"]), await rig.run(dir, ["why", "train"])];
  run.process.kill("SIGINT");
  await run.ended;
  expect(running[0]?.out).toMatch(/^~ train +running +at step \d+ of 1000$/m);
  expect(running[0]?.out).toMatch(/^- pack +never ran$/m);
  expect(running[1]?.out).toMatch(/^ {2}last run +running at step \d+ of 1000$/m);
  const words = /interrupted +at step \d+ of 1000; the next apply goes on from there$/m;
  expect((await rig.run(dir, ["status"])).out).toMatch(words);
  const why = await rig.run(dir, ["why", "train"]);
  expect(why.out).toMatch(words);
  expect(why.out).not.toContain("never ran");
  const json = JSON.parse((await rig.run(dir, ["why", "train", "--json"])).out) as object[];
  expect(json[0]).toMatchObject({ unfinished: { state: "interrupted", goesOn: true, progress: { total: 1000, unit: "steps" } } });
  // Another request: what is kept is of no use to it.
  writeFileSync(join(dir, "forge.yaml"), `${RECIPE}train: { epochs: 2 }\n`);
  expect((await rig.run(dir, ["status"])).out).toMatch(/^~ train +interrupted +at step \d+ of 1000$/m);
  writeFileSync(join(dir, "forge.yaml"), RECIPE);
  await rig.run(dir, ["apply"], { TOY_FAIL: "train" });
  expect((await rig.run(dir, ["status"])).out).toMatch(/^~ train +failed/m);
  await rig.run(dir, ["apply"]);
  expect((await rig.run(dir, ["status"])).out).toMatch(/^✓ train +done/m);
});

test("the second Ctrl-C ends at once, children included", async () => {
  const dir = rig.project();
  const pidFile = join(dir, "pid");
  const run = rig.start(dir, ["apply"], { ...LONG, TOY_STUBBORN: "1", TOY_CHILD: pidFile });
  await run.until("train: started");
  while (!existsSync(pidFile) || readFileSync(pidFile, "utf8") === "") await sleep(10);
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect(alive(pid)).toBe(true);
  run.process.kill("SIGINT");
  await run.until("press Ctrl-C again");
  const before = Date.now();
  run.process.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
  expect(Date.now() - before).toBeLessThan(2000);
  for (let i = 0; alive(pid) && i < 100; i++) await sleep(20);
  expect(alive(pid)).toBe(false);
});

test.skipIf(!existsSync("/dev/full"))("output that cannot be written is said, and gives 6; a run keeps its work", async () => {
  for (const args of ["doctor --json", "plan", "apply"]) {
    const dir = rig.project();
    const shell = spawn("sh", ["-c", `"${process.execPath}" "${rig.forge}" ${args} > /dev/full`], {
      cwd: dir,
      env: { PATH: process.env.PATH, HOME: dir },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let err = "";
    shell.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const code = await new Promise((done) => shell.once("close", done));
    expect([args, code, err]).toEqual([args, 6, expect.stringContaining("forge: cannot write its output: ENOSPC")]);
    expect(err).not.toMatch(/\n\s+at /);
  }
});

test("a reader that leaves stops the run, which says so, and causes no stack trace", async () => {
  const dir = rig.project();
  const shell = spawn("sh", ["-c", `"${process.execPath}" "${rig.forge}" apply | head -n 1`], {
    cwd: dir,
    env: { PATH: process.env.PATH, TOY_TRAIN_MS: "3000" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  shell.stderr.on("data", (chunk) => {
    err += chunk;
  });
  await new Promise((done) => shell.once("close", done));
  expect(err).toBe("output closed, stopping\n");
});
