/** Schemas of strangers: the verdict is plain ajv's where that comes to one, and where it would not end there is an end all the same. */
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { compileArguments, readProperties } from "../../src/data/schema.ts";
import type { JsonObject, JsonValue } from "../../src/platform/json.ts";
import { type CompiledSchema, FOREIGN_SCHEMAS, schemaCompiler } from "../../src/platform/schema-compiler.ts";
import { argumentChecks } from "../../src/tools/arguments.ts";
import { fakeValue } from "../../src/tools/stubs/fake-values.ts";
import { normaliseTools } from "../../src/tools/toolset.ts";

const compile = schemaCompiler(() => new Ajv2020(FOREIGN_SCHEMAS));
const all = schemaCompiler(() => new Ajv2020({ ...FOREIGN_SCHEMAS, allErrors: true }));
const { code: _, guard: __, ...PLAIN } = FOREIGN_SCHEMAS;
const plain = (schema: object, allErrors = false) => new Ajv2020({ ...PLAIN, allErrors }).compile(schema);

const object = (a: JsonValue, more: JsonObject = {}): JsonObject => ({ type: "object", properties: { a }, ...more });
const ref = (name: string): JsonObject => ({ $ref: `#/$defs/${name}` });
/** A table: an object that is written out with a member `then` is one to wait for. */
const iff = (a: JsonValue, b: JsonValue, c: JsonValue): JsonObject =>
  Object.fromEntries(["if", "then", "else"].map((word, i) => [word, [a, b, c][i] as JsonValue]));
const list = <T>(n: number, f: (i: number) => T): T[] => Array.from({ length: n }, (_x, i) => f(i));

/** As the tools' reader has it: a refusal, or the two checks of data and of models, which agree. */
async function read(input_schema: JsonObject): Promise<string | ((args: JsonValue) => boolean)> {
  const tools = await normaliseTools([{ name: "find", description: "", input_schema }], "file", "file:t.json");
  if (!tools.ok) return tools.error.message;
  const [mine, theirs] = [compileArguments(tools.value[0] as never), argumentChecks(tools.value).get("find")];
  return (args) => {
    const valid = mine(args).length === 0;
    expect(theirs?.(args).valid).toBe(valid);
    return valid;
  };
}
const check = async (schema: JsonObject): Promise<(args: JsonValue) => boolean> => {
  const made = await read(schema);
  if (typeof made === "string") throw new Error(made);
  return made;
};

/** Values that meet the schemas made here more often than not. */
const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue>("a", "b", "ab", 1, 2, 0.5, true, null, [], {}),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3, noNullPrototype: true }) as fc.Arbitrary<JsonValue>,
  ),
})).value;

/** Schemas of most keywords. References lead into values, so that all of them end. */
const schema = fc.letrec<{ schema: JsonObject; inside: JsonValue }>((tie) => ({
  inside: fc.oneof(fc.constantFrom<JsonValue>(ref("x"), ref("y"), { $ref: "#" }, true), tie("schema")),
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<JsonObject>(
      { type: "string", pattern: "^(a+)+b?$" },
      { type: ["integer", "null"] },
      { enum: ["a", 1, { a: [1] }, null] },
      { const: { a: "b" } },
      { minLength: 2 },
      { uniqueItems: true },
      { required: ["a"], maxProperties: 2 },
      { dependentRequired: { a: ["b"] } },
      { type: "array", items: { type: ["integer", "string"] }, uniqueItems: true },
    ),
    fc.tuple(tie("inside"), tie("inside")).map(([a, b]): JsonObject => ({ type: "object", properties: { a, b } })),
    tie("inside").map((a): JsonObject => ({ additionalProperties: a })),
    tie("inside").map((items): JsonObject => ({ type: "array", items })),
    tie("inside").map((contains): JsonObject => ({ contains })),
    tie("inside").map((a): JsonObject => ({ patternProperties: { "^[ab]$": a } })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf): JsonObject => ({ anyOf })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((oneOf): JsonObject => ({ oneOf })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((allOf): JsonObject => ({ allOf, unevaluatedProperties: false })),
    tie("schema").map((not): JsonObject => ({ not })),
    fc.tuple(tie("schema"), tie("schema"), tie("schema")).map(([a, b, c]): JsonObject => iff(a, b, c)),
    fc
      .tuple(tie("schema"), tie("inside"))
      .map(([allOf, items]): JsonObject => ({ allOf: [allOf], prefixItems: [items], unevaluatedItems: { type: "string" } })),
  ),
})).schema;

