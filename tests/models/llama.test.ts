/**
 * The llama.cpp engine with the real SmolLM2: token parity with Python, lock-step batches, prefixes,
 * grammars, limits, and what happens when the worker dies. Skipped where the model is not on the machine.
 */
import { writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerPlain } from "../../src/models/llama/answer-plain.ts";
import { openLlama } from "../../src/models/llama/client.ts";
import type { CompletionRequest, LlamaEngine } from "../../src/models/llama/types.ts";
import type { Result } from "../../src/platform/result.ts";
import { baseModel, buildWorker, openModel, renderer, renderings } from "./rig.ts";

const value = <T>(r: Result<T> | undefined): T => {
  if (!r?.ok) throw new Error(r?.error.message ?? "no result");
  return r.value;
};
const ask = (content: string): CompletionRequest => ({ prompt: renderer.prompt([{ role: "user", content }], []), maxTokens: 16 });

/** Python's packages and the model are fetched on first need. */
const FIRST_NEED_MS = 900_000;

describe.skipIf(process.env.MCP_FORGE_OFFLINE)("a real model", () => {
  let engine: LlamaEngine;
  beforeAll(async () => {
    engine = await openModel(await baseModel(), { sequences: 3 });
  }, FIRST_NEED_MS);
  afterAll(async () => {
    await engine?.close();
  });

  test("reads prompts as the ids that Python's tokenizer gives, no token added", async () => {
    for (const row of renderings) expect(value(await engine.tokenize(row.text)), row.name).toEqual(row.ids);
  });

  test("reads a prompt as the same ids whole and in the pieces that are trained on", async () => {
    for (const row of renderings) {
      const tools = row.tools.map((t) => ({
        name: t.function.name,
        description: t.function.description,
        input_schema: t.function.parameters as Record<string, unknown>,
      }));
      const segments = renderer.segments(row.messages, tools);
      const pieces: number[] = [];
      for (const s of segments) pieces.push(...value(await engine.tokenize(s.text)));
      expect(pieces, row.name).toEqual(value(await engine.tokenize(segments.map((s) => s.text).join(""))));
    }
  });

  test("gives the same texts for the same requests, more of them than sequences, the shared prefix evaluated or loaded", async () => {
    const system = "You know everything about rivers and cities. ".repeat(6);
    const prefix = renderer.prompt([{ role: "system", content: system }], [], { addGenerationPrompt: false });
    const requests = ["Name a river.", "Hello!", "What is Rome?", "Name a city.", "Who are you?"].map((content) => ({
      prompt: renderer.prompt(
        [
          { role: "system", content: system },
          { role: "user", content },
        ],
        [],
      ),
      maxTokens: 8,
    }));
    const plain = await engine.completeAll?.(requests);
    const shared = await engine.completeAll?.(requests.map((r) => ({ ...r, prefix })));
    const again = await engine.completeAll?.(requests.map((r) => ({ ...r, prefix })));
    const texts = (results: Result<{ text: string }>[] | undefined) => results?.map((r) => value(r).text);
    expect(texts(again)).toEqual(texts(shared));
    // Evaluated in another cut, a state differs in its last bits: near ties may fall otherwise later on, beginnings do not.
    const beginnings = (results: typeof plain) => texts(results)?.map((t) => t.slice(0, 4));
    expect(beginnings(shared)).toEqual(beginnings(plain));
    expect(texts(plain)?.every((t) => t.length > 4)).toBe(true);
  }, 240_000);

  test("stops at its end of turn, at a stop text, at the limit", async () => {
    const hello = value(await engine.complete({ ...ask("hi"), maxTokens: 64 }));
    expect(hello.stopped).toBe("eos");
    expect(hello.text).not.toContain("<|");
    expect(hello.firstTokenMs).toBeLessThanOrEqual(hello.ms);
    const limited = value(await engine.complete({ ...ask("hi"), maxTokens: 3 }));
    expect(limited).toMatchObject({ stopped: "limit", tokens: 3 });
    expect(hello.text.startsWith(limited.text)).toBe(true);
    const word = hello.text.split(" ")[2] as string;
    expect(value(await engine.complete({ ...ask("hi"), maxTokens: 64, stop: [word] }))).toMatchObject({
      stopped: "stop",
      text: hello.text.slice(0, hello.text.indexOf(word)),
    });
  });

  test("applies a grammar from where the model wrote its opening, and not before", async () => {
    const free = value(await engine.complete(ask("hi"))).text;
    const after = free.slice(0, 5);
    const gbnf = 'root ::= "{" [a-z]{3} "}"';
    const held = value(await engine.complete({ ...ask("hi"), grammar: { gbnf, after } })).text;
    expect(held).toMatch(new RegExp(`^${after}\\{[a-z]{3}\\}$`));
    const never = value(await engine.complete({ ...ask("hi"), grammar: { gbnf, after: "<tool_call>\n" } })).text;
    expect(never).toBe(free);
  });

  test("says what is wrong with a request, and goes on", async () => {
    expect(await engine.complete({ prompt: "a ".repeat(9000), maxTokens: 1 })).toMatchObject({ ok: false, error: { code: "llama/prompt-too-long" } });
    expect(await engine.complete({ ...ask("hi"), grammar: { gbnf: "root ::= (", after: "" } })).toMatchObject({ ok: false, error: { code: "llama/engine" } });
    const stop = AbortSignal.abort();
    expect(await engine.complete({ ...ask("hi"), signal: stop })).toMatchObject({ ok: false, error: { exit: 130 } });
    expect(value(await engine.complete(ask("hi"))).text).not.toBe("");
  });

  test("answers plain questions, the same each time", async () => {
    const questions = ["hi", "Why is the sky blue?", "Who wrote Hamlet?", "Thanks!"];
    const first = value(await answerPlain(engine, renderer)(questions));
    expect(first).toHaveLength(questions.length);
    for (const answer of first) expect(answer).toMatch(/^$|[.!?"')\]]$/);
    expect(value(await answerPlain(engine, renderer)(questions))).toEqual(first);
  });

  test("gives failures, not a hang, after close", async () => {
    const other = await openModel(await baseModel());
    const waiting = other.complete({ ...ask("tell me of rivers"), maxTokens: 200 });
    await other.close();
    expect(await waiting).toMatchObject({ ok: false, error: { code: "llama/closed" } });
    expect(await other.complete(ask("hi"))).toMatchObject({ ok: false, error: { code: "llama/closed" } });
  });
});

describe("opening fails with a reason", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "forge-test-"));
    writeFileSync(join(folder, "broken.gguf"), "not a model");
    writeFileSync(join(folder, "garbage.gguf"), Buffer.concat([Buffer.from("GGUF\u0003\0\0\0"), Buffer.alloc(5000, 0xa7)]));
    writeFileSync(join(folder, "crash.js"), 'console.error("native code says goodbye"); setTimeout(() => process.abort(), 50);');
    writeFileSync(join(folder, "hang.js"), "setInterval(() => {}, 1000);");
  });

  test("for a file that is not there", async () => {
    expect(await openLlama({ model: join(folder, "none.gguf") })).toMatchObject({ ok: false, error: { code: "llama/no-model" } });
  });
  test("for a file that is no model", async () => {
    const worker = await buildWorker();
    expect(await openLlama({ model: join(folder, "broken.gguf"), worker })).toMatchObject({ ok: false, error: { code: "llama/cannot-load" } });
    expect(await openLlama({ model: join(folder, "garbage.gguf"), worker })).toMatchObject({
      ok: false,
      error: { code: "llama/cannot-load", message: expect.stringContaining("header is damaged") as string },
    });
  });
  test("for a worker that crashes, with the end of its stderr", async () => {
    const opened = await openLlama({ model: join(folder, "broken.gguf"), worker: join(folder, "crash.js") });
    expect(opened).toMatchObject({ ok: false, error: { code: "llama/worker-ended", details: expect.stringContaining("goodbye") as string } });
  });
  test("for a worker that hangs", async () => {
    const opened = await openLlama({ model: join(folder, "broken.gguf"), worker: join(folder, "hang.js"), timeoutMs: 300 });
    expect(opened).toMatchObject({ ok: false, error: { code: "llama/timed-out" } });
  });
});
