/** Loops of a model that thinks: its thought comes first, is bounded, is never read for calls and is no answer. */
import { describe, expect, it } from "vitest";
import { runLoops } from "../../src/evaluation/loop.ts";
import type { Completion, CompletionRequest, LlamaEngine } from "../../src/models/llama/types.ts";
import { createRenderer } from "../../src/models/render.ts";
import { MOST_THOUGHT_TOKENS } from "../../src/models/thinking.ts";
import { ok } from "../../src/platform/result.ts";
import { call, oneCase, session, toolset } from "./rig.ts";

/** Writes `whole` of a prompt: whatever of it the prompt has already is gone on with, up to a stop text or the bound (a token a word). */
function writer(whole: (turn: number) => string): LlamaEngine & { readonly asked: CompletionRequest[] } {
  const asked: CompletionRequest[] = [];
  return {
    asked,
    async complete(request) {
      asked.push(request);
      const text = whole(request.prompt.split("<tool_response>").length - 1);
      // Longest beginning of the text that the prompt ends with.
      let at = text.length;
      while (!request.prompt.endsWith(text.slice(0, at))) at--;
      const rest = text.slice(at);
      const stop = (request.stop ?? []).map((s) => rest.indexOf(s)).filter((i) => i >= 0);
      const until = stop.length > 0 ? rest.slice(0, Math.min(...stop)) : rest;
      const words = until.split(/(?<= )/);
      const cut = words.slice(0, request.maxTokens).join("");
      const stopped: Completion["stopped"] = cut.length < until.length ? "limit" : stop.length > 0 ? "stop" : "eos";
      return ok({ text: cut, tokens: Math.min(words.length, request.maxTokens), promptTokens: 7, ms: 10, firstTokenMs: 3, stopped });
    },
    tokenize: async () => ok([]),
    close: async () => {},
  };
}

const due = oneCase("a", "How is Oslo?", [{ name: "get_weather", arguments: { location: ["Oslo"] } }]);

describe.each([
  ["qwen3-thinking.jinja", "<think>\n"],
  ["deepseek-r1-thinking.jinja", ""],
])("%s", (template, open) => {
  const renderer = createRenderer({ template, special_tokens: [] });
  const run = (engine: LlamaEngine, more: object = {}) =>
    runLoops({ engine, renderer, toolset, cases: [due], session: session(() => ({ text: '{"temperature_c":3}' })), decoding: "constrained", ...more });
  const record = async (...args: Parameters<typeof run>) => {
    const records = await run(...args);
    if (!records.ok) throw new Error(records.error.message);
    const [first] = records.value;
    if (first === undefined) throw new Error("no record");
    return first;
  };

  it("the thought comes first and freely, the call after it under the grammar, and neither is in the answer", async () => {
    const engine = writer((turn) =>
      turn === 0
        ? `${open}I might, after all that was said here before, write ${call("get_forecast", { location: "Rome" })} but no.\n</think>\n\n${call("get_weather", { location: "Oslo" })}`
        : `${open}It says 3.\n</think>\n\nIt is 3 °C in Oslo.`,
    );
    const r = await record(engine);
    expect(r).toMatchObject({ ended: "answer", answer: "It is 3 °C in Oslo.", calls: [{ name: "get_weather", arguments: { location: "Oslo" } }] });
    expect(r.steps.map((s) => s.thought)).toEqual([expect.stringContaining("I might, after"), "It says 3."]);
    expect(r.steps.map((s) => s.output)).toEqual([call("get_weather", { location: "Oslo" }), "It is 3 °C in Oslo."]);
    expect(r.steps[0]).toMatchObject({ ms: open === "" ? 20 : 30, first_token_ms: 3, prompt_tokens: 7 });
    const acting = engine.asked.findIndex((a) => a.grammar !== undefined);
    const thinking = engine.asked.slice(0, acting);
    expect(thinking.map((a) => [a.grammar, a.stop])).toEqual(thinking.map(() => [undefined, ["</think>"]]));
    // Qwen3 has a few tokens to open its thought.
    expect(thinking.map((a) => a.maxTokens)).toEqual(open === "" ? [MOST_THOUGHT_TOKENS] : [8, MOST_THOUGHT_TOKENS - 8]);
    expect(engine.asked[acting]?.prompt.endsWith("but no.\n</think>")).toBe(true);
    const again = engine.asked[acting + 1];
    // Qwen3 reads the turn's own thoughts again, R1 none.
    expect(again?.prompt.includes("I might, after")).toBe(open !== "");
  });

  it("a thought without an end is no answer, and ends the loop at its bound", async () => {
    const r = await record(writer(() => `${open}${"word ".repeat(3 * MOST_THOUGHT_TOKENS)}`));
    expect(r).toMatchObject({
      ended: "token_limit",
      answer: null,
      calls: [],
      problem: `the thought was not closed within ${MOST_THOUGHT_TOKENS} tokens`,
      ok: false,
    });
    expect(r.steps).toMatchObject([{ output: "", thought: expect.stringContaining("word word") }]);
    expect(await record(writer(() => `${open}Hm.`))).toMatchObject({ ended: "token_limit", answer: null, problem: "the model ended within its thought" });
  });

  it("what has a think tag in it is neither an answer nor a call", async () => {
    const answered = await record(writer(() => `${open}I see.\n</think>\n\nIt is 3.</think>`));
    expect(answered).toMatchObject({ ended: "empty_answer", answer: null, problem: "a tag of a thought stands outside of one", ok: false });
    const called = await record(writer(() => `${open}I see.\n</think>\n\n<think>${call("get_weather", { location: "Oslo" })}`));
    expect(called).toMatchObject({ ended: "invalid_call", problem: "a tag of a thought stands outside of one", ok: false });
  });

  it("first turns are judged by what follows the thought", async () => {
    const engine = writer(() => `${open}I see.\n</think>\n\n${call("get_weather", { location: "Oslo" })}`);
    expect(await record(engine, { firstTurnOnly: true })).toMatchObject({ ended: "first_turn", ok: true });
  });
});

it("a model that opens no thought is asked again as one that does not think", async () => {
  const renderer = createRenderer({ template: "qwen3-thinking.jinja", special_tokens: [] });
  const engine = writer((turn) => (turn === 0 ? call("get_weather", { location: "Oslo" }) : "Three degrees: 3."));
  const records = await runLoops({
    engine,
    renderer,
    toolset,
    cases: [due],
    session: session(() => ({ text: '{"temperature_c":3}' })),
    decoding: "constrained",
  });
  expect(records).toMatchObject({ ok: true, value: [{ ended: "answer", answer: "Three degrees: 3." }] });
  expect(engine.asked.map((a) => a.grammar !== undefined)).toEqual([false, true, false, true]);
});
