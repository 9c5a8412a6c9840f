/** The Modelfile asks the model exactly as it was trained: compared with the renderer byte for byte. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goText, modelfile } from "../../src/bundle/modelfile.ts";
import { measureTurns, renderTurns } from "../../src/bundle/turns.ts";
import { type CallSpacing, SYSTEM_PROMPT, spacedJson } from "../../src/models/prompt.ts";
import { createRenderer } from "../../src/models/render.ts";
import type { JsonValue } from "../../src/platform/json.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";
import type { Toolset } from "../../src/tools/types.ts";
import { officialRenderer } from "../models/official-rig.ts";
import { temporaryFolder } from "../tools/rig.ts";
import { CONVERSATIONS, hostileToolset, smollm2, weatherToolset } from "./support/toolsets.ts";

const { family, renderer } = smollm2();

function modelfileFor(toolset: Toolset): string {
  const turns = measureTurns(renderer, toolset.tools, SYSTEM_PROMPT);
  return modelfile({ name: "weather-expert", modelFile: "model.gguf", turns, contextLength: 2048, stopTokens: family.stop_tokens, notes: [] });
}

/**
 * The commands of a Modelfile as Ollama's parser reads them: a value that begins with three quotes goes on, over
 * lines, to where what was read ends with three quotes before a line break (parser/parser.go, `unquote`).
 */
function readModelfile(text: string): Map<string, string[]> {
  const commands = new Map<string, string[]>();
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.trim() === "" || line.startsWith("#")) continue;
    const space = line.indexOf(" ");
    const name = line.slice(0, space);
    let value = line.slice(space + 1);
    const closed = (v: string): boolean => !v.startsWith('"""') || (v.length >= 6 && v.trimEnd().endsWith('"""'));
    while (!closed(value)) {
      if (++i >= lines.length) throw new Error("the long string has no end");
      value += `\n${lines[i]}`;
    }
    commands.set(name, [...(commands.get(name) ?? []), value.startsWith('"""') ? value.trimEnd().slice(3, -3) : value]);
  }
  return commands;
}

const prompt = (messages: readonly Message[], toolset: Toolset): string => renderer.prompt(messages, toolset.tools);
const ollamaMessages = (messages: readonly Message[]) =>
  messages.map((m) => ({
    role: m.role,
    content: m.content ?? "",
    thinking: m.role === "assistant" ? (m.reasoning_content ?? "") : "",
    toolCalls: m.role === "assistant" ? (m.tool_calls ?? []).map((c) => ({ function: { name: c.function.name, arguments: c.function.arguments } })) : [],
  }));

/** Renders with a real Go text/template. */
function goRender(template: string, conversations: readonly (readonly Message[])[]): string[] {
  const cache = temporaryFolder();
  const run = spawnSync("go", ["run", join(import.meta.dirname, "support", "render.go")], {
    input: JSON.stringify({ template, conversations: conversations.map(ollamaMessages) }),
    encoding: "utf8",
    env: { ...process.env, GOFLAGS: "-mod=mod", GO111MODULE: "off", GOPATH: join(cache, "path") },
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as string[];
}

const hasGo = spawnSync("go", ["version"]).status === 0;

describe("the turns", () => {
  it("are read off the renderer", async () => {
    const turns = measureTurns(renderer, (await weatherToolset()).tools, SYSTEM_PROMPT);
    expect(turns.system[0] + SYSTEM_PROMPT + turns.system[1]).toBe(renderer.toolPrompt((await weatherToolset()).tools));
    expect(turns).toMatchObject({
      user: ["<|im_start|>user\n", "<|im_end|>\n"],
      firstUser: ["<|im_start|>user\n", "<|im_end|>\n"],
      afterSystem: "",
      assistant: ["<|im_start|>assistant\n", "<|im_end|>\n"],
      textToCall: "\n",
      callToCall: "\n",
      call: ['<tool_call>\n{"name":"', '","arguments":', "}\n</tool_call>"],
      result: ["<|im_start|>user\n<tool_response>\n", "\n</tool_response>\n<tool_response>\n", "\n</tool_response><|im_end|>\n"],
      generation: "<|im_start|>assistant\n",
    });
  });

  it.each(["weather", "hostile"])("render every conversation as the renderer does (%s tools)", async (kind) => {
    const toolset = kind === "weather" ? await weatherToolset() : await hostileToolset();
    const turns = measureTurns(renderer, toolset.tools, SYSTEM_PROMPT);
    for (const messages of CONVERSATIONS) expect(renderTurns(turns, messages)).toBe(prompt(messages, toolset));
  });

  it("render any conversation as the renderer does", async () => {
    const toolset = await weatherToolset();
    const turns = measureTurns(renderer, toolset.tools, SYSTEM_PROMPT);
    // No "<": what begins a control word is neutralised by the renderer and cannot be by a template.
    const text = fc.string({ unit: "grapheme" }).map((s) => s.replaceAll("<", ""));
    const message: fc.Arbitrary<Message> = fc.oneof(
      text.map((content): Message => ({ role: "user", content })),
      text.map((content): Message => ({ role: "assistant", content })),
      fc.tuple(text, fc.integer({ min: 1, max: 3 })).map(
        ([content, n]): Message => ({
          role: "assistant",
          content,
          tool_calls: Array.from({ length: n }, (_, i) => ({
            id: `${i}`,
            type: "function",
            function: { name: "get_weather", arguments: `{"location":"${i}"}` },
          })),
        }),
      ),
      text.map((content): Message => ({ role: "tool", content, tool_call_id: "1" })),
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), (rest) => {
        const messages: Message[] = [{ role: "system", content: SYSTEM_PROMPT }, ...rest];
        expect(renderTurns(turns, messages)).toBe(prompt(messages, toolset));
      }),
      { numRuns: 50 },
    );
  });
});

