/** Conversations of several requests: the last leans on what was said before it, and its call is complete all the same; or it wants no call. */
import { describe, expect, it } from "vitest";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import type { Sample, Toolset } from "../../src/data/types.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { ALL, answerPlain, weatherSet } from "./fixtures.ts";

async function make(set: Toolset, samples: number, scenarios = { standard: 0.7, no_tool: 0.3, error: 0, ambiguous: 0, edge: 0 }) {
  const plan = planSynthesis({ toolset: set, samples, minPerTool: 1, scenarios, evaluationSamples: 60, seed: 3 });
  const made = await generate({ toolset: set, plan, seed: 3, session: null, answerPlain });
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}

const users = (s: Sample): string[] => s.messages.filter((m) => m.role === "user").map((m) => m.content ?? "");
const calls = (s: Sample): { name: string; args: JsonObject }[] =>
  s.messages.flatMap((m) =>
    m.role === "assistant" && m.tool_calls ? m.tool_calls.map((c) => ({ name: c.function.name, args: JSON.parse(c.function.arguments) as JsonObject })) : [],
  );

describe.each(ALL)("for the %s toolset", (_, set) => {
  const made = make(set, 240);

  it("meet the plan; a follow-up ends in a call of its tool, and what comes after a call in none", async () => {
    const { train, statistics } = await made;
    expect(statistics.short).toEqual([]);
    const followed = train.filter((s) => s.kind === "follow_up");
    expect(followed.length).toBeGreaterThan(20);
    for (const s of followed) {
      expect(users(s), s.id).toHaveLength(2);
      expect(calls(s).at(-1)?.name, s.id).toBe(s.tool_name);
    }
    const ended = train.filter((s) => s.kind === "after_call");
    expect(ended.length).toBeGreaterThan(4);
    for (const s of ended) {
      expect([users(s).length, calls(s).length, s.tool_name], s.id).toEqual([2, 1, null]);
      expect(s.messages.at(-2)?.role, s.id).toBe("user");
    }
  });

  it("are judged at their last request, with what came before as the chat", async () => {
    const { heldout } = await made;
    for (const c of heldout.filter((h) => h.kind === "follow_up" || h.kind === "after_call")) {
      expect(c.messages.filter((m) => m.role === "user")).toHaveLength(2);
      expect(c.messages.some((m) => m.role === "assistant" && m.tool_calls)).toBe(true);
      expect(c.expect === null).toBe(c.kind === "after_call");
    }
  });
});

describe("for the weather", () => {
  const followed = make(weatherSet, 1200).then(({ train }) => train.filter((s) => s.kind === "follow_up").map((s) => ({ said: users(s), made: calls(s) })));
  const of = async (holds: (f: { said: string[]; made: { name: string; args: JsonObject }[] }) => boolean) => (await followed).filter(holds);
  const place = (call: { args: JsonObject } | undefined): string => String(call?.args.location);
  const says = (text: string | undefined, value: string): boolean => text?.toLowerCase().includes((value.split(",")[0] as string).toLowerCase()) === true;

  it("ask another tool for the same place, without naming it again", async () => {
    const other = await of(({ said, made }) => made[0]?.name !== made[1]?.name && !says(said[1], place(made[1])));
    expect(other.length).toBeGreaterThan(20);
    for (const { said, made } of other) {
      expect(place(made[1])).toBe(place(made[0]));
      expect(says(said[0], place(made[1])), said.join(" / ")).toBe(true);
    }
  });

  it("ask the same of another place, or the same place with other days", async () => {
    const elsewhere = await of(({ said, made }) => made[0]?.name === made[1]?.name && place(made[0]) !== place(made[1]) && (said[1]?.length ?? 99) < 40);
    expect(elsewhere.length).toBeGreaterThan(20);
    expect(elsewhere.filter(({ said, made }) => !says(said[1], place(made[1])))).toEqual([]);
    const longer = await of(({ made }) => place(made[0]) === place(made[1]) && made.every((c) => c.name === "get_forecast"));
    expect(longer.some(({ made }) => made[0]?.args.days !== made[1]?.args.days)).toBe(true);
  });

  it("ask for the very same again, and for something that has nothing to do with what was said", async () => {
    expect((await of(({ made }) => JSON.stringify(made[0]) === JSON.stringify(made[1]))).length).toBeGreaterThan(3);
    const afresh = await of(({ said, made }) => place(made[0]) !== place(made[1]) && made[0]?.name !== made[1]?.name && says(said[1], place(made[1])));
    expect(afresh.length).toBeGreaterThan(10);
  });
});
