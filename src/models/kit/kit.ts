/**
 * Meta's synthetic-data-kit as a rewriter of requests: a Python step in the kit's own environment, which asks through an endpoint of forge's
 * (forward.ts) and so by a hosted model of ours.
 *
 * Guarantees: the same entry is the same request, and asked before it costs nothing; the step gets no key but the endpoint's, in its
 * environment; what ended the asking (a budget, a refusal, an interruption) is told in the hosted model's words. What comes back is parsed here.
 */
import { mkdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StageEvent } from "../../engine/stage.ts";
import { EXIT } from "../../platform/exit.ts";
import { toJsonLines } from "../../platform/json.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { ensureKitPython } from "../../runners/kit-env.ts";
import { runStep } from "../../runners/local.ts";
import type { Request } from "../hosted/client.ts";
import { type Asked, forward } from "./forward.ts";

/** What somebody wrote, and who is to write it anew. */
export interface KitEntry {
  readonly id: string;
  readonly person: string;
  readonly writes: string;
  /** Tells it from every other entry and attempt. */
  readonly example: string;
  /** Words that have to stay, by message. */
  readonly keep: readonly (readonly string[])[];
  readonly messages: readonly string[];
}

export interface KitOptions {
  readonly model: Asked;
  /** Name of the model, for the kit's configuration. */
  readonly name: string;
  readonly temperature: number;
  /** Folder for the step's files. */
  readonly scratch: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
  readonly emit: (event: StageEvent) => void;
}

/** Most tokens of a reply. */
const MOST_TOKENS = 600;

/** What the kit reads: a list of messages, in the one member that a strict schema has to have around it. */
const CONVERSATION: Request["reply"] = {
  name: "rewritten",
  schema: {
    type: "object",
    additionalProperties: false,
    required: ["conversation"],
    properties: {
      conversation: {
        type: "array",
        items: {
          type: "object",
          additionalProperties: false,
          required: ["role", "content"],
          properties: { role: { type: "string", enum: ["user"] }, content: { type: "string" } },
        },
      },
    },
  },
};

/** The new messages of each entry, in order; null where the reply was of no use. */
export async function rewordByKit(entries: readonly KitEntry[], o: KitOptions): Promise<Result<(readonly string[] | null)[]>> {
  if (entries.length === 0) return ok([]);
  const endpoint = await forward({ model: o.model, reply: CONVERSATION, maxTokens: MOST_TOKENS });
  if (!endpoint.ok) return endpoint;
  const { address, key, failure, close } = endpoint.value;
  mkdirSync(o.scratch, { recursive: true });
  const requests = join(o.scratch, "requests.jsonl");
  const output = join(o.scratch, "reworded.jsonl");
  try {
    await writeFile(requests, toJsonLines([...entries]));
    const spec = { v: 1, requests, output, address, model: o.name, temperature: o.temperature, max_tokens: MOST_TOKENS };
    const ran = await runStep("reword", spec, {
      scratch: o.scratch,
      logFile: o.logFile,
      signal: o.signal,
      python: ensureKitPython,
      // The kit's client would take a proxy for its way here.
      env: { API_ENDPOINT_KEY: key, NO_PROXY: "*", no_proxy: "*" },
      onEvent: (event) => {
        if (event.type === "log") o.emit(event);
      },
    });
    if (ran.ok) return readWords(await readFile(output, "utf8"), entries);
    // What the step says of it is that it got no answer; why, the hosted model knows.
    return err(failure() ?? (o.signal.aborted ? INTERRUPTED : ran.error));
  } finally {
    await close();
  }
}

/** One line an entry, in their order. */
function readWords(text: string, entries: readonly KitEntry[]): Result<(readonly string[] | null)[]> {
  const lines = text.trimEnd().split("\n").map(lineOf);
  const whole = lines.length === entries.length && entries.every((e, i) => lines[i]?.id === e.id);
  return whole ? ok(lines.map((line) => line?.messages ?? null)) : err(NOT_WHOLE);
}

interface Line {
  readonly id: string;
  readonly messages: readonly string[] | null;
}

function lineOf(text: string): Line | undefined {
  try {
    const { id, messages } = JSON.parse(text) as { id?: unknown; messages?: unknown };
    const texts = Array.isArray(messages) && messages.every((m) => typeof m === "string") ? messages : null;
    return typeof id === "string" ? { id, messages: texts } : undefined;
  } catch {
    return undefined;
  }
}

const INTERRUPTED: Failure = {
  code: "kit/interrupted",
  message: "generation was interrupted",
  hint: "run the same again: what was paid for is kept",
  exit: EXIT.interrupted,
};

const NOT_WHOLE: Failure = {
  code: "kit/not-whole",
  message: "synthetic-data-kit did not answer for every conversation",
  hint: "run the same again: what was paid for is kept",
  exit: EXIT.failed,
};
