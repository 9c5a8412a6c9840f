/** The examples of training: which conversations are shown whole, and how often their first moves alone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EVERY_SAMPLE_ONCE, examplesInSteps, type TrainingExample, trainingExamples } from "../../src/models/examples.ts";
import { getFamily } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import type { Sample } from "../../src/schemas/generated/sample.ts";
import type { ToolDefinition } from "../../src/schemas/generated/toolset.ts";

const smollm2 = getFamily("smollm2");
if (!smollm2.ok) throw new Error("smollm2 is gone");
const renderer = createRenderer(smollm2.value);
const call = { id: "call_1", type: "function" as const, function: { name: "get_weather", arguments: '{"location":"Oslo"}' } };
const sample: Sample = {
  id: "standard/get_weather/0000",
  source: "seed",
  scenario: "standard",
  kind: "plain",
  tool_name: "get_weather",
  frame: "weather in {location}",
  qc_passed: true,
  messages: [
    { role: "system", content: "You are a helpful AI assistant." },
    { role: "user", content: "weather in Oslo" },
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", content: '{"temperature_c":3}', tool_call_id: "call_1" },
    { role: "assistant", content: "It is 3 °C in Oslo." },
  ],
};

const text = (segments: readonly { text: string }[] | undefined): string => (segments ?? []).map((s) => s.text).join("");

test("a conversation is learned whole, and its first call once more", () => {
  const [whole, first, more] = trainingExamples([sample], renderer, [], { whole: 1, first: 1, first_without_call: 3 });
  expect(whole?.segments.filter((s) => s.learn).map((s) => s.text)).toEqual([
    '<tool_call>\n{"name":"get_weather","arguments":{"location":"Oslo"}}\n</tool_call><|im_end|>',
    "It is 3 °C in Oslo.<|im_end|>",
  ]);
  expect(first?.id).toBe(`${sample.id}#first`);
  expect(text(whole?.segments).startsWith(text(first?.segments))).toBe(true);
  expect(text(first?.segments).endsWith("</tool_call><|im_end|>")).toBe(true);
  expect(more).toBeUndefined();
  expect(trainingExamples([sample], renderer, [], EVERY_SAMPLE_ONCE)).toEqual([whole]);
});

test("an answer without a call is repeated up to its first words", () => {
  const answer = "Fog is a cloud that touches the ground. It forms when the air is cooled to its dew point, often at night.";
  const plain: Sample = { ...sample, id: "no_tool/general/0000", scenario: "no_tool", kind: "general", tool_name: null };
  const asked = (content: string): Sample => ({ ...plain, messages: [...sample.messages.slice(0, 2), { role: "assistant", content }] });
  const [whole, ...firsts] = trainingExamples([asked(answer)], renderer, [], { whole: 1, first: 1, first_without_call: 3 });
  expect(firsts.map((f) => f.id)).toEqual([`${plain.id}#first`, `${plain.id}#first2`, `${plain.id}#first3`]);
  for (const f of firsts) {
    expect(f.segments.at(-1)).toEqual({ learn: true, text: "Fog is a cloud that touches the ground. It forms when the air is cooled" });
    expect(text(whole?.segments).startsWith(text(f.segments))).toBe(true);
  }
  const short = trainingExamples([asked("Paris.")], renderer, [], { whole: 1, first: 1, first_without_call: 1 });
  expect(short[1]?.segments.at(-1)?.text).toBe("Paris.<|im_end|>");
});

test("what is marked `weight: 0` is shown and not learned", () => {
  const plan = { whole: 1, first: 1, first_without_call: 3 };
  const marked = (...at: number[]): Sample => ({
    ...sample,
    messages: sample.messages.map((m, i) => (at.includes(i) ? { ...m, weight: 0 as const } : m)) as Sample["messages"],
  });
  const learned = (of: readonly TrainingExample[]): string[][] => of.map((e) => e.segments.filter((s) => s.learn).map((s) => s.text));
  const [whole = [], first = []] = learned(trainingExamples([sample], renderer, [], plan));
  const withoutAnswer = trainingExamples([marked(4)], renderer, [], plan);
  expect(learned(withoutAnswer)).toEqual([whole.slice(0, 1), first]);
  expect(text(withoutAnswer[0]?.segments)).toBe(text(trainingExamples([sample], renderer, [], plan)[0]?.segments));
  // The call is not learned by itself either.
  expect(learned(trainingExamples([marked(2)], renderer, [], plan))).toEqual([whole.slice(1)]);
  expect(trainingExamples([marked(2, 4)], renderer, [], plan)).toEqual([]);
});

describe("of several requests", () => {
  const again = { ...call, id: "call_2", function: { ...call.function, arguments: '{"location":"Bergen"}' } };
  const asked = (...messages: Sample["messages"]): Sample => ({
    ...sample,
    kind: "follow_up",
    messages: [...sample.messages, ...messages] as Sample["messages"],
  });
  const followed = asked(
    { role: "user", content: "and in Bergen?" },
    { role: "assistant", content: null, tool_calls: [again] },
    { role: "tool", content: '{"temperature_c":5}', tool_call_id: "call_2" },
    { role: "assistant", content: "It is 5 °C in Bergen." },
  );
  const thanked = asked({ role: "user", content: "thanks" }, { role: "assistant", content: "You're welcome!" });
  const plan = { whole: 0.01, first: 1, first_without_call: 4 };
  const learnt = (e: TrainingExample | undefined): string[] => (e?.segments ?? []).filter((s) => s.learn).map((s) => s.text);
  const CALL = (place: string): string => `<tool_call>\n{"name":"get_weather","arguments":{"location":"${place}"}}\n</tool_call><|im_end|>`;

  test("the last is shown after the others, their moves learned and their answers not; and after a chat of words alone", () => {
    const [whole, last, words, more] = trainingExamples([followed], renderer, [], plan);
    expect(learnt(whole)).toHaveLength(4);
    expect(learnt(last)).toEqual([CALL("Oslo"), CALL("Bergen")]);
    expect(text(whole?.segments).startsWith(text(last?.segments))).toBe(true);
    expect(learnt(words)).toEqual([CALL("Bergen")]);
    expect(text(words?.segments)).toContain("It is 3 °C in Oslo.");
    expect(text(words?.segments)).not.toContain("temperature_c");
    expect(more).toBeUndefined();
  });

  test("an end without a call is learned as often as one without a chat, every second time after its words alone", () => {
    const [, ...ends] = trainingExamples([thanked], renderer, [], plan);
    expect(ends.map(learnt)).toEqual([0, 1, 2, 3].map((i) => (i % 2 === 0 ? [CALL("Oslo"), "You're welcome!<|im_end|>"] : ["You're welcome!<|im_end|>"])));
    // Where nothing is shown alone, the conversation is shown whole.
    expect(trainingExamples([thanked, { ...thanked, id: "b" }], renderer, [], { ...plan, first_without_call: 0 }).map((e) => e.id)).toEqual([thanked.id, "b"]);
  });

  test("a question back and the reply to it are both learned", () => {
    const missing: Sample = {
      ...sample,
      scenario: "no_tool",
      kind: "missing_required",
      messages: [{ role: "user", content: "weather please" }, { role: "assistant", content: "Where?" }, ...sample.messages.slice(1)] as Sample["messages"],
    };
    const made = trainingExamples([missing], renderer, [], { ...plan, first_without_call: 2 });
    expect(made.slice(1).map(learnt)).toEqual([["Where?<|im_end|>"], ["Where?<|im_end|>"], ["Where?<|im_end|>", CALL("Oslo")]]);
  });
});

test("a share of the conversations is shown whole, evenly, and every one in which a tool fails", () => {
  const many = (scenario: Sample["scenario"], count: number): Sample[] =>
    Array.from({ length: count }, (_, i) => ({ ...sample, scenario, id: `${scenario}/${i}` }));
  const shown = (count: number, whole: number): string[] =>
    trainingExamples([...many("standard", count), ...many("error", 4)], renderer, [], { whole, first: 2, first_without_call: 1 })
      .map((e) => e.id)
      .filter((id) => !id.includes("#"));
  const errors = [0, 1, 2, 3].map((i) => `error/${i}`);
  expect(shown(10, 0.3)).toEqual(["standard/0", "standard/3", "standard/6", ...errors]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0.01, max: 1, noNaN: true }), (count, share) => {
      const picked = shown(count, share).length - errors.length;
      expect(picked).toBeGreaterThanOrEqual(1);
      expect(Math.abs(picked - count * share)).toBeLessThanOrEqual(1);
      // Raising the number of samples takes no conversation away.
      expect(shown(count + 5, share)).toEqual(expect.arrayContaining(shown(count, share)));
    }),
    { numRuns: 12 },
  );
});

describe("in steps", () => {
  const tools: ToolDefinition[] = ["get_weather", "get_forecast", "get_alerts"].map((name) => ({
    name,
    description: `Does ${name}.`,
    input_schema: { type: "object", properties: {} },
    source: "stub",
    origin: "stub:weather",
  }));
  const samples = Array.from({ length: 23 }, (_, i): Sample => ({ ...sample, id: `standard/${i}` }));
  const plan = { whole: 0.5, first: 1, first_without_call: 1 };
  const steps = (seed: number, from: readonly ToolDefinition[] = tools) => examplesInSteps(samples, renderer, from, { plan, size: 5, seed });
  const prompt = (e: { segments: readonly { text: string }[] }): string => (e.segments[0]?.text ?? "").split("<|im_start|>user")[0] ?? "";

  test("the same examples, each once; a group has one prompt, every second one the recipe's", () => {
    const made = steps(1);
    const asGiven = trainingExamples(samples, renderer, tools, plan);
    expect(made.map((e) => e.id).sort()).toEqual(asGiven.map((e) => e.id).sort());
    const groups = new Map<string, TrainingExample[]>();
    for (const e of made) groups.set(e.group ?? "none", [...(groups.get(e.group ?? "none") ?? []), e]);
    const sizes = [...groups.values()].map((g) => g.length);
    expect([sizes.length, Math.min(...sizes) >= 5, Math.max(...sizes) <= 6]).toEqual([Math.floor(made.length / 5), true, true]);
    expect(made.every((e) => (e.reordered === true) === (Number(e.group) % 2 === 1))).toBe(true);
    const prompts = [...groups.values()].map((g) => new Set(g.map(prompt)));
    expect(prompts.every((p) => p.size === 1)).toBe(true);
    const own = prompt(asGiven[0] as TrainingExample);
    expect(prompts.map((p) => p.has(own))).toEqual(prompts.map((_, i) => i % 2 === 0));
    expect(steps(3, tools.slice(0, 2)).filter((e) => Number(e.group) % 2 === 1 && prompt(e).includes("get_weather")).length).toBeGreaterThan(0);
    for (const e of made) {
      const same = asGiven.find((a) => a.id === e.id);
      // Whatever the order: the same tools are read, and the same is said and learned after them.
      expect(text(e.segments).length).toBe(text(same?.segments).length);
      expect(text(e.segments).slice(prompt(e).length)).toBe(text(same?.segments).slice(own.length));
    }
  });

  test("follow from the seed; a single tool has one order and no groups", () => {
    expect(steps(1)).toEqual(steps(1));
    expect(steps(2)).not.toEqual(steps(1));
    expect(steps(1, tools.slice(0, 1))).toEqual(trainingExamples(samples, renderer, tools.slice(0, 1), plan));
  });
});
