/** Data from a hosted teacher whose budget ends, or whose replies are of no use: real SDK, a server on this machine, real calls of the weather stub. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { BUDGET_ENDED, generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import type { Generation } from "../../src/data/types.ts";
import { HostedModel } from "../../src/models/hosted/client.ts";
import type { Result } from "../../src/platform/result.ts";
import { validate as validStatistics } from "../../src/schemas/generated/generation.validate.js";
import { type Answer, type Asked, goodTeacher, type OpenAiServer, openAiServer } from "../models/openai-server.ts";
import { answerPlain, sessionOn, WEIGHTS, weatherSet, weatherStub } from "./fixtures.ts";

let server: OpenAiServer | undefined;
afterEach(async () => {
  await server?.close();
});

/** US dollars of a reply here: 1,000 tokens read, 100 written. */
const EACH = (1000 * 10 + 100 * 10) / 1e6;

async function rig(answer: (asked: Asked, n: number) => Answer = goodTeacher) {
  const host = await openAiServer(answer);
  server = host;
  const repliesFolder = mkdtempSync(join(tmpdir(), "forge-teacher-"));
  const make = async (budgetUsd: number | undefined, o: { samples?: number; augment?: number; executes?: boolean } = {}) => {
    const plan = planSynthesis({ toolset: weatherSet, samples: o.samples ?? 40, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 10, seed: 7 });
    const price = { input: 10, output: 10 };
    const ledger = join(repliesFolder, "paid.jsonl");
    const model = new HostedModel({
      ...{ baseUrl: host.url, keyName: "K", model: "m", temperature: 0.7, repliesFolder, ledger, price },
      ...(budgetUsd !== undefined && { budgetUsd }),
    });
    const session = o.executes === true ? sessionOn(weatherStub) : null;
    const teacher = hostedTeacher("openai/m", weatherSet, 7, model);
    const made: Result<Generation> = await generate({ toolset: weatherSet, plan, seed: 7, session, answerPlain, augment: o.augment ?? 1 }, teacher);
    return { plan, model, made };
  };
  return { server: host, make };
}

const value = <T>(r: { ok: true; value: T } | { ok: false; error: { message: string } }): T => {
  if (!r.ok) throw new Error(r.error.message);
  return r.value;
};

describe("where the budget ends", () => {
  it.each([
    [false, 0.4],
    [true, 0.6],
  ])("the data is what was paid for, of both sides (calls executed: %s)", async (executes, budget) => {
    const { server: host, make } = await rig();
    const { plan, made, model } = await make(budget, { executes });
    const { train, heldout, statistics } = value(made);
    expect(host.asked.length * EACH).toBeLessThanOrEqual(budget);
    expect(host.asked.length * EACH).toBeGreaterThan(budget * 0.6);
    expect(train.length).toBeGreaterThan(5);
    expect(heldout.length).toBeGreaterThan(1);
    // Each slot is there or short, and why it is short is said.
    expect(train.length + heldout.length + statistics.short.length).toBe(plan.train.length + plan.evaluation.length);
    expect(new Set(statistics.short.map((s) => s.reason))).toEqual(new Set([BUDGET_ENDED]));
    expect(validStatistics(statistics)).toBe(true);
    expect(model.ended?.failure.code).toBe("teacher/budget");
    // What was drafted has its answers: little of the money lies in drafts without.
    const drafts = host.asked.filter((a) => a.response_format.json_schema.name !== "answer").length;
    expect(train.length + heldout.length).toBeGreaterThanOrEqual(drafts * 0.8);
    if (executes) expect(train.some((s) => s.simulated !== true && s.messages.some((m) => m.role === "tool"))).toBe(true);

    // A larger one goes on from there, and comes to what one that never ended comes to.
    const paid = host.asked.length;
    const whole = value((await make(20, { executes })).made);
    expect(whole.statistics.short).toEqual([]);
    const words = host.asked.map((a) => JSON.stringify(a.messages));
    expect(new Set(words).size).toBe(words.length);
    expect(host.asked.length).toBeGreaterThan(paid);
    const { make: apart } = await rig();
    const unlimited = value((await apart(undefined, { executes })).made);
    expect(whole.train).toEqual(unlimited.train);
    expect(whole.heldout).toEqual(unlimited.heldout);
  });

  it("leaves what varies a conversation that is not there, and pays for none of it", async () => {
    const { server: host, make } = await rig();
    const { plan, made } = await make(0.2, { samples: 100, augment: 5 });
    const { train, statistics } = value(made);
    const short = new Set(statistics.short.map((s) => s.slot));
    expect(train.some((s) => s.source === "augmented")).toBe(true);
    expect(plan.train.filter((slot) => short.has(slot.id)).length).toBeGreaterThan(20);
    const paid = host.asked.length;
    const whole = value((await make(20, { samples: 100, augment: 5 })).made);
    expect(whole.statistics.short).toEqual([]);
    // Seeds and cases: none of what varies them was asked for as if its seed had come to nothing.
    expect(host.asked.length).toBeLessThan(60);
    expect(host.asked.length).toBeGreaterThan(paid);
  });

  it("is no data where nothing was paid for, and says so of every slot", async () => {
    const { server: host, make } = await rig();
    const { plan, made } = await make(0.001);
    expect(value(made).train).toEqual([]);
    expect(value(made).statistics.short).toHaveLength(plan.train.length + plan.evaluation.length);
    expect(host.asked).toHaveLength(0);
  });
});

