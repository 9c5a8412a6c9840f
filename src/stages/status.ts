/**
 * Where a recipe stands: the last record of every node of its graph beside what `plan` says of it, and what runs left
 * unfinished. Reads only; starts nothing, writes nothing.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readLast } from "../engine/inspect.ts";
import { readLockfile } from "../engine/lockfile.ts";
import { type PlanStatus, planRun } from "../engine/plan.ts";
import type { StageRecord } from "../engine/record.ts";
import { listRuns } from "../engine/runs.ts";
import type { StageDefinition, Verdict } from "../engine/stage.ts";
import { Views } from "../engine/views.ts";
import type { JsonObject } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import type { Pipeline } from "./pipeline.ts";
import { type Unfinished, unfinishedStages } from "./unfinished.ts";

export interface NodeStatus {
  readonly id: string;
  readonly kind: "stage" | "gate";
  readonly title: string;
  /** `cached`: the record below stands. Anything else: an apply has work here. */
  readonly plan: PlanStatus;
  readonly reasons: readonly string[];
  /** How a run left it that did not come to its end, or that is going on; null where the last one that reached it did. */
  readonly unfinished: Unfinished | null;
  /** When its last record was published (ISO 8601, UTC); null when it never ended well, and for gates. */
  readonly at: string | null;
  readonly seconds: number | null;
  readonly summary: string | null;
  readonly figures: JsonObject;
  /** Bytes of its outputs together. */
  readonly bytes: number | null;
  /** Gates only: the last verdict. */
  readonly passed?: boolean;
  readonly verdicts?: readonly Verdict[];
}

export interface StatusReport {
  readonly name: string;
  readonly variant: string | null;
  /** Every node's record stands, and no gate refuses. */
  readonly upToDate: boolean;
  /** Gates that refuse the figures as they are. */
  readonly refused: readonly string[];
  readonly nodes: readonly NodeStatus[];
  readonly bundle: {
    readonly path: string;
    readonly present: boolean;
    /** Whether it is what the last pack of this recipe and variant made; false too where nobody knows. */
    readonly current: boolean;
  };
  /** Absolute path of the last run's folder (events, logs); null before the first. */
  readonly lastRun: string | null;
}

/** Fails like an apply where the lockfile cannot be read (a merge conflict): what it would do then is nothing. */
export async function readStatus(pipeline: Pipeline): Promise<Result<StatusReport>> {
  const { nodes, projectRoot, lockfile, variant } = pipeline;
  const locked = readLockfile(lockfile);
  if (!locked.ok) return locked;
  const plan = await planRun({ nodes, projectRoot, lockfile, variant });
  if (!plan.ok) return plan;
  const last = readLast(projectRoot, lockfile, variant);
  if (!last.ok) return last;
  const unfinished = await unfinishedStages(pipeline, plan.value.nodes, last.value);
  const run = listRuns(projectRoot).at(-1);
  return ok({
    name: pipeline.name,
    variant: variant ?? null,
    upToDate: plan.value.nodes.every((n) => n.status === "cached"),
    refused: plan.value.refused,
    nodes: plan.value.nodes.map(({ id, kind, title, status, reasons }) => {
      const record = last.value.stages.get(id);
      const gate = last.value.gates.get(id);
      return {
        id,
        kind,
        title,
        plan: status,
        reasons,
        unfinished: unfinished.get(id) ?? null,
        at: record?.createdAt ?? null,
        seconds: record?.seconds ?? null,
        summary: record?.summary ?? null,
        figures: record?.figures ?? {},
        bytes: record === undefined ? null : Object.values(record.outputs).reduce((sum, output) => sum + output.bytes, 0),
        ...(gate === undefined ? {} : { passed: gate.passed, verdicts: gate.verdicts }),
      };
    }),
    bundle: {
      path: pipeline.bundle,
      present: existsSync(join(pipeline.bundle, "agent.yaml")),
      current: isCurrent(pipeline, last.value.stages.get("pack")),
    },
    lastRun: run === undefined ? null : join(projectRoot, ".mcp-forge", "runs", run),
  });
}

function isCurrent({ nodes, projectRoot, bundle }: Pipeline, packed: StageRecord | undefined): boolean {
  const views = Object.entries(nodes.find((n): n is StageDefinition => n.kind === "stage" && n.id === "pack")?.views ?? {});
  const output = views.find(([, path]) => path === bundle)?.[0];
  return output !== undefined && new Views(projectRoot).stands(bundle, packed?.outputs[output]?.digest);
}
