/**
 * What a model that thinks writes before its output: asked for by itself, up to its closing, so that it is bounded by itself, no grammar holds in it and
 * nothing in it is read for a call.
 */
import { type Completion, type CompletionRequest, completeAll, type LlamaEngine } from "../models/llama/types.ts";
import { MOST_THOUGHT_TOKENS, type ThinkingTemplate } from "../models/thinking.ts";
import { ok, type Result } from "../platform/result.ts";

/** What is wrong with an output that has a think tag in it. */
export const STRAY = "a tag of a thought stands outside of one";

/** What a model thought, and how it goes on. */
export interface ThoughtBefore {
  /** Undefined where it began without one. */
  readonly thought?: string;
  /** What the thought took; undefined where there is none. */
  readonly took?: Completion;
  /** The request for what follows it; undefined where nothing can. */
  readonly next?: CompletionRequest;
  /** In place of an output: the thought has no end, or there was none at all. */
  readonly ended?: Result<Completion>;
}

/** Tokens in which a model that opens its thought itself has done so; one that has not is not let go on for the length of a thought. */
const OPENING_TOKENS = 8;

/** The thoughts that come before the outputs. A model that does not open one is asked as if it were none that thinks. */
export async function think(engine: LlamaEngine, asked: readonly CompletionRequest[], { open, close, opened }: ThinkingTemplate): Promise<ThoughtBefore[]> {
  const free = asked.map(({ grammar: _, ...request }): CompletionRequest => ({ ...request, maxTokens: MOST_THOUGHT_TOKENS, stop: [close] }));
  const begins = (text: string): boolean => opened || text.trimStart().startsWith(open);
  const thoughts = await completeAll(engine, opened ? free : free.map((r) => ({ ...r, maxTokens: OPENING_TOKENS })));
  const begun = opened ? [] : [...thoughts].flatMap((t, i) => (t.ok && t.value.stopped === "limit" && begins(t.value.text) ? [{ i, first: t.value }] : []));
  const rest = await completeAll(
    engine,
    begun.map(({ i, first }) => {
      const request = free[i] as CompletionRequest;
      return { ...request, prompt: request.prompt + first.text, maxTokens: MOST_THOUGHT_TOKENS - first.tokens };
    }),
  );
  for (const [k, { i, first }] of begun.entries()) thoughts[i] = after(first, rest[k] as Result<Completion>, first.text);
  return asked.map((request, i): ThoughtBefore => {
    const result = thoughts[i] as Result<Completion>;
    if (!result.ok) return { ended: result };
    const { text, stopped } = result.value;
    if (!begins(text)) return { next: request };
    const inside = text.trimStart();
    const thought = (inside.startsWith(open) ? inside.slice(open.length) : inside).trim();
    if (stopped !== "stop") return { thought, ended: ok({ ...result.value, text: "" }) };
    return { thought, took: result.value, next: { ...request, prompt: request.prompt + text + close } };
  });
}

/** What came after a beginning, as one with it: tokens and time of both, the prompt's of the beginning. */
const after = (first: Completion, rest: Result<Completion>, text: string): Result<Completion> =>
  rest.ok
    ? ok({
        ...rest.value,
        text: text + rest.value.text,
        tokens: first.tokens + rest.value.tokens,
        ms: first.ms + rest.value.ms,
        firstTokenMs: first.firstTokenMs,
        promptTokens: first.promptTokens,
      })
    : rest;

/** An output with what its thought took. */
export function afterThought(output: Result<Completion>, before: ThoughtBefore | undefined): Result<Completion> {
  if (!output.ok || before?.took === undefined) return output;
  return after(before.took, ok({ ...output.value, text: output.value.text.trimStart() }), "");
}
