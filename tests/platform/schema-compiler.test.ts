/** Schemas of strangers do not see each other, whether their compiler is kept or not. */
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { schemaCompiler } from "../../src/platform/schema-compiler.ts";

test("schemas of one id, or with references of one name, are told apart; plain ones share a compiler", () => {
  let made = 0;
  const compile = schemaCompiler(() => {
    made += 1;
    return new Ajv({ strict: false, logger: false });
  });
  const named = (type: string) => compile({ $id: "https://example.com/a", $defs: { x: { type } }, properties: { v: { $ref: "#/$defs/x" } } });
  const [text, number] = [named("string"), named("number")];
  expect([text({ v: "a" }), text({ v: 1 }), number({ v: "a" }), number({ v: 1 })]).toEqual([true, false, false, true]);
  expect(made).toBe(2);
  const schema = { properties: { v: { type: "string" } } };
  const [one, same, other] = [compile(schema), compile(schema), compile({ properties: { v: { type: "number" } } })];
  expect([one({ v: "a" }), same({ v: 1 }), other({ v: 1 }), one({ v: 1 })]).toEqual([true, false, true, false]);
  expect(made).toBe(3);
});

test("a schema that cannot be compiled throws, and the next is compiled all the same", () => {
  const compile = schemaCompiler(() => new Ajv({ strict: false, logger: false }));
  expect(() => compile({ type: "nothing" })).toThrow();
  expect(() => compile({ properties: { v: { pattern: "(" } } })).toThrow();
  expect(compile({ type: "object" })({})).toBe(true);
});
