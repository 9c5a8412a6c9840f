/** Thoughts in training data: from a hosted teacher that thinks in the assistant's place, from somebody's own conversations, and none where the family has none. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { sampleChecker } from "../../src/data/checks/index.ts";
import { generate } from "../../src/data/generate.ts";
import { importSamples } from "../../src/data/import.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { builtinTeacher } from "../../src/data/teacher/builtin/index.ts";
import { fileTeacher } from "../../src/data/teacher/file/index.ts";
import { hostedTeacher } from "../../src/data/teacher/hosted/index.ts";
import { readMove } from "../../src/data/teacher/hosted/read.ts";
import type { Sample } from "../../src/data/types.ts";
import { HostedModel } from "../../src/models/hosted/client.ts";
import { validate as validSample } from "../../src/schemas/generated/sample.validate.js";
import { type Answer, type Asked, goodTeacher, type OpenAiServer, openAiServer } from "../models/openai-server.ts";
import { sessionOn, WEIGHTS, weatherSet, weatherStub } from "./fixtures.ts";

let server: OpenAiServer | undefined;
afterEach(async () => {
  await server?.close();
});

interface Turn {
  readonly user: string;
  readonly call?: { readonly name: string; readonly arguments: string } | null;
  readonly calls?: readonly { readonly call: { readonly name: string; readonly arguments: string } }[];
}

/** Writes conversations as a good teacher, and in the assistant's place makes the very calls that it wrote; `thinks` hands its thoughts over. */
function thinker(thinks: (thought: string, content: string) => Answer): (asked: Asked) => Answer {
  const written = new Map<string, readonly { readonly name: string; readonly arguments: string }[]>();
  return (asked) => {
    if (asked.response_format.json_schema.name !== "move") {
      const reply = goodTeacher(asked);
      const { turns = [] } = JSON.parse(reply.content as string) as { turns?: Turn[] };
      for (const t of turns) written.set(t.user, t.calls?.map((c) => c.call) ?? (t.call ? [t.call] : []));
      return thinks("I make something up.", reply.content as string);
    }
    const lines = (asked.messages.at(-1)?.content ?? "").split("\n").filter((l) => l.startsWith("{"));
    const said = lines.map((l) => JSON.parse(l) as { person?: string; calls?: object[]; result?: string });
    const from = said.findLastIndex((s) => s.person !== undefined);
    const person = said[from]?.person ?? "";
    const made = said.slice(from).flatMap((s) => s.calls ?? []).length;
    const due = written.get(person) ?? [];
    const calls = due.slice(made);
    const result = said.slice(from).findLast((s) => s.result !== undefined)?.result ?? "";
    const answer = calls.length > 0 ? "" : `In short: ${result === "" ? person : result} nothing`;
    return thinks(calls.length > 0 ? `They say "${person}", so I call.` : "Now I answer.", JSON.stringify({ calls, answer }));
  };
}

async function rig(answer: (asked: Asked) => Answer) {
  const host = await openAiServer(answer);
  server = host;
  const repliesFolder = mkdtempSync(join(tmpdir(), "forge-thoughts-"));
  return async (thinking: boolean, samples = 24, session: ReturnType<typeof sessionOn> | null = null) => {
    const scenarios = { ...WEIGHTS, chain: 0 };
    const plan = planSynthesis({ toolset: weatherSet, samples, minPerTool: 2, scenarios, evaluationSamples: 6, seed: 7 });
    const model = new HostedModel({
      baseUrl: host.url,
      key: "k",
      keyName: "K",
      model: "m",
      temperature: 0.7,
      repliesFolder,
      ledger: join(repliesFolder, "paid.jsonl"),
      retryMs: 1,
    });
    const teacher = hostedTeacher("openai-compatible/m", weatherSet, 7, model, thinking);
    const base = async (questions: string[]) => ({ ok: true as const, value: questions.map((q) => `The base model on ${q}`) });
    return generate({ toolset: weatherSet, plan, seed: 7, session, answerPlain: base, thinking }, teacher);
  };
}

const value = <T>(r: { ok: true; value: T } | { ok: false; error: { message: string } }): T => {
  if (!r.ok) throw new Error(r.error.message);
  return r.value;
};
const assistants = (samples: readonly Sample[]) => samples.flatMap((s) => s.messages.flatMap((m) => (m.role === "assistant" ? [m] : [])));

