/** The real command with stages that the test holds and lets go: what happens at exactly which moment, without a clock. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Driver } from "./driver.ts";
import { RECIPE, Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

/** A project with a driver of its own. */
async function project(): Promise<{ dir: string; driver: Driver }> {
  const dir = rig.project();
  return { dir, driver: await Driver.listen(dir) };
}

test("stages run one after the other; one that fails stops the next, and is the first of the run after", async () => {
  const { dir, driver } = await project();
  const first = rig.start(dir, ["apply"], driver.env);
  await driver.pass("inspect", "generate", "qa");
  (await driver.begun("train")).fail();
  expect((await first.ended).code).toBe(1);
  const second = rig.start(dir, ["apply"], driver.env);
  await driver.pass("train", "pack");
  expect((await second.ended).code).toBe(0);
  expect(await rig.run(dir, ["apply"], driver.env)).toMatchObject({ code: 0 });
  expect(driver.unexpected).toEqual([]);
  driver.close();
});

test("killed in the middle of a stage: what had finished is not run again", async () => {
  const { dir, driver } = await project();
  const killed = rig.start(dir, ["apply"], driver.env);
  await driver.pass("inspect", "generate", "qa");
  const train = await driver.begun("train");
  killed.process.kill("SIGKILL");
  await Promise.all([killed.ended, train.gone]);
  const second = rig.start(dir, ["apply"], driver.env);
  await driver.pass("train", "pack");
  const ended = await second.ended;
  expect(ended.code).toBe(0);
  expect(ended.out).toContain("took over the lock");
  driver.close();
});

test("a recipe edited while it runs counts for the next run", async () => {
  const { dir, driver } = await project();
  const first = rig.start(dir, ["apply"], driver.env);
  await driver.pass("inspect");
  const generate = await driver.begun("generate");
  writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200"));
  generate.succeed();
  await driver.pass("qa", "train", "pack");
  expect((await first.ended).out).toContain("100 samples");
  expect((await rig.run(dir, ["plan"])).out).toMatch(/generate +will run +`data\.samples` 100 → 200/);
  driver.close();
});

test("--wait-lock waits until the run before has ended; without it the second names the first", async () => {
  const { dir, driver } = await project();
  const first = rig.start(dir, ["apply"], driver.env);
  const inspect = await driver.begun("inspect");
  expect(await rig.run(dir, ["apply"], driver.env)).toMatchObject({ code: 5 });
  expect(await rig.run(dir, ["apply", "--wait-lock=0.05"], driver.env)).toMatchObject({ code: 5 });
  const second = rig.start(dir, ["apply", "--wait-lock"], driver.env);
  await second.until("waiting for");
  inspect.succeed();
  await driver.pass("generate", "qa", "train", "pack");
  expect((await first.ended).code).toBe(0);
  const ended = await second.ended;
  expect(ended.code).toBe(0);
  expect(driver.unexpected).toEqual([]);
  driver.close();
});

test("--only runs that stage alone, and nothing where what it reads would have to run first", async () => {
  const { dir, driver } = await project();
  const early = await rig.run(dir, ["apply", "--only", "train"], driver.env);
  expect(early.code).toBe(4);
  expect(early.err).toMatch(/inspect would have to run first: never ran[\s\S]*--only/);
  const whole = rig.start(dir, ["apply"], driver.env);
  await driver.pass("inspect", "generate", "qa", "train", "pack");
  await whole.ended;
  writeFileSync(join(dir, "forge.yaml"), `${RECIPE}train: { epochs: 2 }\n`);
  const only = rig.start(dir, ["apply", "--only", "train"], driver.env);
  await driver.pass("train");
  expect((await only.ended).code).toBe(0);
  writeFileSync(join(dir, "forge.yaml"), `${RECIPE.replace("100", "200")}train: { epochs: 3 }\n`);
  expect(await rig.run(dir, ["apply", "--only", "train"], driver.env)).toMatchObject({ code: 4 });
  const dry = await rig.run(dir, ["apply", "--only", "train", "--dry-run"]);
  expect(dry.code).toBe(4);
  expect(dry.out).toMatch(/generate +blocked +would have to run first: `data\.samples` 100 → 200/);
  expect(dry.out).toMatch(/train +blocked +generate is blocked\n +gate:qa is blocked[\s\S]*nothing can run: 4 blocked, 1 unchanged/);
  expect(await rig.run(dir, ["apply", "--only", "train", "--until", "qa"])).toMatchObject({ code: 4, out: "" });
  expect(driver.unexpected).toEqual([]);
  driver.close();
});

