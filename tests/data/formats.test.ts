/** Conversations in other programs' forms: what is written is read back, and what others write is understood. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { convertFile } from "../../src/data/convert.ts";
import { toolsBeside } from "../../src/data/formats/format.ts";
import { FORMATS, formatNamed } from "../../src/data/formats/index.ts";
import { generate } from "../../src/data/generate.ts";
import { asSample, importSamples } from "../../src/data/import.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import type { Message, Sample } from "../../src/data/types.ts";
import { answerPlain, WEIGHTS, weatherSet } from "./fixtures.ts";

const made = async (): Promise<Sample[]> => {
  const plan = planSynthesis({ toolset: weatherSet, samples: 60, minPerTool: 2, scenarios: WEIGHTS, evaluationSamples: 0, seed: 7 });
  const r = await generate({ toolset: weatherSet, plan, seed: 7, session: null, answerPlain });
  if (!r.ok) throw new Error(r.error.message);
  return r.value.train;
};

/** Messages without what a form may have no place for: the ids of calls, and the name beside a result. */
const bare = (messages: readonly Message[]) =>
  messages.map((m) => {
    if (m.role === "tool") return { role: m.role, content: m.content };
    const calls = "tool_calls" in m && m.tool_calls ? m.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]) : [];
    return { role: m.role, content: m.content, calls };
  });
/** Whether every result belongs to the call before it. */
const linked = (messages: readonly Message[]) =>
  messages.every((m, i) => m.role !== "tool" || messages.slice(0, i).some((c) => "tool_calls" in c && c.tool_calls?.some((x) => x.id === m.tool_call_id)));

describe.each(FORMATS.map((f) => [f.name, f] as const))("the form %s", (_, format) => {
  it("is read back as it was written", async () => {
    for (const tools of [[], weatherSet.tools]) {
      for (const s of await made()) {
        const back = asSample(JSON.parse(JSON.stringify(format.write(s, tools))), 1);
        if (typeof back === "string") throw new Error(back);
        expect(bare(back.messages)).toEqual(bare(s.messages));
        expect(linked(back.messages)).toBe(true);
      }
    }
  });

  it("has the tools in it where they are given", async () => {
    if (format.name === "forge") return;
    const [s] = await made();
    expect(JSON.stringify(format.write(s as Sample, weatherSet.tools))).toContain("get_forecast");
    expect(JSON.stringify(format.write(s as Sample, []))).not.toContain('"tools"');
  });
});

it("every form keeps any text, and any arguments", () => {
  const value = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }).filter((v) => !("__proto__" in v));
  // A result in Hermes' tags, or an answer with its call tag, would be read as what it looks like.
  const text = fc.string({ minLength: 1 }).filter((t) => !/<\/?tool_/.test(t));
  fc.assert(
    fc.property(text, value, text, text, (user, args, result, answer) => {
      const messages = [
        { role: "user", content: user },
        { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: JSON.stringify(args) } }] },
        { role: "tool", content: result, tool_call_id: "c" },
        { role: "assistant", content: answer },
      ];
      const sample = asSample({ messages }, 1) as Sample;
      return FORMATS.every((f) => {
        const back = asSample(JSON.parse(JSON.stringify(f.write(sample, []))), 1);
        return typeof back !== "string" && JSON.stringify(bare(back.messages)) === JSON.stringify(bare(sample.messages));
      });
    }),
  );
});

