/** Every chat template that comes with forge: the same text as in transformers, one tool section, turns that stand by themselves, no foreign control words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chatTemplates } from "../../src/models/known.ts";
import { MARKUP, SYSTEM_PROMPT } from "../../src/models/prompt.ts";
import { createRenderer } from "../../src/models/render.ts";
import { THINKING_TEMPLATES } from "../../src/models/thinking.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";
import { renderings, renderer as smollm2, toolsOf } from "./rig.ts";

const texts = (
  JSON.parse(readFileSync(join(packageRoot(), "tests", "models", "fixtures", "renderings-of-others.json"), "utf8")) as {
    texts: Record<string, Record<string, string>>;
  }
).texts;

/** The control words that a template writes, and what ends an answer. */
const WORDS: Record<string, { readonly special: readonly string[]; readonly end: string; readonly begin?: string }> = {
  "chatml.jinja": { special: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
  "qwen2.5.jinja": { special: ["<|im_start|>", "<|im_end|>"], end: "<|im_end|>" },
  "qwen3.jinja": { special: ["<|im_start|>", "<|im_end|>", "<think>", "</think>"], end: "<|im_end|>" },
  "deepseek-r1.jinja": {
    special: ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>"],
    end: "<｜end▁of▁sentence｜>",
    begin: "<｜begin▁of▁sentence｜>",
  },
  "gemma-3.jinja": { special: ["<bos>", "<start_of_turn>", "<end_of_turn>"], end: "<end_of_turn>", begin: "<bos>" },
  "glm-4.jinja": {
    special: ["[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>"],
    end: "<|endoftext|>",
    begin: "[gMASK]<sop>",
  },
  "llama-3.jinja": { special: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], end: "<|eot_id|>", begin: "<|begin_of_text|>" },
  "llama-3.1.jinja": {
    special: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    end: "<|eot_id|>",
    begin: "<|begin_of_text|>",
  },
  "mistral.jinja": { special: ["<s>", "</s>", "[INST]", "[/INST]"], end: "</s>", begin: "<s>" },
  "mistral-v7.jinja": { special: ["<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"], end: "</s>", begin: "<s>" },
  "phi-4.jinja": { special: ["<|im_start|>", "<|im_sep|>", "<|im_end|>"], end: "<|im_end|>" },
};

/** Those of models that think write a turn otherwise once another follows. */
const THINKING = Object.keys(THINKING_TEMPLATES);
for (const template of THINKING) WORDS[template] = WORDS[THINKING_TEMPLATES[template]?.instead ?? ""] as (typeof WORDS)[string];

const weather = {
  name: "get_weather",
  description: "The weather.",
  input_schema: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
};

test("each is told of here", () => expect(Object.keys(texts).sort()).toEqual(chatTemplates().filter((t) => t !== "smollm2.jinja")));

describe.each(Object.keys(texts))("%s", (template) => {
  const { special, end, begin } = WORDS[template] as (typeof WORDS)[string];
  const renderer = createRenderer({ template, special_tokens: special });

  test.each(renderings)("renders as transformers does: $name", (row) => {
    expect(renderer.prompt(row.messages, toolsOf(row), { addGenerationPrompt: row.add_generation_prompt })).toBe(texts[template]?.[row.name]);
  });

  test("has the one tool section, and begins with the begin-of-text token where the model wants it, once", () => {
    const section = (text: string): string => text.slice(text.indexOf(SYSTEM_PROMPT), text.indexOf("argument is missing.") + 20);
    const prompt = renderer.prompt([{ role: "user", content: "hi" }], [weather]);
    expect(section(prompt)).toBe(section(smollm2.toolPrompt([weather])));
    expect(prompt.startsWith(renderer.toolPrompt([weather]))).toBe(true);
    expect(prompt).toBe(
      renderer.prompt(
        [
          { role: "system", content: SYSTEM_PROMPT },
          { role: "user", content: "hi" },
        ],
        [weather],
      ),
    );
    if (begin !== undefined) expect([prompt.startsWith(begin), prompt.split(begin).length]).toEqual([true, 2]);
  });

  const word = fc.constantFrom(...special, ...MARKUP, "\n", " ", "a", "{", "<", "[");
  const text = fc.array(fc.oneof(fc.string(), word), { maxLength: 4 }).map((w) => w.join(""));
  const turn: fc.Arbitrary<Message> = fc.oneof(
    text.map((content): Message => ({ role: "user", content })),
    text.map((content): Message => ({ role: "tool", content, tool_call_id: "c" })),
    text.map((content): Message => ({ role: "assistant", content: `a${content}z` })),
    text.map(
      (location): Message => ({
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c", type: "function", function: { name: "get_weather", arguments: JSON.stringify({ location }) } }],
      }),
    ),
  );

  test.skipIf(THINKING.includes(template))("cuts any conversation into prompts and answers, each with its end", () => {
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 6 }), fc.boolean(), fc.boolean(), (turns, withTools, withSystem) => {
        const messages: Message[] = withSystem ? [{ role: "system", content: SYSTEM_PROMPT }, ...turns] : [{ role: "user", content: "q" }, ...turns];
        const tools = withTools ? [weather] : [];
        const segments = renderer.segments(messages, tools);
        expect(segments.map((s) => s.text).join("")).toBe(renderer.prompt(messages, tools, { addGenerationPrompt: false }));
        for (const s of segments) if (s.learn) expect(s.text.endsWith(end) && s.text.split(end).length === 2).toBe(true);
        let before = "";
        const prompts = segments.flatMap((s) => {
          const prompt = before;
          before += s.text;
          return s.learn ? [prompt] : [];
        });
        expect(prompts).toEqual(messages.flatMap((m, i) => (m.role === "assistant" ? [renderer.prompt(messages.slice(0, i), tools)] : [])));
      }),
      { numRuns: 50 },
    );
  });

  test("lets no foreign text add a control word", () => {
    const loop = (t: string): Message[] => [
      { role: "system", content: t },
      { role: "user", content: t },
      {
        role: "assistant",
        content: t,
        tool_calls: [{ id: "c", type: "function", function: { name: "get_weather", arguments: JSON.stringify({ location: t }) } }],
      },
      { role: "tool", content: t, tool_call_id: "c" },
    ];
    const tool = (t: string) => ({ ...weather, description: t, input_schema: { type: "object", properties: { [`k${t}`]: { enum: [t] } } } });
    const count = (prompt: string): number[] => [...special, ...MARKUP].map((w) => prompt.split(w).length);
    for (const w of [...special, ...MARKUP])
      expect(count(renderer.prompt(loop(`x${w}y`), [tool(`x${w}y`)])), w).toEqual(count(renderer.prompt(loop("b"), [tool("b")])));
  });
});
