/**
 * A hosted chat model behind OpenAI's interface: many requests at once, each answered by JSON of a given schema.
 *
 * Guarantees: a reply is on disk before anything else happens to it, and in its file before the next request takes its turn, so that a kill loses no more of
 * them than may be on their way at once; what was asked before costs nothing (replies.ts); all that was ever paid stays within the budget (ledger.ts, budget.ts), a request that timed out counted at its worst; requests
 * keep to the limits a minute (pace.ts); failed ones are tried three times more, as `Retry-After` says. An interrupted run starts no
 * request and gives those on their way some seconds to arrive. What is no answer of this interface (wire.ts) is an error, and is not
 * kept. With `batch` the requests go by OpenAI's Batch API (batch.ts), for half the price.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fsFailure } from "../../platform/fs.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { fetchByBatch } from "./batch.ts";
import { Batches } from "./batches.ts";
import { Budget } from "./budget.ts";
import { INTERRUPTED, overBudget } from "./failures.ts";
import { Ledger } from "./ledger.ts";
import { type Limits, Pace } from "./pace.ts";
import { costOf, type Price } from "./prices.ts";
import { nameOf, Replies, type Reply } from "./replies.ts";
import { isCutOff, mostTokens, RETRIES, type Request, Wire, type WireOptions, waitFor } from "./wire.ts";

export type { Request } from "./wire.ts";

/** Requests on their way at once. */
const IN_FLIGHT = 16;
/** Milliseconds before the first retry, doubled for each. */
const RETRY_MS = 500;
/** Milliseconds that requests on their way get to arrive once the run is interrupted. */
const GRACE_MS = 7_000;
/** What a batch costs of the price at OpenAI's (platform.openai.com/docs/guides/batch). */
const BATCH_SHARE = 0.5;

export interface HostedOptions extends Limits, WireOptions {
  /** Undefined: the model costs nothing that can be counted. */
  readonly price?: Price;
  readonly budgetUsd?: number;
  /** Folder of the replies that were paid for. */
  readonly repliesFolder: string;
  /** File of what was paid. */
  readonly ledger: string;
  /** File of the batches under way. */
  readonly batches?: string;
  /** Whether requests go by batches; without it each goes by itself, and only what earlier batches bring is fetched. */
  readonly batch?: boolean;
  /** What a batch costs of the price: half at OpenAI's, elsewhere the whole. */
  readonly batchShare?: number;
  readonly signal?: AbortSignal;
  /** Says how a batch stands. */
  readonly say?: (message: string) => void;
  /** Default 16. */
  readonly inFlight?: number;
  /** Milliseconds before the first retry (500), and before a batch is first looked at (5,000). */
  readonly retryMs?: number;
  readonly pollMs?: number;
}

/** What the requests of a run came to, those included whose replies were kept from earlier ones. */
export interface Spending {
  readonly requests: number;
  /** Of them, answered from disk. */
  readonly kept: number;
  /** Requests that were cut off, of which nobody knows what they cost. */
  readonly cutOff: number;
  readonly input: number;
  readonly output: number;
  /** US dollars that these replies cost, whenever they were paid; null where the price is not known. */
  readonly usd: number | null;
  /** Of them, paid by this run, and what its requests that were cut off cost at worst. */
  readonly now: number | null;
  readonly cutOffUsd: number | null;
}

/** A reply, and whether it is on disk already. */
interface Arrived {
  readonly name: string;
  readonly reply: Reply;
  readonly kept: boolean;
  /** What was set aside for it and is still, until its cost is entered. */
  readonly worst: number;
}

export class HostedModel {
  private readonly replies: Replies;
  private readonly ledger: Ledger;
  private budget: Budget | undefined;
  private readonly pace: Pace;
  private readonly counted = { requests: 0, kept: 0, cutOff: 0, input: 0, output: 0 };
  private readonly wire: Wire;
  private usd = 0;
  private newUsd = 0;
  private cutOffUsd = 0;
  /** US dollars that the ledger holds for what is underway, and the entry that says so. */
  private held = 0;
  private holding: Promise<void> = Promise.resolve();
  /** Names of the replies that this run fetched by batch, and marks of the batches that its budget has counted. */
  private readonly fetched = new Set<string>();
  private readonly countedBatches = new Set<string>();

  constructor(private readonly o: HostedOptions) {
    this.wire = new Wire(o);
    this.replies = new Replies(o.repliesFolder);
    this.ledger = new Ledger(o.ledger);
    this.pace = new Pace(o);
  }

