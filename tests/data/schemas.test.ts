/** Input schemas as generators and servers write them: what the teacher makes of each, and that both sides are held to the same. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { readCalls } from "../../src/data/checks/check.ts";
import { generate } from "../../src/data/generate.ts";
import { planSynthesis } from "../../src/data/plan.ts";
import { compileArguments, readProperties } from "../../src/data/schema.ts";
import { unsayable } from "../../src/data/teacher/builtin/unsayable.ts";
import { textLike } from "../../src/data/teacher/builtin/values/patterns.ts";
import type { JsonObject, JsonValue } from "../../src/platform/json.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { argumentChecks } from "../../src/tools/arguments.ts";
import { normaliseTools } from "../../src/tools/toolset.ts";
import { answerPlain, toolset, WEIGHTS } from "./fixtures.ts";

async function toolOf(input_schema: JsonObject) {
  const tools = await normaliseTools([{ name: "list_issues", description: "Lists the issues of a project.", input_schema }], "file", "file:t.json");
  if (!tools.ok) throw new Error(tools.error.message);
  return tools.value;
}

/** The arguments of the training calls of one tool, all of which both compilers accept. */
async function callsOf(input_schema: JsonObject): Promise<JsonObject[]> {
  const set = toolset(await toolOf(input_schema));
  const plan = planSynthesis({ toolset: set, samples: 40, minPerTool: 5, scenarios: WEIGHTS, evaluationSamples: 10, seed: 3 });
  const made = await generate({ toolset: set, plan, seed: 3, session: null, answerPlain });
  if (!made.ok) throw new Error(made.error.message);
  expect(made.value.statistics.short).toEqual([]);
  const [mine, theirs] = [compileArguments(set.tools[0] as (typeof set.tools)[0]), argumentChecks(set.tools).get("list_issues")];
  const calls = made.value.train
    .filter((s) => s.scenario !== "error")
    .flatMap((s) => readCalls(s).flatMap((c) => (c.value === undefined ? [] : [c.value as JsonObject])));
  for (const args of calls) expect([mine(args), theirs?.(args).problems], JSON.stringify(args)).toEqual([[], []]);
  expect(calls.length).toBeGreaterThan(10);
  return calls;
}

const required = (name: string, schema: JsonObject, root: JsonObject = {}): JsonObject => ({
  type: "object",
  properties: { [name]: schema },
  required: [name],
  ...root,
});
const values = async (name: string, schema: JsonObject, root?: JsonObject): Promise<JsonValue[]> =>
  (await callsOf(required(name, schema, root))).map((a) => a[name] as JsonValue);

describe("the teacher says every value that a schema allows", () => {
  it.each<[string, JsonObject]>([
    ["constants of anyOf", { anyOf: [{ const: "newest" }, { const: "oldest" }, { const: "most-commented" }] }],
    [
      "one-value enums of oneOf",
      {
        oneOf: [
          { type: "string", enum: ["newest"] },
          { type: "string", enum: ["oldest"] },
          { type: "string", const: "most-commented" },
        ],
      },
    ],
    ["an enum by reference into a list", { $ref: "#/definitions/choices/anyOf/1" }],
    ["an enum by an escaped reference", { $ref: "#/definitions/a~1b%20c" }],
  ])("%s", async (_, schema) => {
    const choice = { type: "string", enum: ["newest", "oldest", "most-commented"] };
    const found = await values("order", schema, { definitions: { choices: { anyOf: [{ type: "null" }, choice] }, "a/b c": choice } });
    expect(new Set(found)).toEqual(new Set(["newest", "oldest", "most-commented"]));
  });
});

describe("values have the form that their schema states", () => {
  it.each<[string, string, JsonObject]>([
    ["a UUID", "project_id", { type: "string", format: "uuid" }],
    ["a time of RFC 3339", "start_time", { type: "string", format: "time" }],
    ["a colour's pattern", "label", { type: "string", pattern: "^#[0-9a-fA-F]{6}$" }],
    ["letters and digits", "code", { type: "string", pattern: "^[A-Z]{3}-\\d{4}$" }],
    ["an escape that unicode patterns refuse", "slug", { type: "string", pattern: "^[\\w-.]+\\-x$" }],
    ["a narrow open range", "threshold", { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }],
    ["a narrow closed range", "threshold", { type: "number", minimum: 0.1, maximum: 0.9 }],
    ["nothing above zero", "offset", { type: "integer", maximum: 0 }],
    ["cents", "price", { type: "number", multipleOf: 0.01, minimum: 0.5, maximum: 20 }],
    ["months of seconds", "retention", { type: "integer", minimum: 2_592_000, maximum: 31_536_000, description: "Retention in seconds, 30 days to a year" }],
    ["odd seconds", "timeout", { type: "integer", minimum: 3700, maximum: 7000, description: "Timeout in seconds" }],
    ["few seconds", "window", { type: "integer", maximum: 300, description: "Window in seconds" }],
    ["places of a list", "point", { type: "array", prefixItems: [{ type: "number" }, { type: "number" }], items: false, minItems: 2, maxItems: 2 }],
    ["a list of places, as draft-07 has it", "point", { type: "array", items: [{ type: "number" }, { type: "string" }], minItems: 2, additionalItems: false }],
    ["names of one's own", "labels", { type: "object", additionalProperties: { type: "string" }, minProperties: 1 }],
    ["a name of JavaScript's", "constructor", { type: "string", description: "The team, for example 'Ferrari' or 'McLaren'." }],
    ["no schema at all", "anything", {}],
  ])("%s", async (_, name, schema) => {
    expect(new Set((await values(name, schema)).map((v) => JSON.stringify(v))).size).toBeGreaterThan(1);
  });

  it("where several schemas hold, and where the root is a reference", async () => {
    const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const days = { type: "object", properties: { days: { type: "integer", minimum: 1, maximum: 9 } }, required: ["days"] };
    for (const root of [
      { type: "object", allOf: [{ $ref: "#/$defs/city" }, days], $defs: { city } },
      { type: "object", $ref: "#/$defs/both", $defs: { city, both: { allOf: [city, days] } } },
    ])
      for (const args of await callsOf(root as unknown as JsonObject)) expect(Object.keys(args).sort()).toEqual(["city", "days"]);
  });

  it("a required name without a definition is a name all the same", async () => {
    const properties = readProperties({ input_schema: { type: "object", properties: {}, required: ["city", "__proto__"] } } as never);
    expect(properties.map((p) => [p.name, p.required, p.type])).toEqual([["city", true, "any"]]);
  });
});