describe("what others write", () => {
  it("Hermes: calls and results in tags, several at once", () => {
    const call = (place: string) => `<tool_call>\n{"name": "get_weather", "arguments": {"location": "${place}"}}\n</tool_call>`;
    const line = {
      conversations: [
        { from: "system", value: "You call functions." },
        { from: "human", value: "Oslo and Lima?" },
        { from: "gpt", value: `Let me look.\n${call("Oslo")}\n${call("Lima")}` },
        { from: "tool", value: '<tool_response>\n{"a": 1}\n</tool_response>' },
        { from: "tool", value: '<tool_response>\n{"a": 2}\n</tool_response>' },
        { from: "gpt", value: "Both fine." },
      ],
    };
    const sample = asSample(line, 1) as Sample;
    expect(sample.tool_name).toBe("get_weather");
    expect(bare(sample.messages)).toEqual([
      { role: "system", content: "You call functions.", calls: [] },
      { role: "user", content: "Oslo and Lima?", calls: [] },
      {
        role: "assistant",
        content: "Let me look.",
        calls: [
          ["get_weather", { location: "Oslo" }],
          ["get_weather", { location: "Lima" }],
        ],
      },
      { role: "tool", content: '{"a": 1}' },
      { role: "tool", content: '{"a": 2}' },
      { role: "assistant", content: "Both fine.", calls: [] },
    ]);
    expect(linked(sample.messages)).toBe(true);
  });

  it("several results in one turn, and a result that looks like tags without end", () => {
    const turn = (value: string) => [
      { from: "human", value: "Both?" },
      { from: "gpt", value: '<tool_call>{"name":"f","arguments":{}}</tool_call><tool_call>{"name":"g","arguments":{}}</tool_call>' },
      { from: "tool", value },
      { from: "gpt", value: "Fine." },
    ];
    const two = asSample({ conversations: turn("<tool_response>1</tool_response>\n<tool_response> 2 </tool_response>") }, 1) as Sample;
    expect(two.messages.filter((m) => m.role === "tool").map((m) => m.content)).toEqual(["1", "2"]);
    expect(linked(two.messages)).toBe(true);
    const started = performance.now();
    asSample({ conversations: turn(`<tool_response>${" ".repeat(200_000)}x`) }, 1);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("a line of any depth, or with anything for a text, is named and ends nothing", () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    const lines = [
      `{"messages":[{"role":"user","content":${deep}},{"role":"assistant","content":"x"}]}`,
      '{"messages":[{"role":"user","content":{"toString":1}},null]}',
    ];
    const read = importSamples(lines.join("\n"), false);
    expect(read.samples).toEqual([]);
    expect(read.unreadable).toHaveLength(2);
  });

  it("a turn of nobody is named", () => {
    const read = importSamples(
      JSON.stringify({
        conversations: [
          { from: "martian", value: "hi" },
          { from: "gpt", value: "hello" },
        ],
      }),
      false,
    );
    expect(read.samples).toEqual([]);
    expect(read.unreadable[0]?.message).toContain("messages.0");
  });

  it("may be anything", () => {
    const turn = fc.oneof(
      fc.jsonValue(),
      fc.record({ from: fc.constantFrom("human", "gpt", "function_call", "tool", "x"), value: fc.oneof(fc.string(), fc.json(), fc.jsonValue()) }),
    );
    fc.assert(
      fc.property(fc.record({ conversations: fc.array(turn), system: fc.jsonValue() }), (line) => {
        const sample = asSample(line, 1);
        return typeof sample === "string" || sample.messages.length >= 2;
      }),
    );
  });
});

describe("other programs' usual shapes", () => {
  const read = (line: unknown): Sample => {
    const sample = asSample(JSON.parse(JSON.stringify(line)), 1);
    if (typeof sample === "string") throw new Error(sample);
    return sample;
  };
  const says = (line: unknown) => read(line).messages.map((m) => [m.role, m.content]);
  const told = { role: "assistant", content: "Fine." };

  it("TRL's prompt and completion: messages, of which the prompt's are not learned from, or texts", () => {
    const prompt = [
      { role: "user", content: "Oslo?" },
      { role: "assistant", content: "Dry." },
      { role: "user", content: "Lima?" },
    ];
    expect(read({ prompt, completion: [told] }).messages).toEqual([prompt[0], { ...prompt[1], weight: 0 }, prompt[2], told]);
    expect(says({ prompt: "The sky is", completion: " blue" })).toEqual([
      ["user", "The sky is"],
      ["assistant", "blue"],
    ]);
    expect(asSample({ prompt: "p", chosen: [told], rejected: [told] }, 1)).toBe("has no list `messages`");
  });

  it("OpenAI's role developer, and contents in parts", () => {
    const messages = [
      { role: "developer", content: [{ type: "text", text: "Be brief." }] },
      {
        role: "user",
        content: [
          { type: "text", text: "Notes: none." },
          { type: "text", text: "Oslo?" },
        ],
      },
      { role: "assistant", content: [{ type: "refusal", refusal: "I would rather not." }] },
    ];
    expect(says({ messages })).toEqual([
      ["system", "Be brief."],
      ["user", "Notes: none.\nOslo?"],
      ["assistant", "I would rather not."],
    ]);
    const picture = { role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] };
    expect(asSample({ messages: [picture, told] }, 1)).toBe("has a message with a part that is no text (`image_url`)");
    expect(typeof asSample({ messages: [{ role: "user", content: [] }, told] }, 1)).toBe("string");
    expect(typeof asSample({ messages: [{ role: "user", content: [null, { text: 1 }] }, told] }, 1)).toBe("string");
  });

  it("`weight: 0` is kept where the form has a place for it", () => {
    const messages = [{ role: "user", content: "Oslo?" }, { ...told, weight: 0 }, { role: "user", content: "Lima?" }, told];
    const s = read({ messages });
    const weights = (name: string) => JSON.stringify(formatNamed(name)?.write(s, [])).match(/"weight":0/g)?.length ?? 0;
    expect(["openai", "forge", "trl", "sharegpt"].map(weights)).toEqual([1, 1, 0, 0]);
  });

  it("the tools of OpenAI's older form", () => {
    expect(toolsBeside({ functions: [{ name: "f", parameters: { type: "object" } }] }).map((t) => t.name)).toEqual(["f"]);
  });
});

