/** The words of the llama.cpp engine, and the one helper that every engine shares. */
import type { Result } from "../../platform/result.ts";

export interface OpenLlamaOptions {
  /** Path of the GGUF. */
  readonly model: string;
  /** Tokens that one sequence can hold. Default: grows with what is asked for, up to the model's own window. */
  readonly contextTokens?: number;
  /** How many completions run side by side in one batch. Default: 8. */
  readonly sequences?: number;
  /** Threads; never more than there are cores free. Default: the cores available to this process. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds without a sign of life, while it has work, after which the worker counts as hung. Default: 120,000. */
  readonly timeoutMs?: number;
  /** Path of the bundled worker. Default: the package's dist/llama-worker.js. */
  readonly worker?: string;
}

/** A grammar that begins to hold after the model has itself written `after`. */
export interface GrammarRequest {
  /** GBNF with the rule `root`: what may follow `after`, up to where the output may end. */
  readonly gbnf: string;
  readonly after: string;
}

export interface CompletionRequest {
  /** The rendered prompt; special tokens in it are read as such. */
  readonly prompt: string;
  readonly maxTokens: number;
  /** Texts that end the output (not part of it). End-of-generation tokens always do. */
  readonly stop?: readonly string[];
  readonly grammar?: GrammarRequest;
  /** The beginning that this prompt shares with others (the tool prompt): evaluated once per sequence, then kept. A hint only. */
  readonly prefix?: string;
  readonly signal?: AbortSignal;
}

export interface Completion {
  readonly text: string;
  /** Tokens generated, the end-of-turn token included. */
  readonly tokens: number;
  readonly promptTokens: number;
  /** Milliseconds from the start of evaluation (waiting for a free sequence not included) to the last token. */
  readonly ms: number;
  /** Milliseconds from the start of evaluation to the first token. */
  readonly firstTokenMs: number;
  /** What ended it: an end-of-generation token, `maxTokens` (or a full context), a stop text. */
  readonly stopped: "eos" | "limit" | "stop";
}

/** A model loaded in llama.cpp, in a process of its own. Decoding is greedy: the same prompt gives the same text. */
export interface LlamaEngine {
  complete(request: CompletionRequest): Promise<Result<Completion>>;
  /**
   * Several completions at once, in the order of the requests. With nothing else in flight the same
   * requests give the same texts: how they share batches depends on nothing but them.
   *
   * @param onEach called as each one ends
   */
  completeAll?(requests: readonly CompletionRequest[], onEach?: (index: number, result: Result<Completion>) => void): Promise<Result<Completion>[]>;
  /** Ids of the text's tokens, special tokens read as such, nothing added. */
  tokenize(text: string): Promise<Result<number[]>>;
  /** Ends the worker. Completions in flight fail. May be called twice. */
  close(): Promise<void>;
}

/** Completes several requests on any engine; see `LlamaEngine.completeAll`. */
export async function completeAll(
  engine: LlamaEngine,
  requests: readonly CompletionRequest[],
  onEach?: (index: number, result: Result<Completion>) => void,
): Promise<Result<Completion>[]> {
  if (engine.completeAll !== undefined) return engine.completeAll(requests, onEach);
  return Promise.all(
    requests.map(async (request, i) => {
      const result = await engine.complete(request);
      onEach?.(i, result);
      return result;
    }),
  );
}
