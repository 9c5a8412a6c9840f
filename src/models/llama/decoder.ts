/**
 * Decodes many prompts over a few sequences of one llama.cpp context, greedily, in lock-step: every
 * round asks each busy sequence for one token, in order of their numbers. Two things follow. llama.cpp
 * splits a batch wherever sequence numbers are out of order, so ordered rounds are the fast ones (113
 * tokens/s instead of 64 with 8 sequences of a 135M model on 2 cores); and how requests share batches,
 * which touches the last bits of floating point, depends on the requests alone and not on timing.
 */
import {
  type Llama,
  type LlamaContext,
  type LlamaContextSequence,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type Token,
} from "node-llama-cpp";
import { commonLength, PrefixStates } from "./prefix.ts";
import type { CompletionItem, WorkerProblem } from "./protocol.ts";
import { ThreadGovernor } from "./threads.ts";
import type { Completion } from "./types.ts";

export type DecodeResult = { readonly value: Completion } | { readonly problem: WorkerProblem };

export interface DecoderOptions {
  readonly contextTokens?: number;
  readonly sequences: number;
  readonly threads: number;
  /** Existing folder for saved states. */
  readonly folder: string;
  /** Called after every round: a sign of life. */
  readonly onRound: () => void;
}

interface Job {
  readonly item: CompletionItem;
  readonly prompt: Token[];
  readonly prefixLength: number;
  readonly done: (result: DecodeResult) => void;
  readonly cancelled: () => boolean;
}

interface Running {
  readonly job: Job;
  readonly limit: number;
  readonly tokens: ReturnType<LlamaContextSequence["evaluate"]>;
  readonly out: Token[];
  readonly started: number;
  firstTokenMs: number;
  /** The generator's next input, where the last token was replaced. */
  replacement?: Token[];
  grammar?: LlamaGrammarEvaluationState;
}

interface Slot {
  readonly sequence: LlamaContextSequence;
  running?: Running;
}

/** Context sizes are multiples of this many tokens, so that a growing prompt does not remake the context often. */
const GRAIN = 512;
const BATCH_TOKENS = 512;

export class Decoder {
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #o: DecoderOptions;
  readonly #states: PrefixStates;
  readonly #grammars = new Map<string, LlamaGrammar>();
  readonly #queue: Job[] = [];
  readonly #governor: ThreadGovernor;
  #context: LlamaContext | undefined;
  #slots: Slot[] = [];
  #working = false;

  constructor(llama: Llama, model: LlamaModel, o: DecoderOptions) {
    this.#llama = llama;
    this.#model = model;
    this.#o = o;
    this.#states = new PrefixStates(o.folder);
    this.#governor = new ThreadGovernor(o.threads);
  }

  /** Ids of a text, special tokens read as such, nothing added. */
  tokenize(text: string): Token[] {
    return this.#model.tokenize(text, true);
  }

  /** Queues requests that belong together; `done` is called once for each. Their decoding starts together. */
  add(items: readonly CompletionItem[], done: (index: number, result: DecodeResult) => void, cancelled: () => boolean): void {
    for (const [i, item] of items.entries()) {
      const prompt = this.tokenize(item.prompt);
      const prefixLength = item.prefix !== undefined && item.prompt.startsWith(item.prefix) ? commonLength(this.tokenize(item.prefix), prompt) : 0;
      this.#queue.push({ item, prompt, prefixLength, cancelled, done: (result) => done(i, result) });
    }
    if (this.#working) return;
    this.#working = true;
    void this.#work().finally(() => {
      this.#working = false;
    });
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#fill();
      const busy = this.#slots.filter((s) => s.running !== undefined);
      if (busy.length === 0) return;
      const decoding = busy.every((s) => (s.running as Running).out.length > 0);
      this.#llama.maxThreads = this.#governor.threads;
      const started = performance.now();
      const tokens = await Promise.all(busy.map((slot) => this.#next(slot)));
      if (decoding) this.#governor.observe(performance.now() - started, busy.length);
      for (const [i, slot] of busy.entries()) this.#take(slot, tokens[i] as Token | Error | undefined);
      this.#o.onRound();
    }
  }

  /** Gives waiting jobs to free slots. A job that needs a larger context waits until all slots are free. */
  async #fill(): Promise<void> {
    for (;;) {
      const job = this.#queue[0];
      if (job === undefined) return;
      if (job.cancelled()) {
        this.#queue.shift();
        job.done({ problem: { code: "cancelled", message: "the request was cancelled" } });
        continue;
      }
      try {
        const problem = await this.#ensureContext(job);
        if (problem === "later") return;
        if (problem !== undefined) {
          this.#queue.shift();
          job.done({ problem });
          continue;
        }
        const slot = this.#slots.find((s) => s.running === undefined);
        if (slot === undefined) return;
        this.#queue.shift();
        slot.running = await this.#start(slot, job);
      } catch (e) {
        if (this.#queue[0] === job) this.#queue.shift();
        job.done({ problem: { code: "engine", message: (e as Error).message } });
      }
    }
  }

  async #start(slot: Slot, job: Job): Promise<Running> {
    const started = performance.now();
    const grammar = job.item.grammar && (await this.#grammar(job.item.grammar.gbnf));
    const held = await this.#states.prepare(slot.sequence, job.prompt, job.prefixLength);
    const tokens = slot.sequence.evaluate(job.prompt.slice(held), {
      temperature: 0,
      yieldEogToken: true,
      grammarEvaluationState: () => running.grammar,
    });
    const running: Running = {
      job,
      tokens,
      started,
      out: [],
      firstTokenMs: 0,
      limit: Math.min(job.item.maxTokens, slot.sequence.contextSize - job.prompt.length),
    };
    if (grammar !== undefined && job.item.grammar?.after === "") running.grammar = this.#grammarState(grammar);
    return running;
  }

