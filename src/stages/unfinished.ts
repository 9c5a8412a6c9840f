/**
 * What runs began and did not end: for stages whose record does not stand, how the last run that reached them left
 * them. Reads the runs' events and the stages' keys; starts nothing, writes nothing.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { digestsOf, filesOf } from "../engine/decide.ts";
import { FileDigests } from "../engine/files.ts";
import { fingerprint } from "../engine/fingerprint.ts";
import { buildGraph } from "../engine/graph.ts";
import type { LastState } from "../engine/inspect.ts";
import { keysOf } from "../engine/key.ts";
import type { PlanNode } from "../engine/plan.ts";
import { readRunLog } from "../engine/run-log.ts";
import { type RunSummary, readRuns } from "../engine/runs.ts";
import type { StageDefinition } from "../engine/stage.ts";
import { type Digest, hexOf } from "../platform/hash.ts";
import type { Pipeline } from "./pipeline.ts";

export interface Unfinished {
  /** `interrupted` also where its run was killed. */
  readonly state: "running" | "interrupted" | "failed";
  /** How far it had come, in its own unit, where it told. */
  readonly progress?: { readonly done: number; readonly total: number; readonly unit: string };
  /** Whether the next apply goes on from what was done: it is kept, and the recipe still asks for just that. */
  readonly goesOn: boolean;
}

/** Runs that are looked through for a stage, from the last one back. */
const LOOKED_AT = 10;

/** By id, the stages of the plan that are not up to date and that a run of this recipe and variant left unfinished when it last reached them. */
export async function unfinishedStages(pipeline: Pipeline, plan: readonly PlanNode[], last: LastState): Promise<ReadonlyMap<string, Unfinished>> {
  const { nodes, name, variant, projectRoot } = pipeline;
  const wanted = new Set(plan.filter((n) => n.kind === "stage" && n.status !== "cached").map((n) => n.id));
  const found = new Map<string, Unfinished>();
  if (wanted.size === 0) return found;
  const runs = readRuns(projectRoot).filter((r) => r.name === name && r.variant === variant);
  for (const run of runs.slice(-LOOKED_AT).reverse())
    for (const [id, left] of leftBy(projectRoot, run)) if (wanted.delete(id) && left !== undefined) found.set(id, left);
  const keys = keysOf(buildGraph(nodes));
  for (const [id, left] of found) {
    const stage = nodes.find((n): n is StageDefinition => n.kind === "stage" && n.id === id);
    const own = keys.get(id)?.own;
    if (left.state === "running" || stage === undefined || own === undefined) continue;
    found.set(id, { ...left, goesOn: await hasScratch(projectRoot, stage, own, last) });
  }
  return found;
}

/** The stages that a run reached; undefined for those that it ended. */
function leftBy(projectRoot: string, { id, state }: RunSummary): ReadonlyMap<string, Unfinished | undefined> {
  const stages = new Map<string, Unfinished | undefined>();
  const log = readRunLog(projectRoot, id, { lines: 0 });
  for (const { value: event } of log.ok ? log.value.events : []) {
    if (event.type === "stage-finished" || event.type === "stage-cached") stages.set(event.node, undefined);
    if (event.type === "stage-started") stages.set(event.node, { state: state === "running" ? "running" : "interrupted", goesOn: false });
    const begun = "node" in event && event.node !== undefined ? stages.get(event.node) : undefined;
    if (begun === undefined) continue;
    if (event.type === "stage-progress") stages.set(event.node, { ...begun, progress: { done: event.done, total: event.total, unit: event.unit } });
    if (event.type === "stage-failed") stages.set(event.node, { ...begun, state: event.interrupted === true ? "interrupted" : "failed" });
  }
  return stages;
}

/** Whether something is kept for just this run of the stage (run-stage.ts), its inputs being what they last were. */
async function hasScratch(projectRoot: string, stage: StageDefinition, own: Digest, last: LastState): Promise<boolean> {
  const inputs: Record<string, Digest> = {};
  for (const [name, { stage: from, output }] of Object.entries(stage.inputs)) {
    const digest = last.stages.get(from)?.outputs[output]?.digest;
    if (digest === undefined) return false;
    inputs[name] = digest;
  }
  const files = await filesOf(stage, new FileDigests(projectRoot));
  if (!files.ok) return false;
  const scratch = join(projectRoot, ".mcp-forge", "scratch", hexOf(fingerprint(stage, own, inputs, digestsOf(files.value))));
  return existsSync(scratch) && readdirSync(scratch).length > 0;
}
