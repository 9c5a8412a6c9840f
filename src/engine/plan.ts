/**
 * The plan: for each node whether it is cached, will run, may run or is blocked, and why.
 * Guarantees: writes nothing, starts nothing, calls no stage; says the same as an apply would find (decide.ts is
 * shared); a gate is judged for real when the figures that it judges are known.
 */
import { existsSync } from "node:fs";
import { relative } from "node:path";
import type { Digest } from "../platform/hash.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { decide, filesOf, type Known } from "./decide.ts";
import { FileDigests } from "./files.ts";
import { judge } from "./gate.ts";
import { buildGraph, forcedNodes, type Graph, onlyNodes, upTo } from "./graph.ts";
import { type Keys, keysOf } from "./key.ts";
import { lockedDifference } from "./locked.ts";
import { gateReasons, NEVER_JUDGED, stageReasons } from "./reasons.ts";
import { type LastTime, lastTime, type StageRecord } from "./record.ts";
import type { GateDefinition, NodeDefinition, StageDefinition } from "./stage.ts";
import { State } from "./state.ts";
import { Store } from "./store.ts";

export type PlanStatus = "cached" | "run" | "maybe" | "blocked";

export interface PlanNode {
  readonly id: string;
  readonly kind: "stage" | "gate";
  readonly title: string;
  readonly status: PlanStatus;
  /** Why, in the recipe's words. Empty for what is cached, but for a note on a missing view. */
  readonly reasons: readonly string[];
  /** Seconds that it took last time. */
  readonly estimateSeconds?: number;
  /** US dollars that what it made last time costs, where nothing of it is kept. */
  readonly estimateUsd?: number;
}

export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Whether anything would or may run: exit 2. */
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

/** Fails on an unknown name in `until` or `force`, a missing user's file, a store of a newer version, and with `locked`. */
export async function planRun(o: PlanOptions): Promise<Result<Plan>> {
  const graph = upTo(buildGraph(o.nodes), o.only ?? o.until);
  if (!graph.ok) return graph;
  const forced = forcedNodes(graph.value, o);
  if (!forced.ok) return forced;
  const only = onlyNodes(graph.value, o.only);
  if (!only.ok) return only;
  const store = Store.open(o.projectRoot);
  if (!store.ok) return store;
  const known: Known = { store: store.value, state: new State(o.projectRoot, o.lockfile, o.variant), files: new FileDigests(o.projectRoot), writing: false };
  const keys = keysOf(graph.value);
  const difference = o.locked === true ? lockedDifference(o, graph.value, keys, store.value) : undefined;
  if (difference !== undefined) return err(difference);
  const planner = new Planner(graph.value, keys, { forced: forced.value, only: only.value }, known, o.projectRoot);
  for (const node of graph.value.nodes) {
    const planned = await planner.add(node);
    if (!planned.ok) return planned;
  }
  const nodes = planner.nodes();
  return ok({ nodes, work: nodes.some((n) => n.status === "run" || n.status === "maybe"), refused: planner.refused(), kept: planner.kept() });
}

class Planner {
  readonly #graph: Graph;
  readonly #keys: ReadonlyMap<string, Keys>;
  readonly #forced: ReadonlyMap<string, readonly string[]>;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #known: Known;
  readonly #projectRoot: string;
  readonly #planned = new Map<string, PlanNode>();
  readonly #records = new Map<string, StageRecord>();
  /** Gates that were judged and said no; others that are blocked only wait for what is. */
  readonly #refusing = new Set<string>();
  /** Nodes that `only` keeps from running though they would have to. */
  readonly #kept: string[] = [];

  constructor(
    graph: Graph,
    keys: ReadonlyMap<string, Keys>,
    chosen: { readonly forced: ReadonlyMap<string, readonly string[]>; readonly only: ReadonlySet<string> | undefined },
    known: Known,
    projectRoot: string,
  ) {
    this.#graph = graph;
    this.#keys = keys;
    this.#forced = chosen.forced;
    this.#only = chosen.only;
    this.#known = known;
    this.#projectRoot = projectRoot;
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
      else if (open.length > 0)
        this.#put(
          stage,
          "cached",
          open.map((id) => `waits for ${id}`),
        );
      else this.#put(stage, "cached", this.#missingViews(stage));
      return ok(undefined);
    }
    const own = await this.#ownReasons(stage, inputs);
    if (!own.ok) return own;
    if (own.value.length > 0) this.#put(stage, "run", own.value, estimate);
    else this.#put(stage, "maybe", open.map(dependsOn), estimate);
    return ok(undefined);
  }

  /** Why a stage would run even if everything that is not known yet came out as before. */
  async #ownReasons(stage: StageDefinition, inputs: Readonly<Record<string, Digest>>): Promise<Result<string[]>> {
    const files = await filesOf(stage, this.#known.files);
    if (!files.ok) return files;
    const last = this.#lastRecord(stage);
    if (last === undefined) return ok(["never ran"]);
    const reasons = stageReasons(stage, last, { inputs, files: files.value });
    for (const [name, output] of Object.entries(last.outputs)) {
      const found = await this.#known.store.check(output.digest, false);
      if (found !== "intact") reasons.push(found === "edited" ? `artifact edited by hand: ${name}` : `artifact gone from the store: ${name}`);
    }
    reasons.push(...(this.#forced.get(stage.id) ?? []));
    return ok(reasons);
  }

  #missingViews(stage: StageDefinition): string[] {
    const missing = Object.values(stage.views ?? {}).filter((path) => !existsSync(path));
    return missing.map((path) => `${relative(this.#projectRoot, path)} is missing and will be copied again`);
  }

  #lastRecord(stage: StageDefinition): StageRecord | undefined {
    const print = this.#known.state.stage(stage.id);
    return print && this.#known.store.readRecord(print);
  }

  kept(): readonly string[] {
    return this.#kept;
  }

  #put(node: NodeDefinition, found: PlanStatus, why: readonly string[], estimate: LastTime = {}): void {
    const kept = node.kind === "stage" && (found === "run" || found === "maybe") && this.#only?.has(node.id) === false;
    if (kept) this.#kept.push(node.id);
    const status = kept ? "blocked" : found;
    const reasons = kept ? [`would have to run first: ${why.join("; ")}`] : why;
    this.#planned.set(node.id, { id: node.id, kind: node.kind, title: node.title, status, reasons, ...estimate });
  }
}

const dependsOn = (id: string): string => `depends on ${id}`;
