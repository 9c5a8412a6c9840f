/**
 * The grammar of a toolset's calls, checked by llama.cpp's own grammar engine: it compiles, takes every
 * valid call as we write it, and refuses what cheap rules can tell.
 */
import fc from "fast-check";
import { getLlama, type Llama, type LlamaGrammar } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toolCallGrammar } from "../../src/evaluation/grammar.ts";
import { spacedJson } from "../../src/models/prompt.ts";
import type { JsonObject, JsonValue } from "../../src/platform/json.ts";
import { compileSchema } from "../../src/tools/arguments.ts";
import { tool, toolset } from "./rig.ts";

let llama: Llama;
beforeAll(async () => {
  llama = await getLlama({ build: "never", gpu: false, progressLogs: false, skipDownload: true });
});
afterAll(async () => {
  await llama.dispose();
});

/** node-llama-cpp's grammar can test a text; its types do not say so. */
type Tester = LlamaGrammar & { _testText(text: string): boolean };
const compile = async (schema: JsonObject) =>
  (await llama.createGrammar({ grammar: toolCallGrammar({ tools: [{ ...tool("f", {}, []), input_schema: schema }] }) })) as Tester;
const text = (args: unknown, name = "f") => `{"name":"${name}","arguments":${typeof args === "string" ? args : JSON.stringify(args)}}\n</tool_call>`;

test("takes the toolset's calls, compact, and only them", async () => {
  const grammar = (await llama.createGrammar({ grammar: toolCallGrammar(toolset) })) as Tester;
  const takes = (t: string) => grammar._testText(t);
  expect(takes(text({ location: "Paris" }, "get_weather"))).toBe(true);
  expect(takes(text({ location: "Paris", days: 14 }, "get_forecast"))).toBe(true);
  expect(takes(text({ location: "Paris" }, "get_forecast"))).toBe(true);
  expect(takes(`${text({ location: "a" }, "get_weather")}\n<tool_call>\n${text({ location: "b" }, "get_weather")}`)).toBe(true);
  for (const wrong of [
    text({ location: "Paris", days: 15 }, "get_forecast"),
    text({ days: 3 }, "get_forecast"),
    text({}, "get_weather"),
    text({ location: 3 }, "get_weather"),
    text({ location: "x", more: 1 }, "get_weather"),
    text({ location: "Paris" }, "get_wether"),
    text('{"location": "Paris"}', "get_weather"),
    text({ location: "Paris" }, "get_weather").replace("\n</tool_call>", ""),
  ])
    expect(takes(wrong), wrong).toBe(false);
});

test("takes calls that are spaced as a model's own template spaces them, and no others", async () => {
  const schema = { type: "object", properties: { a: { type: "array", items: { type: "integer" } }, b: { enum: [{ c: [1, 2] }, "x"] }, d: {} } } as JsonObject;
  const grammar = (await llama.createGrammar({ grammar: toolCallGrammar({ tools: [{ ...tool("f", {}, []), input_schema: schema }] }, "python") })) as Tester;
  const spaced = (args: JsonValue): string => `${spacedJson({ name: "f", arguments: args }, "python")}\n</tool_call>`;
  expect(spaced({ a: [1, 2], d: "x" })).toBe('{"name": "f", "arguments": {"a": [1, 2], "d": "x"}}\n</tool_call>');
  for (const args of [{}, { a: [] }, { a: [1, 2, 3], b: { c: [1, 2] } }, { b: "x", d: { e: [null, { f: 1, g: "," }] } }] as JsonValue[]) {
    expect(grammar._testText(spaced(args)), spaced(args)).toBe(true);
    if (JSON.stringify(args).includes(",") || JSON.stringify(args) === "{}") expect(grammar._testText(text(args))).toBe(false);
  }
  expect(grammar._testText(`${spaced({ a: [1] })}\n<tool_call>\n${spaced({ a: [2] })}`)).toBe(true);
});

