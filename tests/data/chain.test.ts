/** Requests that take several calls: planned, written by every teacher, executed, varied, and judged. */
import { describe, expect, it } from "vitest";
import { readCalls } from "../../src/data/checks/check.ts";
import { sampleChecker } from "../../src/data/checks/index.ts";
import { openai } from "../../src/data/formats/openai.ts";
import { sharegpt } from "../../src/data/formats/sharegpt.ts";
import { generate } from "../../src/data/generate.ts";
import { importSamples } from "../../src/data/import.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { builtinTeacher } from "../../src/data/teacher/builtin/index.ts";
import { fileTeacher } from "../../src/data/teacher/file/index.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import type { Teacher } from "../../src/data/teacher/teacher.ts";
import type { CallPort, EvaluationCase, Generation, Sample, SynthesisPlan, Toolset } from "../../src/data/types.ts";
import { judge, type Transcript } from "../../src/evaluation/judge.ts";
import { trainingExamples } from "../../src/models/examples.ts";
import type { Request } from "../../src/models/hosted/client.ts";
import type { Renderer } from "../../src/models/render.ts";
import { ok } from "../../src/platform/result.ts";
import { validate as validCase } from "../../src/schemas/generated/case.validate.js";
import type { MadeCall } from "../../src/schemas/generated/loop-record.ts";
import { validate as validSample } from "../../src/schemas/generated/sample.validate.js";
import { goodTeacher } from "../models/openai-server.ts";
import { ALL, answerPlain, sessionOn, toolset, weatherSet, weatherStub } from "./fixtures.ts";

const CHAINED = { standard: 0.5, no_tool: 0.2, chain: 0.3 };

interface Options {
  samples?: number;
  session?: CallPort;
  augment?: number;
  teacher?: (plan: SynthesisPlan) => Teacher;
}

async function make(set: Toolset, o: Options = {}): Promise<{ plan: SynthesisPlan; made: Generation; chains: Sample[] }> {
  const plan = planSynthesis({ toolset: set, samples: o.samples ?? 80, minPerTool: 0, scenarios: CHAINED, evaluationSamples: 40, seed: 7 });
  const input = { toolset: set, plan, seed: 7, session: o.session ?? null, answerPlain, ...(o.augment !== undefined && { augment: o.augment }) };
  const made = await generate(input, o.teacher?.(plan));
  if (!made.ok) throw new Error(made.error.message);
  return { plan, made: made.value, chains: made.value.train.filter((s) => s.scenario === "chain") };
}

/** Names of the calls of each assistant turn that makes any. */
const turns = (s: Sample) => s.messages.flatMap((m) => (m.role === "assistant" && m.tool_calls ? [m.tool_calls.map((c) => c.function.name)] : []));
const words = (s: Sample) => s.messages.flatMap((m) => (m.role === "user" ? [m.content] : [])).join(" ");

describe.each(ALL)("chains for the %s toolset", (_, set) => {
  it("meet the plan: several calls at once, or one after the other, each with its result, all told", async () => {
    const { plan, made, chains } = await make(set);
    expect(made.statistics.short).toEqual([]);
    expect(chains).toHaveLength(plan.train.filter((s) => s.scenario === "chain").length);
    const check = sampleChecker(set);
    for (const s of made.train) {
      expect(validSample(s), JSON.stringify([s, validSample.errors])).toBe(true);
      expect(check(s), JSON.stringify(s)).toBeNull();
    }
    for (const s of chains) {
      expect(
        turns(s).map((t) => t.length),
        JSON.stringify(s),
      ).toEqual(s.kind === "parallel" ? [2] : [1, 1]);
      expect(turns(s).flat()).toContain(s.tool_name);
      if (s.kind === "in_turn") expect(new Set(turns(s).flat()).size).toBe(2);
      expect(new Set(readCalls(s).map((c) => `${c.name} ${c.text}`)).size).toBe(2);
    }
    expect(new Set(chains.map((s) => s.kind))).toEqual(new Set(["parallel", "in_turn"]));
  });

  it("expect every call of a held-out case", async () => {
    const { made } = await make(set);
    const cases = made.heldout.filter((c) => c.scenario === "chain");
    expect(cases.length).toBeGreaterThan(5);
    for (const c of cases) {
      expect(validCase(c), JSON.stringify([c, validCase.errors])).toBe(true);
      for (const move of c.any_of ?? [c.expect]) expect(move).toHaveLength(2);
    }
  });
});