describe("a hosted teacher that thinks", () => {
  const ways: [string, (thought: string, content: string) => Answer][] = [
    ["reasoning_content", (reasoning_content, content) => ({ content, thought: { reasoning_content } })],
    ["reasoning", (reasoning, content) => ({ content, thought: { reasoning } })],
    ["<think> at the head", (thought, content) => ({ content: `<think>\n${thought}\n</think>\n\n${content}` })],
    ["its end alone, as of R1", (thought, content) => ({ content: `${thought}\n</think>\n\n${content}` })],
  ];
  it.each(ways)("gives each message of the assistant's the thought that led to it (%s)", async (_, thinks) => {
    const make = await rig(thinker(thinks));
    const { train, heldout, statistics } = value(await make(true, 24, sessionOn(weatherStub)));
    expect(statistics.short).toEqual([]);
    for (const s of train) expect(validSample(s), JSON.stringify(validSample.errors)).toBe(true);
    for (const m of assistants(train)) expect(m.reasoning_content).toMatch(m.tool_calls === undefined ? /^Now I answer/ : /^They say/);
    expect(train.every((s) => s.messages.at(-1)?.content?.startsWith("In short:"))).toBe(true);
    expect(JSON.stringify([train, heldout])).not.toMatch(/<\/?think>|make something up|base model/);
    expect(JSON.stringify(heldout)).not.toContain("reasoning_content");
  });

  it("is asked in the assistant's place, and told nothing of what is due", async () => {
    const make = await rig(thinker(ways[0]?.[1] as (typeof ways)[0][1]));
    const { train } = value(await make(true));
    const moves = (server?.asked ?? []).filter((a) => a.response_format.json_schema.name === "move");
    expect(moves).toHaveLength(assistants(train).length);
    const first = train.find((s) => s.messages[2]?.role === "assistant" && s.messages[2].tool_calls !== undefined);
    expect(moves.map((m) => m.messages.at(-1)?.content)).toContain(JSON.stringify({ person: first?.messages[1]?.content }));
    expect(new Set(moves.map((m) => m.messages[0]?.content)).size).toBe(1);
  });

  it("loses a conversation in which it would have done otherwise, and writes another", async () => {
    const good = thinker(ways[0]?.[1] as (typeof ways)[0][1]);
    let wrong = 0;
    const make = await rig((asked) => {
      const reply = good(asked);
      if (asked.response_format.json_schema.name !== "move" || ++wrong > 3) return reply;
      return { ...reply, content: JSON.stringify({ calls: [{ name: "get_alerts", arguments: '{"location":"elsewhere"}' }], answer: "" }) };
    });
    const { statistics, train } = value(await make(true));
    expect(statistics.dropped.thought).toBeGreaterThan(0);
    expect([statistics.short, assistants(train).every((m) => m.reasoning_content !== undefined)]).toEqual([[], true]);
  });

  it("is needed where the family thinks: one without thoughts is refused before the data is paid for", async () => {
    const make = await rig(goodTeacher);
    const made = await make(true, 60);
    expect(made).toMatchObject({ ok: false, error: { code: "teacher/no-thoughts", hint: expect.stringContaining("without --thinking") } });
    expect(server?.asked).toHaveLength(3);
  });

  it.each(ways)("leaves no trace of its thoughts in data for other families (%s)", async (_, thinks) => {
    const make = await rig(thinker(thinks));
    const { train, statistics } = value(await make(false));
    expect(statistics.dropped.parse ?? 0).toBe(0);
    const text = JSON.stringify(train);
    expect(text).not.toMatch(/reasoning_content|think>|make something up/);
    expect(text).toContain("The base model on");
    expect((server?.asked ?? []).every((a) => a.response_format.json_schema.name !== "move")).toBe(true);
  });

  it("may write anything for a move", () => {
    const due = [{ name: "f", arguments: { a: 1, b: "x" }, accepted: {}, said: {} }];
    const move = (calls: unknown, answer: unknown = "") => JSON.stringify({ calls, answer });
    expect(readMove(move([{ name: "f", arguments: '{"b":"x","a":1}' }]), "t", due)).toEqual({ thought: "t" });
    expect(readMove(move([], "Yes."), undefined, [])).toEqual({ thought: "", answer: "Yes." });
    for (const text of ["", "null", move(null), move([null]), move([{ name: "f", arguments: "{}" }]), move([], "Yes.")])
      expect(readMove(text, "t", due)).toBeNull();
    for (const text of [move([], ""), move([{ name: "f", arguments: "{}" }])]) expect(readMove(text, "t", [])).toBeNull();
    expect(readMove(move([], "Yes."), "x".repeat(20_000), [])).toBeNull();
  });
});

