/** `stub: {from: FILE}`: any toolset as a real server; results that follow its schemas, the same every time, some of them errors. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/platform/json.ts";
import { openTools } from "../../src/tools/open.ts";
import { createFake } from "../../src/tools/stubs/fake.ts";
import type { StubAnswer } from "../../src/tools/stubs/stub.ts";
import type { ToolDefinition } from "../../src/tools/types.ts";
import { stubEntry, temporaryFolder } from "./rig.ts";

const tool = (name: string, more: Partial<ToolDefinition> = {}): ToolDefinition => ({
  name,
  description: "",
  input_schema: { type: "object", properties: {} },
  source: "file",
  origin: "file:t",
  ...more,
});

const ask = (t: ToolDefinition, args: JsonObject, seed = 7): StubAnswer => createFake([t], seed).call(t.name, args);
const said = (a: StubAnswer): string => a.content.map((p) => (p.type === "text" ? p.text : "")).join("");
/** The result of the first arguments that do not happen to fail. */
function result(t: ToolDefinition, args: (n: number) => JsonObject = (n) => ({ q: `q${n}` })): JsonObject {
  for (let n = 0; n < 50; n++) {
    const a = ask(t, args(n));
    if (a.isError !== true && a.content.length > 0) return JSON.parse(said(a)) as JsonObject;
  }
  throw new Error("every call fails");
}

describe("results from an output schema", () => {
  const schema = {
    type: "object",
    required: ["id", "price", "tags", "when", "owner", "kind"],
    properties: {
      id: { type: "string", pattern: "^[A-Z]{3}-[0-9]{4}$" },
      price: { type: "number", minimum: 1, maximum: 99 },
      stock: { type: "integer", exclusiveMinimum: 0, multipleOf: 5 },
      tags: { type: "array", items: { type: "string", maxLength: 12 }, minItems: 1, maxItems: 2 },
      when: { type: "string", format: "date-time" },
      owner: { $ref: "#/$defs/person" },
      kind: { enum: ["a", "b"] },
      note: { anyOf: [{ type: "null" }, { type: "string" }] },
      q: { type: "string" },
    },
    $defs: { person: { type: "object", required: ["name"], properties: { name: { type: "string" }, boss: { $ref: "#/$defs/person" } } } },
  };

  it("are valid, for any seed and arguments", () => {
    const check = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    const t = tool("get_item", { output_schema: schema });
    fc.assert(
      fc.property(fc.nat(), fc.string(), (seed, q) => {
        const a = ask(t, { q }, seed);
        if (a.isError === true || a.content.length === 0) return;
        const value = JSON.parse(said(a)) as JsonObject;
        expect(check(value) ? [] : check.errors).toEqual([]);
        expect(value.q).toBe(q.slice(0, 200));
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ["one that holds itself", { type: "object", required: ["a"], properties: { a: { $ref: "#" } } }],
    ["a reference to itself", { type: "object", properties: { a: { $ref: "#/properties/a" } } }],
    [
      "one that grows exponentially",
      { type: "object", required: [..."abcdefghij"], properties: Object.fromEntries([..."abcdefghij"].map((k) => [k, { $ref: "#" }])) },
    ],
    ["a huge array", { type: "object", properties: { a: { type: "array", minItems: 1e9, items: { type: "array", minItems: 1e9, items: { $ref: "#" } } } } }],
    ["a huge text", { type: "object", properties: { a: { type: "string", minLength: 1e9 } } }],
    ["a regex that never ends", { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }],
    ["__proto__", JSON.parse('{"type":"object","properties":{"__proto__":{"type":"object","properties":{"x":{"const":1}}}}}') as JsonObject],
  ])("are small and quick for %s", (_, output_schema) => {
    const started = performance.now();
    const value = result(tool("get_it", { output_schema }));
    expect(JSON.stringify(value).length).toBeLessThan(200_000);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});

describe("results without one", () => {
  it("follow the name and the description", () => {
    const of = (name: string, description = "") => result(tool(name, { description }));
    expect(Object.keys(of("search_flights", "Returns airline, price and duration."))).toEqual(["flights", "total"]);
    expect(of("createTicket")).toMatchObject({ status: "created", ticket_id: expect.stringMatching(/^[A-Z]-\d{4}$/), q: expect.any(String) });
    expect(of("shop.get_product", "Get a product: name, price and stock.")).toMatchObject({
      name: expect.any(String),
      price: expect.any(Number),
      stock: expect.any(Number),
    });
    expect(of("convert_currency")).toMatchObject({ result: expect.any(Number) });
    expect(of("x")).toMatchObject({ result: expect.anything() });
    expect(of("constructor")).toBeTypeOf("object");
  });
});

describe("errors on purpose", () => {
  it("come for what says it is not there, and for a few in a hundred others", () => {
    const t = tool("get_item");
    expect(ask(t, { q: "nonexistent thing" })).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("nonexistent thing") }] });
    const all = Array.from({ length: 1000 }, (_, n) => ask(t, { q: `item ${n}` }));
    const share = (is: (a: StubAnswer) => boolean) => all.filter(is).length / all.length;
    expect(share((a) => a.isError === true && a.late !== true)).toBeCloseTo(0.05, 1);
    expect(share((a) => a.late === true)).toBeGreaterThan(0.005);
    expect(share((a) => a.content.length === 0)).toBeGreaterThan(0.005);
    expect(share((a) => a.isError !== true && a.content.length > 0)).toBeGreaterThan(0.85);
  });

  it("never come for a tool without arguments", () => {
    for (let seed = 0; seed < 200; seed++) expect(ask(tool("ping"), {}, seed)).not.toMatchObject({ isError: true });
  });
});

it("are a real server, the same in every process, other with another seed", async () => {
  const dir = temporaryFolder();
  writeFileSync(
    join(dir, "functions.json"),
    JSON.stringify([
      {
        type: "function",
        function: {
          name: "get_stock",
          description: "Get a stock's price.",
          parameters: { type: "object", properties: { symbol: { type: "string" } }, required: ["symbol"] },
        },
      },
    ]),
  );
  const texts: string[] = [];
  for (const seed of [1, 1, 2]) {
    const session = await openTools([{ stub: { from: "functions.json", seed } }], { dir, stubEntry: await stubEntry() });
    if (!session.ok) throw new Error(session.error.message);
    expect(session.value.toolset.tools[0]).toMatchObject({ name: "get_stock", source: "stub", origin: "stub:functions.json" });
    expect(session.value.canExecute("get_stock")).toBe(true);
    const calls = await Promise.all(["AB", "CD", "EF"].map((symbol) => session.value.call("get_stock", { symbol })));
    texts.push(calls.map((r) => r.text).join("|"));
    expect(await session.value.call("get_stock", {})).toMatchObject({ isError: true, text: expect.stringContaining("symbol") });
    await session.value.close();
  }
  expect(texts[0]).toBe(texts[1]);
  expect(texts[0]).not.toBe(texts[2]);
});
