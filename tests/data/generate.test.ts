import { describe, expect, it } from "vitest";
import { readCalls } from "../../src/data/checks/check.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { measureQuality } from "../../src/data/qa.ts";
import { compileArguments } from "../../src/data/schema.ts";
import type { Teacher } from "../../src/data/teacher/teacher.ts";
import type { CallPort, GenerateInput, Generation, Sample, Toolset } from "../../src/data/types.ts";
import { err, ok } from "../../src/platform/result.ts";
import { validate as validCase } from "../../src/schemas/generated/case.validate.js";
import { validate as validStatistics } from "../../src/schemas/generated/generation.validate.js";
import { validate as validSample } from "../../src/schemas/generated/sample.validate.js";
import { validate as validPlan } from "../../src/schemas/generated/synthesis-plan.validate.js";
import { ALL, answerPlain, filesystemSet, filesystemStub, sessionOn, toolset, WEIGHTS, weatherSet, weatherStub } from "./fixtures.ts";

interface Options {
  samples?: number;
  evaluation?: number;
  seed?: number;
  session?: CallPort | null;
  over?: Partial<GenerateInput>;
}

const planFor = (set: Toolset, o: Options) =>
  planSynthesis({ toolset: set, samples: o.samples ?? 150, minPerTool: 5, scenarios: WEIGHTS, evaluationSamples: o.evaluation ?? 60, seed: o.seed ?? 7 });

async function make(set: Toolset, o: Options = {}): Promise<Generation> {
  const r = await generate({ toolset: set, plan: planFor(set, o), seed: o.seed ?? 7, session: o.session ?? null, answerPlain, ...o.over });
  if (!r.ok) throw new Error(r.error.message);
  return r.value;
}

const sessionFor = (name: string): CallPort | null =>
  name === "weather" ? sessionOn(weatherStub) : name === "filesystem" ? sessionOn(filesystemStub()) : null;
const users = (s: Sample) => s.messages.filter((m) => m.role === "user").map((m) => m.content ?? "");
const answers = (s: Sample) => s.messages.filter((m) => m.role === "assistant" && typeof m.content === "string").map((m) => m.content as string);
const numbers = (text: string) => (text.match(/(?<![\p{L}_\d])\d+(?:\.\d+)?/gu) ?? []).map(Number);

