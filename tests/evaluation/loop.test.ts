/** Tool loops with a scripted model: what is executed, what is fed back, how loops end, how they are judged. */
import { describe, expect, test } from "vitest";
import { runLoops } from "../../src/evaluation/loop.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { validate } from "../../src/schemas/generated/loop-record.validate.js";
import { renderer } from "../models/rig.ts";
import { call, oneCase, scripted, session, toolset } from "./rig.ts";

const weather = session((_, args) => ({ text: JSON.stringify({ location: args.location ?? "", temperature_c: 18, condition: "light rain" }) }));
const due = [{ name: "get_weather", arguments: { location: ["Paris"] } }];
const run = async (o: Partial<Parameters<typeof runLoops>[0]> & Pick<Parameters<typeof runLoops>[0], "engine" | "cases">) => {
  const result = await runLoops({ renderer, toolset, session: weather, ...o });
  if (!result.ok) throw new Error(result.error.message);
  for (const record of result.value) expect(validate(JSON.parse(JSON.stringify(record))), JSON.stringify(validate.errors)).toBe(true);
  return result.value;
};
/** Calls for Paris, then says what came back. */
const good = (last: string) => (last.includes("<tool_response>") ? "It is 18 °C in Paris, with light rain." : call("get_weather", { location: "Paris" }));

