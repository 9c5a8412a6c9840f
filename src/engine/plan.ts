/**
 * The plan: for each node whether it is cached, will run, may run or is blocked, and why.
 * Guarantees: writes nothing, starts nothing, calls no stage; says the same as an apply would find (decide.ts is
 * shared); a gate is judged for real when the figures that it judges are known.
 */
import type { Digest } from "../platform/hash.ts";
import { canonicalJson } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { decide, digestsOf, filesOf, type Known, NEVER_RAN, RECORD_GONE } from "./decide.ts";
import { FileDigests } from "./files.ts";
import type { Digests } from "./fingerprint.ts";
import { judge } from "./gate.ts";
import { buildGraph, forcedNodes, type Graph, onlyNodes, upTo } from "./graph.ts";
import { type Keys, keysOf } from "./key.ts";
import { lockedDifference } from "./locked.ts";
import { readLockfile } from "./lockfile.ts";
import { gateReasons, NEVER_JUDGED, stageReasons } from "./reasons.ts";
import { type LastTime, lastTime, type StageRecord } from "./record.ts";
import type { GateDefinition, NodeDefinition, StageDefinition } from "./stage.ts";
import { State } from "./state.ts";
import { Store } from "./store.ts";
import { type ChangedView, Views } from "./views.ts";

export type PlanStatus = "cached" | "run" | "maybe" | "blocked";

export interface PlanNode {
  readonly id: string;
  readonly kind: "stage" | "gate";
  readonly title: string;
  readonly status: PlanStatus;
  /** Why, in the recipe's words. Of what is cached: what it waits for, and what is to be done to its views. */
  readonly reasons: readonly string[];
  /** Copies for people (relative to the project) that a run would write again though it is cached: one is missing, or was edited. */
  readonly views?: readonly string[];
  /** Seconds that it took last time. */
  readonly estimateSeconds?: number;
  /** US dollars that what it made last time costs, where nothing of it is kept. */
  readonly estimateUsd?: number;
}

export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Whether anything would or may run, or a view is to be written again: exit 2. */
  readonly work: boolean;
  /** Gates that refuse the figures as they are, so that what waits for them does not run. Without work: exit 3. */
  readonly refused: readonly string[];
  /** Nodes that would have to run first, where `only` keeps them from it: a run would fail. */
  readonly kept: readonly string[];
}

export interface PlanOptions {
  readonly nodes: readonly NodeDefinition[];
  /** Absolute path of the folder that has (or gets) `.mcp-forge`. */
  readonly projectRoot: string;
  /** Absolute path of NAME.lock. */
  readonly lockfile: string;
  readonly variant?: string;
  /** Stop after this node: its id, or the part before the colon for all its instances. */
  readonly until?: string;
  /** This node and no other may run (its id, or the part before the colon): others that would have to are shown as blocking it. */
  readonly only?: string;
  /** Nodes (ids or prefixes) that run though their record stands. */
  readonly force?: readonly string[];
  /** This node (id or prefix) and everything after it run though their records stand. */
  readonly from?: string;
  /** What was found out beside the engine (a server that offers other tools now): these nodes (ids) run, for these reasons. */
  readonly because?: ReadonlyMap<string, readonly string[]>;
  /** Fails where the lockfile has another recipe, as a locked run does. */
  readonly locked?: boolean;
}

/** Fails on an unknown name in `until` or `force`, a missing user's file, a store of a newer version, a lockfile that cannot be read, and with `locked`. */
export async function planRun(o: PlanOptions): Promise<Result<Plan>> {
  const whole = buildGraph(o.nodes);
  const graph = upTo(whole, o.only ?? o.until);
  if (!graph.ok) return graph;
  const forced = forcedNodes(whole, graph.value, o);
  if (!forced.ok) return forced;
  const only = onlyNodes(graph.value, o.only);
  if (!only.ok) return only;
  const store = Store.open(o.projectRoot);
  if (!store.ok) return store;
  const known: Known = { store: store.value, state: new State(o.projectRoot, o.lockfile, o.variant), files: new FileDigests(o.projectRoot), writing: false };
  const keys = keysOf(graph.value);
  // Whether it is compared or not: a run would fail on one that cannot be read.
  const lockfile = readLockfile(o.lockfile);
  if (!lockfile.ok) return lockfile;
  if (o.locked === true) {
    const difference = lockedDifference(o, graph.value, keys, store.value, lockfile.value);
    if (difference !== undefined) return err(difference);
  }
  const planner = new Planner(graph.value, keys, { forced: forced.value, only: only.value }, known, new Views(o.projectRoot));
  for (const node of graph.value.nodes) {
    const planned = await planner.add(node);
    if (!planned.ok) return planned;
  }
  const nodes = planner.nodes();
  const work = nodes.some((n) => n.status === "run" || n.status === "maybe" || n.views !== undefined);
  return ok({ nodes, work, refused: planner.refused(), kept: planner.kept() });
}

