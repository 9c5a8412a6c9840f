/**
 * Talks to a bundle's model: shows the calls, what came back, and the answer; of a chat, the model reads what was said before.
 *
 * A bundle may come from anyone, so no program that it names is started unless the caller allows it
 * (`allowServers`); stubs are our own code and run. What such a server was given by name (`${env:NAME}`,
 * `${secret:NAME}`) is looked up in the environment of whoever tries it, then and for nothing else. What may
 * not be executed gets a made-up result, which is said. The recipe's `execute` policy holds here as everywhere.
 */
import { join } from "node:path";
import { runLoops } from "../evaluation/loop.ts";
import { openLlama } from "../models/llama/client.ts";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Agent } from "../schemas/generated/agent.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import { openTools, originOf } from "../tools/open.ts";
import { resolveSettings } from "../tools/settings.ts";
import { LEFT_OUT } from "../tools/told.ts";
import type { ToolSession, ToolSource } from "../tools/types.ts";
import { loadBundle } from "./read.ts";
import type { TryOutcome } from "./types.ts";

export interface TryOptions {
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Start the servers that the bundle names: they are programs that its maker chose. Default false. */
  readonly allowServers?: boolean;
  /** Folder in which they are started. Default: the working directory. */
  readonly cwd?: string;
  /** Model outputs at most, the answer included. Default 5. */
  readonly maxSteps?: number;
  /** As in `openTools`; for tests. */
  readonly stubEntry?: string;
  /** How the model is loaded; for tests. */
  readonly openEngine?: typeof openLlama;
}

const MAX_PROMPT = 20_000;

/** A model that is loaded, and what was said so far. */
export interface Chat {
  /** Asks one thing. Failures: an empty or endless prompt, a model or a tool server that is lost, an abort; what was said before stays. */
  readonly say: (prompt: string) => Promise<Result<TryOutcome>>;
  readonly close: () => Promise<void>;
}

/** Asks one thing, with nothing before it. Failures: no bundle, a damaged one, a model that does not load, a tool server that fails. */
export async function tryBundle(dir: string, prompt: string, o: TryOptions = {}): Promise<Result<TryOutcome>> {
  // Before gigabytes are hashed.
  const refused = problemOf(prompt);
  if (refused !== undefined) return err(refused);
  const chat = await openChat(dir, o);
  if (!chat.ok) return chat;
  try {
    return await chat.value.say(prompt);
  } finally {
    await chat.value.close();
  }
}