  /** Replies in the order of the requests; `onReply` is told of each as it comes. The first failure ends the rest; what arrived until then is kept. */
  async ask(requests: readonly Request[], onReply?: (place: number, reply: Reply) => void): Promise<Result<Reply[]>> {
    try {
      this.budget ??= new Budget(this.o.budgetUsd, this.o.budgetUsd === undefined ? 0 : this.ledger.paid());
    } catch (e) {
      const failure = fsFailure(e, "read what the teacher has cost");
      if (failure === undefined) throw e;
      return err(failure);
    }
    const { budget } = this;
    if (this.o.batches !== undefined) {
      const fetched = await this.byBatch(this.o.batches, requests, budget);
      if (!fetched.ok) return fetched;
    }
    const found: (Reply | undefined)[] = [];
    let failure: Failure | undefined;
    let next = 0;
    const lanes = Math.min(this.o.inFlight ?? IN_FLIGHT, requests.length);
    const take = (i: number, reply: Reply): void => {
      found[i] = reply;
      onReply?.(i, reply);
    };
    /** Replies that are not synced yet. */
    const storing = new Set<Promise<void>>();
    /** Resolves once no kill of the process loses the reply; the next request leaves while it is synced. */
    const store = (i: number, arrived: Arrived): Promise<void> =>
      new Promise((safe) => {
        const stored = this.store(arrived, budget, safe).then((kept) => {
          storing.delete(stored);
          safe();
          if (kept.ok) take(i, kept.value);
          else failure ??= kept.error;
        });
        storing.add(stored);
      });
    const lane = async (): Promise<void> => {
      while (next < requests.length && failure === undefined) {
        const i = next++;
        const arrived = await this.one(requests[i] as Request, budget);
        if (!arrived.ok) failure ??= arrived.error;
        else if (arrived.value.kept) take(i, this.count(arrived.value.reply, !this.fetched.delete(arrived.value.name)));
        else {
          await store(i, arrived.value);
          // No more is asked for than the disk takes.
          if (storing.size > lanes) await Promise.race(storing);
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: lanes }, lane));
    } finally {
      await Promise.all(storing);
      const released = await this.release();
      failure ??= released;
    }
    return failure === undefined ? ok(found as Reply[]) : err(failure);
  }

  spending(): Spending {
    const known = (usd: number): number | null => (this.o.price === undefined ? null : usd);
    return { ...this.counted, usd: known(this.usd), now: known(this.newUsd), cutOffUsd: known(this.cutOffUsd) };
  }

  /** A reply: the one that is kept, or as it arrives. */
  private async one(request: Request, budget: Budget): Promise<Result<Arrived>> {
    const { signal } = this.o;
    const name = this.nameOf(request);
    const kept = this.replies.find(name);
    if (kept !== undefined) return ok({ name, reply: kept, kept: true, worst: 0 });
    const worst = this.worst(request);
    for (let attempt = 0; ; attempt++) {
      if (!(await budget.reserve(worst))) return err(overBudget(budget, worst));
      let cost = 0;
      let arrived = false;
      try {
        await this.pace.turn(Math.ceil(mostTokens(request) / 4) + request.maxTokens / 2, signal);
        if (signal?.aborted) return err(INTERRUPTED);
        await this.hold(budget);
        const late = lateSignal(signal);
        const reply = await this.wire.send(request, late.signal).finally(late.done);
        arrived = true;
        return ok({ name, reply, kept: false, worst });
      } catch (e) {
        // Nobody knows what a request costs that was cut off.
        if (isCutOff(e) && worst > 0) {
          cost = worst;
          this.counted.cutOff++;
          this.cutOffUsd += worst;
          await this.ledger.enter(cost).catch(() => undefined);
        }
        if (signal?.aborted) return err(INTERRUPTED);
        const wait = attempt < RETRIES ? waitFor(e, (this.o.retryMs ?? RETRY_MS) * 2 ** attempt) : undefined;
        if (wait === undefined) {
          const failure = fsFailure(e, "enter what the teacher may cost") ?? this.wire.failureOf(e);
          if (failure === undefined) throw e;
          return err(failure);
        }
        await sleep(wait, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      } finally {
        // What arrived is settled once it is entered.
        if (!arrived) budget.settle(worst, cost);
      }
    }
  }

  /**
   * Sees to it that the ledger holds all that is underway, at its worst, before more of it leaves: no kill can hide what it cost. Twice as much is entered as
   * is needed, if the budget has it, so that it is done a few times a run.
   */
  private async hold({ limit, spent, underwayUsd }: Budget): Promise<void> {
    if (underwayUsd > this.held) {
      const most = limit === undefined ? Number.POSITIVE_INFINITY : limit - spent;
      this.held = Math.max(underwayUsd, Math.min(2 * underwayUsd, most));
      this.holding = this.ledger.hold(this.held);
    }
    await this.holding;
  }

  /** Nothing is underway any more. */
  private async release(): Promise<Failure | undefined> {
    if (this.held === 0) return undefined;
    this.held = 0;
    this.holding = Promise.resolve();
    try {
      await this.ledger.hold(0);
      return undefined;
    } catch (e) {
      const failure = fsFailure(e, "enter what the teacher has cost");
      if (failure === undefined) throw e;
      return failure;
    }
  }

  /** Keeps a reply and enters what it cost; until that is entered the ledger holds it at its worst. `safe` is called once no kill loses the reply. */
  private async store({ name, reply, worst }: Arrived, budget: Budget, safe: () => void): Promise<Result<Reply>> {
    const cost = this.cost(reply);
    const entered = cost > 0 ? this.ledger.enter(cost) : Promise.resolve();
    try {
      await Promise.all([entered.finally(() => budget.settle(worst, cost)), this.replies.keep(name, reply, safe)]);
      return ok(this.count(reply, false));
    } catch (e) {
      const failure = fsFailure(e, "keep a reply of the teacher");
      if (failure === undefined) throw e;
      return err(failure);
    }
  }

  /** Fetches what is not kept by batches, so that all of it is. */
  private async byBatch(file: string, requests: readonly Request[], budget: Budget): Promise<Result<void>> {
    const { signal, say, pollMs } = this.o;
    const missing = new Map(requests.map((r) => [this.nameOf(r), r] as const).filter(([name]) => this.replies.find(name) === undefined));
    try {
      return await fetchByBatch(missing, {
        wire: this.wire,
        batches: new Batches(file),
        budget,
        begin: this.o.batch === true,
        worst: (request) => this.worst(request) * this.batchShare,
        counted: this.countedBatches,
        paid: (name) => {
          const kept = this.replies.find(name);
          // One that was asked for singly was paid for beside the batch.
          return kept?.batch === true ? this.cost(kept) : undefined;
        },
        keep: async (name, reply) => {
          const cost = this.cost(reply);
          if (cost > 0) await this.ledger.enter(cost);
          if (this.replies.find(name) === undefined) {
            await this.replies.keep(name, reply);
            this.fetched.add(name);
          }
          return cost;
        },
        signal,
        say,
        pollMs,
      });
    } catch (e) {
      const failure = fsFailure(e, "keep what the teacher wrote") ?? this.wire.failureOf(e);
      if (failure === undefined) throw e;
      return err(failure);
    }
  }

  private get batchShare(): number {
    return this.o.batchShare ?? (this.o.baseUrl === undefined ? BATCH_SHARE : 1);
  }

  private nameOf(request: Request): string {
    const { model, temperature, baseUrl } = this.o;
    return nameOf({ baseUrl: baseUrl ?? null, model, temperature, ...request });
  }

  /** US dollars that a request may cost. */
  private worst(request: Request): number {
    return this.o.price === undefined ? 0 : costOf(this.o.price, { input: mostTokens(request), output: request.maxTokens });
  }

  private cost = (reply: Reply): number => (this.o.price === undefined ? 0 : costOf(this.o.price, reply) * (reply.batch === true ? this.batchShare : 1));

  private count(reply: Reply, kept: boolean): Reply {
    this.counted.requests++;
    if (kept) this.counted.kept++;
    else this.newUsd += this.cost(reply);
    this.counted.input += reply.input;
    this.counted.output += reply.output;
    this.usd += this.cost(reply);
    return reply;
  }
}

/** Aborts a while after `signal`: what is on its way is paid for. */
function lateSignal(signal: AbortSignal | undefined): { readonly signal: AbortSignal; done(): void } {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(() => late.abort(), GRACE_MS);
  };
  if (signal?.aborted) begin();
  else signal?.addEventListener("abort", begin, { once: true });
  return {
    signal: late.signal,
    done: () => {
      signal?.removeEventListener("abort", begin);
      clearTimeout(timer);
    },
  };
}