  async #next(slot: Slot): Promise<Token | Error | undefined> {
    const running = slot.running as Running;
    const { replacement } = running;
    running.replacement = undefined;
    try {
      const step = await running.tokens.next(replacement);
      return step.done ? undefined : step.value;
    } catch (e) {
      return e as Error;
    }
  }

  /** Takes a round's token into a slot's output, and ends it where it ends. */
  #take(slot: Slot, token: Token | Error | undefined): void {
    const running = slot.running as Running;
    const { item, cancelled } = running.job;
    if (token instanceof Error) this.#finish(slot, { problem: { code: "engine", message: token.message } });
    else if (cancelled()) this.#finish(slot, { problem: { code: "cancelled", message: "the request was cancelled" } });
    else if (running.out.length === 0) running.firstTokenMs = performance.now() - running.started;
    if (slot.running === undefined || token instanceof Error) return;
    if (token === undefined || this.#model.isEogToken(token)) {
      this.#end(slot, this.#text(running.out), "eos", 1);
      return;
    }
    running.out.push(token);
    const text = this.#text(running.out);
    const stop = earliest(text, item.stop ?? []);
    if (stop >= 0) this.#end(slot, text.slice(0, stop), "stop");
    else if (running.out.length >= running.limit) this.#end(slot, text, "limit");
    else if (item.grammar !== undefined && running.grammar === undefined) this.#openGrammar(running, text);
  }

  /**
   * Begins to apply the grammar once the model has written the text that it follows. Where the token that
   * completed that text holds more than it, the rest is taken back and written again under the grammar.
   */
  #openGrammar(running: Running, text: string): void {
    const { grammar } = running.job.item;
    const grammarObject = grammar && this.#grammars.get(grammar.gbnf);
    if (grammar === undefined || grammarObject === undefined) return;
    const at = text.indexOf(grammar.after);
    if (at < 0) return;
    running.grammar = this.#grammarState(grammarObject);
    const wanted = text.slice(0, at + grammar.after.length);
    if (wanted === text) return;
    running.out.pop();
    running.replacement = this.#model.tokenize(wanted.slice(this.#text(running.out).length), true);
    running.out.push(...running.replacement);
  }

  #end(slot: Slot, text: string, stopped: Completion["stopped"], unseen = 0): void {
    const { out, started, firstTokenMs, job } = slot.running as Running;
    this.#finish(slot, {
      value: { text, tokens: out.length + unseen, promptTokens: job.prompt.length, ms: performance.now() - started, firstTokenMs, stopped },
    });
  }

  #finish(slot: Slot, result: DecodeResult): void {
    const running = slot.running as Running;
    slot.running = undefined;
    void running.tokens.return().catch(() => {});
    running.job.done(result);
  }

  #text(tokens: readonly Token[]): string {
    return this.#model.detokenize(tokens, true);
  }

  #grammarState(grammar: LlamaGrammar): LlamaGrammarEvaluationState {
    return new LlamaGrammarEvaluationState({ model: this.#model, grammar });
  }

  async #grammar(gbnf: string): Promise<LlamaGrammar> {
    let grammar = this.#grammars.get(gbnf);
    if (grammar === undefined) {
      grammar = await this.#llama.createGrammar({ grammar: gbnf });
      this.#grammars.set(gbnf, grammar);
    }
    return grammar;
  }

  /** Makes a context that the job fits into: "later" while others still use a smaller one; a problem where none can be. */
  async #ensureContext(job: Job): Promise<"later" | WorkerProblem | undefined> {
    const window = this.#model.trainContextSize;
    const most = this.#o.contextTokens ?? window;
    if (job.prompt.length === 0) return { code: "empty-prompt", message: "the prompt is empty" };
    if (job.prompt.length >= most) return { code: "prompt-too-long", message: `the prompt has ${job.prompt.length} tokens; the model can hold ${most}` };
    const need = Math.min(job.prompt.length + job.item.maxTokens, most);
    if (this.#context !== undefined && need <= this.#context.contextSize) return undefined;
    if (this.#slots.some((s) => s.running !== undefined)) return "later";
    // Room to spare, because a loop's later prompts are longer than its first.
    const size = this.#o.contextTokens ?? Math.min(window, Math.ceil((need * 1.25) / GRAIN) * GRAIN);
    await this.#context?.dispose();
    await this.#states.clear();
    this.#llama.maxThreads = this.#o.threads;
    // Without flash attention the sums do not depend on the number of threads, and it is as fast here.
    this.#context = await this.#model.createContext({
      contextSize: size,
      sequences: this.#o.sequences,
      threads: this.#o.threads,
      batchSize: BATCH_TOKENS,
      flashAttention: false,
      // Of layers with a sliding window the whole is kept, too: else what is out of it could not be gone back to, to another prompt of the same prefix.
      swaFullCache: true,
    });
    const context = this.#context;
    this.#slots = Array.from({ length: this.#o.sequences }, () => ({ sequence: context.getSequence() }));
    return undefined;
  }
}

/** Index of the earliest stop text, or -1. */
function earliest(text: string, stops: readonly string[]): number {
  const found = stops.map((s) => text.indexOf(s)).filter((i) => i >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}
