/** Models' own chat templates: rendered as transformers does, judged by a round trip, held within bounds, learned as they are asked with. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { trainingExamples } from "../../src/models/examples.ts";
import { ggufText } from "../../src/models/gguf.ts";
import { strftimeNow, stripped } from "../../src/models/official/python-text.ts";
import { reasonOf, roundTrip, verdictOf } from "../../src/models/official/round-trip.ts";
import { compileOfficial, MOST_TEMPLATE, type OfficialTemplate, TemplateError } from "../../src/models/official/template.ts";
import { parseOutput } from "../../src/models/parse.ts";
import { createRenderer, rowsOf } from "../../src/models/render.ts";
import { rendererOf } from "../../src/models/rendering.ts";
import { splitThought } from "../../src/models/thinking.ts";
import { cacheDir, packageRoot } from "../../src/platform/paths.ts";
import { FailureError } from "../../src/platform/result.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";
import { ALOUD, CHATML, official, officialFamily, officialRenderer } from "./official-rig.ts";
import { type Rendering, renderings, smollm2, toolsOf } from "./rig.ts";

const fixture = (name: string) => JSON.parse(readFileSync(join(packageRoot(), "tests", "models", "fixtures", name), "utf8"));
const texts = fixture("renderings-of-official.json").texts as Record<string, Record<string, string | null>>;
const thoughts = fixture("renderings-of-thoughts.json").rows as Rendering[];

describe.each(Object.keys(texts))("%s", (name) => {
  // Whether it can be used or not: what it writes is the same everywhere.
  const family = name === "thinking.jinja" ? ALOUD : CHATML;
  const renderer = rendererOf({ ...family, official: { ...official(name), rewrites: true, spacing: "python" } });
  test.each(name === "thinking.jinja" ? thoughts : renderings)("renders as transformers does: $name", (row) => {
    const render = () => renderer.prompt(row.messages, toolsOf(row), { addGenerationPrompt: row.add_generation_prompt });
    const text = texts[name]?.[row.name];
    if (typeof text === "string") expect(render()).toBe(text);
    else expect(render).toThrow(/^the model's own chat template refuses the conversation \(“One call at a time!”\)$/);
  });
});

describe("a round trip", () => {
  const judged = (name: string, family = CHATML) => roundTrip(official(name), family);
  const edited = (from: string, to: string, name = "hermes.jinja", family = CHATML) => {
    const { text, ...named } = official(name);
    expect(text).toContain(from);
    return roundTrip({ text: text.replaceAll(from, to), ...named }, family);
  };

  test("says of a template that keeps everything how it writes calls, and whether it rewrites turns", () => {
    const all = { tools: true, calls: true, several: true, words: true, results: true };
    expect(judged("hermes.jinja")).toMatchObject({ usable: true, kept: { ...all, thoughts: null }, rewrites: false, spacing: "python", problems: [] });
    expect(judged("day.jinja")).toMatchObject({ usable: true, rewrites: false, spacing: "compact" });
    expect(judged("thinking.jinja", ALOUD)).toMatchObject({ usable: true, kept: { ...all, thoughts: true }, rewrites: true, plain: "same" });
    expect(verdictOf(judged("hermes.jinja"))).toBe("keeps tools, calls, results");
    expect(verdictOf(judged("thinking.jinja", ALOUD))).toBe("keeps tools, calls, results and thoughts; cuts earlier thoughts: one row per turn");
    expect(verdictOf(judged("day.jinja"))).toContain("asks for the day");
  });

  test.each<[string, string]>([
    ["bare.jinja", "shows no tools, drops calls"],
    ["null-content.jinja", "shows no tools, drops calls that come with content (be it empty)"],
    ["brackets.jinja", "refuses two calls in one turn (“One call at a time!”), drops the words beside a call, changes or repeats results"],
    ["thinking.jinja", "has the model think, which needs --thinking"],
  ])("says what another loses: %s", (name, verdict) => {
    const tried = judged(name);
    expect(tried.usable).toBe(false);
    expect(verdictOf(tried)).toBe(verdict);
  });

  test.each<[what: string, from: string, to: string, problem: string]>([
    ["content after calls", "message.content %}\n            {{- '\\n' + message.content }}", "false %}", "drops the words beside a call"],
    ["results", "message.content + '\\n</tool_response>'", "(message.content | trim | upper) + '\\n</tool_response>'", "drops results"],
    ["a schema", "(tool | tojson)", "tool.function.name", "shows tools in part only"],
    ["the name of arguments", '"arguments": ', '"parameters": ', "writes a call as"],
    ["the end of a turn", "<|im_end|>", "</s>", "does not end a turn with <|im_end|>, once"],
    ["tags of results", "<tool_response>", "<result>", "writes results otherwise than between <tool_response>"],
    ["a second call", "for tool_call in message.tool_calls", "for tool_call in message.tool_calls[:1]", "drops two calls in one turn"],
    ["a line", "message.role + '\\n' + message.content", "message.role + '\\n' + message.content.split('u2')[0]", "loses, repeats or moves messages"],
    [
      "control words",
      "message.content + '\\n</tool_response>'",
      "message.content.replace('< ', '<') + '\\n</tool_response>'",
      "lets control words of foreign text through",
    ],
    ["the prompt", "'<|im_start|>assistant\\n' }}", "'<|im_start|>assistant\\n> ' }}", "writes a turn otherwise than it asks for one"],
  ])("sees a template that loses or changes %s", (_, from, to, problem) => {
    expect(verdictOf(edited(from, to))).toContain(problem);
  });

  test("sees a thought in another form", () => {
    expect(verdictOf(edited("\\n</think>\\n\\n", "</think>\\n", "thinking.jinja", ALOUD))).toBe("writes thoughts in another form than forge reads");
    expect(verdictOf(edited("thought.strip('\\n')", "''", "thinking.jinja", ALOUD))).toBe("drops thoughts");
  });

  test("a use that was not shown to lose nothing is refused, whoever says that it was", () => {
    const good = officialFamily("hermes.jinja");
    expect(() => createRenderer(good)).not.toThrow();
    for (const used of [
      { ...official("bare.jinja"), rewrites: false, spacing: "python" as const },
      { ...official("hermes.jinja"), rewrites: true, spacing: "python" as const },
      { ...official("hermes.jinja"), rewrites: false, spacing: "compact" as const },
    ])
      expect(() => createRenderer({ ...CHATML, official: used })).toThrow(FailureError);
  });

  const cached = existsSync(join(cacheDir(), "models")) ? readdirSync(join(cacheDir(), "models")).find((n) => n.startsWith("smollm2-default-")) : undefined;
  test.skipIf(cached === undefined)("of SmolLM2's own template says what the family's file has", () => {
    const text = ggufText(join(cacheDir(), "models", cached ?? "", "model.gguf"), "tokenizer.chat_template") ?? "";
    expect(text).toContain("named SmolLM");
    expect(smollm2.chat).toEqual({ template: "ours", reason: reasonOf(roundTrip({ text }, smollm2)) });
  });
});

describe("what is learned", () => {
  const word = fc.constantFrom("a", " ", "\n", "{", "<|im_end|>", "<tool_call>", "</think>", "日本", "é");
  const words = fc.array(word, { maxLength: 5 }).map((w) => `x${w.join("")}y`);
  const turn: fc.Arbitrary<Message> = fc.oneof(
    words.map((content): Message => ({ role: "user", content })),
    words.map((content): Message => ({ role: "tool", content, tool_call_id: "c" })),
    fc.tuple(words, words).map(([content, reasoning_content]): Message => ({ role: "assistant", content, reasoning_content })),
    fc.tuple(words, fc.option(words, { nil: null }), fc.boolean()).map(
      ([location, content, two]): Message => ({
        role: "assistant",
        content,
        tool_calls: (two ? [1, 2] : [1]).map((n) => ({
          id: `${n}`,
          type: "function",
          function: { name: "f", arguments: JSON.stringify({ location, n }) },
        })) as never,
      }),
    ),
  );
  const tool = { name: "f", description: "F.", input_schema: { type: "object", properties: { location: { type: "string" } } } };

  test.each(["hermes.jinja", "day.jinja", "thinking.jinja"])("is what the assistant says, after the prompt of inference: %s", (name) => {
    const renderer = officialRenderer(name);
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 5 }), (turns) => {
        const messages: Message[] = [{ role: "system", content: "s" }, { role: "user", content: "q" }, ...turns];
        const said = messages.filter((m) => m.role === "assistant");
        const rows = rowsOf(renderer, messages, [tool]);
        const learned = rows.flatMap((row) => (renderer.rowPerTurn ? [row.filter((s) => s.learn)] : row.filter((s) => s.learn).map((s) => [s])));
        expect(learned).toHaveLength(said.length);
        for (const [i, segments] of learned.entries()) {
          const text = segments.map((s) => s.text).join("");
          expect(text.endsWith("<|im_end|>") && text.split("<|im_end|>").length === 2).toBe(true);
          const found = renderer.thinking === undefined ? undefined : splitThought(text.slice(0, -"<|im_end|>".length));
          const { calls, problem } = parseOutput(found?.content ?? text.slice(0, -"<|im_end|>".length));
          const made = said[i]?.role === "assistant" ? (said[i].tool_calls ?? []) : [];
          expect(calls).toEqual(made.map((c) => ({ name: c.function.name, arguments: JSON.parse(c.function.arguments) })));
          if (made.length > 0) expect(problem).toBeUndefined();
        }
        if (renderer.rowPerTurn) {
          const at = messages.flatMap((m, i) => (m.role === "assistant" ? [i] : []));
          for (const [k, i] of at.entries()) {
            // After its own message a model is asked for nothing.
            if (messages[i - 1]?.role === "assistant") expect(rows[k]?.[0]?.text.endsWith("<|im_end|>\n<|im_start|>assistant\n")).toBe(true);
            else expect(rows[k]?.[0]?.text).toBe(renderer.prompt(messages.slice(0, i), [tool]));
          }
        } else expect(rows[0]?.map((s) => s.text).join("")).toBe(renderer.prompt(messages, [tool], { addGenerationPrompt: false }));
      }),
      { numRuns: 25 },
    );
  });

  test("of a template that rewrites turns is a row a turn, with an empty thought where none was given", () => {
    const renderer = officialRenderer("thinking.jinja");
    const messages: Message[] = [
      { role: "user", content: "q" },
      { role: "assistant", content: "a" },
      { role: "user", content: "r" },
      { role: "assistant", content: "b", reasoning_content: "t" },
    ];
    const sample = { id: "s", source: "seed", scenario: "no_tool", kind: "plain", tool_name: null, frame: "", qc_passed: true, messages } as const;
    const rows = trainingExamples([sample], renderer, [], { whole: 0.1, first: 2, first_without_call: 2 });
    expect(rows.map((r) => r.id)).toEqual(["s#turn1", "s#turn2"]);
    expect(rows.map((r) => r.segments.filter((s) => s.learn).map((s) => s.text))).toEqual([
      ["<think>\n\n</think>\n\n", "a<|im_end|>"],
      ["<think>\nt\n</think>\n\n", "b<|im_end|>"],
    ]);
  });
});

describe("a hostile template", () => {
  const NS = "{% set ns = namespace(x='abababab', y=['a']) %}";
  const BIG = `${NS}{% for i in range(16) %}{% set ns.x = ns.x + ns.x %}{% endfor %}`;
  const grow = (step: string): string => `${NS}{% for i in range(200) %}${step}{% endfor %}{{ ns.x }}{{ ns.y | tojson }}`;
  const again = (step: string): string => `${BIG}{% for i in range(9999) %}${step}{% endfor %}`;
  const large = /a value of more than|something too large/;
  const steps = /more steps than a chat template needs/;
  test.each<[string, string, RegExp]>([
    ["a long range", "{% for i in range(1000000000) %}x{% endfor %}", /a range of more than 10000 numbers/],
    ["nested loops", "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", steps],
    ["nested loops over a filter", "{% for i in range(9999) %}{% for j in range(9999) if false %}{% endfor %}{% endfor %}", steps],
    ["doubling by +", grow("{% set ns.x = ns.x + ns.x %}"), large],
    ["doubling by ~", grow("{% set ns.x = ns.x ~ ns.x %}"), large],
    ["doubling by a block", grow("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"), large],
    ["doubling lists", grow("{% set ns.y = ns.y + ns.y %}"), large],
    ["lists in lists", grow("{% set ns.y = [ns.y, ns.y] %}"), large],
    ["mappings in mappings", grow("{% set ns.y = {'a': ns.y, 'b': ns.y} %}"), large],
    ["deep lists", `${NS}{% for i in range(9999) %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.y | tojson }}`, /256 levels/],
    ["a value in itself", `${NS}{% set ns.x = ns %}{{ ns }}`, /namespace inside another value/],
    ["a value in a list in itself", `${NS}{% set ns.y = [ns] %}{{ ns.y }}`, /namespace inside another value/],
    ["a value in itself by a keyword", `${NS}{% set m = namespace(n=ns) %}{{ m }}`, /namespace inside another value/],
    ["replace", grow("{% set ns.x = ns.x.replace('a', ns.x) %}"), large],
    ["replace by a filter", grow("{% set ns.x = ns.x | replace('a', ns.x) %}"), large],
    ["replace of nothing", grow("{% set ns.x = ns.x.replace('', ns.x) %}"), large],
    ["replace by a computed name", grow("{% set ns.x = ns.x['repl' + 'ace']('a', ns.x) %}"), large],
    ["replace kept as a value", "{% set f = 'a'.replace %}{{ f('a', 'b') }}", /keeps a method as a value/],
    ["replace in a list", "{% for f in ['a'.replace] %}{{ f('a', 'b') }}{% endfor %}", /keeps a method as a value/],
    ["join", grow("{% set ns.x = ns.x | join(ns.x) %}"), large],
    ["join by a keyword", grow("{% set ns.x = ns.x | join(separator=ns.x) %}"), large],
    ["indent", "{{ 'a\nb' | indent(1000000000) }}", /an indentation that is not between/],
    ["indent by a keyword", "{{ 'a\nb' | indent(width=1000000000) }}", /an indentation that is not between/],
    ["indented JSON", "{{ messages | tojson(indent=1000000000) }}", /an indentation that is not between/],
    ["separators of JSON", "{{ messages | tojson(separators=(messages | string * 1, 'x' ~ messages | string)) }}", /cannot be|is not used/],
    ["arguments by *", "{% set l = ['a', 'b'] %}{{ 'a'.replace(*l) }}", /hands over arguments by \*/],
    ["a filter block", "{% filter replace('a', 'b') %}a{% endfilter %}", /a block \{% filter %\}/],
    ["a call block", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}a{% endcall %}", /a block \{% call %\}/],
    ["a macro that never ends", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", /nests more than 400 levels/],
    ["a macro that calls itself twice", "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}", steps],
    ["a large macro defined again and again", `{% for i in range(9999) %}{% macro f(x) %}${"{{ x }}".repeat(9000)}{% endmacro %}{% endfor %}`, steps],
    ["much written often", again("{{ ns.x }}"), /more steps|too large|more than/],
    ["much in capitals often", again("{% set z = ns.x.upper() %}"), steps],
    ["much looked through often", again("{% set z = 'ba' in ns.x %}"), steps],
    ["much compared often", again("{% set z = ns.x == ns.x %}"), steps],
    ["much cut often", again("{% set z = ns.x.split('a') | length %}"), steps],
    ["much sliced often", again("{% set z = ns.x[::2] %}"), steps],
    ["deep parentheses", `{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`, /cannot be read|nests more/],
    ["a long sum", `{{ ${"1+".repeat(50_000)}1 }}`, /nests more than 400 levels/],
    ["chance", "{{ [1, 2] | random }}", /cannot be rendered/],
    ["what is not Jinja", "{{ raise_exception.constructor('return process')() }}", /cannot be rendered/],
    ["a refusal that steers a terminal", "{{ raise_exception('no\u001b[31m\n!') }}", /^refuses the conversation \(“no \[31m !”\)$/],
  ])("that has %s ends by itself, and says why", (_, text, why) => {
    const compiled = compileOfficial({ text });
    const message = (() => {
      if (!compiled.ok) return compiled.error;
      try {
        compiled.value.render({ messages: [{ role: "user", content: "hello" }], tools: null, add_generation_prompt: true });
        return "rendered";
      } catch (e) {
        if (e instanceof TemplateError) return e.reason;
        throw e;
      }
    })();
    expect(message).toMatch(why);
  });

  test("is no reason for a round trip to fail", () => {
    for (const text of [
      grow("{% set ns.x = ns.x + ns.x %}"),
      "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
      "{{ raise_exception('no') }}",
      "{% if %}",
    ]) {
      const tried = roundTrip({ text }, CHATML);
      expect([tried.usable, tried.problems.length > 0, verdictOf(tried).length < 500]).toEqual([false, true, true]);
    }
  });

  test("is refused before it is read where it is empty, too long, or would be another text to Python", () => {
    const refused = (o: OfficialTemplate) => {
      const compiled = compileOfficial(o);
      return compiled.ok ? "" : compiled.error;
    };
    expect(refused({ text: " \n" })).toBe("is empty");
    expect(refused({ text: "x".repeat(MOST_TEMPLATE + 1) })).toContain("characters, and may have");
    expect(refused({ text: "a\r\nb" })).toContain("carriage returns");
    expect(refused({ text: "{% if %}" })).toContain("cannot be read");
  });

  test("has room for a long conversation with many tools", () => {
    const renderer = officialRenderer("hermes.jinja");
    const tools = Array.from({ length: 128 }, (_, i) => ({
      name: `tool_${i}`,
      description: "It does something that takes a sentence to say. ".repeat(8),
      input_schema: {
        type: "object",
        properties: Object.fromEntries(Array.from({ length: 12 }, (_, k) => [`key_${k}`, { type: "string", description: "A key." }])),
      },
    }));
    const messages = Array.from({ length: 400 }, (_, i): Message => ({ role: i % 2 === 0 ? "user" : "assistant", content: "word ".repeat(200) }));
    expect(renderer.prompt(messages, tools).length).toBeGreaterThan(500_000);
  });
});

describe("Python's way", () => {
  test("the clock stands still, and knows Python's words for its parts", () => {
    expect(strftimeNow("%d %b %Y, %A %-d.%-m. %H:%M 100%%")).toBe("26 Jul 2024, Friday 26.7. 00:00 100%");
    expect(() => strftimeNow("%Z")).toThrow("does not know");
    expect(() => strftimeNow(1)).toThrow();
  });

  test("characters are taken off as Python takes them off", () => {
    expect(stripped("\n \na \n", "\n", "strip")).toBe(" \na ");
    expect(stripped("\n \na \n", undefined, "lstrip")).toBe("a \n");
    expect(stripped("xyabyx", "xy", "rstrip")).toBe("xyab");
    // A byte order mark is white space to JavaScript alone, a file separator to Python alone.
    expect(stripped("\ufeffa\x1c\u3000", undefined, "strip")).toBe("\ufeffa");
    const compiled = compileOfficial({ text: "{{ messages[0].content.lstrip('\n') }}|{{ ' a '.strip() }}" });
    if (!compiled.ok) throw new Error(compiled.error);
    expect(compiled.value.render({ messages: [{ content: "\n\n  b" }] })).toBe("  b|a");
  });
});
