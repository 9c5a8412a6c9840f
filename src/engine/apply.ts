/**
 * One run of a graph: `forge apply`.
 *
 * Guarantees: under the project's lock from first to last write; a stage runs only when no record of its fingerprint
 * stands; after each finished stage and gate the lockfile and the state on disk say so; a gate that refuses stops what
 * comes after it and nothing else; after a failure nothing new starts (but with `keepGoing`, what does not depend on it) and what runs is let finish; an abort stops what
 * runs, keeps what finished, and ends with exit 130. An unchanged run reads no byte of any artifact.
 */
import { join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { fsFailure } from "../platform/fs.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Known } from "./decide.ts";
import { EventStream, type RunListener } from "./events.ts";
import { FileDigests } from "./files.ts";
import { buildGraph, forcedNodes, type Graph, onlyNodes, upTo } from "./graph.ts";
import { keysOf } from "./key.ts";
import { acquireLock } from "./lock.ts";
import { lockedDifference } from "./locked.ts";
import { type Lockfile, LockfileWriter, readLockfile } from "./lockfile.ts";
import type { RunOutcome } from "./outcome.ts";
import { Run } from "./run.ts";
import { listRuns } from "./runs.ts";
import { schedule } from "./schedule.ts";
import type { NodeDefinition, Resources } from "./stage.ts";
import { State } from "./state.ts";
import { Store } from "./store.ts";
import { Views } from "./views.ts";

export type { GateOutcome, NodeOutcome, NodeStatus, RunOutcome } from "./outcome.ts";

export interface ApplyOptions {
  readonly nodes: readonly NodeDefinition[];
  /** Absolute path of the folder that has (or gets) `.mcp-forge`. */
  readonly projectRoot: string;
  /** The recipe's name, for the events. */
  readonly name: string;
  /** Absolute path of NAME.lock. */
  readonly lockfile: string;
  readonly variant?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: RunListener;
  /** Stop after this node: its id, or the part before the colon for all its instances. */
  readonly until?: string;
  /** Run this node and no other: its id, or the part before the colon. What it reads must be up to date. */
  readonly only?: string;
  /** Nodes (ids or prefixes) that run though their record stands. */
  readonly force?: readonly string[];
  /** This node (id or prefix) and everything after it run though their records stand. */
  readonly from?: string;
  /** Fail, with exit 4, when a recipe key is not the lockfile's; the lockfile is not written. */
  readonly locked?: boolean;
  /** The graph is another than the recipe's own (`pack --unproven`): the lockfile is not written, and of nodes that are not in the graph the last state is kept. */
  readonly apart?: boolean;
  /** Seconds to wait for another process's lock; default 0. */
  readonly waitLockSeconds?: number;
  /** After a failure go on with what does not depend on it. */
  readonly keepGoing?: boolean;
  /** Capacity of each slot; default 1 cpu, 1 gpu, 4 api. */
  readonly slots?: Resources;
  /** Only look: nothing runs (what would have to fails), and no run is listed. */
  readonly look?: boolean;
}

const SLOTS: Required<Resources> = { cpu: 1, gpu: 1, api: 4 };

/**
 * Brings every node up to date. The Result fails only where no run came about: unknown names, a lock that is held
 * (exit 5), a lockfile that cannot be read or, with `locked`, differs (exit 4), a store of a newer version, a project
 * folder that cannot be written (exit 6). How a run ended is in its outcome's `exit`.
 */
export async function applyRun(o: ApplyOptions): Promise<Result<RunOutcome>> {
  const whole = buildGraph(o.nodes);
  const graph = upTo(whole, o.only ?? o.until);
  if (!graph.ok) return graph;
  const forced = forcedNodes(whole, graph.value, o);
  if (!forced.ok) return forced;
  const only = onlyNodes(whole, o.only);
  if (!only.ok) return only;
  try {
    return await applyGraph(o, whole, graph.value, forced.value, o.look === true ? new Set() : only.value);
  } catch (e) {
    const failure = fsFailure(e, "write to the project");
    if (failure === undefined) throw e;
    return err(failure);
  }
}

async function applyGraph(
  o: ApplyOptions,
  whole: Graph,
  graph: Graph,
  forced: ReadonlyMap<string, readonly string[]>,
  only: ReadonlySet<string> | undefined,
): Promise<Result<RunOutcome>> {
  const started = performance.now();
  const keys = keysOf(graph);
  const store = Store.open(o.projectRoot);
  if (!store.ok) return store;
  const events = new EventStream(o.onEvent === undefined ? [] : [o.onEvent]);
  const signal = o.signal ?? new AbortController().signal;
  const differs = (lockfile: Lockfile | undefined) => (o.locked ? lockedDifference(o, graph, keys, store.value, lockfile) : undefined);
  if (o.locked) {
    const before = readLockfile(o.lockfile);
    if (!before.ok) return before;
    const difference = differs(before.value);
    if (difference !== undefined) return err(difference);
  }
  const onWaiting = (holder: string) => events.emit({ type: "lock-waiting", holder });
  const lock = await acquireLock(o.projectRoot, { signal, onWaiting, ...(o.waitLockSeconds !== undefined && { waitSeconds: o.waitLockSeconds }) });
  if (!lock.ok) return lock;
  try {
    const lockfile = readLockfile(o.lockfile);
    if (!lockfile.ok) return lockfile;
    // Whoever held the lock may have written it.
    const difference = differs(lockfile.value);
    if (difference !== undefined) return err(difference);
    await store.value.prepare();
    const id = runId(listRuns(o.projectRoot).at(-1));
    if (o.look !== true) events.open(join(o.projectRoot, ".mcp-forge", "runs", id, "events.jsonl"));
    const known: Known = { store: store.value, state: new State(o.projectRoot, o.lockfile, o.variant), files: new FileDigests(o.projectRoot), writing: true };
    const writer = o.locked || o.apart ? undefined : new LockfileWriter(o.lockfile, o.variant, lockfile.value);
    const run = new Run({
      id,
      graph,
      keys,
      forced,
      only,
      known,
      events,
      signal,
      lockfile: writer,
      views: new Views(o.projectRoot),
      projectRoot: o.projectRoot,
      keepGoing: o.keepGoing === true,
      look: o.look === true,
    });
    run.begin(o.name, o.variant);
    if (lock.value.tookOver !== undefined)
      events.emit({ type: "notice", level: "info", message: `took over the lock of ${lock.value.tookOver}, which is gone` });
    await schedule(graph, { ...SLOTS, ...o.slots }, (node) => run.claimsOf(node), run);
    try {
      store.value.clearStaging();
    } catch {
      // The next run does it.
    }
    const outcome = run.end((performance.now() - started) / 1000);
    const settled = (outcome.exit === EXIT.ok || outcome.exit === EXIT.gate) && graph.nodes.length === whole.nodes.length;
    if (settled && o.apart !== true) {
      for (const books of [writer, known.state]) books?.keepOnly(new Set(whole.byId.keys()));
      known.state.save();
      const saved = writer?.save();
      if (saved?.ok === false) return saved;
    }
    return ok(outcome);
  } finally {
    events.close();
    lock.value.release();
  }
}

/** Sortable by time, and after `last` also where the clock was set back; unique enough for one project: runs are one at a time. */
function runId(last: string | undefined): string {
  const random = Math.floor(Math.random() * 0x10000)
    .toString(16)
    .padStart(4, "0");
  const id = (at: Date): string => `${at.toISOString().replace(/[-:]/g, "").replace(/\..*/, "Z")}-${random}`;
  const now = id(new Date());
  if (last === undefined || now > last) return now;
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(last)?.map(Number) ?? [];
  return s === undefined ? now : id(new Date(Date.UTC(y as number, (mo as number) - 1, d, h, mi, s + 1)));
}