describe("chains", () => {
  it("are none unless they are given a share, and leave what there was", () => {
    const of = (scenarios: Record<string, number>) =>
      planSynthesis({ toolset: weatherSet, samples: 200, minPerTool: 5, scenarios, evaluationSamples: 20, seed: 7 }).train.map((s) => s.id);
    expect(of({ standard: 0.8, no_tool: 0.2 }).some((id) => id.startsWith("chain/"))).toBe(false);
    expect(of({ standard: 0.8, no_tool: 0.2, chain: 0 })).toEqual(of({ standard: 0.8, no_tool: 0.2 }));
  });

  it("are really executed, call by call", async () => {
    const session = sessionOn(weatherStub);
    const { chains } = await make(weatherSet, { session });
    expect(chains.some((s) => s.kind === "parallel" && new Set(turns(s).flat()).size === 1)).toBe(true);
    for (const s of chains) {
      expect(s.simulated).toBeUndefined();
      for (const c of readCalls(s)) expect(session.calls).toContain(`${c.name} ${c.text}`);
      const places = readCalls(s).map((c) => (c.value as { location: string }).location);
      const results = s.messages.flatMap((m) => (m.role === "tool" ? [m.content] : []));
      expect(results.map((r) => (JSON.parse(r) as { location: string }).location)).toEqual(places);
    }
  });

  it("that change something are executed in their own order, so that what reads afterwards tells of the change", async () => {
    const notes: string[] = [];
    const tool = (name: string, description: string, properties: object, required: string[]) => ({
      name,
      description,
      input_schema: { type: "object", properties, required },
    });
    const set = toolset([
      tool("create_note", "Create a new note.", { title: { type: "string", description: "Title of the note." } }, ["title"]),
      tool("list_notes", "List all notes.", {}, []),
    ]);
    const session: CallPort = {
      canExecute: () => true,
      call: async (name, args) => {
        if (name === "create_note") notes.push(String(args.title));
        return { text: JSON.stringify({ notes }), isError: false, timedOut: false, executed: true };
      },
    };
    const { chains } = await make(set, { session });
    const readAfter = chains.filter((s) => turns(s).flat().join() === "create_note,list_notes");
    expect(readAfter.length).toBeGreaterThan(3);
    for (const s of readAfter) {
      const value = readCalls(s).at(0)?.value;
      const { title } = value as { title: string };
      expect(s.messages.flatMap((m) => (m.role === "tool" ? [m.content] : [])).at(-1)).toContain(JSON.stringify(title));
    }
  });

  it("go into other programs' files and come back, with and without ids", async () => {
    const { chains } = await make(weatherSet);
    for (const s of chains.slice(0, 8)) {
      const line = sharegpt.write(s, weatherSet.tools);
      const froms = (line.conversations as { from: string }[]).map((t) => t.from);
      expect(froms.every((f, i) => f !== froms[i - 1])).toBe(true);
      const bare = s.messages.map((m) =>
        m.role === "assistant" && m.tool_calls
          ? { ...m, tool_calls: m.tool_calls.map(({ function: f }) => ({ function: f })) }
          : m.role === "tool"
            ? { role: "tool", content: m.content }
            : m,
      );
      for (const text of [JSON.stringify(line), JSON.stringify({ messages: bare })]) {
        const [back] = importSamples(text, false).samples;
        expect(back && readCalls(back).map((c) => [c.name, c.value])).toEqual(readCalls(s).map((c) => [c.name, c.value]));
        expect(back && sampleChecker(weatherSet)(back), text).toBeNull();
      }
      expect(openai.write(s, weatherSet.tools).parallel_tool_calls).toBe(s.kind === "parallel");
    }
  });

  it("are shown whole in training, where the second call is", async () => {
    const { chains, made } = await make(weatherSet);
    const renderer = { segments: () => [{ text: "x", learn: true }] } as unknown as Renderer;
    const shown = new Set(trainingExamples(made.train, renderer, weatherSet.tools, { whole: 0.1, first: 1, first_without_call: 1 }).map((e) => e.id));
    expect(chains.every((s) => shown.has(s.id))).toBe(true);
    expect(made.train.every((s) => shown.has(s.id))).toBe(false);
  });

  it("are varied as wholes: every value that a call has stands in the request", async () => {
    const { chains, made } = await make(weatherSet, { augment: 4, samples: 120 });
    expect(made.statistics.short).toEqual([]);
    const varied = chains.filter((s) => s.source === "augmented");
    expect(varied.length).toBeGreaterThan(10);
    for (const s of varied) {
      expect(turns(s).flat()).toHaveLength(2);
      for (const c of readCalls(s)) {
        const { location } = c.value as { location: string };
        expect(words(s).toLowerCase(), JSON.stringify(s)).toContain(location.split(",")[0]?.toLowerCase());
      }
    }
  });

  it("are asked of a hosted teacher in a form of their own, and its answer is asked for where results are real", async () => {
    const asked: Request[] = [];
    const host = {
      ask: async (requests: readonly Request[]) => {
        asked.push(...requests);
        const form = (r: Request) => ({ json_schema: { ...r.reply, strict: true } });
        const said = (r: Request) =>
          goodTeacher({ ...r, key: "", model: "m", temperature: 1, messages: [{ role: "user", content: r.user }], response_format: form(r) }).content ?? "";
        return ok(requests.map((r) => ({ text: said(r), input: 1, output: 1 })));
      },
    };
    const teacher = () => hostedTeacher("h/m", weatherSet, 7, host);
    const { chains, made } = await make(weatherSet, { samples: 40, teacher });
    expect(made.statistics.short).toEqual([]);
    expect(asked.filter((r) => r.reply.name === "chain").length).toBeGreaterThanOrEqual(chains.length);
    expect(asked.some((r) => r.reply.name === "answer")).toBe(false);
    for (const s of chains) {
      expect(turns(s).map((t) => t.length)).toEqual(s.kind === "parallel" ? [2] : [1, 1]);
      expect(s.messages.at(-1)?.content).toBe("Clear, then grey.");
    }
    const real = await make(weatherSet, { samples: 40, teacher, session: sessionOn(weatherStub) });
    const told = real.chains.filter((s) => s.messages.at(-1)?.content?.startsWith("The tool says:"));
    expect(told.length).toBeGreaterThan(0);
    for (const s of told) for (const m of s.messages) if (m.role === "tool") expect(s.messages.at(-1)?.content).toContain(m.content);
  });

  it("are taken from a file, and told anew where a tool gave something else back", async () => {
    const call = (location: string, id: string) => ({ id, type: "function", function: { name: "get_weather", arguments: JSON.stringify({ location }) } });
    const result = (id: string, sky: string) => ({ role: "tool", tool_call_id: id, content: JSON.stringify({ sky }) });
    const end = { role: "assistant", content: "Mine: clear in one, grey in the other." };
    const atOnce = [
      { role: "user", content: "Oslo and Lima?" },
      { role: "assistant", tool_calls: [call("Oslo", "a"), call("Lima", "b")] },
      result("a", "clear"),
      result("b", "grey"),
      end,
    ];
    const inTurn = [
      { role: "user", content: "Rome, then Bonn?" },
      { role: "assistant", tool_calls: [call("Rome", "a")] },
      result("a", "clear"),
      { role: "assistant", tool_calls: [call("Bonn", "b")] },
      result("b", "grey"),
      end,
    ];
    const crossed = [
      { role: "user", content: "Kyiv and Graz?" },
      { role: "assistant", tool_calls: [call("Kyiv", "a"), call("Graz", "b")] },
      result("b", "grey"),
      result("a", "clear"),
      end,
    ];
    const many = ["c", "d", "e", "f", "g"];
    const five = [
      { role: "user", content: "Five of them?" },
      { role: "assistant", tool_calls: many.map((id) => call(`Town ${id}`, id)) },
      ...many.map((id) => result(id, id)),
      end,
    ];
    const lines = [atOnce, inTurn, crossed, five].map((messages) => JSON.stringify({ messages })).join("\n");
    const { samples } = importSamples(lines, false);
    let file: ReturnType<typeof fileTeacher> | undefined;
    const teacher = (plan: SynthesisPlan) => {
      file = fileTeacher(samples, weatherSet, 7, plan.train, builtinTeacher(weatherSet, 7));
      return file;
    };
    const { chains } = await make(weatherSet, { teacher });
    expect(file).toMatchObject({ used: 3, unfit: [{ id: expect.any(String) }] });
    const own = (s: Sample) => s.messages.at(-1)?.content === end.content;
    expect(chains.filter(own).map(turns)).toEqual(expect.arrayContaining([[["get_weather", "get_weather"]], [["get_weather"], ["get_weather"]]]));
    const real = await make(weatherSet, { teacher, session: sessionOn(weatherStub) });
    const told = real.chains.filter((s) => words(s).startsWith("Oslo and Lima"));
    expect(told).toHaveLength(1);
    expect(told.some(own)).toBe(false);
  });
});

