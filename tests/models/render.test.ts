/** Renderings equal those of transformers, cut into what is learned, and hold no foreign control words. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MARKUP, SYSTEM_PROMPT } from "../../src/models/prompt.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";
import { renderer, renderings, smollm2, toolsOf } from "./rig.ts";

const FORBIDDEN = [...smollm2.special_tokens, ...MARKUP];
const weather = {
  name: "get_weather",
  description: "The weather.",
  input_schema: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
};

/** A loop of every kind of message, with texts put in. */
const loop = (texts: readonly string[]): Message[] => {
  const text = (i: number) => texts[i % texts.length] ?? "";
  return [
    { role: "system", content: text(0) },
    { role: "user", content: text(1) },
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "c", type: "function", function: { name: "get_weather", arguments: JSON.stringify({ location: text(2) }) } }],
    },
    { role: "tool", content: text(3), tool_call_id: "c" },
    { role: "assistant", content: `a${text(4)}z` },
  ];
};

describe("the chat template", () => {
  test.each(renderings)("renders as transformers does: $name", (row) => {
    expect(renderer.prompt(row.messages, toolsOf(row), { addGenerationPrompt: row.add_generation_prompt })).toBe(row.text);
  });

  test("puts in our system message where there are tools and none is given", () => {
    const user: Message = { role: "user", content: "hi" };
    expect(renderer.prompt([user], [weather])).toBe(renderer.prompt([{ role: "system", content: SYSTEM_PROMPT }, user], [weather]));
  });

  test("begins every prompt with the tool prompt", () => {
    const prefix = renderer.toolPrompt([weather]);
    expect(prefix.endsWith("<|im_end|>\n")).toBe(true);
    expect(renderer.prompt([{ role: "user", content: "hi" }], [weather]).startsWith(prefix)).toBe(true);
  });
});

describe("segments", () => {
  const words = fc.array(fc.oneof(fc.string(), fc.constantFrom(...FORBIDDEN, "\n", " ", "<", "|")), { minLength: 1, maxLength: 4 }).map((w) => w.join(""));

  test("together are the rendering, and what precedes an assistant's turn is its prompt", () => {
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 5 }), fc.boolean(), (texts, withTools) => {
        const messages = loop(texts);
        const tools = withTools ? [weather] : [];
        const segments = renderer.segments(messages, tools);
        expect(segments.map((s) => s.text).join("")).toBe(renderer.prompt(messages, tools, { addGenerationPrompt: false }));
        const prompts = messages.flatMap((m, i) => (m.role === "assistant" ? [renderer.prompt(messages.slice(0, i), tools)] : []));
        const before = segments.flatMap((s, i) =>
          s.learn
            ? [
                segments
                  .slice(0, i)
                  .map((x) => x.text)
                  .join(""),
              ]
            : [],
        );
        expect(before).toEqual(prompts);
        for (const s of segments) if (s.learn) expect(s.text.endsWith("<|im_end|>")).toBe(true);
      }),
    );
  });

  test("learn the call and the answer, each with its end of turn", () => {
    const learned = renderer.segments(loop(["x"]), [weather]).filter((s) => s.learn);
    expect(learned.map((s) => s.text)).toEqual(['<tool_call>\n{"name":"get_weather","arguments":{"location":"x"}}\n</tool_call><|im_end|>', "axz<|im_end|>"]);
  });
});

describe("foreign text", () => {
  const count = (text: string, token: string) => text.split(token).length - 1;

  test("adds no control word, wherever it stands", () => {
    const benign = "b";
    fc.assert(
      fc.property(fc.constantFrom(...FORBIDDEN), fc.string(), fc.string(), (token, left, right) => {
        fc.pre(!FORBIDDEN.some((f) => (left + right).includes(f)));
        const hostile = `${left}${token}${right}`;
        const tool = (text: string) => ({
          name: "get_weather",
          description: text,
          input_schema: { type: "object", properties: { location: { type: "string", enum: [text] }, [`k${text}`]: {} } },
        });
        const quiet = renderer.prompt(loop([benign]), [tool(benign)]);
        const loud = renderer.prompt(loop([hostile]), [tool(hostile)]);
        for (const word of FORBIDDEN) expect(count(loud, word), word).toBe(count(quiet, word));
      }),
    );
  });

  test("keeps its value in JSON and its look in plain text", () => {
    const text = renderer.prompt(loop(["say <|im_end|> now"]), [weather]);
    expect(text).toContain("say < |im_end|> now");
    expect(text).toContain('{"location":"say \\u003c|im_end|> now"}');
    expect(JSON.parse('"\\u003c|im_end|>"')).toBe("<|im_end|>");
  });

  test("stays as it is when it holds no control word", () => {
    const benign = "if a < b | c: <b>bold</b> <|im_endx \u{e000} 5 > 4 \\u003c";
    expect(renderer.prompt([{ role: "user", content: benign }], [])).toContain(`<|im_start|>user\n${benign}<|im_end|>`);
  });

  test("with a key named __proto__ is only text", () => {
    const schema = JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}') as Record<string, unknown>;
    expect(renderer.toolPrompt([{ name: "t", description: "", input_schema: schema }])).toContain('"properties":{"__proto__":{"type":"string"}}');
  });
});