describe("any schema that ends has plain ajv's verdict", () => {
  const whole = fc.tuple(schema, schema, schema).map(([root, x, y]): JsonObject => ({ ...root, $defs: { x, y } }));
  test.each([
    ["to the first problem", compile, false],
    ["with all problems", all, true],
  ])("%s", (_name, compiler, allErrors) => {
    fc.assert(
      fc.property(whole, fc.array(value, { minLength: 3, maxLength: 3 }), (s, values) => {
        const [ours, theirs] = [compiler(s), plain(s, allErrors)];
        for (const v of values) {
          expect([s, v, ours(v)]).toEqual([s, v, theirs(v)]);
          if (!allErrors) expect(ours.errors?.[0]).toEqual(theirs.errors?.[0]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("once results are remembered, too", () => {
    // A tree of two hundred values: far more calls than are made without remembering.
    const tree = (v: JsonValue, depth: number): JsonValue => (depth === 0 ? v : { a: tree(v, depth - 1), b: tree(v, depth - 1), c: v });
    fc.assert(
      fc.property(schema, schema, value, (x, y, v) => {
        const s = { $defs: { x, y }, $ref: "#/$defs/t", properties: { r: { $ref: "#" } } } as unknown as JsonObject;
        const t = {
          anyOf: [{ type: "object", properties: { a: ref("t"), b: ref("t"), c: ref("x") }, required: ["a"], unevaluatedProperties: false }, ref("y"), ref("x")],
        };
        const recursive = { ...s, $defs: { x, y, t } };
        const [ours, theirs] = [compile(recursive), plain(recursive)];
        const data = tree(v, 6);
        expect([recursive, v, ours(data)]).toEqual([recursive, v, theirs(data)]);
      }),
      { numRuns: 40 },
    );
  });
});

describe("schemas that are exponential end, with the right verdict", () => {
  const chain = (word: string, n: number): JsonObject => Object.fromEntries(list(n, (i) => [`d${i}`, { [word]: [ref(`d${i + 1}`), ref(`d${i + 1}`)] }]));
  it.each(["anyOf", "allOf"])("%s of two references, thirty times", async (word) => {
    const valid = await check(object(ref("d0"), { $defs: { ...chain(word, 30), d30: { type: "integer" } } }));
    expect([valid({ a: 1 }), valid({ a: "x" }), valid({ a: [1] })]).toEqual([true, false, false]);
  });

  it("oneOf, not and if", async () => {
    const $defs = {
      ...Object.fromEntries(list(30, (i) => [`d${i}`, iff(ref(`d${i + 1}`), { not: { not: ref(`d${i + 1}`) } }, false)])),
      d30: { type: "integer" },
    };
    const valid = await check(object({ oneOf: [ref("d0"), { type: "string" }] }, { $defs: $defs as JsonObject }));
    expect([valid({ a: 1 }), valid({ a: "x" }), valid({ a: null })]).toEqual([true, true, false]);
  });

  it("a tree that is looked at twice at each level", async () => {
    const a = { properties: { a: ref("n") } };
    const n = { allOf: [a, a], anyOf: [a, a], type: ["object", "integer"] };
    const valid = await check(object(ref("n"), { $defs: { n } }));
    const deep = (inner: JsonValue): JsonValue => list(60, () => 0).reduce<JsonValue>((a) => ({ a }), inner);
    expect([valid(deep(1)), valid(deep("x"))]).toEqual([true, false]);
  });
});

describe("a schema that refers to itself", () => {
  const tree = { type: "object", properties: { v: { type: "integer" }, kids: { type: "array", items: ref("n") } }, required: ["v"] } as unknown as JsonObject;
  it("inside a value is that of a tree", async () => {
    const valid = await check(object(ref("n"), { $defs: { n: tree } }));
    const deep = (v: JsonValue): JsonValue => list(60, () => 0).reduce<JsonValue>((kid) => ({ v: 1, kids: [kid] }), { v });
    expect([valid({ a: deep(2) }), valid({ a: deep("x") })]).toEqual([true, false]);
    const wide = { v: 1, kids: list(3_000, (i) => ({ v: i, kids: [{ v: i }] })) };
    expect([valid({ a: wide }), valid({ a: { ...wide, kids: [...wide.kids, { v: "x" }] } })]).toEqual([true, false]);
  });

  it("by a dynamic reference, too", async () => {
    for (const root of [
      { $dynamicAnchor: "n", properties: { v: { type: "integer" }, k: { $dynamicRef: "#n" } } },
      { properties: { k: { $dynamicRef: "#m" } }, $defs: { m: { $dynamicAnchor: "m", type: "object", properties: { v: { type: "integer" } } } } },
    ]) {
      const valid = await check({ type: "object", ...root } as unknown as JsonObject);
      expect([valid({ k: { v: 1 } }), valid({ k: { v: "x" } })]).toEqual([true, false]);
    }
  });

  it.each<[string, JsonObject, RegExp]>([
    ["the whole", { $ref: "#" }, /the schema as a whole refers to itself/],
    ["a property", object({ $ref: "#/properties/a" }), /`\/properties\/a` refers to itself without going into a value/],
    [
      "two that are each other",
      object(ref("x"), { $defs: { x: { allOf: [ref("y")] }, y: { anyOf: [{ type: "string" }, ref("x")] } } }),
      /`\/\$defs\/[xy]` refers to itself/,
    ],
    ["through if, not and dependentSchemas", object(ref("x"), { $defs: { x: { if: { not: { dependentSchemas: { a: ref("x") } } } } } }), /refers to itself/],
    ["found late", object(ref("x"), { $defs: { x: { properties: { a: ref("y") }, anyOf: [ref("y")] }, y: { anyOf: [ref("x")] } } }), /refers to itself/],
    ["by an anchor", object({ $ref: "#x" }, { $defs: { x: { $anchor: "x", allOf: [{ $ref: "#x" }] } } }), /refers to itself/],
    ["by a name", object({ $ref: "x" }, { $defs: { x: { $id: "x", allOf: [{ $ref: "#" }] } } }), /refers to itself/],
  ])("without going into a value is refused: %s", async (_name, s, message) => {
    expect(await read(s)).toMatch(message);
  });

  it("where nobody comes is nobody's", async () => {
    expect((await check(object({ type: "string" }, { $defs: { x: ref("x") } })))({ a: "b" })).toBe(true);
  });
});

describe("large things", () => {
  it("lists of many objects that are to differ", async () => {
    const valid = await check(object({ type: "array", uniqueItems: true }));
    const items: JsonValue[] = list(20_000, (x) => ({ x, y: [x] }));
    const began = performance.now();
    expect([valid({ a: items }), valid({ a: [...items, { y: [7], x: 7 }] })]).toEqual([true, false]);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect([valid({ a: ["[]", []] }), valid({ a: [1, "1", true, null, "null"] }), valid({ a: [{ constructor: {} }, { constructor: {} }] })]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("names that trip others over", async () => {
    const odd = { valueOf: 1, toString: null, constructor: { a: 1 } } as unknown as JsonObject;
    const valid = await check(object({ anyOf: [{ const: odd }, { enum: [[odd], "x"] }] }));
    const twin = JSON.parse(JSON.stringify(odd)) as JsonValue;
    expect([valid({ a: twin }), valid({ a: [twin] }), valid({ a: "x" }), valid({ a: { ...odd, valueOf: 2 } })]).toEqual([true, true, true, false]);
  });

  it("an enum of many", async () => {
    const valid = await check(object({ enum: list(15_000, (i) => `e${i}`) }));
    expect([valid({ a: "e14999" }), valid({ a: "e15000" })]).toEqual([true, false]);
  });

  it("thirty levels of objects in lists", async () => {
    const s = list(30, () => 0).reduce<JsonObject>((items) => object({ type: "array", items }), { type: "integer" });
    const v = (inner: JsonValue): JsonValue => list(30, () => 0).reduce<JsonValue>((item) => ({ a: [item] }), inner);
    const valid = await check(s);
    expect([valid(v(1)), valid(v("x"))]).toEqual([true, false]);
  });

  it("arguments beyond any stack are no valid ones", async () => {
    const valid = await check(object({ $ref: "#" }));
    const deep = (n: number): JsonValue => list(n, () => 0).reduce<JsonValue>((a) => ({ a }), {});
    expect([valid(deep(200)), valid(deep(100_000))]).toEqual([true, false]);
    expect(compileArguments({ name: "t", description: "", input_schema: object({ $ref: "#" }) } as never)(deep(100_000))).toEqual([
      { keyword: "bounds", path: "", message: "cannot be checked: the arguments are nested too deeply" },
    ]);
    expect((await check(object({ uniqueItems: true })))({ a: [deep(100_000), 1] })).toBe(false);
  });

  it.each<[string, JsonObject, RegExp]>([
    ["too many in one piece", object({ anyOf: list(3_000, () => ({ type: "integer" })) }), /more than 1200 subschemas in one piece/],
    [
      "too many",
      object(ref("d0"), { $defs: Object.fromEntries(list(60, (i) => [`d${i}`, { items: ref(`d${i + 1}`), anyOf: list(100, () => ({})) }])) }),
      /more than 5000 subschemas/,
    ],
    ["too long a way", object(ref("d0"), { $defs: Object.fromEntries(list(300, (i) => [`d${i}`, { items: ref(`d${i + 1}`) }])) }), /more than 400 levels/],
    ["a pattern", object({ pattern: "^((a+)+)\\1$" }), /the pattern "\^\(\(a\+\)\+\)\\\\1\$" at `\/properties\/a` repeats what/],
    ["a pattern of names", object({}, { patternProperties: { "^((a+)+)\\1$": {} } }), /the pattern .* at the schema as a whole repeats/],
  ])("are refused, with the place: %s", async (_name, s, message) => {
    expect(await read(s)).toMatch(message);
  });

  it("much of both", () => {
    const heavy: CompiledSchema = compile(object({ items: { anyOf: list(1_100, (i) => ({ type: "string", minLength: i + 5 })) } }));
    expect([heavy({ a: list(40, () => "x".repeat(1_103)) }), heavy({ a: list(200_000, () => "x") })]).toEqual([true, false]);
    expect(heavy.errors).toMatchObject([{ keyword: "bounds", message: "cannot be checked: it takes too many steps to check these arguments" }]);
  });

  it("problems without end are told of a few", async () => {
    const tools = await normaliseTools([{ name: "t", input_schema: object({ items: { type: "integer" } }) }], "file", "f");
    const told = argumentChecks(tools.ok ? tools.value : []).get("t");
    for (const n of [1_000, 300_000]) expect(told?.({ a: list(n, () => "x") }).problems.length).toBeLessThanOrEqual(20);
  });
});

test("properties of definitions that hold each other many times are read to a depth", () => {
  const many = { type: "object", properties: Object.fromEntries(list(64, (i) => [`p${i}`, ref("m")])) } as unknown as JsonObject;
  const properties = readProperties({ input_schema: { ...many, $defs: { m: many } } } as never);
  expect(properties.map((p) => p.name)).toHaveLength(64);
  expect(properties[63]?.properties).toHaveLength(64);
  const wide = { allOf: list(1_000, (i) => object({}, { required: [`r${i}`] })) } as unknown as JsonObject;
  expect(readProperties({ input_schema: object(ref("w"), { $defs: { w: wide } }) } as never)).toHaveLength(1);
});

test("a made-up list of lists ends", () => {
  const root = { type: "array", minItems: 1, items: { $ref: "#" } } as unknown as JsonObject;
  expect(JSON.stringify(fakeValue(root, "a", { root, args: {}, draw: (low) => low })).length).toBeLessThan(1_000);
});

test("draft-07 is read as it was", () => {
  const old = schemaCompiler(() => new Ajv(FOREIGN_SCHEMAS))({
    properties: { l: { items: [{ type: "integer" }], additionalItems: false } },
    dependencies: { l: ["m"] },
  });
  expect([old({ l: [1], m: 1 }), old({ l: ["x"], m: 1 }), old({ l: [1] })]).toEqual([true, false, false]);
});
