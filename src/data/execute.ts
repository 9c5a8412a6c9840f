/**
 * Executes the calls of drafts: each distinct call once, a bounded number of them a server, several at a time for
 * tools that only read. Calls that change something run one after the other, in the order given, after the reads; calls of
 * one request, of which one changes something, in the request's own order.
 */
import { canonicalJson, type JsonObject } from "../platform/json.ts";
import type { Failure } from "../platform/result.ts";
import { changes } from "./kinds.ts";
import type { CallOutcome, CallPort, Toolset } from "./types.ts";

export interface CallCounts {
  executed: number;
  failed: number;
  timed_out: number;
}

/** A call that is to be made. */
export interface Call {
  readonly name: string;
  readonly args: JsonObject;
}

export class Executor {
  readonly counts: CallCounts = { executed: 0, failed: 0, timed_out: 0 };
  /** Why execution ended early: the server is gone. Results made up from then on would pass for a policy's. */
  failure: Failure | undefined;
  private readonly known = new Map<string, CallOutcome | null>();
  private readonly chains = new Map<string, readonly (CallOutcome | null)[]>();
  private readonly changing: ReadonlySet<string>;
  /** Which server each tool is of, in the recipe's words. */
  private readonly serverOf: ReadonlyMap<string, string>;
  private readonly sent = new Map<string, number>();
  private readonly unsent = new Map<string, Set<string>>();

  constructor(
    private readonly session: CallPort | null,
    toolset: Toolset,
    private readonly o: { readonly concurrency: number; readonly perServer: number; readonly signal?: AbortSignal },
  ) {
    this.changing = new Set(toolset.tools.filter(changes).map((t) => t.name));
    this.serverOf = new Map(toolset.tools.map((t) => [t.name, t.origin]));
  }

  /** Servers that were sent as many calls as they may be, and how many distinct calls were not made for that. */
  usedUp(): { readonly server: string; readonly calls: number }[] {
    return [...this.unsent].map(([server, calls]) => ({ server, calls: calls.size })).sort((a, b) => (a.server < b.server ? -1 : 1));
  }

  /** Whether calls may still be made beside those that are planned; where not, they are counted as not made. */
  private affords(calls: readonly Call[], planned: ReadonlyMap<string, number> = new Map()): boolean {
    const wanted = new Map<string, number>();
    for (const c of calls) wanted.set(this.server(c), (wanted.get(this.server(c)) ?? 0) + 1);
    const short = [...wanted].flatMap(([s, n]) => ((this.sent.get(s) ?? 0) + (planned.get(s) ?? 0) + n > this.o.perServer ? [s] : []));
    for (const s of short) {
      const unsent = this.unsent.get(s) ?? new Set();
      this.unsent.set(s, unsent);
      for (const c of calls) if (this.server(c) === s) unsent.add(keyOf(c.name, c.args));
    }
    return short.length === 0;
  }

  private server(c: Call): string {
    return this.serverOf.get(c.name) ?? "";
  }

  /** The outcome of a call that `run` was given; null when it was not executed. */
  outcome(name: string, args: JsonObject): CallOutcome | null {
    return this.known.get(keyOf(name, args)) ?? null;
  }

  /** The outcomes of calls that `runInOrder` was given, in their order; null for each that was not executed. */
  outcomesInOrder(calls: readonly Call[]): readonly (CallOutcome | null)[] {
    return this.chains.get(chainKey(calls)) ?? calls.map(() => null);
  }

  /** Whether calls have to be made one after the other, each anew: a read after a change tells of the change. */
  inOrder(calls: readonly Call[]): boolean {
    return calls.length > 1 && calls.some((c) => this.changing.has(c.name));
  }

  /** Executes each list of calls as it stands, a call only where all of its list may be executed. */
  async runInOrder(lists: readonly (readonly Call[])[]): Promise<void> {
    const session = this.session;
    if (session === null) return;
    for (const calls of lists) {
      const key = chainKey(calls);
      if (this.chains.has(key) || !calls.every((c) => session.canExecute(c.name))) continue;
      if (!this.affords(calls)) continue;
      const outcomes: (CallOutcome | null)[] = [];
      for (const c of calls) outcomes.push(await this.send(session, c));
      this.chains.set(key, outcomes);
    }
  }

  /** Makes one call; null where it was not sent. */
  private async send(session: CallPort, c: Call): Promise<CallOutcome | null> {
    if (this.o.signal?.aborted || this.failure !== undefined) return null;
    const r = await session.call(c.name, c.args, this.o.signal ? { signal: this.o.signal } : {});
    if (r.failure !== undefined) this.failure ??= r.failure;
    if (r.executed === false) return null;
    this.counts.executed++;
    this.sent.set(this.server(c), (this.sent.get(this.server(c)) ?? 0) + 1);
    if (r.timedOut) this.counts.timed_out++;
    else if (r.isError) this.counts.failed++;
    return { text: r.text, isError: r.isError, timedOut: r.timedOut };
  }

  /** Executes what is not known yet and may be executed. Stops quietly when aborted. */
  async run(calls: readonly Call[], onDone?: () => void): Promise<void> {
    const session = this.session;
    if (session === null) return;
    const todo = new Map<string, Call>();
    const planned = new Map<string, number>();
    for (const c of calls) {
      const key = keyOf(c.name, c.args);
      if (this.known.has(key) || todo.has(key) || !session.canExecute(c.name)) continue;
      if (!this.affords([c], planned)) continue;
      todo.set(key, c);
      planned.set(this.server(c), (planned.get(this.server(c)) ?? 0) + 1);
    }
    const one = async ([key, c]: readonly [string, Call]): Promise<void> => {
      if (this.o.signal?.aborted || this.failure !== undefined) return;
      const outcome = await this.send(session, c);
      this.known.set(key, outcome);
      if (outcome !== null) onDone?.();
    };
    const entries = [...todo];
    await pool(
      entries.filter(([, c]) => !this.changing.has(c.name)),
      this.o.concurrency,
      one,
    );
    for (const e of entries.filter(([, c]) => this.changing.has(c.name))) await one(e);
  }
}

const chainKey = (calls: readonly Call[]): string => calls.map((c) => keyOf(c.name, c.args)).join("\n");
const keyOf = (name: string, args: JsonObject) => `${name} ${canonicalJson(args)}`;

async function pool<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}
