/**
 * Runs evaluation cases as real tool loops: prompt, parse, check against the schema, execute, feed the
 * result back, until an answer. Each output and each call is bounded, so every loop ends: `maxSteps`
 * outputs of `maxTokens` tokens, 30 s a call.
 *
 * The loops advance together, one output each at a time: what shares a batch in llama.cpp then depends
 * on the cases alone and not on how fast a tool answers, and the same model gives the same texts again.
 *
 * A model that thinks writes two texts a step: its thought, bounded by `MOST_THOUGHT_TOKENS` and free, then what counts as its output, with a bound
 * and a grammar as any. A thought is never read for calls, and is no part of an answer; one that is not closed in its bound ends the loop.
 */
import { type Completion, type CompletionRequest, completeAll, type LlamaEngine } from "../models/llama/types.ts";
import { type ParsedOutput, parseOutput } from "../models/parse.ts";
import { CALL_OPEN } from "../models/prompt.ts";
import type { Renderer } from "../models/render.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { LoopRecord, LoopResult, LoopStep } from "../schemas/generated/loop-record.ts";
import type { Message } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { type ArgumentCheck, argumentChecks } from "../tools/arguments.ts";
import type { ToolSession } from "../tools/types.ts";
import { caseMessages } from "./cases.ts";
import { toolCallGrammar } from "./grammar.ts";
import { judge, type Transcript } from "./judge.ts";
import { type AllowedValues, allowedValues } from "./slips.ts";
import { afterThought, STRAY, think } from "./thoughts.ts";