test("what is required and may be null is null where nobody says it", async () => {
  const schema = {
    type: "object",
    properties: { city: { type: "string" }, unit: { type: ["string", "null"], enum: ["celsius", "fahrenheit", null] } },
    required: ["city", "unit"],
    additionalProperties: false,
  };
  const calls = await callsOf(schema);
  expect(new Set(calls.map((a) => a.unit))).toEqual(new Set(["celsius", "fahrenheit", null]));
});

test("so it is in objects, and where the null comes through allOf", async () => {
  const text = { type: ["string", "null"] };
  const guest = {
    type: "object",
    properties: { name: { type: "string" }, email: text, note: text, city: text },
    required: ["name", "email", "note", "city"],
    additionalProperties: false,
  };
  const calls = await callsOf(required("guest", guest));
  expect(calls.some((a) => (a.guest as JsonObject).email === null) && calls.every((a) => "note" in (a.guest as JsonObject))).toBe(true);
  const [property] = readProperties({
    input_schema: required("x", { allOf: [{ $ref: "#/$defs/n" }] }, { $defs: { n: { anyOf: [{ type: "string" }, { type: "null" }] } } }),
  } as never);
  expect(property).toMatchObject({ type: "string", nullWhenUnsaid: true });
});

test("a schema that refers to itself everywhere is read all the same", () => {
  const twice = { allOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a" }, { $ref: "#/$defs/b" }] };
  expect(readProperties({ input_schema: required("x", { $ref: "#/$defs/a" }, { $defs: { a: twice, b: { allOf: [twice, twice] } } }) } as never)).toHaveLength(
    1,
  );
});

test("a usual value that fits a pattern comes before one that is made up; items of lists have their form too", async () => {
  const cities = (await values("city", { type: "string", pattern: "^[A-Za-z ]+$" })) as string[];
  expect(cities.filter((c) => /[a-z][A-Z]/.test(c))).toEqual([]);
  const ids = (await values("ids", { type: "array", items: { type: "string", format: "uuid" }, minItems: 1 })) as string[][];
  expect(ids.flat().every((id) => /^[0-9a-f]{8}-/.test(id))).toBe(true);
});

test("names that somebody chose are no keywords", async () => {
  const schema = {
    type: "object",
    properties: { nullable: { type: "string" }, title: { type: "string" } },
    dependentRequired: { title: ["nullable"] },
    dependencies: { nullable: ["title"] },
  };
  expect((await toolOf(schema))[0]?.input_schema).toEqual(schema);
});

test("of what cannot be called it is told what stands in the way", async () => {
  const of = async (schema: JsonObject) => unsayable(toolset(await toolOf(schema)));
  expect(await of(required("city", { type: "string" }))).toEqual([]);
  expect(await of(required("code", { type: "string", pattern: "^(?!x)(a)\\\\1$" }))).toEqual([
    expect.stringMatching(/no call of `list_issues`: it finds no value of `code` that its `pattern` takes.*exclude: \[list_issues\]/),
  ]);
  expect(await of({ ...required("city", { type: "string" }), not: {} })).toEqual([expect.stringContaining("refuses every combination")]);
});

describe("a text like a pattern", () => {
  test.each([
    "^[A-Z]{2,3}$",
    "^(?:red|green)-\\d+$",
    "^\\+?[0-9]{7,12}$",
    "^v\\d+\\.\\d+(\\.\\d+)?$",
    "[^a-z]x?",
    "^(?<year>20\\d\\d)-Q[1-4]$",
    "^[a-z][a-z0-9_-]*$",
    "a|b|c",
  ])("%s", (pattern) => {
    for (let seed = 0; seed < 30; seed++) expect(textLike(pattern, rngFor(seed, "t"))).toMatch(new RegExp(pattern));
  });
  test.each(["(?=x)y", "(a)\\1", "\\p{L}+", "[a", "(a", "*a", `${"(".repeat(40)}${"){9}".repeat(40)}`, "a{999}", "x".repeat(400)])("none of %s", (pattern) => {
    expect(textLike(pattern, rngFor(1, "t"))).toBeNull();
  });
  test("any text at all is read in time", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary-ascii", maxLength: 60 }),
        fc.integer(),
        (pattern, seed) => (textLike(pattern, rngFor(seed, "t"))?.length ?? 0) <= 80,
      ),
    );
  });
});