describe("a chain is judged", () => {
  const expect2 = ["Oslo", "Lima"].map((location) => ({ name: "get_weather", arguments: { location: [location] } }));
  const found = (kind: string): EvaluationCase => ({
    id: "c",
    messages: [{ role: "user", content: "Both?" }],
    expect: expect2 as never,
    scenario: "chain",
    kind,
  });
  const call = (location: string): MadeCall => ({ name: "get_weather", arguments: { location } });
  const result = { text: '{"sky":"clear"}', is_error: false, timed_out: false, origin: "simulated" as const };
  const transcript = (rounds: readonly (readonly MadeCall[])[], first = false): Transcript => ({
    id: "c",
    cluster: "c",
    scenario: "chain",
    tool_name: "get_weather",
    question: "Both?",
    decoding: "free",
    first_turn_only: first,
    steps: rounds.map((calls) => ({
      output: "",
      attempted: true,
      calls: [...calls],
      conforming: calls.length,
      results: first ? [] : calls.map(() => result),
      ms: 1,
      first_token_ms: 1,
      tokens: 1,
      prompt_tokens: 1,
      stopped: "eos",
    })),
    calls: rounds.flat(),
    answer: first ? null : "It is clear.",
    ended: first ? "first_turn" : "answer",
    ms: 1,
    warm_up: false,
  });
  const exact = (kind: string, rounds: readonly (readonly MadeCall[])[], first?: boolean) => judge(transcript(rounds, first), found(kind)).judgement.exact;
  const [oslo, lima, rome] = ["Oslo", "Lima", "Rome"].map(call) as [MadeCall, MadeCall, MadeCall];

  it("by all its calls, whatever their order and turns", () => {
    expect(exact("parallel", [[oslo, lima]])).toBe(true);
    expect(exact("parallel", [[lima, oslo]])).toBe(true);
    expect(exact("parallel", [[oslo], [lima]])).toBe(true);
    expect(exact("in_turn", [[oslo], [lima]])).toBe(true);
    expect(exact("parallel", [[oslo]])).toBe(false);
    expect(exact("parallel", [[oslo], [rome]])).toBe(false);
    expect(exact("in_turn", [[oslo], [lima], [rome]])).toBe(false);
    expect(exact("parallel", [[oslo, lima], [rome]])).toBe(false);
  });

  it("by its first call, where a first turn is all there is of one after the other", () => {
    expect(exact("in_turn", [[oslo]], true)).toBe(true);
    expect(exact("in_turn", [[oslo, lima]], true)).toBe(true);
    expect(exact("in_turn", [[oslo, rome]], true)).toBe(false);
    expect(exact("in_turn", [[rome]], true)).toBe(false);
    expect(exact("parallel", [[oslo]], true)).toBe(false);
    expect(exact("parallel", [[oslo, lima]], true)).toBe(true);
  });
});
