/**
 * A hosted chat model behind OpenAI's interface: many requests at once, each answered by JSON of a given schema.
 *
 * Guarantees: a reply is on disk before anything else happens to it, and in its file before the next request takes its turn, so that a kill loses no more of
 * them than may be on their way at once; what was asked before and came to something costs nothing (replies.ts); all that was ever paid stays within the budget (ledger.ts, underway.ts,
 * budget.ts), a request that was cut off counted at its worst; what the budget has no room for is not asked and says so, and what is kept is answered all the same; requests
 * keep to the limits a minute (pace.ts); failed ones are tried three times more, as `Retry-After` says. An interrupted run starts no
 * request and gives those on their way some seconds to arrive. What is no answer of this interface (wire.ts) is an error in the end, and is not
 * kept. With `batch` the requests go by OpenAI's Batch API (batch.ts), for half the price.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fsFailure } from "../../platform/fs.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { fetchByBatch } from "./batch.ts";
import { Batches } from "./batches.ts";
import { Budget } from "./budget.ts";
import { INTERRUPTED, inBooks, OVER_BUDGET, overBudget } from "./failures.ts";
import { Ledger } from "./ledger.ts";
import { type Limits, Pace } from "./pace.ts";
import { costOf, type Price } from "./prices.ts";
import { type Flaw, nameOf, Replies, type Reply } from "./replies.ts";
import { Underway } from "./underway.ts";
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
  /** Of the replies, those of no use, by why. */
  readonly flaws: Readonly<Partial<Record<Flaw, number>>>;
}

/** What the budget had no room for. */
export interface Ended {
  readonly failure: Failure;
  /** US dollars: of all runs together, what was paid and what may have been; and what the request that had no room may cost. */
  readonly spent: number;
  readonly worst: number;
  /** The two sums in words. */
  readonly books: string;
}

export interface AskOptions {
  /** Told of each reply as it comes, in whatever order; a failure ends the asking. */
  readonly onReply?: (place: number, reply: Reply) => Failure | undefined;
  /** Whether a reply of an earlier run that came to nothing is to be taken as it is. Left out, or false: it is asked for again. */
  readonly settled?: (place: number) => boolean;
  /**
   * How many requests of about the same cost will follow on a reply. The budget keeps that much free for them until `allFollowed`: what was drafted is worth nothing
   * without its answers.
   */
  readonly follow?: (place: number) => number;
}

/** A reply, and whether it is on disk already. */
interface Arrived {
  readonly name: string;
  readonly reply: Reply;
  readonly kept: boolean;
  /** Requests that follow on it. */
  readonly follow: number;
  /** What was set aside for it and is still, until its cost is entered. */
  readonly worst: number;
}

const NOT_PAID_FOR: Reply = { text: "", flaw: "not paid for", input: 0, output: 0 };

export class HostedModel {
  private readonly replies: Replies;
  private readonly ledger: Ledger;
  private readonly underway: Underway;
  private budget: Budget | undefined;
  private readonly pace: Pace;
  private readonly counted = { requests: 0, kept: 0, cutOff: 0, input: 0, output: 0 };
  private readonly flaws: Partial<Record<Flaw, number>> = {};
  private readonly wire: Wire;
  private usd = 0;
  private newUsd = 0;
  private cutOffUsd = 0;
  /** US dollars that are kept free for what follows on what was asked. */
  private promised = 0;
  private over: Ended | undefined;
  /** Names of the replies that this run fetched by batch, and marks of the batches that its budget has counted. */
  private readonly fetched = new Set<string>();
  private readonly countedBatches = new Set<string>();
  /** Names of replies of no use that this run was given: it asks for none of them again. */
  private readonly useless = new Set<string>();

  constructor(private readonly o: HostedOptions) {
    this.wire = new Wire(o);
    this.replies = new Replies(o.repliesFolder);
    this.ledger = new Ledger(o.ledger);
    this.underway = new Underway(this.ledger);
    this.pace = new Pace(o);
  }