describe("converting a file", () => {
  const folder = () => mkdtempSync(join(tmpdir(), "forge-convert-"));

  it("goes there and back, and names what it leaves out", async () => {
    const dir = folder();
    const samples = await made();
    const lines = samples.map((s) => JSON.stringify(s));
    writeFileSync(join(dir, "a.jsonl"), `\ufeff${lines.slice(0, 30).join("\r\n")}\n\n{"half":\n${lines.slice(30).join("\n")}`);
    const there = await convertFile(join(dir, "a.jsonl"), join(dir, "b.jsonl"), formatNamed("sharegpt") as never, []);
    expect(there).toMatchObject({ lines: samples.length + 1, written: samples.length, left: 1, unreadable: [{ line: 32, reason: "json" }] });
    const back = await convertFile(join(dir, "b.jsonl"), join(dir, "c.jsonl"), formatNamed("forge") as never, []);
    expect(back).toMatchObject({ written: samples.length, left: 0 });
    const read = importSamples(readFileSync(join(dir, "c.jsonl"), "utf8"), false).samples;
    expect(read.map((s) => bare(s.messages))).toEqual(samples.map((s) => bare(s.messages)));
    expect(readdirSync(dir).sort()).toEqual(["a.jsonl", "b.jsonl", "c.jsonl"]);
  });

  it("keeps the tools of each line", async () => {
    const dir = folder();
    const [s] = await made();
    const line = JSON.stringify(formatNamed("sharegpt")?.write(s as Sample, weatherSet.tools));
    writeFileSync(join(dir, "a.jsonl"), `${line}\n`);
    expect(await convertFile(join(dir, "a.jsonl"), join(dir, "b.jsonl"), formatNamed("trl") as never, [])).toMatchObject({ written: 1, foreign: { count: 0 } });
    const { tools } = JSON.parse(readFileSync(join(dir, "b.jsonl"), "utf8"));
    expect(tools.map((t: { function: { name: string } }) => t.function.name)).toEqual(weatherSet.tools.map((t) => t.name));
  });

  const talk = (ask: string, args: unknown) => ({
    messages: [
      { role: "user", content: ask },
      { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: args } }] },
      { role: "tool", tool_call_id: "c", content: "{}" },
      { role: "assistant", content: "Fine." },
    ],
  });
  const converted = async (form: string, source: string | Buffer) => {
    const dir = folder();
    writeFileSync(join(dir, "a.jsonl"), source);
    const done = await convertFile(join(dir, "a.jsonl"), join(dir, "b.jsonl"), formatNamed(form) as never, []);
    return { done, text: done.written === 0 ? "" : readFileSync(join(dir, "b.jsonl"), "utf8") };
  };

  it("says what the form has no place for, with the lines", async () => {
    const plain = JSON.stringify(talk("a", {}));
    const [user, call, result, answer] = talk("b", {}).messages;
    const rich = JSON.stringify({
      messages: [user, { ...call, content: "Let me look.", reasoning_content: "I must look." }, result, { ...answer, weight: 0 }],
      tools: [{ type: "function", function: { name: "f", parameters: {} } }],
      meta: 1,
    });
    const lost = async (form: string) =>
      (await converted(form, [plain, rich, rich].join("\n"))).done.lost.map(({ what, count, lines }) => [what, count, lines]);
    const fields = ["other fields (`meta`)", 2, [2, 3]];
    const weight = ["the mark of a turn that is not to be learned from (`weight: 0`)", 2, [2, 3]];
    expect(await lost("openai")).toEqual([fields]);
    expect(await lost("trl")).toEqual([weight, fields]);
    expect(await lost("forge")).toEqual([["tools", 2, [2, 3]], fields]);
    expect(await lost("sharegpt")).toEqual([["thoughts (`reasoning_content`)", 2, [2, 3]], ["a text beside a call", 2, [2, 3]], weight, fields]);
  });

  it("reads a line that is no UTF-8 as Windows-1252, and UTF-16 whole", async () => {
    const lines = [talk("Zürich", {}), talk("café – “now”", {})].map((t) => `${JSON.stringify(t)}\n`) as [string, string];
    const old = Buffer.from(lines[1].replace("–", "\x96").replace("“", "\x93").replace("”", "\x94"), "latin1");
    const mixed = await converted("openai", Buffer.concat([Buffer.from(lines[0]), old]));
    expect(mixed.done).toMatchObject({ written: 2, left: 0, foreign: { count: 1, lines: [2] } });
    expect(mixed.text).toMatch(/Zürich[\s\S]*café – “now”/);
    const wide = await converted("openai", Buffer.from(`\ufeff${lines.join("")}`, "utf16le"));
    expect(wide.done).toMatchObject({ written: 2, left: 0, foreign: { count: 0 } });
    expect(wide.text).toBe(mixed.text);
  });

  it.each([
    ["9007199254740993", "9007199254740992"],
    ["-12345678901234567890", "-12345678901234567000"],
    ["1e400", "null"],
    [`1${"0".repeat(400)}`, "null"],
  ])("never writes %s as %s", async (literal, other) => {
    const asText = JSON.stringify(talk("a", `{"id":${literal}}`));
    const asObject = JSON.stringify(talk("a", "HERE")).replace('"HERE"', `{"id":[${literal}]}`);
    const turns = [
      ["human", "a"],
      ["function_call", `{"name":"f","arguments":{"id":${literal}}}`],
      ["observation", "{}"],
      ["gpt", "Fine."],
    ];
    const shared = JSON.stringify({ conversations: turns.map(([from, value]) => ({ from, value })) });
    for (const [form, line] of [
      ["trl", asText],
      ["sharegpt", asText],
      ["openai", asObject],
      ["trl", shared],
    ] as const) {
      const { done } = await converted(form, `${line}\n`);
      expect(done, form).toMatchObject({ written: 0, left: 1, unreadable: [{ line: 1, reason: "number" }] });
      expect(done.unreadable[0]?.message).toContain(`which would come out as ${other}`);
    }
    // A form with arguments as text keeps them as they are.
    expect((await converted("openai", `${asText}\n`)).text).toContain(`{\\"id\\":${literal}}`);
  });

  it.each(["9007199254740992", "0.1234567890123456789", "1e300", "-0", "1.0", "6.02214076e23"])(
    "takes %s, which every reader reads the same",
    async (literal) => {
      expect((await converted("trl", `${JSON.stringify(talk("a", `{"id":${literal}}`))}\n`)).done).toMatchObject({ written: 1, left: 0 });
    },
  );

  it("a long number that is in no call stands in nobody's way", async () => {
    const line = JSON.stringify({ ...talk("a", { id: 1 }), made: "HERE" }).replace('"HERE"', "17000000001234567891");
    expect((await converted("trl", `${line}\n`)).done).toMatchObject({ written: 1, left: 0 });
  });

  it("writes nothing where there is nothing", async () => {
    const dir = folder();
    writeFileSync(join(dir, "a.jsonl"), "1\nnull\n[]\n");
    expect(await convertFile(join(dir, "a.jsonl"), join(dir, "b.jsonl"), formatNamed("trl") as never, [])).toMatchObject({ lines: 3, written: 0, left: 3 });
    expect(readdirSync(dir)).toEqual(["a.jsonl"]);
    await expect(convertFile(join(dir, "none"), join(dir, "b.jsonl"), formatNamed("trl") as never, [])).rejects.toThrow("ENOENT");
    expect(readdirSync(dir)).toEqual(["a.jsonl"]);
  });
});