describe.each(ALL)("data for the %s toolset", (name, set) => {
  const made = make(set, { session: sessionFor(name) });

  it("meets the plan, in valid formats", async () => {
    const { train, heldout, statistics } = await made;
    const plan = planFor(set, {});
    expect(statistics.short).toEqual([]);
    expect(train.map((s) => s.id)).toEqual(plan.train.map((s) => s.id));
    expect(heldout.map((c) => c.id)).toEqual(plan.evaluation.map((s) => s.id));
    for (const s of train) expect(validSample(s), JSON.stringify([s, validSample.errors])).toBe(true);
    for (const c of heldout) expect(validCase(c), JSON.stringify([c, validCase.errors])).toBe(true);
    expect(validStatistics(statistics)).toBe(true);
    expect(validPlan(plan)).toBe(true);
  });

  it("has only calls that fit the schemas, with keys in the schema's order", async () => {
    const { train } = await made;
    const checks = new Map(
      set.tools.map((t) => [t.name, { check: compileArguments(t), keys: Object.keys((t.input_schema as { properties?: object }).properties ?? {}) }]),
    );
    for (const s of train) {
      for (const c of readCalls(s)) {
        const tool = checks.get(c.name);
        expect(tool?.check(c.value as never), s.id).toEqual([]);
        const keys = Object.keys(c.value as object);
        expect(keys).toEqual(tool?.keys.filter((k) => keys.includes(k)));
        expect(c.text).toBe(JSON.stringify(c.value));
      }
    }
  });

  it("says every free-text value in the request", async () => {
    const { train } = await made;
    const loose = (text: string) => text.toLowerCase().replace(/\s+/g, " ");
    const enums = new Set<unknown>(set.tools.flatMap((t) => enumValues(t.input_schema)));
    for (const s of train) {
      const text = loose(users(s).join(" "));
      for (const c of readCalls(s)) {
        for (const v of leaves(c.value)) {
          if (typeof v !== "string" || enums.has(v) || /^\d{4}-\d\d-\d\d|^\d\d:\d\d/.test(v)) continue;
          expect(text, `${s.id}: ${v}`).toContain(loose(v));
        }
      }
    }
  });

  it("writes no template artefacts", async () => {
    const { train, heldout } = await made;
    const texts = [
      ...train.flatMap((s) => [...(s.kind === "unusual_input" ? [] : users(s)), ...answers(s).filter((a) => !a.includes("\n"))]),
      ...heldout.filter((c) => c.kind !== "unusual_input").flatMap((c) => c.messages.filter((m) => m.role === "user").map((m) => m.content ?? "")),
    ];
    for (const t of texts) {
      expect(t).not.toMatch(/undefined|\[object|NaN|\{[@=a-z]/);
      expect(t).not.toMatch(/ {2}| [,.;?!](\s|$)|,,|\?\.|\.\?$/);
      expect(t).not.toMatch(/(?<![\p{L}\p{N}])[aA] (?!uni|use|eu|one\b|once\b)[aeiou][a-z]/u);
      expect(t).not.toMatch(/\b(the|a|an|for|with|to) \1\b/i);
      expect(t.trim()).toBe(t);
    }
  });

  it("answers with numbers of the result or the request only", async () => {
    const { train } = await made;
    for (const s of train) {
      if (s.kind === "general") continue;
      const known = new Set(
        s.messages
          .filter((m) => m.role !== "assistant" || m.content === null)
          .flatMap((m) => [...numbers(m.content ?? ""), ...(m.role === "assistant" ? (m.tool_calls ?? []).flatMap((c) => numbers(c.function.arguments)) : [])])
          .map(Math.abs),
      );
      for (const a of answers(s)) for (const n of numbers(a)) expect(known, `${s.id}: ${a}`).toContain(n);
    }
  });

  it("shares no frame, prompt or near-duplicate between training and evaluation, and repeats no prompt", async () => {
    const { train, heldout, statistics } = await made;
    const report = measureQuality({ samples: train, heldout, toolset: set, plan: planFor(set, {}), statistics });
    expect(report.leakage).toMatchObject({ shared_frames: 0, shared_prompts: 0, near_prompts: 0 });
    expect(report.figures).toMatchObject({ duplicates: 0, scenarios_covered: 1, plan_met: 1 });
    expect(report.figures.schema_pass_rate).toBeGreaterThanOrEqual(0.98);
    expect(report.figures.min_samples_per_tool).toBeGreaterThanOrEqual(5);
    expect(report.issues).toEqual([]);
  });

  it("has many wordings: most samples about a tool have a frame of their own", async () => {
    const { train } = await made;
    for (const t of set.tools) {
      if (Object.keys((t.input_schema as { properties?: object }).properties ?? {}).length === 0) continue;
      const own = train.filter((s) => s.tool_name === t.name);
      expect(new Set(own.map((s) => s.frame)).size / own.length, t.name).toBeGreaterThan(0.7);
    }
  });

  it("says that it failed when a tool failed, and asks when an argument is missing", async () => {
    const { train } = await made;
    for (const s of train) {
      if (s.scenario === "error" && s.kind !== "empty") expect(answers(s).at(-1), s.id).toMatch(/n't|not |error|failed|timed out|took too long|in time/i);
      if (s.scenario === "error" && s.kind === "empty") expect(answers(s).at(-1), s.id).toMatch(/\bno\b|nothing|empty/i);
      if (s.kind === "missing_required") expect(answers(s).slice(0, 2).join(" "), s.id).toMatch(/\?|need|tell|give/i);
      if (s.scenario === "no_tool") {
        expect(s.tool_name).toBeNull();
        expect(s.kind === "after_call" ? s.messages.at(-1) : s.messages[2]).not.toHaveProperty("tool_calls");
      }
    }
  });
});

/** Every value of every enum in a schema. */
function enumValues(schema: unknown): unknown[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([k, v]) => (k === "enum" && Array.isArray(v) ? v : enumValues(v)));
}

function leaves(v: unknown): unknown[] {
  return typeof v === "object" && v !== null ? Object.values(v).flatMap(leaves) : [v];
}

describe("generation", () => {
  it("gives the same data for the same seed, and other data for another", async () => {
    const a = await make(weatherSet, { session: sessionOn(weatherStub) });
    const b = await make(weatherSet, { session: sessionOn(weatherStub) });
    const c = await make(weatherSet, { session: sessionOn(weatherStub), seed: 8 });
    expect(b).toEqual(a);
    expect(c.train[0]?.messages).not.toEqual(a.train[0]?.messages);
  });

  it("changes no sample when more are asked for, whatever the concurrency", async () => {
    const small = await make(weatherSet, { samples: 120, evaluation: 0, session: sessionOn(weatherStub), over: { concurrency: 1 } });
    const large = await make(weatherSet, { samples: 500, evaluation: 0, session: sessionOn(weatherStub), over: { concurrency: 16 } });
    const byId = new Map(large.train.map((s) => [s.id, s]));
    for (const s of small.train) expect(byId.get(s.id), s.id).toEqual(s);
  });

  it("executes calls where it may, and marks what it simulated", async () => {
    const session = sessionOn(weatherStub);
    const real = await make(weatherSet, { session });
    expect(session.calls.length).toBeGreaterThan(100);
    expect(new Set(session.calls).size).toBe(session.calls.length);
    const { calls } = real.statistics;
    expect(calls.executed).toBe(session.calls.length);
    // What failed was made to fail: nobody executed that.
    const made = real.train.filter((s) => s.simulated);
    expect(made.every((s) => s.scenario === "error")).toBe(true);
    expect(calls).toMatchObject({ simulated: made.length, injected: made.length });
    const none = await make(weatherSet, { session: { ...session, canExecute: () => false } });
    const withResult = none.train.filter((s) => s.messages.some((m) => m.role === "tool"));
    expect(withResult.some((s) => s.scenario === "error")).toBe(true);
    expect(none.train.filter((s) => s.simulated)).toEqual(withResult);
    expect(none.statistics.calls).toMatchObject({ executed: 0, simulated: withResult.length });
  });

  it("never sends more calls than it may", async () => {
    const session = sessionOn(weatherStub);
    const made = await make(weatherSet, { session, over: { callsPerServer: 20 } });
    expect(session.calls.length).toBe(20);
    expect(made.statistics.short).toEqual([]);
    expect(made.statistics.warnings).toEqual([
      expect.stringMatching(/^stub:test was sent 20 calls, the most that `data\.calls_per_server` allows; \d+ more were not made/),
    ]);
  });

  it("regenerates where a real call fails, and keeps real failures for the error scenario", async () => {
    const stub = sessionOn(weatherStub);
    const picky: CallPort = {
      canExecute: stub.canExecute,
      call: async (name, args) =>
        /^[A-M]/i.test(String(args.location)) ? { text: `Unknown location: ${String(args.location)}`, isError: true, timedOut: false } : stub.call(name, args),
    };
    const made = await make(weatherSet, { session: picky });
    expect(made.statistics.dropped.execution_failed).toBeGreaterThan(20);
    expect(made.statistics.short).toEqual([]);
    for (const s of made.train.filter((x) => x.scenario === "standard"))
      for (const m of s.messages) if (m.role === "tool") expect(m.content).not.toMatch(/Unknown location/);
    const failed = made.train.filter((s) => s.scenario === "error" && s.messages.some((m) => m.role === "tool" && m.content.startsWith("Unknown location")));
    expect(failed.length).toBeGreaterThan(0);
    for (const s of failed) expect(answers(s).at(-1)).toMatch(/unknown location/i);
  });

  it("has a budget of calls for each server by itself", async () => {
    const names = ["get_weather", "get_forecast", "get_alerts"];
    const two: Toolset = { ...weatherSet, tools: weatherSet.tools.map((t) => ({ ...t, origin: t.name === names[0] ? "mcp:one" : "mcp:two" })) };
    const session = sessionOn(weatherStub);
    const { statistics } = await make(two, { session, over: { callsPerServer: 30 } });
    const sent = names.map((n) => session.calls.filter((c) => c.startsWith(`${n} `)).length);
    expect(sent[0]).toBe(30);
    expect((sent[1] as number) + (sent[2] as number)).toBe(30);
    expect(statistics.warnings.map((w) => w.slice(0, 7))).toEqual(["mcp:one", "mcp:two"]);
  });

  it("keeps a server's own errors as samples of the error scenario, the same ones when more is planned", async () => {
    const stub = sessionOn(weatherStub);
    const picky: CallPort = {
      canExecute: stub.canExecute,
      call: async (name, args) =>
        /[aeiou]$/i.test(String(args.location)) ? { text: `No station: ${String(args.location)}`, isError: true, timedOut: false } : stub.call(name, args),
    };
    const made = await make(weatherSet, { session: picky });
    const errors = made.train.filter((s) => s.scenario === "error" && s.kind === "error");
    const real = errors.filter((s) => s.messages.some((m) => m.role === "tool" && m.content.startsWith("No station")));
    expect(real.length).toBe(errors.length);
    for (const s of real) {
      expect(s.simulated).toBeUndefined();
      expect(answers(s).at(-1)).toMatch(/no station/i);
    }
    expect(made.statistics).toMatchObject({ short: [], produced: made.train.length });
    const more = await make(weatherSet, { samples: 400, session: picky });
    const byId = new Map(more.train.map((s) => [s.id, s]));
    for (const s of made.train) expect(byId.get(s.id), s.id).toEqual(s);
    expect(await make(weatherSet, { session: picky })).toEqual(made);
  });

  it("reads held-out cases as strictly as samples: what a tool gave back, what the user says", async () => {
    const key = "AKIA" + "ABCDEFGHIJKLMNOP";
    const stub = sessionOn(weatherStub);
    let leaks = 0;
    const leaky: CallPort = {
      canExecute: stub.canExecute,
      call: async (name, args) =>
        /^[A-F]/.test(String(args.location)) ? { text: `{"key":"${key}${leaks++ < 0}"}`, isError: false, timedOut: false } : stub.call(name, args),
    };
    const { heldout, train, statistics } = await make(weatherSet, { session: leaky, samples: 60, evaluation: 100 });
    expect(statistics.dropped.secrets).toBeGreaterThan(0);
    expect(JSON.stringify([heldout, train])).not.toContain(key);
    expect(heldout.length + statistics.short.length).toBeGreaterThanOrEqual(100);
  });

  it("names files that exist when a server shows them", async () => {
    const session = sessionOn(filesystemStub());
    const { train } = await make(filesystemSet, { session });
    const reads = train.filter((s) => s.tool_name === "read_text_file" && s.scenario === "standard");
    expect(reads.length).toBeGreaterThan(3);
    for (const s of reads) expect(s.simulated ?? false, s.id).toBe(false);
  });

  it("leaves answers to plain questions to the base model, and drops blank ones", async () => {
    const asked: string[] = [];
    const { train, statistics } = await make(weatherSet, {
      over: {
        answerPlain: async (questions) => {
          const first = asked.length === 0;
          asked.push(...questions);
          return ok(questions.map((q, i) => (first && i === 0 ? "  " : `said: ${q}`)));
        },
      },
    });
    const general = train.filter((s) => s.kind === "general");
    expect(general.length).toBeGreaterThan(5);
    for (const s of general) expect(answers(s)).toEqual([`said: ${users(s)[0]}`]);
    expect(statistics.dropped.blank_answer).toBe(1);
  });

  it("reports why the base model could not answer", async () => {
    const r = await generate({
      toolset: weatherSet,
      plan: planFor(weatherSet, {}),
      seed: 7,
      session: null,
      answerPlain: async () => err({ code: "models/gone", message: "gone", exit: 1 }),
    });
    expect(r).toMatchObject({ ok: false, error: { code: "models/gone" } });
  });

  it("stops when it is interrupted", async () => {
    const stop = new AbortController();
    stop.abort();
    const r = await generate({ toolset: weatherSet, plan: planFor(weatherSet, {}), seed: 7, session: null, answerPlain, signal: stop.signal });
    expect(r).toMatchObject({ ok: false, error: { code: "data/interrupted", exit: 130 } });
  });

  it.each([1, 5, 20, 40])("takes nothing that was interrupted at call %i for a result", async (at) => {
    const stop = new AbortController();
    let calls = 0;
    const answering = sessionOn(weatherStub);
    const session = {
      ...answering,
      call: async (...args: Parameters<typeof answering.call>) => {
        if (++calls === at) stop.abort();
        return answering.call(...args);
      },
    };
    const r = await generate({ toolset: weatherSet, plan: planFor(weatherSet, {}), seed: 7, session, answerPlain, signal: stop.signal });
    expect(calls).toBeGreaterThanOrEqual(at);
    expect(r).toMatchObject({ ok: false, error: { code: "data/interrupted" } });
  });

  it("counts a paid reply that is no conversation among what was generated", async () => {
    const set = toolset([
      { name: "ping", description: "Ping a host.", input_schema: { type: "object", properties: { host: { type: "string" } }, required: ["host"] } },
    ]);
    const plan = planSynthesis({ toolset: set, samples: 12, minPerTool: 1, scenarios: WEIGHTS, evaluationSamples: 0, seed: 7 });
    const mute: Teacher = { name: "mute", attempts: () => 2, draft: async (asked) => ok(asked.map(() => null)) };
    const r = await generate({ toolset: set, plan, seed: 7, session: null, answerPlain }, mute);
    if (!r.ok) throw new Error(r.error.message);
    const { generated, first_pass_valid, dropped } = r.value.statistics;
    expect({ generated, first_pass_valid, dropped }).toEqual({ generated: 24, first_pass_valid: 0, dropped: { parse: 24 } });
  });

  it("holds out values, not only words: few places of evaluation are in training", async () => {
    const { train, heldout } = await make(weatherSet, { session: sessionOn(weatherStub) });
    const { shared_values } = measureQuality({ samples: train, heldout, toolset: weatherSet }).leakage;
    expect(shared_values.denominator).toBeGreaterThan(30);
    expect(shared_values.value).toBeLessThan(0.05);
  });
});

describe("conversations that the model's window does not hold", () => {
  it("are written anew; a slot that only has such is short, with the reason", async () => {
    const long = new Set<string>();
    const fits = async (all: readonly Sample["messages"][]) =>
      ok(
        all.map((messages) => {
          const text = JSON.stringify(messages);
          const tooLong = text.includes("get_alerts") || /Oslo|Paris|London/i.test(text);
          if (tooLong) long.add(text);
          return !tooLong;
        }),
      );
    const { train, statistics } = await make(weatherSet, { over: { fits } });
    expect(statistics.dropped.too_long).toBeGreaterThan(0);
    for (const s of train) expect(long.has(JSON.stringify(s.messages))).toBe(false);
    expect(statistics.short.length).toBeGreaterThan(0);
    for (const s of statistics.short) expect(s).toMatchObject({ slot: expect.stringContaining("get_alerts"), reason: expect.stringContaining("too_long") });
    expect(await make(weatherSet, { over: { fits: async (all) => ok(all.map(() => true)) } })).toEqual(await make(weatherSet));
    const broken = await generate({
      toolset: weatherSet,
      plan: planFor(weatherSet, {}),
      seed: 7,
      session: null,
      answerPlain,
      fits: async () => err({ code: "x/y", message: "no model", exit: 6 }),
    });
    expect(broken).toMatchObject({ ok: false, error: { code: "x/y" } });
  });
});