describe("conversations that somebody brings", () => {
  const call = { id: "c", type: "function", function: { name: "get_weather", arguments: '{"location":"Oslo"}' } };
  const line = (thought: (t: string, content: string | null) => object): string =>
    JSON.stringify({
      messages: [
        { role: "user", content: "How is Oslo?" },
        { role: "assistant", tool_calls: [call], ...thought("They want Oslo.", null) },
        { role: "tool", content: "3 degrees", tool_call_id: "c" },
        { role: "assistant", ...thought("It says 3.", "It has 3 degrees in Oslo.") },
      ],
    });
  const ways: [string, (t: string, content: string | null) => object][] = [
    ["reasoning_content", (reasoning_content, content) => ({ content, reasoning_content })],
    ["reasoning", (reasoning, content) => ({ content, reasoning })],
    ["in the content", (t, content) => ({ content: `<think>\n${t}\n</think>\n\n${content ?? ""}` })],
  ];
  const made = async (thinking: boolean, text: string, session: ReturnType<typeof sessionOn> | null = null) => {
    const { samples } = importSamples(text, false);
    const plan = planSynthesis({ toolset: weatherSet, samples: 10, minPerTool: 1, scenarios: { standard: 1 }, evaluationSamples: 2, seed: 1 });
    const teacher = fileTeacher(samples, weatherSet, 1, plan.train, builtinTeacher(weatherSet, 1), thinking);
    const plain = async (questions: string[]) => ({ ok: true as const, value: questions.map(() => "x") });
    const { train } = value(await generate({ toolset: weatherSet, plan, seed: 1, session, answerPlain: plain, thinking }, teacher));
    return { train, teacher, own: train.find((s) => s.messages[1]?.content === "How is Oslo?") };
  };

  it.each(ways)("keep their thoughts for a family that thinks, and for no other (%s)", async (_, thought) => {
    const { own, train, teacher } = await made(true, line(thought));
    expect(assistants(own === undefined ? [] : [own])).toMatchObject([
      { content: null, reasoning_content: "They want Oslo." },
      { content: "It has 3 degrees in Oslo.", reasoning_content: "It says 3." },
    ]);
    expect(teacher.thinking).toBe(1);
    // What the builtin teacher writes has none.
    expect(assistants(train).filter((m) => m.reasoning_content !== undefined)).toHaveLength(2);
    const other = await made(false, line(thought));
    expect(assistants(other.own === undefined ? [] : [other.own]).map((m) => m.content)).toEqual([null, "It has 3 degrees in Oslo."]);
    expect(JSON.stringify(other.train)).not.toMatch(/reasoning_content|think>/);
  });

  it("lose the thought of an answer where the tool now says something else", async () => {
    const { own } = await made(true, line(ways[0]?.[1] as (typeof ways)[0][1]), sessionOn(weatherStub));
    expect(assistants(own === undefined ? [] : [own]).map((m) => m.reasoning_content)).toEqual(["They want Oslo.", undefined]);
  });

  it("are refused with a tag inside a thought, with a secret in it, and with one that no model is given the time for", () => {
    const [sample] = importSamples(line(ways[0]?.[1] as (typeof ways)[0][1]), false).samples;
    const check = sampleChecker(weatherSet, { thinking: true });
    const thinking = (reasoning_content: string): Sample => ({
      ...(sample as Sample),
      messages: (sample as Sample).messages.map((m) => (m.role === "assistant" ? { ...m, reasoning_content } : m)),
    });
    expect(check(thinking("They want it."))).toBeNull();
    expect(check(thinking("a </think> b"))?.check.name).toBe("thoughts");
    expect(check(thinking("x ".repeat(5000)))?.check.name).toBe("thoughts");
    expect(check(thinking("the key is sk-proj-AbCdEfGh1234567890AbCdEfGh1234567890"))?.check.name).toBe("secrets");
  });
});