describe("constructs", () => {
  test.each<[string, JsonObject, unknown[], unknown[]]>([
    [
      "enum and const",
      { type: "object", properties: { a: { enum: ['x\n"\\', "é", 1, null, true] }, b: { const: { k: [1] } } } },
      [{ a: 'x\n"\\' }, { a: "é" }, { a: 1 }, { a: null, b: { k: [1] } }, {}],
      [{ a: "y" }, { b: 1 }],
    ],
    [
      "optional keys around needed ones",
      { type: "object", properties: { a: {}, b: {}, c: {}, d: {} }, required: ["c"] },
      [{ c: 1 }, { a: 1, c: 1 }, { b: 1, c: 1, d: 1 }, { a: 1, b: 1, c: 1, d: 1 }],
      [{ a: 1 }, { a: 1, d: 1 }, {}],
    ],
    [
      "integers",
      { type: "object", properties: { a: { type: "integer", minimum: -2, exclusiveMaximum: 3 }, b: { type: "integer", minimum: 0 }, c: { type: "integer" } } },
      [{ a: -2 }, { a: 2, b: 123456, c: -7 }],
      [{ a: 3 }, { b: -1 }, { c: 1.5 }],
    ],
    [
      "numbers",
      { type: "object", properties: { a: { type: "number" }, b: { type: "number", minimum: 0 } } },
      [{ a: -1.25e-7, b: 0.5 }, { a: 3 }, { a: 1e21 }],
      [{ b: -1 }, { a: "1" }],
    ],
    [
      "arrays",
      {
        type: "object",
        properties: {
          a: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 2 },
          b: { type: "array", items: { type: "object", properties: { x: { type: "boolean" } }, required: ["x"] } },
        },
      },
      [{ a: ["x"] }, { a: ["x", "y"], b: [] }, { b: [{ x: true }, { x: false }] }],
      [{ a: [] }, { a: ["x", "y", "z"] }, { b: [{}] }],
    ],
    [
      "several types",
      {
        type: "object",
        properties: { a: { type: ["string", "null"] }, b: { anyOf: [{ type: "integer" }, { type: "boolean" }] }, c: { type: "string", nullable: true } },
      },
      [
        { a: null, b: true, c: null },
        { a: "x", b: 1 },
      ],
      [{ a: 1 }, { b: "x" }],
    ],
    [
      "lengths of text",
      { type: "object", properties: { a: { type: "string", minLength: 2, maxLength: 3 } } },
      [{ a: "日本" }, { a: "abc" }, { a: '""' }],
      [{ a: "a" }, { a: "abcd" }],
    ],
    [
      "references, also to themselves",
      {
        type: "object",
        properties: { t: { $ref: "#/$defs/tree" } },
        $defs: { tree: { type: "object", properties: { v: { type: "integer" }, kids: { type: "array", items: { $ref: "#/$defs/tree" } } }, required: ["v"] } },
      } as JsonObject,
      [{ t: { v: 1, kids: [{ v: 2, kids: [] }, { v: 3 }] } }],
      [{ t: { kids: [] } }],
    ],
    [
      "references in a circle without content",
      { type: "object", properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { type: "string" }] } } },
      [{ a: "x" }],
      [{ b: 1 }],
    ],
    ["free objects", { type: "object" }, [{}, { anything: [1, { x: null }] }], [[], "x"]],
    [
      "more keys where the schema says so",
      { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: { type: "integer" } },
      [{ a: "x" }, { a: "x", b: 1, c: 2 }],
      [{ a: "x", b: "y" }, { b: 1 }],
    ],
    [
      "what it does not understand: any JSON",
      { type: "object", properties: { a: { not: { type: "string" } } }, patternProperties: { "^x": {} } },
      [{ x1: 1 }, { a: 1 }],
      [[1]],
    ],
    ["no keys", { type: "object", properties: {}, additionalProperties: false }, [{}], [{ a: 1 }]],
  ])("%s", async (_, schema, right, wrong) => {
    const grammar = await compile(schema);
    for (const args of right) expect(grammar._testText(text(args)), JSON.stringify(args)).toBe(true);
    for (const args of wrong) expect(grammar._testText(text(args)), JSON.stringify(args)).toBe(false);
  });
});