/** Loads a bundle's model and opens its tools. Failures: no bundle, a damaged one, a model that does not load, a tool server that fails. */
export async function openChat(dir: string, o: TryOptions = {}): Promise<Result<Chat>> {
  const loaded = await loadBundle(dir, o.signal);
  if (!loaded.ok) return loaded;
  const { agent, toolset, renderer, manifest } = loaded.value;
  const [model] = agent.models;
  if (model === undefined) throw new Error("a bundle that was loaded names a model");
  const opening: string[] = [];
  const session = await openSources(agent, toolset.hash, opening, o);
  if (!session.ok) return session;
  const engine = await (o.openEngine ?? openLlama)({
    model: join(dir, model.file),
    sequences: 1,
    ...(o.threads === undefined ? {} : { threads: o.threads }),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
  if (!engine.ok) {
    await session.value?.close();
    return engine;
  }
  /** Requests with all that followed each. */
  let said: EvaluationCase["messages"][] = [];
  const ask = async (prompt: string, before: typeof said): Promise<Result<LoopRecord>> => {
    const asked: EvaluationCase = { id: "try", messages: [...before.flat(), { role: "user", content: prompt }], expect: null };
    const records = await runLoops({
      engine: engine.value,
      renderer,
      toolset,
      cases: [asked],
      session: session.value,
      decoding: agent.runtime.decoding ?? "free",
      ...(o.maxSteps === undefined ? {} : { maxSteps: o.maxSteps }),
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    if (!records.ok) return records;
    const record = records.value[0];
    if (record === undefined) throw new Error("one case gives one record");
    return ok(record);
  };
  const say = async (prompt: string): Promise<Result<TryOutcome>> => {
    const refused = problemOf(prompt);
    if (refused !== undefined) return err(refused);
    const notes: string[] = [];
    for (let kept = said; ; kept = kept.slice(1)) {
      const record = await ask(prompt, kept);
      if (!record.ok) return record;
      // Nothing was asked: the window does not hold it all, so what was said first is left out.
      const full = record.value.steps.length === 0;
      if (full && kept.length > 0) continue;
      if (full) return err(TOO_LONG);
      // Full after a call was made: that is not made again; the next message has room.
      const cut = record.value.answer === null && record.value.ended === "token_limit";
      if (cut || kept.length < said.length) notes.push(FORGOTTEN);
      const all = [...kept, turnOf(prompt, record.value)];
      said = cut ? all.slice(Math.ceil(all.length / 2)) : all;
      const outcome = outcomeOf(record.value, [...opening.splice(0), ...notes]);
      return ok({ ...outcome, unproven: manifest.unproven === true || agent.unproven !== undefined });
    }
  };
  const close = async (): Promise<void> => {
    await engine.value.close();
    await session.value?.close();
  };
  return ok({ say, close });
}

const FORGOTTEN = "the chat is longer than the model reads: what was said first is left out";
const TOO_LONG: Failure = { code: "bundle/prompt", message: "the message is longer than the model reads", hint: "say it in fewer words", exit: EXIT.usage };

function problemOf(prompt: string): Failure | undefined {
  if (prompt.trim() !== "" && prompt.length <= MAX_PROMPT) return undefined;
  return {
    code: "bundle/prompt",
    message: prompt.trim() === "" ? "the prompt is empty" : `the prompt is longer than ${MAX_PROMPT} characters`,
    hint: "say in quotes what the model shall do",
    exit: EXIT.usage,
  };
}

/** A request and what followed it, as the model reads it when it is asked the next thing. */
function turnOf(prompt: string, { steps, answer }: LoopRecord): EvaluationCase["messages"] {
  const turn: EvaluationCase["messages"] = [{ role: "user", content: prompt }];
  for (const [s, step] of steps.entries()) {
    // A call that came to nothing (no such tool, arguments that do not fit) has no result to read.
    if (step.results.length === 0) continue;
    const calls = step.results.map((_, i) => ({ id: `call_${s}_${i}`, name: step.calls[i]?.name ?? "", arguments: JSON.stringify(step.calls[i]?.arguments) }));
    turn.push({ role: "assistant", content: null, tool_calls: calls.map(({ id, ...called }) => ({ id, type: "function", function: called })) });
    for (const [i, result] of step.results.entries()) turn.push({ role: "tool", content: result.text, tool_call_id: calls[i]?.id });
  }
  turn.push({ role: "assistant", content: answer ?? "I could not do that." });
  return turn;
}

function outcomeOf(record: LoopRecord, notes: string[]): Omit<TryOutcome, "unproven"> {
  const calls = record.steps.flatMap((s) =>
    s.calls.map((c, i) => {
      const result = s.results[i];
      return {
        name: c.name,
        arguments: c.arguments,
        result: result?.text ?? "",
        executed: result?.origin === "executed",
        isError: result?.is_error === true || result?.timed_out === true,
      };
    }),
  );
  if (record.problem !== undefined) notes.push(record.problem);
  if (record.ended === "empty_answer") notes.push("the model answered nothing");
  const last = record.steps.at(-1)?.output ?? "";
  if (record.answer === null && last !== "") notes.push(`the model's last output: ${last.slice(0, 500)}`);
  if (calls.some((c) => !c.executed && c.result !== "")) notes.push("a result was made up: the tool may not be executed here");
  return { calls, answer: record.answer, ended: record.ended, notes };
}

/** Opens what may be opened of the bundle's sources, servers in the working directory; null when that is nothing. */
export async function openSources(agent: Agent, hash: string, notes: string[], o: TryOptions): Promise<Result<ToolSession | null>> {
  const all: readonly ToolSource[] = agent.toolset.sources ?? [];
  const open = all.filter((s) => typeof s.stub === "string" || (s.mcp !== undefined && o.allowServers === true));
  const held = all.filter((s) => s.mcp !== undefined && !open.includes(s));
  if (held.length > 0) notes.push(`not started: ${held.map(originOf).join(", ")} (a server that the bundle names runs only when you allow it)`);
  if (open.length === 0) return ok(null);
  const withoutKey = open.filter((s) => JSON.stringify(s.mcp ?? {}).includes(LEFT_OUT));
  if (withoutKey.length > 0) notes.push(`a key was left out of ${withoutKey.map(originOf).join(", ")} when the bundle was packed: the server may refuse`);
  // Looked up for servers alone, which are here only when they are allowed.
  const ready = resolveSettings(open, process.env);
  if (!ready.ok) return ready;
  const session = await openTools(ready.value, {
    stated: open,
    // A path in a server's arguments means a folder of whoever tries it, as it meant one of the recipe's maker: never one of the bundle.
    dir: o.cwd ?? process.cwd(),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
    ...(o.stubEntry === undefined ? {} : { stubEntry: o.stubEntry }),
  });
  if (!session.ok) return session;
  if (open.length === all.length && session.value.toolset.hash !== hash)
    notes.push("the tools have changed since the model was trained (another toolset hash): expect wrong calls");
  return session;
}