class Planner {
  readonly #graph: Graph;
  readonly #keys: ReadonlyMap<string, Keys>;
  readonly #forced: ReadonlyMap<string, readonly string[]>;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #known: Known;
  readonly #views: Views;
  readonly #planned = new Map<string, PlanNode>();
  readonly #records = new Map<string, StageRecord>();
  /** All that the store has, read when first asked for. */
  #store: readonly StageRecord[] | undefined;
  /** Gates that were judged and said no; others that are blocked only wait for what is. */
  readonly #refusing = new Set<string>();
  /** Nodes that `only` keeps from running though they would have to. */
  readonly #kept: string[] = [];

  constructor(
    graph: Graph,
    keys: ReadonlyMap<string, Keys>,
    chosen: { readonly forced: ReadonlyMap<string, readonly string[]>; readonly only: ReadonlySet<string> | undefined },
    known: Known,
    views: Views,
  ) {
    this.#graph = graph;
    this.#keys = keys;
    this.#forced = chosen.forced;
    this.#only = chosen.only;
    this.#known = known;
    this.#views = views;
  }

  nodes(): PlanNode[] {
    return [...this.#planned.values()];
  }

  refused(): string[] {
    return [...this.#refusing];
  }

  async add(node: NodeDefinition): Promise<Result<void>> {
    const before = (this.#graph.before.get(node.id) ?? []).map((id) => this.#planned.get(id)).filter((p) => p !== undefined);
    const blockers = before.filter((p) => p.status === "blocked");
    const open = before.filter((p) => p.status === "run" || p.status === "maybe").map((p) => p.id);
    if (blockers.length > 0 && node.kind === "stage")
      this.#put(
        node,
        "blocked",
        blockers.map((b) => (this.#refusing.has(b.id) ? `${b.id} refuses: ${b.reasons.join("; ")}` : `${b.id} is blocked`)),
      );
    else if (node.kind === "gate")
      this.#addGate(
        node,
        open,
        blockers.map((b) => b.id),
      );
    else return this.#addStage(node, open);
    return ok(undefined);
  }

  #addGate(gate: GateDefinition, open: readonly string[], blockers: readonly string[]): void {
    const record = this.#records.get(gate.stage);
    if (blockers.length > 0)
      this.#put(
        gate,
        "blocked",
        blockers.map((id) => `${id} is blocked`),
      );
    else if (open.length > 0 || record === undefined) this.#put(gate, "maybe", open.map(dependsOn));
    else {
      const judgement = judge(gate, record.figures);
      const reasons = gateReasons(gate, this.#known.state.gate(gate.id));
      if (judgement.passed) this.#put(gate, reasons.length === 0 ? "cached" : "run", reasons);
      else {
        this.#refusing.add(gate.id);
        this.#put(gate, "blocked", [judgement.summary, ...reasons.filter((r) => r !== NEVER_JUDGED)]);
      }
    }
  }

  async #addStage(stage: StageDefinition, open: readonly string[]): Promise<Result<void>> {
    const inputs: Record<string, Digest> = {};
    for (const [name, ref] of Object.entries(stage.inputs)) {
      const digest = this.#records.get(ref.stage)?.outputs[ref.output]?.digest;
      if (digest !== undefined) inputs[name] = digest;
    }
    const estimate = lastTime(stage, this.#lastRecord(stage));
    const complete = Object.keys(stage.inputs).every((name) => inputs[name] !== undefined);
    if (complete) {
      const keys = this.#keys.get(stage.id) as Keys;
      const decision = await decide(stage, keys, inputs, this.#forced.get(stage.id) ?? [], this.#known);
      if (!decision.ok) return decision;
      const { record, reasons } = decision.value;
      if (record !== undefined) this.#records.set(stage.id, record);
      if (record === undefined) this.#put(stage, "run", reasons, estimate);
      else this.#addCached(stage, record, open);
      return ok(undefined);
    }
    const own = await this.#withoutInputs(stage, inputs);
    if (!own.ok) return own;
    const { certain, reasons } = own.value;
    if (certain) this.#put(stage, "run", reasons, estimate);
    else this.#put(stage, "maybe", [...reasons, ...open.map(dependsOn)], estimate);
    return ok(undefined);
  }

  #addCached(stage: StageDefinition, record: StageRecord, open: readonly string[]): void {
    const changed = this.#views.changed(stage, record);
    const reasons = [...open.map((id) => `waits for ${id}`), ...changed.map(({ path, what }) => `${path} ${VIEW_WORDS[what]}`)];
    this.#put(stage, "cached", reasons, changed.length === 0 ? {} : { views: changed.map((view) => view.path) });
  }

  /**
   * What can be said of a stage before all its inputs are known: how it differs from the last time, and whether it is certain to run: it was
   * told to, or no record that is there could be the right one, whatever the inputs come out as.
   */
  async #withoutInputs(stage: StageDefinition, inputs: Digests): Promise<Result<{ certain: boolean; reasons: string[] }>> {
    const seen = await filesOf(stage, this.#known.files);
    if (!seen.ok) return seen;
    const files = digestsOf(seen.value);
    const last = this.#lastRecord(stage);
    const forced = this.#forced.get(stage.id) ?? [];
    const reasons = last === undefined ? [] : stageReasons(stage, last, { inputs, files });
    const outdated = last === undefined ? undefined : stage.outdated?.(last.figures);
    if (outdated !== undefined) reasons.push(outdated);
    for (const [name, output] of Object.entries(last?.outputs ?? {})) {
      const found = await this.#known.store.check(output.digest, false);
      if (found !== "intact") reasons.push(found === "edited" ? `artifact edited by hand: ${name}` : `artifact gone from the store: ${name}`);
    }
    // The last record stands in all that is known: what comes of the inputs decides.
    if (last !== undefined && reasons.length === 0) return ok({ certain: forced.length > 0, reasons: [...forced] });
    if (last === undefined) reasons.push(this.#known.state.stage(stage.id) === undefined ? NEVER_RAN : RECORD_GONE);
    const certain = forced.length > 0 || !(await this.#mayStand(stage, inputs, files));
    return ok({ certain, reasons: [...reasons, ...forced] });
  }

  /** Whether the store has a record, of whatever time, that agrees with all that is known of a stage, and its artifacts. */
  async #mayStand(stage: StageDefinition, inputs: Digests, files: Digests): Promise<boolean> {
    this.#store ??= this.#known.store.records();
    const { own } = this.#keys.get(stage.id) as Keys;
    for (const record of this.#store) {
      if (record.ownKey !== own || canonicalJson(record.files) !== canonicalJson(files)) continue;
      if (canonicalJson(record.runtime) !== canonicalJson(stage.runtime ?? {})) continue;
      if (Object.entries(inputs).some(([name, digest]) => record.inputs[name]?.digest !== digest)) continue;
      if (stage.outdated?.(record.figures) !== undefined) continue;
      const states = await Promise.all(Object.values(record.outputs).map((output) => this.#known.store.check(output.digest, false)));
      if (states.every((state) => state === "intact")) return true;
    }
    return false;
  }

  #lastRecord(stage: StageDefinition): StageRecord | undefined {
    const print = this.#known.state.stage(stage.id);
    return print && this.#known.store.readRecord(print);
  }

  kept(): readonly string[] {
    return this.#kept;
  }

  #put(node: NodeDefinition, found: PlanStatus, why: readonly string[], more: LastTime & Pick<PlanNode, "views"> = {}): void {
    const kept = node.kind === "stage" && (found === "run" || found === "maybe") && this.#only?.has(node.id) === false;
    if (kept) this.#kept.push(node.id);
    const status = kept ? "blocked" : found;
    const reasons = kept ? [`would have to run first: ${why.join("; ")}`] : why;
    this.#planned.set(node.id, { id: node.id, kind: node.kind, title: node.title, status, reasons, ...more });
  }
}

/** An edit shows by size and times alone: one that was only touched is left as it is by the run, which looks into it. */
const VIEW_WORDS: Readonly<Record<ChangedView["what"], string>> = {
  missing: "is missing and will be copied again",
  edited: "was edited and will be copied again (what is there is kept beside it)",
  unknown: "was left by no run that is known and will be copied again if it differs",
  other: "holds another result and will be copied again",
};

const dependsOn = (id: string): string => `depends on ${id}`;
