/**
 * Opens a model in llama.cpp, in a child process, and asks it. Whatever happens to that process (a
 * crash in native code, a hang, a model that does not load) comes back as a Failure with the end of its
 * stderr; nothing of it outlives `close()`.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../../platform/exit.ts";
import { packageRoot } from "../../platform/paths.ts";
import { type Child, spawnChild } from "../../platform/process.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { ReplyMessage, RequestMessage, WorkerProblem } from "./protocol.ts";
import type { Completion, CompletionRequest, LlamaEngine, OpenLlamaOptions } from "./types.ts";

export type { Completion, CompletionRequest, GrammarRequest, LlamaEngine, OpenLlamaOptions } from "./types.ts";

const DEFAULT_TIMEOUT_MS = 120_000;
const MAX_REPLY_BYTES = 16 << 20;

/** Something asked of the worker and not yet answered. */
interface Waiting {
  readonly reply: (message: ReplyMessage) => void;
  readonly fail: (failure: Failure) => void;
}

/** Starts a worker and loads the model. Failures: `llama/no-model`, `llama/cannot-load`, `llama/worker-ended`, `llama/timed-out`, `process/…`. */
export async function openLlama(o: OpenLlamaOptions): Promise<Result<LlamaEngine>> {
  if (
    !(await stat(o.model).then(
      (s) => s.isFile(),
      () => false,
    ))
  )
    return err({ code: "llama/no-model", message: `there is no model file ${o.model}`, exit: EXIT.failed });
  const engine = new WorkerEngine(o.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const started = await engine.start(o);
  if (started.ok) return ok(engine);
  await engine.close();
  return started;
}

class WorkerEngine implements LlamaEngine {
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #child: Child | undefined;
  #ended: Failure | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = 1;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  async start(o: OpenLlamaOptions): Promise<Result<void>> {
    const child = await spawnChild(process.execPath, [o.worker ?? join(packageRoot(), "dist", "llama-worker.js")], {
      signal: o.signal,
      maxBytes: 64 << 10,
      maxLineBytes: MAX_REPLY_BYTES,
      onStdoutLine: (line) => this.#receive(line),
    });
    if (!child.ok) return child;
    this.#child = child.value;
    void child.value.ended.then((r) => {
      const how = r.signal === null ? `code ${r.exitCode}` : r.signal;
      const stopped: Failure = { code: "process/aborted", message: "llama.cpp was interrupted", exit: EXIT.interrupted };
      const crashed: Failure = { code: "llama/worker-ended", message: `the llama.cpp process ended (${how})`, details: tail(r.stderr), exit: EXIT.failed };
      this.#failAll(o.signal?.aborted ? stopped : crashed);
    });
    const { contextTokens, sequences, threads, model } = o;
    return new Promise((resolve) => {
      this.#expect(0, {
        reply: (m) => resolve(m.op === "refused" ? err(failureOf(m.problem, model)) : ok(undefined)),
        fail: (failure) => resolve(err(failure)),
      });
      this.#send({ op: "open", model, contextTokens, sequences, threads });
    });
  }

  async complete(request: CompletionRequest): Promise<Result<Completion>> {
    const [result] = await this.completeAll([request]);
    return result as Result<Completion>;
  }

  completeAll(requests: readonly CompletionRequest[], onEach?: (index: number, result: Result<Completion>) => void): Promise<Result<Completion>[]> {
    if (requests.length === 0) return Promise.resolve([]);
    const id = this.#next++;
    const results: Result<Completion>[] = [];
    let missing = requests.length;
    const signals = new Set(requests.flatMap((r) => r.signal ?? []));
    const cancel = (): void => this.#send({ op: "cancel", id });
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#settle(id);
        for (const signal of signals) signal.removeEventListener("abort", cancel);
        resolve(results);
      };
      const take = (index: number, result: Result<Completion>): void => {
        results[index] = result;
        missing -= 1;
        onEach?.(index, result);
      };
      this.#expect(id, {
        reply: (m) => {
          if (m.op !== "completed") return;
          take(m.index, m.value === undefined ? err(failureOf(m.problem)) : ok(m.value));
          if (missing === 0) finish();
        },
        fail: (failure) => {
          for (const index of requests.keys()) if (results[index] === undefined) take(index, err(failure));
          finish();
        },
      });
      for (const signal of signals) signal.addEventListener("abort", cancel, { once: true });
      this.#send({ op: "complete", id, items: requests.map(({ signal: _, ...item }) => item) });
      if ([...signals].some((s) => s.aborted)) cancel();
    });
  }

  tokenize(text: string): Promise<Result<number[]>> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#expect(id, {
        reply: (m) => {
          this.#settle(id);
          resolve(m.op === "tokenized" ? ok([...m.ids]) : err(failureOf(undefined)));
        },
        fail: (failure) => {
          this.#settle(id);
          resolve(err(failure));
        },
      });
      this.#send({ op: "tokenize", id, text });
    });
  }

  async close(): Promise<void> {
    this.#failAll({ code: "llama/closed", message: "the model was closed", exit: EXIT.failed });
    await this.#child?.stop();
  }

  #expect(id: number, waiting: Waiting): void {
    if (this.#ended === undefined) this.#waiting.set(id, waiting);
    else waiting.fail(this.#ended);
    this.#watch();
  }

  #settle(id: number): void {
    this.#waiting.delete(id);
    this.#watch();
  }

  #send(message: RequestMessage): void {
    if (this.#ended === undefined) void this.#child?.write(`${JSON.stringify(message)}\n`);
  }

  #receive(line: string): void {
    let message: ReplyMessage;
    try {
      message = JSON.parse(line) as ReplyMessage;
    } catch {
      return; // A library that prints to stdout is no reply.
    }
    this.#watch();
    if (message.op === "beat") return;
    const id = message.op === "ready" || message.op === "refused" ? 0 : message.id;
    const waiting = this.#waiting.get(id);
    if (id === 0) this.#settle(0);
    waiting?.reply(message);
  }

  /** Starts the hang timer anew while something is waited for. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      const seconds = Math.round(this.#timeoutMs / 1000);
      this.#failAll({
        code: "llama/timed-out",
        message: `llama.cpp gave no sign of life for ${seconds} s`,
        hint: "try again with less work on the machine",
        exit: EXIT.failed,
      });
      this.#child?.kill();
    }, this.#timeoutMs);
    this.#timer.unref();
  }

  #failAll(failure: Failure): void {
    this.#ended ??= failure;
    clearTimeout(this.#timer);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const w of waiting) w.fail(failure);
  }
}

function failureOf(problem: WorkerProblem | undefined, model?: string): Failure {
  if (problem === undefined) return { code: "llama/bad-reply", message: "the llama.cpp process answered something else than it was asked", exit: EXIT.failed };
  if (problem.code === "cancelled") return { code: "process/aborted", message: problem.message, exit: EXIT.interrupted };
  if (problem.code === "cannot-load")
    return {
      code: "llama/cannot-load",
      message: `llama.cpp cannot load ${model}: ${problem.message}`,
      hint: "check that the file is a whole GGUF",
      exit: EXIT.failed,
    };
  return { code: `llama/${problem.code}`, message: problem.message, exit: EXIT.failed };
}

/** The last lines of a process's stderr. */
const tail = (stderr: string): string => stderr.trimEnd().split("\n").slice(-20).join("\n");