  /**
   * Replies in the order of the requests; those that the budget had no room for have the flaw "not paid for", and `ended` says why. The first failure ends the rest; what arrived
   * until then is kept.
   */
  async ask(requests: readonly Request[], { onReply, settled, follow }: AskOptions = {}): Promise<Result<Reply[]>> {
    try {
      this.budget ??= this.openBudget();
    } catch (e) {
      const failure = fsFailure(e, "read what the teacher has cost");
      if (failure === undefined) throw e;
      return err(failure);
    }
    const { budget } = this;
    const names = requests.map((r) => this.nameOf(r));
    const kept = (i: number): Reply | undefined => this.kept(names[i] as string, () => settled?.(i) === true);
    if (this.o.batches !== undefined) {
      const missing = new Map(
        requests.flatMap((r, i) => (kept(i) === undefined ? [[names[i] as string, { request: r, follow: follow?.(i) ?? 0 }] as const] : [])),
      );
      const fetched = await this.byBatch(this.o.batches, missing, budget);
      if (!fetched.ok) return fetched;
    }
    const found: (Reply | undefined)[] = [];
    let failure: Failure | undefined;
    let next = 0;
    const lanes = Math.min(this.o.inFlight ?? IN_FLIGHT, requests.length);
    const take = (i: number, reply: Reply): void => {
      found[i] = reply;
      failure ??= onReply?.(i, reply);
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
        const name = names[i] as string;
        const here = kept(i);
        const follows = follow?.(i) ?? 0;
        if (here !== undefined) {
          this.promise(follows * this.cost(here));
          take(i, this.count(here, !this.fetched.delete(name)));
          continue;
        }
        // Of batches only what the budget has no room for is left by now.
        const arrived = this.batched ? ok(undefined) : await this.one(requests[i] as Request, { name, follow: follows, lanes }, budget);
        if (!arrived.ok) failure ??= arrived.error;
        else if (arrived.value === undefined) take(i, NOT_PAID_FOR);
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
      const rested = await this.rest();
      failure ??= rested;
    }
    return failure === undefined ? ok(found as Reply[]) : err(failure);
  }

  /** Whether a reply to this request is kept that came to something. */
  keeps(request: Request): boolean {
    const reply = this.replies.find(this.nameOf(request));
    return reply !== undefined && reply.flaw === undefined;
  }

  /** What was kept free for requests that were to follow is free for others: they have all been asked, or will not be. */
  allFollowed(): void {
    this.promised = 0;
  }

  /** Whether there is a budget that may end. */
  get limited(): boolean {
    return this.o.budgetUsd !== undefined;
  }

  /** Whether requests go by batches. */
  get batched(): boolean {
    return this.o.batch === true && this.o.batches !== undefined;
  }

  /** Undefined as long as the budget had room for all that was asked. */
  get ended(): Ended | undefined {
    return this.over;
  }

  spending(): Spending {
    const known = (usd: number): number | null => (this.o.price === undefined ? null : usd);
    return { ...this.counted, usd: known(this.usd), now: known(this.newUsd), cutOffUsd: known(this.cutOffUsd), flaws: { ...this.flaws } };
  }

  private openBudget(): Budget {
    if (this.o.budgetUsd === undefined) return new Budget(undefined);
    const { paid, aside } = this.ledger.read();
    return new Budget(this.o.budgetUsd, paid, aside);
  }

  /** The reply that is kept. One of no use is asked for again, unless this run was given it or it is said to be settled. */
  private kept(name: string, settled: () => boolean): Reply | undefined {
    const reply = this.replies.find(name);
    if (reply?.flaw === undefined || this.useless.has(name) || settled()) return reply;
    return undefined;
  }

  private promise(usd: number): void {
    if (this.limited) this.promised += usd;
  }

  private endsAt(budget: Budget, worst: number): void {
    this.over = { failure: overBudget(budget, worst), spent: budget.spent, worst, books: inBooks(budget) };
  }

