/** The quick look at an answer never passes what the whole check would not. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { groundedAnswer } from "../../src/data/checks/grounded-answer.ts";
import { surelyGrounded } from "../../src/data/checks/grounded-quick.ts";
import type { Sample } from "../../src/data/types.ts";

const number = fc.oneof(
  fc.integer({ min: -20, max: 40 }).map(String),
  fc.constantFrom("12.5", "1,234", "5e3", "007", "-5", "1.50", "12:30", "0.1", "2.", "3,5", "1e21"),
);
const word = fc.constantFrom(
  "Oslo",
  "rain",
  "clear sky",
  "°C",
  "(",
  "–",
  "UTC",
  "done",
  "confirmed",
  "error",
  "no",
  "west",
  "",
  "\n",
  "1. ",
  "T",
  "$",
  "\\u0031\\u0032",
  "zwölf",
  "could not be found",
  "Error: timed out",
  "nothing",
  "<think>",
  ",",
  ".",
);
const text = fc.array(fc.oneof(number, word), { maxLength: 12 }).chain((parts) => fc.constantFrom(" ", "", " ").map((by) => parts.join(by)));
const leaf = fc.oneof(
  fc.integer({ min: -20, max: 40 }),
  fc.constantFrom(12.5, 1234, 5000, 0.1, 1e21),
  fc.constantFrom("Oslo", "rain", "clear sky", "confirmed", "in 5 days", "20:00", "2026-07-05", "error", "", "12"),
);
const record = fc.dictionary(
  fc.constantFrom("a", "b 7", "status", "error", "ok", "list"),
  fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.boolean(), fc.constant(null)),
  { maxKeys: 4 },
);
const result = fc.oneof(
  { weight: 4, arbitrary: record.map((r) => JSON.stringify(r)) },
  fc.tuple(record, record).map(([a, b]) => `${JSON.stringify(a).slice(0, -1)}, ${JSON.stringify(b).slice(1)}`),
  text,
  fc.constantFrom("[]", "{}", " [ ] ", "null", "false", "", "Error: no such place", "All is well", "[{}]"),
);
/** An answer that mostly says what the results hold. */
const turn = fc
  .tuple(text, result, result, text, fc.array(fc.constantFrom(true, true, false), { minLength: 9, maxLength: 9 }))
  .map(([user, args, found, more, take]): Sample["messages"] => {
    const held = (found.match(/[\w .:-]+/g) ?? []).filter((_, i) => take[i] === true);
    return [
      { role: "user", content: take[7] === true ? "weather please" : user },
      { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: take[6] === true ? "{}" : args } }] },
      { role: "tool", content: found, tool_call_id: "c" },
      { role: "assistant", content: `${held.join(" ")} ${take[8] === true ? "" : more}` },
    ];
  });

/** A decent one, and a value or a number too much now and then. */
const decent = fc
  .tuple(
    fc.dictionary(fc.constantFrom("a", "b 7", "status", "d"), fc.oneof(leaf, fc.array(leaf, { maxLength: 3 })), { minKeys: 1, maxKeys: 4 }),
    fc.option(number, { freq: 3 }),
    fc.option(text, { freq: 4 }),
    fc.nat(3),
  )
  .map(([found, extra, said, less]): Sample["messages"] => [
    { role: "user", content: said ?? "weather please" },
    { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: '{"q":"rain"}' } }] },
    { role: "tool", content: JSON.stringify(found), tool_call_id: "c" },
    {
      role: "assistant",
      content: ["There is", ...Object.values(found).flat().slice(less).map(String), ...(extra === null ? [] : [extra]), "today, nothing more."].join(" "),
    },
  ]);

it("passes nothing that fails, and not too little", () => {
  let passed = 0;
  fc.assert(
    fc.property(
      fc.array(fc.oneof(turn, decent), { minLength: 1, maxLength: 2 }),
      fc.constantFrom<Sample["scenario"]>("standard", "standard", "error"),
      fc.constantFrom("plain", "empty"),
      (turns, scenario, kind) => {
        const sample: Sample = {
          id: "s",
          source: "seed",
          scenario,
          kind,
          tool_name: "f",
          frame: "",
          qc_passed: true,
          messages: turns.flat() as Sample["messages"],
        };
        if (!surelyGrounded(sample)) return;
        passed++;
        expect(groundedAnswer.run(sample, { calls: [], argumentChecks: new Map(), toolset: { version: 1, hash: "", tools: [] } } as never)).toBeNull();
      },
    ),
    { numRuns: 10_000 },
  );
  expect(passed).toBeGreaterThan(50);
});
