/** A hosted teacher through the built command: keys, money, interruptions. The server is on this machine and speaks OpenAI's interface. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Ledger } from "../../src/models/hosted/ledger.ts";
import { goodTeacher, type OpenAiServer, openAiServer } from "../models/openai-server.ts";
import { World } from "./support/forge.ts";

let world: World;
let server: OpenAiServer | undefined;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  world.remove();
});

const recipe = (teacher: string, samples = 30, augment = 1) =>
  `version: 1\nname: x\ntools:\n  - stub: weather\nmodel: { family: nano }\ndata:\n  samples: ${samples}\n  augment: { factor: ${augment} }\n  teacher: ${teacher}\nevaluation: { samples: 5 }\n`;
const served = (url: string, more = "", samples?: number) => recipe(`{ provider: openai-compatible, base_url: "${url}", model: m${more} }`, samples);
const everything = (): string =>
  readdirSync(world.project, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile())
    .map((f) => readFileSync(join(f.parentPath, f.name), "latin1"))
    .join("\n");

it("writes the data once: the second run asks nothing, more samples ask for what is new", async () => {
  server = await openAiServer();
  world.write("forge.yaml", served(server.url, ", price_usd: { input: 1, output: 2 }"));
  const env = { FORGE_TEACHER_API_KEY: "a-planted-key-7713", OPENAI_API_KEY: "sk-planted-never-sent-0001" };
  const first = await world.run(["generate"], env);
  expect(first.code, first.err + first.out).toBe(0);
  expect(first.err + first.out).toMatch(/replies of the teacher.*\$0\.\d+ in all/);
  const paid = server.asked.length;
  expect(paid).toBeGreaterThan(35);
  expect(new Set(server.asked.map((a) => a.key))).toEqual(new Set(["a-planted-key-7713"]));
  expect((await world.run(["generate"], env)).code).toBe(0);
  expect(server.asked).toHaveLength(paid);

  world.write("forge.yaml", served(server.url, ", rpm: 6000, price_usd: { input: 3, output: 2 }"));
  const plan = await world.run(["plan", "--until", "generate"], env);
  expect(plan.code, plan.out).toBe(0);

  world.write("forge.yaml", served(server.url, "", 36));
  const more = await world.run(["generate"], env);
  expect(more.code, more.err + more.out).toBe(0);
  // A new slot takes a conversation and, where its tool was called, an answer.
  expect(server.asked.length - paid).toBeLessThanOrEqual(12);
  expect(everything()).not.toMatch(/planted/);
  expect(first.out + first.err + more.out + more.err).not.toMatch(/planted/);
});

it("goes on after a kill with what was paid for", async () => {
  server = await openAiServer((asked) => ({ ...goodTeacher(asked), delayMs: 60 }));
  world.write("forge.yaml", served(server.url));
  const run = world.start(["generate"]);
  while (server.asked.length < 25) await sleep(10);
  run.process.kill("SIGKILL");
  await run.ended;
  const again = await world.run(["generate"]);
  expect(again.code, again.err + again.out).toBe(0);
  const words = server.asked.map((a) => JSON.stringify(a.messages));
  // Only what was on its way was asked twice.
  expect(words.length - new Set(words).size).toBeLessThanOrEqual(16);
});

it("asks by batches where the recipe says so, and finds the batch of a run that was killed", async () => {
  server = await openAiServer();
  server.ways = { looks: 1000 };
  world.write("forge.yaml", served(server.url, ", batch: true, price_usd: { input: 1, output: 2 }"));
  const run = world.start(["generate"]);
  while (server.batches.size === 0) await sleep(20);
  await sleep(200);
  run.process.kill("SIGKILL");
  await run.ended;
  server.ways = { looks: 1 };
  const again = await world.run(["generate", "--verbose"]);
  expect(again.code, again.err + again.out).toBe(0);
  expect(again.err + again.out).toContain("is of an earlier run");
  expect(server.asked).toHaveLength(0);
  const [first, ...rest] = [...server.batches.values()];
  // Nothing of the first was asked again: the others are the answers, and what was drafted anew.
  expect(first).toBeGreaterThan(30);
  expect(Math.max(0, ...rest)).toBeLessThan(first as number);
});

it("shows a few conversations first, and keeps what they cost", async () => {
  server = await openAiServer();
  world.write("forge.yaml", served(server.url, ", price_usd: { input: 1, output: 2 }"));
  const shown = await world.run(["generate", "--preview", "4"]);
  expect(shown.code, shown.err).toBe(0);
  expect(shown.out).toMatch(/4 conversations of \d+ that the teacher writes/);
  expect(shown.out).toMatch(/they cost \$0\.\d+/);
  expect(shown.out).toMatch(/the whole recipe takes about \$0\.\d+/);
  expect(shown.out).toContain("get_weather {");
  const paid = server.asked.length;
  expect(paid).toBeLessThanOrEqual(12);
  expect(existsSync(join(world.project, "forge.lock"))).toBe(false);
  const again = JSON.parse((await world.run(["generate", "--preview", "4", "--json"])).out) as { samples: unknown[]; spent: { kept: number } };
  expect(again.samples).toHaveLength(4);
  expect(again.spent.kept).toBe(paid);
  expect(server.asked).toHaveLength(paid);
  // The run that follows pays for none of them again.
  expect((await world.run(["generate"])).code).toBe(0);
  const words = server.asked.map((a) => JSON.stringify(a.messages));
  expect(new Set(words).size).toBe(words.length);
  expect((await world.run(["generate", "--preview", "x"])).code).toBe(4);
  expect((await world.run(["generate", "--preview", "--dry-run"])).err).toContain("--dry-run says how a run goes");
  expect((await world.run(["generate", "--stub", "weather", "--preview"])).code).toBe(4);
});

it("says what is missing before anything is asked", async () => {
  world.write("forge.yaml", recipe("{ provider: openai }"));
  const keyless = await world.run(["generate"]);
  expect(keyless.code).toBe(6);
  expect(keyless.err + keyless.out).toContain("OPENAI_API_KEY is not set");
  expect((await world.run(["doctor"])).out).toContain("OPENAI_API_KEY is not set, and the recipe's teacher needs it");
  const offline = await world.run(["generate", "--offline"], { OPENAI_API_KEY: "sk-x" });
  expect(offline.code).toBe(6);
  world.write("forge.yaml", recipe('{ provider: openai-compatible, base_url: "http://127.0.0.1:9/v1", model: m, budget_usd: 1 }'));
  const priceless = await world.run(["generate"]);
  expect(priceless.code).toBe(4);
  expect(priceless.err + priceless.out).toContain("price_usd");
  world.write("forge.yaml", recipe("{ provider: openai-compatible, model: m }"));
  const nowhere = await world.run(["generate"]);
  expect(nowhere.code).toBe(4);
  expect(nowhere.err + nowhere.out).toContain("base_url");
});

it("has a conversation in five written by the teacher, and varies it", async () => {
  server = await openAiServer();
  const plain = served(server.url, "", 100).replace(/ {2}augment: .*\n/, "");
  world.write("forge.yaml", plain);
  const run = await world.run(["generate"]);
  expect(run.code, run.err + run.out).toBe(0);
  const train = readFileSync(join(world.project, ".mcp-forge/data/train.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { source: string });
  const seeds = train.filter((s) => s.source === "seed").length;
  expect(train.length).toBeGreaterThanOrEqual(100);
  expect(seeds / train.length).toBeLessThan(0.5);
  expect(server.asked.filter((a) => a.response_format.json_schema.name === "conversation").length).toBeLessThan(seeds + 25);
});

it("takes conversations from a file, and makes the data anew when it is edited", async () => {
  const line = (n: number) =>
    JSON.stringify({
      messages: [
        { role: "user", content: `Please look at Oslo, number ${n}` },
        { role: "assistant", tool_calls: [{ function: { name: "get_weather", arguments: { location: "Oslo" } } }] },
        { role: "tool", content: "{}" },
        { role: "assistant", content: "Fine." },
      ],
    });
  world.write("seeds.jsonl", [line(1), line(2), "{", ""].join("\n"));
  world.write("forge.yaml", recipe("{ provider: file, path: seeds.jsonl }"));
  const run = await world.run(["generate"]);
  expect(run.code, run.err + run.out).toBe(0);
  expect(run.err + run.out).toContain("2 conversations of seeds.jsonl");
  expect(run.err + run.out).toContain("seeds.jsonl: line 3 is not JSON");
  const data = () => readFileSync(join(world.project, ".mcp-forge/data/train.jsonl"), "utf8");
  expect(data()).toContain("Please look at Oslo, number 2");
  world.write("seeds.jsonl", line(3));
  const again = await world.run(["generate"]);
  expect(again.code, again.err + again.out).toBe(0);
  expect(data()).toContain("number 3");
  expect(data()).not.toContain("number 2");
  world.write("seeds.jsonl", "nothing\n");
  const empty = await world.run(["generate"]);
  expect(empty.code).toBe(4);
  expect(empty.err + empty.out).toContain("seeds.jsonl holds no conversation: line 1 is not JSON");
});

it("makes the data that the budget pays for, has the gate say what is short, and goes on with a larger one", async () => {
  server = await openAiServer();
  const priced = (budget: number, samples = 40) => served(server?.url as string, `, price_usd: { input: 10, output: 10 }, budget_usd: ${budget}`, samples);
  world.write("forge.yaml", priced(0.4));
  const run = await world.run(["qa"]);
  expect(run.code, run.err + run.out).toBe(3);
  const paid = server.asked.length;
  expect(paid * 0.011).toBeLessThanOrEqual(0.4);
  const said = run.err + run.out;
  expect(said).toMatch(
    /budget has ended \(\$0\.\d+ paid\): \d+ of \d+ conversations are not there. To go on, raise `data.teacher.budget_usd` from 0.4 to about \d/,
  );
  // The gate: what is short by scenario and tool, why, and what to do.
  expect(said).toMatch(/plan_met/);
  expect(said).toMatch(/standard get_\w+ \d+ of \d+ \(the teacher's budget has ended\)/);
  expect(said).toMatch(/raise `data.teacher.budget_usd` \(the run's warning says to what\): what was paid for is kept/);
  const lines = () => readFileSync(join(world.project, ".mcp-forge/data/train.jsonl"), "utf8").trim().split("\n");
  const cut = lines();
  expect(cut.length).toBeGreaterThan(5);
  const report = JSON.parse(readFileSync(join(world.project, ".mcp-forge/reports/qc_report.json"), "utf8")) as { plan: { planned: number; made: number } };
  expect(report.plan.made).toBe(cut.length);
  expect(report.plan.planned).toBeGreaterThan(cut.length);

  // It stands as long as the budget does.
  expect((await world.run(["qa"])).code).toBe(3);
  expect(server.asked).toHaveLength(paid);
  const needed = Number(/to about (\d+(?:\.\d+)?)/.exec(said)?.[1]);
  world.write("forge.yaml", priced(needed));
  const plan = await world.run(["plan"]);
  expect(plan.code).toBe(2);
  expect(plan.out).toContain(`\`data.teacher.budget_usd\` 0.4 → ${needed}: it had ended`);
  const whole = await world.run(["generate"]);
  expect(whole.code, whole.err + whole.out).toBe(0);
  expect(whole.err + whole.out).not.toContain("budget has ended");
  expect(lines().length).toBeGreaterThanOrEqual(40);
  // What was there is there still, and nothing was paid for twice.
  expect(cut.filter((line) => !lines().includes(line))).toEqual([]);
  const words = server.asked.map((a) => JSON.stringify(a.messages));
  expect(new Set(words).size).toBe(words.length);
  expect(server.asked.length * 0.011).toBeLessThanOrEqual(needed);
  // A whole one stands under any budget.
  world.write("forge.yaml", priced(0.1));
  expect((await world.run(["plan", "--until", "generate"])).code).toBe(0);
});

it("is an error where the budget pays for nothing, with what it would take", async () => {
  server = await openAiServer();
  world.write("forge.yaml", served(server.url, ", price_usd: { input: 10, output: 10 }, budget_usd: 0.001"));
  const run = await world.run(["generate"]);
  expect(run.code).toBe(1);
  expect(run.err + run.out).toMatch(/teacher\/budget/);
  expect(run.err + run.out).toMatch(
    /budget has ended: \$0.0000 paid, and the next request may cost \$0\.\d+, more than `budget_usd` 0.001 allows; none of \d+ conversations is finished/,
  );
  expect(server.asked).toHaveLength(0);
});

it("keeps apart what was paid and what a killed run may have been charged", async () => {
  server = await openAiServer((asked) => ({ ...goodTeacher(asked), delayMs: 300 }));
  world.write("forge.yaml", served(server.url, ", concurrency: 4, price_usd: { input: 10, output: 10 }, budget_usd: 1"));
  const run = world.start(["generate"]);
  while (server.asked.length < 12) await sleep(10);
  run.process.kill("SIGKILL");
  await run.ended;
  const asked = server.asked.length;
  const books = (): number[] => {
    const ledger = new Ledger(join(world.project, ".mcp-forge/teacher/paid-x.jsonl")).read();
    return [ledger.paid, ledger.aside];
  };
  const [paid, aside] = books() as [number, number];
  expect(paid).toBeGreaterThan(0.011 * 4);
  expect(paid + aside).toBeGreaterThanOrEqual(asked * 0.011 - 1e-9);
  // No more than four requests on their way and one to spare, each at its worst.
  expect(aside).toBeLessThanOrEqual(5 * 0.08);
  const again = await world.run(["generate"]);
  expect(again.err + again.out).toMatch(
    /budget has ended \(\$0\.\d+ paid, \$0\.\d+ set aside for requests that were cut off or underway when a run was killed/,
  );
});

it("names what a teacher's replies lack, on one line", async () => {
  server = await openAiServer(() => ({ refusal: "no" }));
  world.write("forge.yaml", served(server.url, "", 5));
  const few = await world.run(["generate"]);
  expect(few.code).toBe(1);
  expect(few.err + few.out).toMatch(/40 refused|\d+ refused/);
  expect(few.err + few.out).not.toContain("\ufffd");
});
