/**
 * Whether a stage's recorded outputs stand, given the digests of its inputs. Shared by plan and apply, so that the
 * two cannot disagree.
 * Guarantee: "cached" means that a record of exactly this fingerprint exists, every artifact that it names is intact, and the stage does not call it outdated.
 */
import type { Digest } from "../platform/hash.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { Snapshot } from "../platform/snapshot.ts";
import type { FileDigests } from "./files.ts";
import { type Digests, fingerprint } from "./fingerprint.ts";
import type { Keys } from "./key.ts";
import { stageReasons } from "./reasons.ts";
import type { StageRecord } from "./record.ts";
import type { StageDefinition } from "./stage.ts";
import type { State } from "./state.ts";
import type { Store } from "./store.ts";

export interface Decision {
  readonly fingerprint: Digest;
  readonly files: Digests;
  /** The files as they were found, for a later look whether they stood still. */
  readonly seen: Readonly<Record<string, Snapshot>>;
  /** The record that stands; undefined when the stage must run. */
  readonly record: StageRecord | undefined;
  /** Why it must run. */
  readonly reasons: readonly string[];
  /** Artifacts found with other bytes than they should have. */
  readonly edited: readonly Digest[];
}

export interface Known {
  readonly store: Store;
  readonly state: State;
  readonly files: FileDigests;
  /** Whether notes may be written (an apply), or nothing at all (a plan). */
  readonly writing: boolean;
}

/** What each of the user's files that a stage reads is now, by name. */
export async function filesOf(stage: StageDefinition, files: FileDigests): Promise<Result<Record<string, Snapshot>>> {
  const out: Record<string, Snapshot> = {};
  for (const [name, path] of Object.entries(stage.files ?? {})) {
    const snapshot = await files.snapshot(path);
    if (!snapshot.ok) return err(snapshot.error);
    out[name] = snapshot.value;
  }
  return ok(out);
}

export const digestsOf = (files: Readonly<Record<string, Snapshot>>): Record<string, Digest> =>
  Object.fromEntries(Object.entries(files).map(([name, snapshot]) => [name, snapshot.digest]));

export const NEVER_RAN = "never ran";
export const RECORD_GONE = "its record is gone from the store";

/**
 * @param inputs digest of each input by name
 * @param because why it must run though its record stands (forced, or found out beside the engine); empty where nothing says so
 */
export async function decide(stage: StageDefinition, keys: Keys, inputs: Digests, because: readonly string[], known: Known): Promise<Result<Decision>> {
  const seen = await filesOf(stage, known.files);
  if (!seen.ok) return err(seen.error);
  const files = digestsOf(seen.value);
  const print = fingerprint(stage, keys.own, inputs, files);
  const decision = { fingerprint: print, files, seen: seen.value };
  const record = known.store.readRecord(print);
  const lastPrint = known.state.stage(stage.id);
  const last = lastPrint === print ? record : lastPrint && known.store.readRecord(lastPrint);
  if (record === undefined) {
    const reasons = last === undefined ? [] : stageReasons(stage, last, { inputs, files });
    return ok({ ...decision, record, reasons: reasons.length > 0 ? reasons : [lastPrint === undefined ? NEVER_RAN : RECORD_GONE], edited: [] });
  }
  const reasons: string[] = [];
  const edited: Digest[] = [];
  for (const [name, output] of Object.entries(record.outputs)) {
    const found = await known.store.check(output.digest, known.writing);
    if (found === "edited") {
      edited.push(output.digest);
      reasons.push(`artifact edited by hand: ${name}`);
    } else if (found === "missing") reasons.push(`artifact gone from the store: ${name}`);
  }
  const outdated = stage.outdated?.(record.figures);
  if (outdated !== undefined) reasons.push(outdated);
  reasons.push(...because);
  return ok({ ...decision, record: reasons.length === 0 ? record : undefined, reasons, edited });
}