  /** A reply as it arrives; undefined where the budget has no room for it. */
  private async one(
    request: Request,
    { name, follow, lanes }: { name: string; follow: number; lanes: number },
    budget: Budget,
  ): Promise<Result<Arrived | undefined>> {
    const { signal } = this.o;
    // Until there is a mean, the worst stands for it.
    const { requests } = this.counted;
    const worst = this.worst(request);
    const expected = follow * (requests === 0 ? worst : this.usd / requests);
    for (let attempt = 0; ; attempt++) {
      if (!(await budget.reserve(worst, () => (follow === 0 ? 0 : this.promised + expected)))) {
        this.endsAt(budget, worst);
        return ok(undefined);
      }
      this.promise(expected);
      let cost = 0;
      let left = false;
      let arrived = false;
      let known = true;
      try {
        await this.pace.turn(Math.ceil(mostTokens(request) / 4) + request.maxTokens / 2, signal);
        if (signal?.aborted) return err(INTERRUPTED);
        left = true;
        await this.underway.leaves(worst, lanes, budget.left);
        const late = lateSignal(signal);
        const reply = await this.wire.send(request, late.signal).finally(late.done);
        arrived = true;
        return ok({ name, reply, kept: false, follow, worst });
      } catch (e) {
        // Nobody knows what a request costs that was cut off.
        if (left && isCutOff(e) && worst > 0) {
          cost = worst;
          known = false;
          this.counted.cutOff++;
          this.cutOffUsd += worst;
          await this.underway.came(worst, worst, true).catch(() => undefined);
        } else if (left) this.underway.returns(worst);
        if (signal?.aborted) return err(INTERRUPTED);
        const wait = attempt < RETRIES ? waitFor(e, (this.o.retryMs ?? RETRY_MS) * 2 ** attempt) : undefined;
        if (wait === undefined) {
          const failure = fsFailure(e, "enter what the teacher may cost") ?? this.wire.failureOf(e);
          if (failure === undefined) throw e;
          return err(failure);
        }
        await sleep(wait, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      } finally {
        this.promise(-expected);
        // What arrived is settled once it is entered.
        if (!arrived) budget.settle(worst, cost, known);
      }
    }
  }

  /** Nothing is underway any more. */
  private async rest(): Promise<Failure | undefined> {
    try {
      await this.underway.rests();
      return undefined;
    } catch (e) {
      const failure = fsFailure(e, "enter what the teacher has cost");
      if (failure === undefined) throw e;
      return failure;
    }
  }

  /** Keeps a reply and enters what it cost; until that is entered the ledger holds it at its worst. `safe` is called once no kill loses the reply. */
  private async store({ name, reply, follow, worst }: Arrived, budget: Budget, safe: () => void): Promise<Result<Reply>> {
    const cost = this.cost(reply);
    this.promise(follow * cost);
    const entered = worst > 0 ? this.underway.came(worst, cost) : Promise.resolve();
    if (reply.flaw !== undefined) this.useless.add(name);
    try {
      await Promise.all([entered.finally(() => budget.settle(worst, cost)), this.replies.keep(name, reply, safe)]);
      return ok(this.count(reply, false));
    } catch (e) {
      const failure = fsFailure(e, "keep a reply of the teacher");
      if (failure === undefined) throw e;
      return err(failure);
    }
  }

  /** Fetches what is not kept by batches, so that all of it is that the budget has room for. */
  private async byBatch(
    file: string,
    wanted: ReadonlyMap<string, { readonly request: Request; readonly follow: number }>,
    budget: Budget,
  ): Promise<Result<void>> {
    const { signal, say, pollMs } = this.o;
    const missing = new Map([...wanted].map(([name, { request }]) => [name, request] as const));
    const worst = (request: Request): number => this.worst(request) * this.batchShare;
    try {
      const fetched = await fetchByBatch(missing, {
        wire: this.wire,
        batches: new Batches(file),
        budget,
        begin: this.o.batch === true,
        worst,
        promised: [...wanted.values()].some(({ follow }) => follow > 0) ? this.promised : 0,
        room: (name, request) => worst(request) * (1 + (wanted.get(name)?.follow ?? 0)),
        counted: this.countedBatches,
        paid: (name) => {
          const kept = this.replies.find(name);
          // One that was asked for singly was paid for beside the batch; of one of no use nobody knows whether it came by this one, or by one before.
          return kept?.batch === true && kept.flaw === undefined ? this.cost(kept) : undefined;
        },
        keep: async (name, reply) => {
          const cost = this.cost(reply);
          if (cost > 0) await this.ledger.enter(cost);
          const before = this.replies.find(name);
          if (before === undefined || before.flaw !== undefined) {
            await this.replies.keep(name, reply);
            this.fetched.add(name);
            if (reply.flaw !== undefined) this.useless.add(name);
          }
          return cost;
        },
        signal,
        say,
        pollMs,
      });
      if (fetched.ok || fetched.error.code !== OVER_BUDGET) return fetched;
      this.over = { failure: fetched.error, spent: budget.spent, worst: Math.max(0, ...[...missing.values()].map(worst)), books: inBooks(budget) };
      return ok(undefined);
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
    const { flaw } = reply;
    if (flaw !== undefined && flaw !== "not paid for") this.flaws[flaw] = (this.flaws[flaw] ?? 0) + 1;
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
