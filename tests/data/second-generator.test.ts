/** The generator that judges nano: its calls keep to its own schemas, and what it asks is in the request. */
import { expect, test } from "vitest";
import { judged } from "../../bench/nano/generator.ts";
import { makeToolset } from "../../src/data/curriculum/toolsets.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { compileSchema } from "../../src/tools/arguments.ts";

test("every call that is due is valid, and the same seed asks the same", () => {
  for (let i = 0; i < 12; i++) {
    const { functions, cases } = judged(3, i, 1 + (i % 6), 20);
    expect(functions).toHaveLength(1 + (i % 6));
    expect(cases.filter((c) => c.expect === null)).toHaveLength(4);
    for (const { expect: due, messages } of cases) {
      expect(messages[0]?.content).not.toMatch(/[{}]/);
      for (const call of due ?? []) {
        const check = compileSchema(functions.find((f) => f.name === call.name)?.parameters as JsonObject);
        if (!check.ok) throw new Error(check.error);
        const args = Object.fromEntries(Object.entries(call.arguments).map(([name, [value]]) => [name, value]));
        expect(check.value(args), JSON.stringify(call)).toEqual({ valid: true, problems: [] });
      }
    }
    expect(judged(3, i, 1 + (i % 6), 20)).toEqual({ functions, cases });
  }
});

test("no tool of it is one of the curriculum's", () => {
  const trained = new Set(Array.from({ length: 300 }, (_, i) => makeToolset(1, i).tools.map((t) => t.name)).flat());
  for (let i = 0; i < 20; i++) for (const f of judged(1, i, 6, 5).functions) expect(trained.has(f.name as string)).toBe(false);
});