describe("a teacher of no use", () => {
  const same = (asked: Asked): Answer => goodTeacher({ ...asked, seed: 5 });
  it.each<[string, (asked: Asked) => Answer, RegExp]>([
    ["refuses", () => ({ refusal: "no" }), /the first 40 conversations .*are of no use: 40 refused/],
    ["is cut off", () => ({ content: "{", finish: "length" }), /40 cut off/],
    ["gives back nothing", () => ({ content: "" }), /40 empty/],
    ["writes something else", () => ({ content: "I would rather talk." }), /40 no fit/],
    [
      "does one and the other",
      (a) => (a.seed % 2 === 0 ? { refusal: "no" } : { content: "{", finish: "length" }),
      /\d+ refused, \d+ cut off|\d+ cut off, \d+ refused/,
    ],
  ])("that %s is asked no more after the first 40", async (_, answer, words) => {
    const { server: host, make } = await rig(answer);
    const { made } = await make(undefined, { samples: 300 });
    expect(made).toMatchObject({ ok: false, error: { code: "teacher/no-use", exit: 1, message: expect.stringMatching(words) } });
    expect(host.asked).toHaveLength(40);
  });

  it("that says the same again and again is stopped, or named at the end", async () => {
    const say = (asked: Asked): Answer => {
      const { content } = same(asked);
      const turns = (JSON.parse(content as string) as { turns: { user: string }[] }).turns;
      for (const turn of turns) turn.user = "How is it in Oslo?";
      return { content: JSON.stringify({ turns }) };
    };
    const { server: host, make } = await rig(say);
    const { made } = await make(undefined, { samples: 300 });
    expect(host.asked).toHaveLength(40);
    expect(made).toMatchObject({ ok: false, error: { code: "teacher/no-use", message: expect.stringContaining("said before") } });
  });

  it("now and then is asked to the end, its replies counted by what they came to, and its flawed ones asked for again where nothing came after", async () => {
    const broken = new Set<string>();
    let mend = false;
    const { server: host, make } = await rig((asked) => {
      const words = asked.messages.at(-1)?.content ?? "";
      if (mend || !/the tool "get_alerts"/.test(words)) return asked.seed % 3 === 0 && !mend ? { refusal: "no" } : goodTeacher(asked);
      broken.add(words);
      return { refusal: "no" };
    });
    const first = value((await make(undefined)).made);
    expect(first.statistics.replies?.refused).toBeGreaterThan(broken.size - 1);
    expect(first.statistics.replies?.["of use"]).toBeGreaterThan(10);
    expect(Object.values(first.statistics.replies ?? {}).reduce((a, b) => a + b, 0)).toBe(host.asked.length);
    expect(first.statistics.short.length).toBeGreaterThan(0);
    const paid = host.asked.length;
    mend = true;
    const second = value((await make(undefined)).made);
    expect(second.statistics.short).toEqual([]);
    // One request a slot that was short: the refusals that a later try made good stand, so that what was there stays.
    const again = host.asked.slice(paid);
    expect(again).toHaveLength(first.statistics.short.length);
    const there = new Map(second.train.map((s) => [s.id, s]));
    for (const s of first.train) expect(there.get(s.id)).toEqual(s);
  });
});
