/** A hosted teacher from plan to samples: real SDK, a server on this machine, real calls of the weather stub. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import { readAnswer, readConversation } from "../../src/data/teacher/hosted/read.ts";
import type { CallPort, Sample, Slot } from "../../src/data/types.ts";
import { HostedModel } from "../../src/models/hosted/client.ts";
import { validate as validCase } from "../../src/schemas/generated/case.validate.js";
import { validate as validSample } from "../../src/schemas/generated/sample.validate.js";
import { goodTeacher, type OpenAiServer, openAiServer } from "../models/openai-server.ts";
import { answerPlain, sessionOn, WEIGHTS, weatherSet, weatherStub } from "./fixtures.ts";

let server: OpenAiServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function rig(answer = goodTeacher) {
  const host = await openAiServer(answer);
  server = host;
  const repliesFolder = mkdtempSync(join(tmpdir(), "forge-teacher-"));
  const make = async (samples: number, session: CallPort | null = null) => {
    const plan = planSynthesis({ toolset: weatherSet, samples, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 10, seed: 7 });
    const model = new HostedModel({
      baseUrl: host.url,
      key: "k",
      keyName: "K",
      model: "m",
      temperature: 0.7,
      repliesFolder,
      ledger: join(repliesFolder, "paid.jsonl"),
    });
    return { plan, model, made: await generate({ toolset: weatherSet, plan, seed: 7, session, answerPlain }, hostedTeacher("openai/m", weatherSet, 7, model)) };
  };
  return { server: host, make };
}

const value = <T>(r: { ok: true; value: T } | { ok: false; error: { message: string } }): T => {
  if (!r.ok) throw new Error(r.error.message);
  return r.value;
};
const last = (s: Sample | undefined) => s?.messages.at(-1)?.content;

describe("data from a hosted teacher", () => {
  it("meets the plan in valid formats", async () => {
    const { make } = await rig();
    const { plan, made } = await make(60);
    const { train, heldout, statistics } = value(made);
    expect(statistics.short).toEqual([]);
    expect(statistics.teacher).toBe("openai/m");
    expect(train.map((s) => s.id)).toEqual(plan.train.map((s) => s.id));
    expect(heldout.map((c) => c.id)).toEqual(plan.evaluation.map((s) => s.id));
    for (const s of train) expect(validSample(s), JSON.stringify([s, validSample.errors])).toBe(true);
    for (const c of heldout) expect(validCase(c), JSON.stringify([c, validCase.errors])).toBe(true);
    const called = heldout.find((c) => c.expect !== null);
    expect(called?.expect?.[0]?.arguments.location).toHaveLength(2);
  });

  it("asks for the answer once a tool was really called, and keeps its own where none was", async () => {
    const { server: host, make } = await rig();
    const simulated = value((await make(30)).made);
    expect(host.asked.every((a) => a.response_format.json_schema.name === "conversation")).toBe(true);
    expect(simulated.train.some((s) => s.simulated === true)).toBe(true);
    const real = value((await make(30, sessionOn(weatherStub))).made);
    const told = real.train.filter((s) => last(s)?.startsWith("The tool says:"));
    expect(told.length).toBeGreaterThan(10);
    expect(told.every((s) => s.simulated !== true)).toBe(true);
    const question = host.asked.find((a) => a.response_format.json_schema.name === "answer")?.messages.at(-1)?.content ?? "";
    const result = told[0]?.messages.find((m) => m.role === "tool")?.content as string;
    expect(host.asked.some((a) => a.messages.at(-1)?.content.includes(JSON.stringify(result)))).toBe(true);
    expect(question).toContain('"person":');
  });

  it("pays for new slots only when there are to be more", async () => {
    const { server: host, make } = await rig();
    const before = value((await make(40)).made).train;
    const paid = host.asked.length;
    const { made, plan, model } = await make(50);
    const after = value(made).train;
    expect(host.asked.length - paid).toBe(plan.train.length - before.length);
    expect(model.spending().kept).toBe(paid);
    expect(after.filter((s) => before.some((b) => b.id === s.id))).toEqual(before);
  });

  it("sends every request with the same beginning, so that the host reads the tools once", async () => {
    const { server: host, make } = await rig();
    await make(20);
    expect(new Set(host.asked.map((a) => a.messages[0]?.content)).size).toBe(1);
    expect(new Set(host.asked.map((a) => a.messages[1]?.content)).size).toBe(host.asked.length);
  });

  it("asks four times for what is no use, then says which slot is short", async () => {
    const { server: host, make } = await rig((asked) =>
      /the tool "get_alerts"/.test(asked.messages.at(-1)?.content ?? "") ? { content: "I would rather not." } : goodTeacher(asked),
    );
    const { statistics, train } = value((await make(20)).made);
    const slots = statistics.short.map((s) => s.slot);
    expect(slots.length).toBeGreaterThan(0);
    expect(slots.every((s) => s.includes("get_alerts"))).toBe(true);
    expect(train.every((s) => s.tool_name !== "get_alerts")).toBe(true);
    const asked = host.asked.filter((a) => /the tool "get_alerts"/.test(a.messages.at(-1)?.content ?? ""));
    expect(asked).toHaveLength(slots.length * 4);
  });

  it("drops calls that do not fit their schema, and asks again", async () => {
    let wrong = 0;
    const { make } = await rig((asked) => {
      const good = goodTeacher(asked);
      if (!/the tool "get_weather"/.test(asked.messages.at(-1)?.content ?? "") || ++wrong > 3) return good;
      return { content: (good.content as string).replaceAll('\\"location\\"', '\\"where\\"') };
    });
    const { statistics } = value((await make(20)).made);
    expect(statistics.dropped.schema ?? statistics.dropped.required).toBeGreaterThan(0);
    expect(statistics.short).toEqual([]);
  });

  it("takes a tool's text for data: it stands inside the tools' frame", async () => {
    const { server: host, make } = await rig();
    await make(5);
    const system = host.asked[0]?.messages[0]?.content ?? "";
    expect(system.indexOf("<tools>")).toBeLessThan(system.indexOf('"get_weather"'));
    expect(system.indexOf('"get_weather"')).toBeLessThan(system.indexOf("</tools>"));
  });
});

describe("a reply", () => {
  const slot: Slot = { id: "standard/get_weather/0000", scenario: "standard", kind: "plain", tool: "get_weather" };

  it("may be anything", () => {
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => readConversation(text, slot, 0) === null && readAnswer(text) === null));
    const turn = fc.record({
      user: fc.string(),
      call: fc.oneof(fc.constant(null), fc.record({ name: fc.constantFrom("get_weather", "__proto__"), arguments: fc.oneof(fc.json(), fc.string()) })),
      also_right: fc.array(fc.record({ argument: fc.constantFrom("location", "__proto__"), value: fc.oneof(fc.json(), fc.string()) })),
      result: fc.oneof(fc.constant(null), fc.string()),
      answer: fc.string(),
    });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 2 }), (turns) => {
        const draft = readConversation(JSON.stringify({ turns }), slot, 0);
        if (draft === null) return true;
        const [e] = draft.exchanges;
        return e?.kind === "call" && e.call.name === "get_weather" && e.user.trim() !== "" && Object.getPrototypeOf(e.call.accepted) === Object.prototype;
      }),
    );
  });

  it("with a call where none is due is no draft", () => {
    const turn = { user: "Hello", call: { name: "get_weather", arguments: '{"location":"Oslo"}' }, also_right: [], result: "{}", answer: "Hi" };
    const text = JSON.stringify({ turns: [turn] });
    expect(readConversation(text, slot, 0)).not.toBeNull();
    expect(readConversation(text, { ...slot, scenario: "no_tool", kind: "out_of_scope", tool: null }, 0)).toBeNull();
    expect(readConversation(text, { ...slot, kind: "follow_up" }, 0)).toBeNull();
    expect(readConversation(text, { ...slot, tool: "get_alerts" }, 0)).toBeNull();
  });
});