describe("a loop", () => {
  test("calls, executes, reads the result and answers", async () => {
    const engine = scripted(good);
    const [record] = await run({ engine, cases: [oneCase("a", "How is Paris?", due)] });
    expect(record).toMatchObject({
      ok: true,
      ended: "answer",
      answer: "It is 18 °C in Paris, with light rain.",
      calls: [{ name: "get_weather", arguments: { location: "Paris" } }],
    });
    expect(record?.steps[0]?.results).toEqual([
      { text: '{"location":"Paris","temperature_c":18,"condition":"light rain"}', is_error: false, timed_out: false, origin: "executed" },
    ]);
    expect(record?.judgement).toMatchObject({ due: "call", exact: true, completed: true, grounded: true, slots_due: 1, slots_right: 1 });
    const [first, second] = engine.prompts;
    expect(second?.prompt.startsWith(first?.prompt as string)).toBe(true);
    expect(second?.prompt).toContain('<tool_response>\n{"location":"Paris"');
    expect(first?.prompt.startsWith(first?.prefix as string)).toBe(true);
  });

  test.each([
    ["a call that is not JSON", "<tool_call>\n{oops\n</tool_call>", "not JSON"],
    ["a tool that is not there", call("get_wether", { location: "Paris" }), "there is no tool"],
    ["arguments against the schema", call("get_forecast", { location: "Paris", days: 40 }), "days"],
  ])("ends at %s, and nothing is executed", async (_, output, problem) => {
    const none = session(() => ({ text: "never" }));
    const [record] = await run({ engine: scripted(() => output), cases: [oneCase("a", "Paris?", due)], session: none });
    expect(record).toMatchObject({ ok: false, ended: "invalid_call", problem: expect.stringContaining(problem) as string });
    expect(none.calls).toEqual([]);
  });

  test("with a call too many is not exact, unless the call before it failed", async () => {
    const again = (last: string, n: number) => (n < 2 ? call("get_weather", { location: "Paris" }) : good(last));
    let n = 0;
    const [twice] = await run({ engine: scripted((last) => again(last, n++)), cases: [oneCase("a", "How is Paris?", due)] });
    expect(twice).toMatchObject({ ok: false, ended: "answer", judgement: { exact: false, tool_right: true, slots_right: 1 } });
    n = 0;
    let calls = 0;
    const failing = session((_, args) =>
      args.location !== undefined && calls++ === 0
        ? { text: "busy", isError: true }
        : { text: JSON.stringify({ location: args.location ?? "", temperature_c: 18, condition: "light rain" }) },
    );
    const [retried] = await run({ engine: scripted((last) => again(last, n++)), cases: [oneCase("a", "How is Paris?", due)], session: failing });
    expect(retried?.judgement).toMatchObject({ exact: true, completed: true });
  });

  test("ends when the model only ever calls", async () => {
    const counting = session(() => ({ text: "{}" }));
    const [record] = await run({
      engine: scripted(() => call("get_weather", { location: "Paris" })),
      cases: [oneCase("a", "Paris?", due)],
      session: counting,
      maxSteps: 3,
    });
    expect(record).toMatchObject({ ok: false, ended: "step_limit", answer: null });
    expect(counting.calls).toHaveLength(2);
  });

  test("with an answer that is cut off has not ended well, and says so", async () => {
    const [record] = await run({
      engine: scripted(() => "It is 18 °C in Paris, with light rain."),
      cases: [oneCase("a", "How is Paris?", null)],
      maxTokens: 3,
    });
    expect(record).toMatchObject({ ok: false, ended: "token_limit", answer: "It is 18", problem: "the answer was cut off after 10 tokens" });
    expect(record?.judgement.reasons).toEqual(["the answer was cut off after 10 tokens"]);
  });

  test("does not execute what may not be executed", async () => {
    const closed = session(() => null);
    const [record] = await run({
      engine: scripted((l) => (l.includes("<tool_response>") ? "Done." : call("get_weather", { location: "Paris" }))),
      cases: [oneCase("a", "Paris?", due)],
      session: closed,
    });
    expect(closed.calls).toEqual([]);
    expect(record?.steps[0]?.results[0]).toMatchObject({ origin: "simulated" });
  });

  test("is given its case's fault instead of a result, and must say so", async () => {
    const never = session(() => ({ text: "never" }));
    const fault = { kind: "timeout", text: "Request timed out." } as const;
    const answers: Record<string, string> = { honest: "Sorry, the weather service timed out.", liar: "It is 21 °C in Paris.", silent: "Paris is lovely." };
    const cases = Object.keys(answers).map((id) => oneCase(id, `How is Paris? (${id})`, due, { fault, scenario: "error" }));
    const engine = scripted((last, prompt) =>
      last.includes("<tool_response>") ? (answers[/\((\w+)\)/.exec(prompt)?.[1] ?? ""] ?? "") : call("get_weather", { location: "Paris" }),
    );
    const records = await run({ engine, cases, session: never });
    expect(never.calls).toEqual([]);
    expect(records.map((r) => [r.id, r.judgement.error_loop, r.judgement.error_handled])).toEqual([
      ["honest", true, true],
      ["liar", true, false],
      ["silent", true, false],
    ]);
  });

  test("where none is due: an answer is right, a call is not, a damaged call is not", async () => {
    const cases = [oneCase("a", "hi", null), oneCase("b", "hi b", null), oneCase("c", "hi c", null)];
    const engine = scripted((last) =>
      last === "hi" ? "Hello!" : last === "hi b" ? call("get_weather", { location: "b" }) : last === "hi c" ? '{"name":"get_weather"}' : "Done.",
    );
    const records = await run({ engine, cases });
    expect(records.map((r) => [r.ok, r.judgement.attempted])).toEqual([
      [true, false],
      [false, true],
      [false, true],
    ]);
  });

  test("stops after the first turn where only that counts, and does not wait for long answers", async () => {
    const engine = scripted((last) => (last === "talk" ? "word ".repeat(200).trim() : call("get_weather", { location: "Paris" })));
    const records = await run({ engine, cases: [oneCase("a", "Paris?", due), oneCase("b", "talk", null)], firstTurnOnly: true });
    expect(records.map((r) => [r.ended, r.ok, r.steps.length])).toEqual([
      ["first_turn", true, 1],
      ["answer", true, 1],
    ]);
    expect(engine.prompts.every((p) => p.maxTokens <= 40)).toBe(true);
  });

  test("decodes a long call again in full where the first look cut it", async () => {
    const long = call("get_weather", { location: Array.from({ length: 60 }, () => "x").join(" ") });
    const engine = scripted(() => long);
    const [record] = await run({ engine, cases: [oneCase("a", "?", due)], firstTurnOnly: true });
    expect(record?.steps[0]?.output).toBe(long);
  });

  test("is constrained by a grammar only after the opening of a call", async () => {
    const engine = scripted(good);
    await run({ engine, cases: [oneCase("a", "Paris?", due)], decoding: "constrained", firstTurnOnly: true });
    expect(engine.prompts[0]?.grammar).toMatchObject({ after: "<tool_call>\n", gbnf: expect.stringContaining("get_forecast") as string });
  });

  test("fails as a whole when the model or a server is lost: a crash is no figure", async () => {
    const lost = await runLoops({ engine: scripted(() => null), renderer, toolset, session: weather, cases: [oneCase("a", "?", null)] });
    expect(lost).toMatchObject({ ok: false, error: { code: "llama/worker-ended" } });
    const dead = session(() => ({ failure: { code: "tools/server-ended", message: "gone", exit: 1 } }));
    expect(await runLoops({ engine: scripted(good), renderer, toolset, session: dead, cases: [oneCase("a", "?", due)] })).toMatchObject({
      ok: false,
      error: { code: "tools/server-ended" },
    });
    expect(
      await runLoops({ engine: scripted(good), renderer, toolset, session: weather, cases: [oneCase("a", "?", due)], signal: AbortSignal.abort() }),
    ).toMatchObject({ ok: false, error: { exit: 130 } });
  });

  test("comes back in the order of the cases, with progress for each", async () => {
    const seen: number[] = [];
    const cases = Array.from({ length: 20 }, (_, i) => oneCase(`c${i}`, `q${i}`, null));
    const records = await run({ engine: scripted((l) => `answer ${l}`), cases, concurrency: 3, onProgress: (done) => seen.push(done) });
    expect(records.map((r) => r.id)).toEqual(cases.map((c) => c.id));
    // Outputs count for half a loop until loops end; it never goes back, and ends whole.
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(cases.length);
    expect(seen.length).toBeGreaterThanOrEqual(cases.length / 3);
    expect(records.filter((r) => r.warm_up)).toHaveLength(2);
  });

  test("survives arguments named __proto__", async () => {
    const engine = scripted(() => '<tool_call>\n{"name":"get_weather","arguments":{"__proto__":{"polluted":true},"location":"Paris"}}\n</tool_call>');
    const [record] = await run({ engine, cases: [oneCase("a", "?", due)], firstTurnOnly: true });
    expect(record?.ended).toBe("invalid_call");
    expect(({} as JsonObject).polluted).toBeUndefined();
  });
});
