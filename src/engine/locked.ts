/** `--locked`: what a lockfile has against a recipe, in words that know what was last made here. */
import type { Failure } from "../platform/result.ts";
import type { Graph } from "./graph.ts";
import type { Keys } from "./key.ts";
import { compareLocked, type Lockfile } from "./lockfile.ts";
import { stageReasons } from "./reasons.ts";
import { State } from "./state.ts";
import type { Store } from "./store.ts";

export interface LockedOptions {
  readonly projectRoot: string;
  readonly lockfile: string;
  readonly variant?: string | undefined;
  readonly until?: string | undefined;
  readonly only?: string | undefined;
}

/**
 * The first difference; undefined when recipe and lockfile agree. Reads only.
 * @param lockfile as it stands; undefined when there is none
 */
export function lockedDifference(
  o: LockedOptions,
  graph: Graph,
  keys: ReadonlyMap<string, Keys>,
  store: Store,
  lockfile: Lockfile | undefined,
): Failure | undefined {
  const reasonsOf = (id: string): string[] => {
    const state = new State(o.projectRoot, o.lockfile, o.variant);
    const node = graph.byId.get(id);
    const print = state.stage(id);
    const last = print && store.readRecord(print);
    return node?.kind === "stage" && last ? stageReasons(node, last, {}) : [];
  };
  const file = o.lockfile.slice(o.lockfile.lastIndexOf("/") + 1);
  return compareLocked(graph, keys, lockfile, { variant: o.variant, file, whole: o.until === undefined && o.only === undefined, reasonsOf });
}