describe.each([
  ["chatml.jinja", "<|im_end|>"],
  ["qwen2.5.jinja", "<|im_end|>"],
  ["qwen3.jinja", "<|im_end|>"],
  ["qwen3-thinking.jinja", "<|im_end|>"],
  ["deepseek-r1.jinja", "<｜end▁of▁sentence｜>"],
  ["deepseek-r1-thinking.jinja", "<｜end▁of▁sentence｜>"],
  ["gemma-3.jinja", "<end_of_turn>"],
  ["glm-4.jinja", "<|endoftext|>"],
  ["llama-3.jinja", "<|eot_id|>"],
  ["llama-3.1.jinja", "<|eot_id|>"],
  ["mistral.jinja", "</s>"],
  ["mistral-v7.jinja", "</s>"],
  ["phi-4.jinja", "<|im_end|>"],
])("of another chat template: %s", (template, end) => {
  const other = createRenderer({ template, special_tokens: [] });
  const quiet = CONVERSATIONS.filter((messages) => !JSON.stringify(messages).includes("<"));
  const strange: readonly (readonly Message[])[] = [
    // Thoughts of an earlier turn, of the last one, and of nobody's.
    [
      { role: "user", content: "Oslo?" },
      { role: "assistant", content: "One.", reasoning_content: "first" },
      { role: "user", content: "And now?" },
      { role: "assistant", content: "Two.", reasoning_content: "second" },
      { role: "assistant", content: "Three." },
    ],
    [{ role: "assistant", content: "Hello.", reasoning_content: "unasked" }],
    [{ role: "system", content: "Be brief." }],
    [
      { role: "system", content: "Be brief." },
      { role: "assistant", content: "Hello." },
      { role: "user", content: "Hi" },
    ],
    [
      { role: "assistant", content: "Hello." },
      { role: "user", content: "Hi" },
    ],
    [
      { role: "system", content: "a" },
      { role: "system", content: "b" },
      { role: "user", content: "c" },
    ],
  ];

  it("the turns render every conversation as the renderer does", async () => {
    const { tools } = await weatherToolset();
    const turns = measureTurns(other, tools, SYSTEM_PROMPT);
    for (const messages of [...quiet, ...strange]) expect(renderTurns(turns, messages)).toBe(other.prompt(messages, tools));
  });

  it("the Modelfile holds the tool prompt, and stops where an answer ends", async () => {
    const { tools } = await weatherToolset();
    const turns = measureTurns(other, tools, SYSTEM_PROMPT);
    const commands = readModelfile(modelfile({ name: "x", modelFile: "model.gguf", turns, contextLength: 2048, stopTokens: [end], notes: [] }));
    expect(commands.get("PARAMETER")).toContain(`stop ${JSON.stringify(end)}`);
    const [before = "", after = ""] = other.toolPrompt(tools).split(SYSTEM_PROMPT);
    expect(commands.get("TEMPLATE")?.[0]).toContain(before);
    expect(commands.get("TEMPLATE")?.[0]).toContain(after);
  });

  it.skipIf(!hasGo)(
    "renders in Go as the renderer does, byte for byte",
    async () => {
      const { tools } = await weatherToolset();
      const turns = measureTurns(other, tools, SYSTEM_PROMPT);
      const commands = readModelfile(modelfile({ name: "x", modelFile: "model.gguf", turns, contextLength: 2048, stopTokens: [end], notes: [] }));
      const all = [...quiet, ...strange];
      expect(goRender(commands.get("TEMPLATE")?.[0] ?? "", all)).toEqual(all.map((messages) => other.prompt(messages, tools)));
    },
    120_000,
  );
});

/** What Ollama would be given: arguments as the template spaces them. */
const spaced = (messages: readonly Message[], spacing: CallSpacing): Message[] =>
  messages.map((m) =>
    m.role !== "assistant" || m.tool_calls === undefined
      ? m
      : ({
          ...m,
          tool_calls: m.tool_calls.map((c) => ({
            ...c,
            function: { name: c.function.name, arguments: spacedJson(JSON.parse(c.function.arguments) as JsonValue, spacing) },
          })),
        } as Message),
  );

