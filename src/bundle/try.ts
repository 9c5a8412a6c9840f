/**
 * Asks a bundle's model one thing: shows the calls, what came back, and the answer.
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
import { err, ok, type Result } from "../platform/result.ts";
import type { Agent } from "../schemas/generated/agent.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
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

/** Runs one loop. Failures: no bundle, a damaged one, a model that does not load, a tool server that fails. */
export async function tryBundle(dir: string, prompt: string, o: TryOptions = {}): Promise<Result<TryOutcome>> {
  if (prompt.trim() === "" || prompt.length > MAX_PROMPT) {
    return err({
      code: "bundle/prompt",
      message: prompt.trim() === "" ? "the prompt is empty" : `the prompt is longer than ${MAX_PROMPT} characters`,
      hint: "say in quotes what the model shall do",
      exit: EXIT.usage,
    });
  }
  const loaded = await loadBundle(dir, o.signal);
  if (!loaded.ok) return loaded;
  const { agent, toolset, renderer, manifest } = loaded.value;
  const [model] = agent.models;
  if (model === undefined) throw new Error("a bundle that was loaded names a model");

  const notes: string[] = [];
  const session = await openSources(agent, toolset.hash, notes, o);
  if (!session.ok) return session;
  try {
    const engine = await (o.openEngine ?? openLlama)({
      model: join(dir, model.file),
      sequences: 1,
      ...(o.threads === undefined ? {} : { threads: o.threads }),
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    if (!engine.ok) return engine;
    try {
      const asked: EvaluationCase = { id: "try", messages: [{ role: "user", content: prompt }], expect: null };
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
      if (record.answer === null) notes.push(`the model's last output: ${(record.steps.at(-1)?.output ?? "").slice(0, 500)}`);
      if (calls.some((c) => !c.executed && c.result !== "")) notes.push("a result was made up: the tool may not be executed here");
      return ok({ calls, answer: record.answer, ended: record.ended, notes, unproven: manifest.unproven === true || agent.unproven !== undefined });
    } finally {
      await engine.value.close();
    }
  } finally {
    await session.value?.close();
  }
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
