/**
 * What was built last, for `status`, reports and `pack`: the records that are current for a recipe, read without a lock.
 * Guarantee: writes nothing and needs no node definitions. Whether what it shows is up to date is plan.ts's to say.
 */
import { EXIT } from "../platform/exit.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { StageRecord } from "./record.ts";
import { type GateState, State } from "./state.ts";
import { Store } from "./store.ts";

export interface LastRecord extends StageRecord {
  /** Absolute path of each output's artifact, by output name. Read only. */
  readonly paths: Readonly<Record<string, string>>;
}

export interface LastState {
  readonly stages: ReadonlyMap<string, LastRecord>;
  readonly gates: ReadonlyMap<string, GateState>;
}

/** The last record of every stage and verdict of every gate of a recipe (told by its lockfile's path) and variant. */
export function readLast(projectRoot: string, lockfile: string, variant?: string): Result<LastState> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  const state = new State(projectRoot, lockfile, variant);
  const stages = new Map<string, LastRecord>();
  const gates = new Map<string, GateState>();
  const ids = state.ids();
  for (const id of ids.stages) {
    const print = state.stage(id);
    const record = print && store.value.readRecord(print);
    if (!record) continue;
    const paths = Object.fromEntries(Object.entries(record.outputs).map(([name, o]) => [name, store.value.contentPath(o.digest)]));
    stages.set(id, { ...record, paths });
  }
  for (const id of ids.gates) {
    const gate = state.gate(id);
    if (gate !== undefined) gates.set(id, gate);
  }
  return ok({ stages, gates });
}

/** One stage's last record. Fails (exit 1) when it never finished; its artifacts are checked before their paths are given. */
export async function readRecord(projectRoot: string, lockfile: string, variant: string | undefined, stage: string): Promise<Result<LastRecord>> {
  const last = readLast(projectRoot, lockfile, variant);
  if (!last.ok) return last;
  const record = last.value.stages.get(stage);
  if (record === undefined) return err({ code: "engine/no-record", message: `${stage} has not been run yet`, hint: "run `forge apply`", exit: EXIT.failed });
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  for (const [name, output] of Object.entries(record.outputs)) {
    const found = await store.value.check(output.digest, false);
    if (found !== "intact")
      return err({
        code: "engine/artifact-damaged",
        message: `the artifact ${name} of ${stage} ${found === "edited" ? "was edited by hand" : "is gone from the store"}`,
        hint: "run `forge apply` to make it again",
        exit: EXIT.failed,
      });
  }
  return ok(record);
}