test("logs -f shows what a run says while it runs, and ends with it; runs lists them all", async () => {
  const { dir, driver } = await project();
  expect((await rig.run(dir, ["runs"])).out).toBe("Nothing ran in this project yet.\n");
  const first = rig.start(dir, ["apply"], driver.env);
  await driver.pass("inspect");
  const generate = await driver.begun("generate");
  const follow = rig.start(dir, ["logs", "-f"]);
  await follow.until("generate: started");
  generate.log("half of it");
  await follow.until("generate: info: half of it");
  expect((await rig.run(dir, ["runs"])).out).toMatch(/ running +toy\n$/);
  generate.fail();
  expect((await follow.ended).out).toMatch(/generate: failed[\s\S]*run finished, exit 1\n$/);
  expect((await first.ended).code).toBe(1);
  const again = rig.start(dir, ["apply"], driver.env);
  const held = await driver.begun("generate");
  const watching = rig.start(dir, ["logs", "generate", "--follow", "--json"]);
  await watching.until("stage-started");
  again.process.kill("SIGKILL");
  await Promise.all([again.ended, held.gone]);
  expect(await watching.ended).toMatchObject({ code: 0 });
  const runs = (await rig.run(dir, ["runs"])).out.trimEnd().split("\n");
  expect(runs[0]).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{4} .* exit 1 +toy: 1 done, 1 failed, \d skipped$/);
  expect(runs.at(-1)).toMatch(/ cut off +toy$/);
  const json = JSON.parse((await rig.run(dir, ["runs", "--json"])).out) as { state: string; exit?: number; counts: Record<string, number> }[];
  expect(json[0]).toMatchObject({ state: "finished", exit: 1, counts: { done: 1, failed: 1 } });
  expect(json).toHaveLength(2);
  driver.close();
});

test("logs of a run that was cut off ends, although another is going on; a stage that no run has is exit 4, followed or not", async () => {
  const { dir, driver } = await project();
  const killed = rig.start(dir, ["apply"], driver.env);
  await driver.pass("inspect");
  const cut = await driver.begun("generate");
  killed.process.kill("SIGKILL");
  await Promise.all([killed.ended, cut.gone]);
  const [old] = (await rig.run(dir, ["runs"])).out.split(" ");
  const running = rig.start(dir, ["apply"], driver.env);
  const generate = await driver.begun("generate");
  const followed = await rig.run(dir, ["logs", "-f", "--run", old as string]);
  expect(followed).toMatchObject({ code: 0, out: expect.stringMatching(/generate: started[^\n]*\n$/) });
  for (const flags of [["-f"], []]) {
    const unknown = await rig.run(dir, ["logs", "nosuch", ...flags]);
    expect(unknown).toMatchObject({ code: 4, out: "" });
    expect(unknown.err).toMatch(/no stage called "nosuch"[\s\S]*choose one of inspect, generate, qa, gate:qa, train, pack/);
  }
  // One that has not begun yet is waited for.
  const waiting = rig.start(dir, ["logs", "train", "-f"]);
  generate.succeed();
  await driver.pass("qa", "train", "pack");
  expect((await running.ended).code).toBe(0);
  expect(await waiting.ended).toMatchObject({ code: 0, out: expect.stringContaining("train: done") });
  driver.close();
});

test("logs says where a bundle that was edited by hand was moved to", async () => {
  const dir = rig.project();
  await rig.run(dir, ["apply"]);
  expect((await rig.run(dir, ["logs"])).out).toMatch(/pack: wrote dist\/toy$/m);
  writeFileSync(join(dir, "dist/toy/agent.yaml"), "mine");
  expect((await rig.run(dir, ["apply"])).code).toBe(0);
  expect((await rig.run(dir, ["logs"])).out).toMatch(/pack: dist\/toy had been edited by hand: that copy is now dist\/toy\.edited-1$/m);
});