export interface LoopOptions {
  readonly engine: LlamaEngine;
  readonly renderer: Renderer;
  readonly toolset: Pick<Toolset, "tools">;
  readonly cases: readonly EvaluationCase[];
  /** Executes calls; null: every result is simulated. */
  readonly session: Pick<ToolSession, "canExecute" | "call"> | null;
  /** What a call answers that may not be executed. Default: `{"status":"ok"}`. */
  readonly simulate?: (name: string, args: JsonObject) => string;
  /** Outputs of one loop, the answer included. Default: 5. */
  readonly maxSteps?: number;
  /** Tokens of one output, the thought of a model that thinks not among them. Default: 512, enough for an answer that lists a result of a dozen rows. */
  readonly maxTokens?: number;
  /** `constrained`: under the toolset's grammar once the model has opened a call. Default: free. */
  readonly decoding?: "free" | "constrained";
  /** Stop after the model's first output; of answers only the beginning is decoded. */
  readonly firstTurnOnly?: boolean;
  /** With `firstTurnOnly`: every output to its end, for what a user waits; else one without a call is cut short, as nobody reads it. */
  readonly uncut?: boolean;
  /** Cases in flight at once. Default: all; the engine shares them over its sequences. 1 measures what one user waits. */
  readonly concurrency?: number;
  /** How many first cases count as warm-up. Default: a tenth, at most 8. */
  readonly warmUp?: number;
  /** Instead of each source's own `timeout`. */
  readonly callTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called as outputs arrive: loops that have ended, or as many as the outputs so far are worth (two make a usual loop). */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Where only the first output counts, one that has not begun a call within so many tokens is an answer,
 * and how it goes on is not waited for (an untuned model may go on for long).
 */
const PROBE_TOKENS = 40;
const MAX_TOKENS = 512;
/** Calls in flight at once. */
const CALLS_AT_ONCE = 8;

interface Loop {
  readonly found: EvaluationCase;
  readonly messages: Message[];
  readonly steps: LoopStep[];
  readonly warmUp: boolean;
  answer: string | null;
  ended?: LoopRecord["ended"];
  problem?: string;
}

/** What every loop of a run shares. */
interface Run {
  readonly o: LoopOptions;
  readonly checks: ReadonlyMap<string, ArgumentCheck>;
  readonly grammar?: string;
  readonly prefix: string;
  /** An output has arrived. */
  readonly onOutput: () => void;
}

/** Runs all cases; the records come in the order of the cases. Fails when the engine or a tool server is lost, or on abort. */
export async function runLoops(o: LoopOptions): Promise<Result<LoopRecord[]>> {
  let [done, outputs, told] = [0, 0, 0];
  const tell = (): void => {
    const now = Math.max(done, Math.min(o.cases.length - 1, Math.floor(outputs / (o.firstTurnOnly ? 1 : 2))));
    if (now > told) o.onProgress?.(now, o.cases.length);
    told = Math.max(told, now);
  };
  const run: Run = {
    o,
    onOutput: () => {
      outputs += 1;
      tell();
    },
    checks: argumentChecks(o.toolset.tools),
    grammar: o.decoding === "constrained" ? toolCallGrammar(o.toolset, o.renderer.spacing) : undefined,
    prefix: o.renderer.toolPrompt(o.toolset.tools),
  };
  const warmUp = o.warmUp ?? Math.min(8, Math.floor(o.cases.length / 10));
  const loops = o.cases.map((found, i): Loop => ({ found, messages: caseMessages(found), steps: [], answer: null, warmUp: i < warmUp }));
  const width = Math.max(1, o.concurrency ?? loops.length);
  for (let at = 0; at < loops.length; at += width) {
    const group = loops.slice(at, at + width);
    for (let live = group; live.length > 0; live = live.filter((l) => l.ended === undefined)) {
      if (o.signal?.aborted) return err(INTERRUPTED);
      const failure = await advance(live, run);
      if (failure !== undefined) return err(failure);
      done += live.filter((l) => l.ended !== undefined).length;
      tell();
    }
  }
  const allowed = allowedValues(o.toolset.tools);
  return ok(loops.map((l) => recordOf(l, o, allowed)));
}

const INTERRUPTED: Failure = { code: "evaluation/interrupted", message: "the evaluation was interrupted", exit: EXIT.interrupted };

/** One output of every live loop, then the calls in them. */
async function advance(live: readonly Loop[], run: Run): Promise<Failure | undefined> {
  const { engine, renderer, toolset, maxTokens, signal } = run.o;
  const asked = live.map(
    (l): CompletionRequest => ({
      prompt: renderer.prompt(l.messages, toolset.tools),
      prefix: run.prefix,
      maxTokens: maxTokens ?? MAX_TOKENS,
      ...(run.grammar === undefined ? {} : { grammar: { gbnf: run.grammar, after: CALL_OPEN } }),
      ...(signal === undefined ? {} : { signal }),
    }),
  );
  const { thinking } = renderer;
  const thoughts = thinking === undefined ? undefined : await think(engine, asked, thinking);
  const begun =
    thoughts === undefined
      ? asked.map((request, at) => ({ request, at }))
      : asked.flatMap((_, at) => {
          const request = thoughts[at]?.next;
          return request === undefined ? [] : [{ request, at }];
        });
  const requests = begun.map((b) => b.request);
  const written =
    run.o.firstTurnOnly && !run.o.uncut ? await completeFirstTurns(engine, requests, run.onOutput) : await completeAll(engine, requests, run.onOutput);
  const outputs = asked.map((_, at) => thoughts?.[at]?.ended);
  for (const [k, { at }] of begun.entries()) outputs[at] = afterThought(written[k] as Result<Completion>, thoughts?.[at]);
  const calling: { loop: Loop; step: LoopStep; parsed: ParsedOutput }[] = [];
  for (const [i, loop] of live.entries()) {
    const output = outputs[i];
    if (output === undefined || !output.ok) {
      if (output?.error.code !== "llama/prompt-too-long") return output?.error ?? INTERRUPTED;
      end(loop, "token_limit", output.error.message);
      continue;
    }
    const { text, ms, firstTokenMs, tokens, promptTokens, stopped } = output.value;
    const thought = thoughts?.[i]?.thought;
    const stray = thinking !== undefined && (text.includes(thinking.open) || text.includes(thinking.close));
    const read = parseOutput(text);
    const parsed = stray && read.attempted ? { ...read, problem: read.problem ?? STRAY } : read;
    const step: LoopStep = {
      output: text,
      ...(thought === undefined ? {} : { thought }),
      calls: parsed.calls.map((c) => ({ name: c.name, arguments: { ...c.arguments } })),
      attempted: parsed.attempted,
      ...(parsed.problem === undefined ? {} : { problem: parsed.problem }),
      results: [],
      ms,
      first_token_ms: firstTokenMs,
      tokens,
      prompt_tokens: promptTokens,
      stopped,
    };
    loop.steps.push(step);
    if (thoughts?.[i]?.ended !== undefined) {
      end(loop, "token_limit", stopped === "eos" ? "the model ended within its thought" : `the thought was not closed within ${tokens} tokens`);
      continue;
    }
    // Every other program would show it as it is.
    if (stray && !parsed.attempted) end(loop, "empty_answer", STRAY);
    else if (decide(loop, step, parsed, run)) calling.push({ loop, step, parsed });
  }
  return execute(calling, run);
}

/** Completes requests of which only calls matter: short at first, again in full where a call was begun and cut. */
async function completeFirstTurns(engine: LlamaEngine, requests: readonly CompletionRequest[], onOutput: () => void): Promise<Result<Completion>[]> {
  const outputs = await completeAll(
    engine,
    requests.map((r) => ({ ...r, maxTokens: Math.min(r.maxTokens, PROBE_TOKENS) })),
    onOutput,
  );
  const cut = [...requests.keys()].filter((i) => {
    const output = outputs[i];
    return output?.ok && output.value.stopped === "limit" && parseOutput(output.value.text).attempted;
  });
  const whole = await completeAll(
    engine,
    cut.map((i) => requests[i] as CompletionRequest),
  );
  for (const [k, i] of cut.entries()) outputs[i] = whole[k] as Result<Completion>;
  return outputs;
}

/** Ends the loop where its newest output ends it; true when its calls are to be made. */
function decide(loop: Loop, step: LoopStep, parsed: ParsedOutput, run: Run): boolean {
  if (!parsed.attempted) {
    loop.answer = parsed.content;
    const cut = step.stopped === "limit" && !run.o.firstTurnOnly;
    if (parsed.content === "") end(loop, "empty_answer");
    else if (cut) end(loop, "token_limit", `the answer was cut off after ${step.tokens} tokens`);
    else end(loop, "answer");
    return false;
  }
  const problems = parsed.calls.map((c) => problemsOfCall(c.name, c.arguments, run.checks));
  step.conforming = problems.filter((p) => p.length === 0).length;
  const all = problems.flat();
  if (all.length > 0) step.schema_problems = all;
  const problem = parsed.problem ?? all[0];
  if (problem !== undefined) end(loop, "invalid_call", problem);
  else if (run.o.firstTurnOnly) end(loop, "first_turn");
  else if (loop.steps.length >= (run.o.maxSteps ?? 5)) end(loop, "step_limit", `no answer within ${loop.steps.length} steps`);
  return loop.ended === undefined;
}

function problemsOfCall(name: string, args: JsonObject, checks: ReadonlyMap<string, ArgumentCheck>): readonly string[] {
  const check = checks.get(name);
  if (check === undefined) return [`there is no tool ${JSON.stringify(name.slice(0, 64))}`];
  const { valid, problems } = check(args);
  return valid ? [] : problems.map((p) => `${name}: ${p}`);
}

function end(loop: Loop, how: LoopRecord["ended"], problem?: string): void {
  loop.ended = how;
  if (problem !== undefined) loop.problem = problem;
}

/** Makes the calls of this round, a few loops at a time, each loop's in order, and feeds the results back. */
async function execute(calling: readonly { loop: Loop; step: LoopStep; parsed: ParsedOutput }[], run: Run): Promise<Failure | undefined> {
  const waiting = [...calling];
  let failure: Failure | undefined;
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && failure === undefined; next = waiting.shift()) {
      const { loop, step, parsed } = next;
      const first = loop.messages.length;
      const ids = parsed.calls.map((_, i) => `call_${first}_${i}`);
      const calls = parsed.calls.map((c, i) => ({
        id: ids[i] as string,
        type: "function" as const,
        function: { name: c.name, arguments: JSON.stringify(c.arguments) },
      }));
      const thought = step.thought === undefined ? {} : { reasoning_content: step.thought };
      loop.messages.push({ role: "assistant", content: parsed.content === "" ? null : parsed.content, ...thought, tool_calls: calls });
      for (const [i, call] of parsed.calls.entries()) {
        const result = await makeCall(loop, call.name, call.arguments, run);
        if (!result.ok) {
          failure = result.error;
          return;
        }
        step.results.push(result.value);
        loop.messages.push({ role: "tool", content: result.value.text, tool_call_id: ids[i] as string });
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
  return failure;
}

/** One call: the case's fault, the tool's own result, or a simulated one. */
async function makeCall(loop: Loop, name: string, args: JsonObject, { o }: Run): Promise<Result<LoopResult>> {
  const { fault } = loop.found;
  if (fault !== undefined) return ok({ text: fault.text, is_error: fault.kind === "error", timed_out: fault.kind === "timeout", origin: "fault" });
  if (o.session?.canExecute(name)) {
    const result = await o.session.call(name, args, { signal: o.signal, ...(o.callTimeoutMs === undefined ? {} : { timeoutMs: o.callTimeoutMs }) });
    if (result.failure !== undefined) return err(result.failure);
    if (result.executed) return ok({ text: result.text, is_error: result.isError, timed_out: result.timedOut, origin: "executed" });
  }
  return ok({ text: o.simulate?.(name, args) ?? '{"status":"ok"}', is_error: false, timed_out: false, origin: "simulated" });
}

function recordOf(loop: Loop, o: LoopOptions, allowed: AllowedValues): LoopRecord {
  const { found, steps } = loop;
  const dueTool = (found.any_of?.find((a) => a !== null) ?? found.expect)?.[0]?.name ?? null;
  const transcript: Transcript = {
    id: found.id,
    cluster: found.frame ?? found.id,
    scenario: found.scenario ?? null,
    ...(found.kind === undefined ? {} : { kind: found.kind }),
    tool_name: found.tool_name ?? dueTool,
    question: found.messages.findLast((m) => m.role === "user")?.content ?? "",
    decoding: o.decoding ?? "free",
    first_turn_only: o.firstTurnOnly ?? false,
    steps,
    calls: steps.flatMap((s) => s.calls),
    answer: loop.answer,
    ended: loop.ended ?? "step_limit",
    ...(loop.problem === undefined ? {} : { problem: loop.problem }),
    ms: steps.reduce((sum, s) => sum + s.ms, 0),
    warm_up: loop.warmUp,
  };
  return { ...transcript, ...judge(transcript, found, allowed) };
}
