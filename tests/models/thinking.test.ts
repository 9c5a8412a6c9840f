/** Models that think: what templates make of thoughts, the rows that are learned, how the model is asked for plain answers, and what a family's file has to say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { examplesInSteps, trainingExamples } from "../../src/models/examples.ts";
import { checkFamily } from "../../src/models/family-check.ts";
import { holdsConversations } from "../../src/models/fit.ts";
import { plainPrompt } from "../../src/models/llama/answer-plain.ts";
import { createRenderer, rowsOf } from "../../src/models/render.ts";
import { splitThought, THINKING_TEMPLATES } from "../../src/models/thinking.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { ok } from "../../src/platform/result.ts";
import type { Message, Sample } from "../../src/schemas/generated/sample.ts";
import type { ToolDefinition } from "../../src/schemas/generated/toolset.ts";
import { type Rendering, smollm2, toolsOf } from "./rig.ts";

interface Fixture {
  readonly rows: readonly Omit<Rendering, "text" | "ids">[];
  readonly texts: Readonly<Record<string, Readonly<Record<string, string>>>>;
}
const fixture = JSON.parse(readFileSync(join(packageRoot(), "tests", "models", "fixtures", "renderings-of-thoughts.json"), "utf8")) as Fixture;

const call = (location: string) => ({ id: "c", type: "function" as const, function: { name: "get_weather", arguments: JSON.stringify({ location }) } });
const messages: Message[] = [
  { role: "system", content: "You are a helpful AI assistant." },
  { role: "user", content: "Oslo?" },
  { role: "assistant", content: null, reasoning_content: "They want Oslo.", tool_calls: [call("Oslo")] },
  { role: "tool", content: "3", tool_call_id: "c" },
  { role: "assistant", content: "It is 3 °C.", reasoning_content: "It says 3." },
  { role: "user", content: "Thanks" },
  { role: "assistant", content: "Glad to help." },
];
const sample: Sample = { id: "a", source: "seed", scenario: "standard", kind: "plain", tool_name: "get_weather", frame: "", qc_passed: true, messages };
const CALL = '<tool_call>\n{"name":"get_weather","arguments":{"location":"Oslo"}}\n</tool_call>';

describe.each([
  ["qwen3-thinking.jinja", "<think>\n", "<|im_end|>"],
  ["deepseek-r1-thinking.jinja", "", "<｜end▁of▁sentence｜>"],
])("%s", (template, open, end) => {
  const renderer = createRenderer({
    template,
    special_tokens: ["<think>", "</think>", "<|im_start|>", "<|im_end|>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"],
  });
  const text = (segments: readonly { readonly text: string }[]): string => segments.map((s) => s.text).join("");

  test.each(fixture.rows)("renders thoughts as transformers does: $name", (row) => {
    const asked = renderer.prompt(row.messages, toolsOf(row as Rendering), { addGenerationPrompt: row.add_generation_prompt });
    expect(asked).toBe(fixture.texts[template]?.[row.name]);
  });

  test("a conversation is learned turn by turn: each thought, its closing, what follows and its end, after the prompt of inference", () => {
    const examples = trainingExamples([sample], renderer, [], { whole: 0.1, first: 3, first_without_call: 3 });
    expect(examples.map((e) => e.id)).toEqual(["a#turn1", "a#turn2", "a#turn3"]);
    expect(examples.map((e) => text(e.segments.filter((s) => s.learn)))).toEqual([
      `${open}They want Oslo.\n</think>\n\n${CALL}${end}`,
      `${open}It says 3.\n</think>\n\nIt is 3 °C.${end}`,
      `${open}\n</think>\n\nGlad to help.${end}`,
    ]);
    expect(examples.map((e) => text(e.segments.filter((s) => s.thought)).endsWith("</think>\n\n"))).toEqual([true, true, true]);
    expect(examples.map((e) => e.segments[0]?.text)).toEqual([2, 4, 6].map((at) => renderer.prompt(messages.slice(0, at), [])));
    // The last turn sees no thought of those before it.
    expect(examples[2]?.segments[0]?.text).not.toContain("They want Oslo");
    const tool: ToolDefinition = { name: "f", description: "F.", input_schema: { type: "object" }, source: "stub", origin: "stub:test" };
    const inSteps = examplesInSteps([sample], renderer, [tool, { ...tool, name: "g" }], { size: 1, seed: 1 });
    expect(inSteps.map((e) => e.id).sort()).toEqual(["a#turn1", "a#turn2", "a#turn3"]);
    expect(inSteps.some((e) => e.reordered)).toBe(true);
  });

  test("any conversation gives one row a turn, whose texts are a prompt and its continuation", () => {
    const word = fc.constantFrom("<think>", "</think>", "</think>\n\n", "<|im_end|>", "<tool_call>", "a", " ", "\n", "{");
    const words = fc.array(word, { maxLength: 5 }).map((w) => `x${w.join("")}y`);
    const turn: fc.Arbitrary<Message> = fc.oneof(
      words.map((content): Message => ({ role: "user", content })),
      words.map((content): Message => ({ role: "tool", content, tool_call_id: "c" })),
      fc.tuple(words, words).map(([content, reasoning_content]): Message => ({ role: "assistant", content, reasoning_content })),
      words.map((content): Message => ({ role: "assistant", content })),
    );
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 6 }), (turns) => {
        const all: Message[] = [{ role: "user", content: "q" }, ...turns];
        const rows = rowsOf(renderer, all, []);
        expect(rows).toHaveLength(all.filter((m) => m.role === "assistant").length);
        for (const [before, thought, rest] of rows) {
          expect(before?.learn).toBe(false);
          expect(thought).toMatchObject({ learn: true, thought: true });
          expect(thought?.text.split("</think>")).toHaveLength(2);
          expect(rest?.text.endsWith(end) && !rest.text.includes("</think>")).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a thought at the head of the content is taken for one, and speaks no control word", () => {
    const inside: Message[] = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "<think>\nA greeting.\n</think>\n\nHello." },
    ];
    const beside: Message[] = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello.", reasoning_content: " A greeting.\n" },
    ];
    expect(renderer.turn(inside, 1, [])).toEqual(renderer.turn(beside, 1, []));
    const loud = renderer.turn(
      [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello.", reasoning_content: `a</think>b${end}<tool_call>` },
      ],
      1,
      [],
    );
    expect(text(loud)).toContain(`a< /think>b< ${end.slice(1)}< tool_call>`);
  });

  test("the window has to hold each turn, and its thought", async () => {
    const long: Message[] = [...messages.slice(0, 4), { role: "assistant", content: "It is 3 °C.", reasoning_content: "word ".repeat(400) }];
    const held = holdsConversations(renderer, [], 1500, async (t) => ok(t.length));
    expect(await held([messages, long])).toEqual(ok([true, false]));
  });

  test("plain questions are put to the untuned model after an empty thought", () => {
    expect(plainPrompt(renderer, "Why?").endsWith("<think>\n\n</think>\n\n")).toBe(true);
  });

  test("a family's file has to say so", () => {
    const { head_start: _, ...plain } = smollm2;
    const family = {
      ...plain,
      name: "own",
      sources: { default: { kind: "folder", folder: "x", quantization: "F16", files: { "a.gguf": { sha256: "0".repeat(64), bytes: 1 } } } },
    };
    const special_tokens = [
      "<｜begin▁of▁sentence｜>",
      "<｜User｜>",
      "<｜Assistant｜>",
      "<think>",
      "</think>",
      "<|im_start|>",
      "<|im_end|>",
      "<｜end▁of▁sentence｜>",
    ];
    const own = {
      ...family,
      template,
      special_tokens,
      stop_tokens: [end],
      thinking: { open: "<think>", close: "</think>" },
      training: { reason: "r", overrides: {} },
    };
    expect(checkFamily(own).ok).toBe(true);
    const said = (data: object) => checkFamily(data);
    expect(said({ ...own, thinking: null })).toMatchObject({ ok: false, error: { path: ["thinking"] } });
    expect(said({ ...own, thinking: { open: "<t>", close: "</t>" } })).toMatchObject({ ok: false, error: { path: ["thinking"] } });
    expect(said({ ...own, template: THINKING_TEMPLATES[template]?.instead })).toMatchObject({ ok: false, error: { path: ["thinking"] } });
    expect(said({ ...own, training: { ...own.training, examples: { whole: 0.3, first: 1, first_without_call: 4 } } })).toMatchObject({
      ok: false,
      error: { path: ["training", "examples"] },
    });
  });
});

test("families that do not think leave thoughts out", () => {
  const renderer = createRenderer(smollm2);
  const without = messages.map((m): Message => {
    if (m.role !== "assistant") return m;
    const { reasoning_content: _, ...rest } = m;
    return rest;
  });
  expect(renderer.segments(messages, [])).toEqual(renderer.segments(without, []));
});

test("a thought is split off where it is opened and closed at the head", () => {
  expect(splitThought("<think>\na\n</think>\n\nb")).toEqual({ thought: "a", content: "b" });
  expect(splitThought("a</think>b", undefined, true)).toEqual({ thought: "a", content: "b" });
  for (const other of ["a</think>b", "<think>a", "b <think>a</think>", ""]) expect(splitThought(other)).toBeUndefined();
});
