/**
 * Runs one stage: staging and scratch before, publication after.
 *
 * Guarantees: what a stage writes is invisible until it succeeded, and then published whole; a stage that failed, threw
 * or was interrupted leaves nothing but its scratch and its log; what it read, artifacts and the user's files, is what
 * its fingerprint says: looked at just before and just after, and where something was written to it, though it was put
 * back, nothing is recorded and no scratch is kept; an interrupted stage is waited for 10 s, no longer.
 */
import { mkdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { fsFailure } from "../platform/fs.ts";
import { type Digest, hexOf } from "../platform/hash.ts";
import type { JsonObject } from "../platform/json.ts";
import { err, type Failure, FailureError, ok, type Result } from "../platform/result.ts";
import { type Snapshot, stoodStill, untilSettled } from "../platform/snapshot.ts";
import { type Decision, filesOf, type Known } from "./decide.ts";
import type { Keys } from "./key.ts";
import type { RecordInput, StageRecord } from "./record.ts";
import type { StageDefinition, StageEvent, StageOutcome } from "./stage.ts";

export const GRACE_MS = 10_000;

export interface StageRun {
  readonly stage: StageDefinition;
  readonly keys: Keys;
  readonly decision: Decision;
  readonly inputs: Readonly<Record<string, RecordInput>>;
  readonly known: Known;
  readonly projectRoot: string;
  /** Id of the run, for the staging folder. */
  readonly run: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
  readonly emit: (event: StageEvent) => void;
}

/** Runs, publishes, records. Every failure is a Result, a bug in the stage's own code too (`engine/stage-crashed`). */
export async function runStage(o: StageRun): Promise<Result<StageRecord>> {
  const { stage, known } = o;
  const scratch = join(o.projectRoot, ".mcp-forge", "scratch", hexOf(o.decision.fingerprint));
  const started = performance.now();
  let folder: string | undefined;
  try {
    const kinds = { ...stage.outputs, ...stage.reports };
    const staged = known.store.stage(o.run, stage.id, Object.keys(kinds));
    folder = staged.folder;
    mkdirSync(scratch, { recursive: true });
    const createdAt = known.store.readRecord(o.decision.fingerprint)?.createdAt ?? new Date().toISOString();
    const held = await holdInputs(o);
    if (!held.ok) return held;
    // A file as young as the look at it could be written to within the same tick of the clock and not show it; from here on it shows.
    if (Object.keys(stage.files ?? {}).length > 0) await untilSettled();
    const outcome = await callStage(o, staged.paths, scratch, createdAt);
    const changed = (await changedInput(o, held.value)) ?? (await changedFile(o));
    // Its checkpoints may be made of what it should not have read.
    if (changed !== undefined) rmSync(scratch, { recursive: true, force: true });
    if (!outcome.ok) return outcome;
    if (changed !== undefined) return err(changed);
    const seconds = (performance.now() - started) / 1000;
    const outputs = await known.store.publish(staged.paths, kinds);
    if (!outputs.ok) return outputs;
    for (const digest of o.decision.edited) await known.store.setAsideIfDamaged(digest);
    const record: StageRecord = {
      recordVersion: 1,
      node: stage.id,
      title: stage.title,
      version: stage.version,
      fingerprint: o.decision.fingerprint,
      ownKey: o.keys.own,
      recipeKey: o.keys.recipe,
      recipe: plain(stage.recipe),
      settings: plain(stage.settings ?? {}),
      runtime: plain(stage.runtime ?? {}),
      inputs: o.inputs,
      files: o.decision.files,
      outputs: outputs.value,
      figures: plain(outcome.value.figures),
      summary: outcome.value.summary,
      seconds: Math.round(seconds * 1000) / 1000,
      createdAt,
    };
    known.store.writeRecord(record);
    rmSync(scratch, { recursive: true, force: true });
    return ok(record);
  } catch (e) {
    const failure = fsFailure(e, `keep the outputs of ${stage.id}`);
    if (failure === undefined) throw e;
    return err(failure);
  } finally {
    if (folder !== undefined) {
      removeQuietly(folder);
      removeIfEmpty(dirname(folder));
    }
    removeIfEmpty(scratch);
  }
}

/** Calls the stage's own code, which may throw, hang on abort, or emit after its end. */
async function callStage(o: StageRun, outputs: Readonly<Record<string, string>>, scratch: string, recordedAt: string): Promise<Result<StageOutcome>> {
  let ended = false;
  const inputs: Record<string, string> = { ...o.stage.files };
  for (const [name, input] of Object.entries(o.inputs)) inputs[name] = o.known.store.contentPath(input.digest);
  const emit = (event: StageEvent) => {
    if (!ended) o.emit(event);
  };
  const call = async (): Promise<Result<StageOutcome>> => {
    try {
      return await o.stage.run({ inputs, outputs, scratch, recordedAt, signal: o.signal, emit, logFile: o.logFile });
    } catch (e) {
      const failure = fsFailure(e, `run ${o.stage.id}`);
      return err(failure ?? (e instanceof FailureError ? e.failure : crashed(o.stage.id, e)));
    }
  };
  const grace = graceAfter(o.signal, o.stage.id);
  try {
    const result = await Promise.race([call(), grace.over]);
    if (!result.ok && o.signal.aborted) return err({ ...result.error, code: "run/interrupted", exit: EXIT.interrupted });
    return result;
  } finally {
    ended = true;
    grace.cancel();
  }
}

/** A failure that comes when the grace after an abort is over. */
function graceAfter(signal: AbortSignal, id: string): { over: Promise<Result<never>>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  const over = new Promise<Result<never>>((resolve) => {
    const message = `${id} did not stop within ${GRACE_MS / 1000} s of the interruption`;
    onAbort = () => {
      timer = setTimeout(() => resolve(err({ code: "run/interrupted", message, exit: EXIT.interrupted })), GRACE_MS);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  const cancel = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  return { over, cancel };
}

/** The inputs' artifacts as the stage finds them. Fails when one is not what this run took it for, with `verifyInputs` also by its bytes. */
async function holdInputs({ stage, inputs, known }: StageRun): Promise<Result<Map<Digest, Snapshot>>> {
  const held = new Map<Digest, Snapshot>();
  for (const input of Object.values(inputs)) {
    if (held.has(input.digest)) continue;
    const snapshot = await known.store.hold(input.digest);
    if (snapshot === undefined) return err(inputChanged(input, `before ${stage.id} could read it`));
    if (stage.verifyInputs === true && !(await known.store.verify(input.digest))) return err(inputDamaged(input));
    held.set(input.digest, snapshot);
  }
  return ok(held);
}

async function changedInput({ stage, inputs, known }: StageRun, held: ReadonlyMap<Digest, Snapshot>): Promise<Failure | undefined> {
  for (const input of Object.values(inputs)) {
    const snapshot = held.get(input.digest);
    if (snapshot === undefined || !(await known.store.stoodStill(input.digest, snapshot))) return inputChanged(input, `while ${stage.id} was reading it`);
  }
  return undefined;
}

const inputChanged = ({ stage, output }: RecordInput, when: string): Failure => ({
  code: "engine/input-changed",
  message: `the artifact ${output} of ${stage} changed ${when}`,
  hint: "leave what lies in .mcp-forge/store as it is, and run the same command again: what was changed there is made anew",
  exit: EXIT.failed,
});

const inputDamaged = ({ stage, output }: RecordInput): Failure => ({
  code: "engine/input-damaged",
  message: `the bytes of the artifact ${output} of ${stage} are not those that it was made with, though its size and times are`,
  hint: "run the same command again: it is made anew. `forge store verify` reads the whole store, for a disk that you do not trust",
  exit: EXIT.failed,
});

async function changedFile(o: StageRun): Promise<Failure | undefined> {
  const now = await filesOf(o.stage, o.known.files);
  if (!now.ok) return now.error;
  const name = Object.entries(now.value).find(([n, snapshot]) => {
    const before = o.decision.seen[n];
    return before === undefined || !stoodStill(before, snapshot);
  })?.[0];
  if (name === undefined) return undefined;
  return {
    code: "engine/file-changed",
    message: `the file ${name} changed while ${o.stage.id} was reading it`,
    hint: "run the same command again",
    exit: EXIT.failed,
  };
}

const crashed = (id: string, e: unknown): Failure => ({
  code: "engine/stage-crashed",
  message: `${id} stopped with an unexpected error: ${e instanceof Error ? e.message : String(e)}`,
  hint: "this is a bug; please report it with the details",
  ...(e instanceof Error && e.stack !== undefined && { details: e.stack }),
  exit: EXIT.failed,
});

/** The value as it will be read back from JSON: no `undefined`, NaN as null. */
const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

/** What a stage kept for its next attempt stays; a folder that it never used does not. */
function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not empty, or gone.
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The next run clears staging.
  }
}