test("every valid object in the schema's order is taken", async () => {
  const key = fc
    .oneof(fc.constantFrom("a", "b", "c", "long_name", "with space", 'quo"te', "日本", "__proto__"), fc.string({ minLength: 1, maxLength: 6 }))
    .filter((k) => !/^\d+$/.test(k));
  /** A schema together with values that are valid under it. */
  interface Pair {
    readonly schema: JsonObject;
    readonly value: fc.Arbitrary<JsonValue>;
  }
  const leaf: fc.Arbitrary<Pair> = fc.oneof(
    fc.constant<Pair>({ schema: { type: "string" }, value: fc.string({ unit: "binary" }) }),
    fc.constant<Pair>({ schema: { type: "boolean" }, value: fc.boolean() }),
    fc.constant<Pair>({ schema: { type: "number" }, value: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
    fc.tuple(fc.integer({ min: -300, max: 300 }), fc.integer({ min: 0, max: 300 })).map<Pair>(([minimum, range]) => ({
      schema: { type: "integer", minimum, maximum: minimum + range },
      value: fc.integer({ min: minimum, max: minimum + range }),
    })),
    fc.constant<Pair>({ schema: { type: "integer" }, value: fc.maxSafeInteger() }),
    fc
      .array(fc.oneof(fc.string(), fc.integer(), fc.boolean()), { minLength: 1, maxLength: 4 })
      .map<Pair>((values) => ({ schema: { enum: values }, value: fc.constantFrom(...values) })),
    fc.constant<Pair>({ schema: {}, value: fc.jsonValue({ maxDepth: 2 }).map((v) => v as JsonValue) }),
  );
  const pair = fc.letrec<{ any: Pair; object: Pair }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 2 },
      leaf,
      tie("object"),
      tie("any").chain((p) =>
        fc
          .integer({ min: 0, max: 2 })
          .map((minItems): Pair => ({ schema: { type: "array", items: p.schema, minItems }, value: fc.array(p.value, { minLength: minItems, maxLength: 4 }) })),
      ),
    ),
    object: fc.uniqueArray(fc.tuple(key, tie("any"), fc.boolean()), { selector: ([k]) => k, maxLength: 4 }).map((members): Pair => {
      const schema = {
        type: "object",
        properties: Object.fromEntries(members.map(([k, p]) => [k, p.schema])),
        required: members.flatMap(([k, , needed]) => (needed ? [k] : [])),
      };
      const parts = members.map(
        ([k, p, needed]) =>
          (needed
            ? p.value.map((v) => [[k, v]])
            : fc.option(
                p.value.map((v) => [[k, v]]),
                { nil: [] },
              )) as fc.Arbitrary<[string, JsonValue][]>,
      );
      return { schema, value: fc.tuple(...parts).map((entries) => Object.fromEntries(entries.flat())) };
    }),
  })).object;
  await fc.assert(
    fc.asyncProperty(
      pair.chain(({ schema, value }) => fc.tuple(fc.constant(schema), fc.array(value, { minLength: 1, maxLength: 5 }))),
      async ([schema, values]) => {
        const check = compileSchema(schema);
        expect(check.ok, JSON.stringify(schema)).toBe(true);
        const grammar = await compile(schema);
        for (const args of values) {
          if (check.ok && !check.value(args).valid) continue;
          expect(grammar._testText(text(args)), `${JSON.stringify(args)} under ${JSON.stringify(schema)}`).toBe(true);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("stays small for a toolset of hundreds of tools", () => {
  const wide = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, { type: "integer", minimum: 0, maximum: 100 }]));
  const many = { tools: Array.from({ length: 200 }, (_, i) => tool(`tool_${i}`, wide, [])) };
  expect(toolCallGrammar(many).length).toBeLessThan(200_000);
});
