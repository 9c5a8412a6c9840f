/** Conversations that somebody brings as the teacher's: which slots they get, what is told of their results, what another teacher writes. */
import { describe, expect, it } from "vitest";
import { generate } from "../../src/data/generate.ts";
import { importSamples } from "../../src/data/import.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { builtinTeacher } from "../../src/data/teacher/builtin/index.ts";
import { fileTeacher } from "../../src/data/teacher/file/index.ts";
import type { CallPort, Generation } from "../../src/data/types.ts";
import { answerPlain, sessionOn, WEIGHTS, weatherSet, weatherStub } from "./fixtures.ts";

const chat = (...messages: object[]) => JSON.stringify({ messages });
const served = (place: string, n = 1, tool = "get_weather") =>
  chat(
    { role: "system", content: "Be brief." },
    { role: "user", content: `How is ${place} today, number ${n}?` },
    { role: "assistant", tool_calls: [{ function: { name: tool, arguments: { location: place } } }] },
    { role: "tool", content: `{"sky":"mine ${n}"}` },
    { role: "assistant", content: `My own answer ${n}.` },
  );
const refused = (n: number) => chat({ role: "user", content: `Sing me song number ${n}` }, { role: "assistant", content: `I cannot sing, ${n} times.` });

async function make(lines: readonly string[], samples = 40, session: CallPort | null = null): Promise<Generation & { used: number; unfit: number }> {
  const plan = planSynthesis({ toolset: weatherSet, samples, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 10, seed: 7 });
  const teacher = fileTeacher(importSamples(lines.join("\n"), false).samples, weatherSet, 7, plan.train, builtinTeacher(weatherSet, 7));
  const made = await generate({ toolset: weatherSet, plan, seed: 7, session, answerPlain }, teacher);
  if (!made.ok) throw new Error(made.error.message);
  return { ...made.value, used: teacher.used, unfit: teacher.unfit.length };
}

const texts = (g: Generation) => g.train.map((s) => JSON.stringify(s.messages));

describe("a file as the teacher", () => {
  it("fills slots with its conversations, and the builtin teacher writes the rest and the held-out cases", async () => {
    const made = await make([served("Oslo", 1), served("Lima", 2), refused(1), refused(2)], 60);
    expect(made).toMatchObject({ used: 4, unfit: 0 });
    for (const own of ["My own answer 1.", "My own answer 2.", "I cannot sing, 1 times.", "I cannot sing, 2 times."])
      expect(texts(made).filter((t) => t.includes(own))).toHaveLength(1);
    expect(made.statistics.short).toEqual([]);
    expect(made.heldout.length).toBeGreaterThan(0);
    expect(JSON.stringify(made.heldout)).not.toContain("number 1");
  });

  it("tells what a tool really gave back, where it was called", async () => {
    const made = await make([served("Oslo", 1)], 40, sessionOn(weatherStub));
    const [own] = texts(made).filter((t) => t.includes("How is Oslo today"));
    expect(own).not.toContain("mine 1");
    expect(own).not.toContain("My own answer");
  });

  it("leaves out what cannot be taught, and counts it", async () => {
    const two = chat(
      { role: "user", content: "Both?" },
      { role: "assistant", tool_calls: ["Oslo", "Lima"].map((location) => ({ function: { name: "get_weather", arguments: { location } } })) },
      { role: "tool", content: "{}" },
      { role: "assistant", content: "Both fine." },
    );
    const unanswered = chat(
      { role: "user", content: "Now?" },
      { role: "assistant", tool_calls: [{ function: { name: "get_weather", arguments: { location: "Oslo" } } }] },
    );
    const foreign = served("Oslo", 3, "get_stock");
    const broken = served("Oslo", 4).replace('{"location":"Oslo"}', '"{\\"location\\":"');
    const made = await make([two, unanswered, foreign, broken, served("Quito", 5)]);
    expect(made).toMatchObject({ used: 1, unfit: 4 });
  });

  it("writes anew what is refused: a call that does not fit its schema, a prompt that is there twice", async () => {
    const made = await make([served("Oslo", 1), served("Oslo", 1), served("Lima", 2).replace('"location"', '"where"')]);
    expect(made.used).toBe(3);
    expect(texts(made).filter((t) => t.includes("My own answer"))).toHaveLength(1);
    expect(made.statistics.dropped.duplicate).toBeGreaterThan(0);
    expect(made.statistics.short).toEqual([]);
  });

  it("gives each slot the same conversation when more are planned", async () => {
    const lines = Array.from({ length: 12 }, (_, n) => served(["Oslo", "Lima", "Quito"][n % 3] as string, n));
    const [few, more] = await Promise.all([make(lines, 30), make(lines, 45)]);
    for (const s of few.train) expect(more.train.find((x) => x.id === s.id)).toEqual(s);
  });

  it("takes our own samples back", async () => {
    const before = await make([], 40);
    const again = await make(
      before.train.map((s) => JSON.stringify(s)),
      40,
    );
    const own = before.train.filter((s) => s.scenario === "standard" || s.kind === "out_of_scope");
    const kept = own.filter((s) => texts(again).includes(JSON.stringify(s.messages)));
    expect(kept.length / own.length).toBeGreaterThan(0.9);
  });
});