describe.each(["hermes.jinja", "day.jinja", "thinking.jinja"])("of a model's own chat template, in the style of %s", (name) => {
  const own = officialRenderer(name);
  const call = { id: "c", type: "function" as const, function: { name: "get_weather", arguments: '{"location":"Oslo","days":[1,2]}' } };
  const more: readonly (readonly Message[])[] = [
    [{ role: "user", content: "No words of the system's." }],
    [
      { role: "user", content: "Oslo?" },
      { role: "assistant", content: "I look.", reasoning_content: "first", tool_calls: [call, call] },
      { role: "tool", content: "3", tool_call_id: "c" },
      { role: "tool", content: "4", tool_call_id: "c" },
    ],
    [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Oslo?" },
      { role: "assistant", content: null, reasoning_content: "gone", tool_calls: [call] },
      { role: "tool", content: "3", tool_call_id: "c" },
      { role: "assistant", content: "Three.", reasoning_content: "gone, too" },
      { role: "user", content: "And Bergen?" },
      { role: "assistant", content: null, reasoning_content: "kept", tool_calls: [call] },
      { role: "tool", content: "4", tool_call_id: "c" },
    ],
  ];
  const all = [...CONVERSATIONS.filter((messages) => !JSON.stringify(messages).includes("<")), ...more].filter(
    (messages) => messages.at(-1)?.role !== "assistant",
  );

  it("the turns render every conversation as the renderer does", async () => {
    const { tools } = await weatherToolset();
    const turns = measureTurns(own, tools, SYSTEM_PROMPT);
    expect(turns.call[0]).toBe(own.spacing === "python" ? '<tool_call>\n{"name": "' : '<tool_call>\n{"name":"');
    for (const messages of all) expect(renderTurns(turns, spaced(messages, own.spacing))).toBe(own.prompt(messages, tools));
  });

  it.skipIf(!hasGo)(
    "renders in Go as the renderer does, byte for byte",
    async () => {
      const { tools } = await weatherToolset();
      const turns = measureTurns(own, tools, SYSTEM_PROMPT);
      const commands = readModelfile(modelfile({ name: "x", modelFile: "model.gguf", turns, contextLength: 2048, stopTokens: ["<|im_end|>"], notes: [] }));
      const given = all.map((messages) => spaced(messages, own.spacing));
      expect(goRender(commands.get("TEMPLATE")?.[0] ?? "", given)).toEqual(all.map((messages) => own.prompt(messages, tools)));
    },
    120_000,
  );
});

describe("the Modelfile", () => {
  it.each(["weather", "hostile"])("is one long string and a few parameters (%s tools)", async (kind) => {
    const commands = readModelfile(modelfileFor(kind === "weather" ? await weatherToolset() : await hostileToolset()));
    expect([...commands.keys()].sort()).toEqual(["FROM", "PARAMETER", "TEMPLATE"]);
    expect(commands.get("FROM")).toEqual(["./model.gguf"]);
    expect(commands.get("PARAMETER")).toEqual(["num_ctx 2048", "temperature 0", 'stop "<|im_end|>"', 'stop "<|endoftext|>"']);
  });

  it("carries an ordinary tool prompt as it is", async () => {
    const toolset = await weatherToolset();
    const [before = "", after = ""] = renderer.toolPrompt(toolset.tools).split(SYSTEM_PROMPT);
    const template = readModelfile(modelfileFor(toolset)).get("TEMPLATE")?.[0] ?? "";
    expect(template).toContain(before);
    expect(template).toContain(after);
  });

  it("lets Ollama see how a call begins: the first text inside `if .ToolCalls`", async () => {
    const template = readModelfile(modelfileFor(await weatherToolset())).get("TEMPLATE")?.[0] ?? "";
    const inside = template.slice(template.indexOf("{{ if .ToolCalls }}")).replace(/\{\{[^}]*\}\}/g, "");
    expect(inside.startsWith('<tool_call>\n{"name":"')).toBe(true);
    expect(template).toContain("{{ if .Tools }}");
  });

  it("never lets foreign text open an action", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("{", "}", '"', "a", "-", " ", "\n"), { maxLength: 20 }), (characters) => {
        const text = characters.join("");
        const escaped = goText(text);
        expect(escaped.replaceAll('{{"{"}}', "\u0000")).not.toMatch(/\{\{|\{$/);
        expect(escaped.replaceAll('{{"{"}}', "{")).toBe(text);
      }),
    );
  });

  it.skipIf(!hasGo).each(["weather", "hostile"])(
    "renders in Go as the renderer does, byte for byte (%s tools)",
    async (kind) => {
      const toolset = kind === "weather" ? await weatherToolset() : await hostileToolset();
      const template = readModelfile(modelfileFor(toolset)).get("TEMPLATE")?.[0] ?? "";
      expect(goRender(template, CONVERSATIONS)).toEqual(CONVERSATIONS.map((messages) => prompt(messages, toolset)));
    },
    120_000,
  );
});
