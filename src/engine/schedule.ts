/**
 * Who runs when: every node whose predecessors succeeded, as many at once as the slots allow.
 *
 * Guarantees: no node is settled before everything before it is; a slot's capacity is never exceeded, and of nodes that name
 * the same exclusive thing one runs at a time; among nodes that could start, the earlier in the graph's order does; looking whether a node must run claims nothing, so a cached node
 * never waits for a slot; each node is settled exactly once.
 */
import type { Graph } from "./graph.ts";
import type { Resources } from "./stage.ts";

/** What a node needs while it runs. */
export interface Claims {
  readonly resources: Resources;
  readonly exclusive: readonly string[];
}

/** What looking at a node told: settled at once (`good` lets its successors go on), or it has to run. */
export type Look = "good" | "bad" | "run";

export interface Work {
  /** Looks at a node whose predecessors are all good. */
  look(id: string): Promise<Look>;
  /** Runs a node that has to, within its slots. Must not reject for expected failures. */
  run(id: string): Promise<"good" | "bad">;
  /** A predecessor was not good. */
  skip(id: string, because: string): void;
  /** Asked before every start: true once nothing new may start. The nodes left over are handed to `cancel`. */
  stopped(): boolean;
  cancel(id: string): void;
}

const CLAIMS = ["cpu", "gpu", "api"] as const;

/** Resolves when every node is settled. Rejects when `work` does, after what was running has ended. */
export async function schedule(graph: Graph, slots: Required<Resources>, claimsOf: (id: string) => Claims, work: Work): Promise<void> {
  const state = new Map<string, "waiting" | "ready" | "busy" | "good" | "bad">(graph.nodes.map((n) => [n.id, "waiting"]));
  const free = { ...slots };
  const running = new Set<Promise<void>>();
  /** A claim beyond the capacity means all of it: a machine with less runs the node alone. */
  const claim = (id: string) => CLAIMS.map((c) => Math.min(claimsOf(id).resources[c] ?? 0, slots[c]));
  const taken = new Set<string>();
  const fits = (id: string): boolean =>
    claim(id).every((n, i) => n <= free[CLAIMS[i] as (typeof CLAIMS)[number]]) && !claimsOf(id).exclusive.some((name) => taken.has(name));
  let broken: { readonly error: unknown } | undefined;

  const start = (id: string): void => {
    const claims = claim(id);
    const { exclusive } = claimsOf(id);
    for (const [i, c] of CLAIMS.entries()) free[c] -= claims[i] ?? 0;
    for (const name of exclusive) taken.add(name);
    state.set(id, "busy");
    const job = work
      .run(id)
      .then(
        (end) => void state.set(id, end),
        (error: unknown) => {
          broken ??= { error };
          state.set(id, "bad");
        },
      )
      .finally(() => {
        for (const [i, c] of CLAIMS.entries()) free[c] += claims[i] ?? 0;
        for (const name of exclusive) taken.delete(name);
        running.delete(job);
      });
    running.add(job);
  };

  const settleWaiting = async (): Promise<void> => {
    for (const { id } of graph.nodes) {
      if (state.get(id) !== "waiting") continue;
      const before = graph.before.get(id) ?? [];
      const culprit = before.find((b) => state.get(b) === "bad");
      if (culprit !== undefined && before.every((b) => state.get(b) === "bad" || state.get(b) === "good")) {
        work.skip(id, culprit);
        state.set(id, "bad");
      } else if (before.every((b) => state.get(b) === "good")) {
        const look = broken !== undefined ? "run" : await work.look(id);
        state.set(id, look === "run" ? "ready" : look);
      }
    }
  };

  for (;;) {
    try {
      await settleWaiting();
    } catch (error) {
      broken ??= { error };
    }
    for (const { id } of graph.nodes) {
      if (state.get(id) !== "ready") continue;
      if (broken !== undefined || work.stopped()) {
        work.cancel(id);
        state.set(id, "bad");
      } else if (fits(id)) start(id);
    }
    if (running.size > 0) await Promise.race(running);
    else if (broken !== undefined) throw broken.error;
    else if (![...state.values()].some((s) => s === "waiting" || s === "ready")) return;
  }
}
