/**
 * Reads every byte of the store and compares it with its digest (`forge store verify`). A run trusts sizes and times, as git
 * does; this is for a disk that one does not trust.
 *
 * Guarantee: an artifact counts as damaged, and may be set aside, only when it was read and is not what its digest says, or
 * nothing is there to read; what could not be read (no permission, too many open files) may well be whole.
 */
import { existsSync } from "node:fs";
import { errorCode } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import { ok, type Result } from "../platform/result.ts";
import { takeSnapshot, UnfitTreeError } from "../platform/snapshot.ts";
import { Store } from "./store.ts";

export interface Problem {
  readonly digest: Digest;
  readonly stages: readonly string[];
  readonly problem: string;
}

export interface StoreReport {
  readonly objects: number;
  readonly bytes: number;
  readonly records: number;
  /** Artifacts whose bytes are not those of their digest, with the stages that made them. */
  readonly damaged: readonly Problem[];
  /** Artifacts of which that is not known. */
  readonly unread: readonly Problem[];
  /** Finished stages whose artifact is not there: they run again. */
  readonly missing: readonly { readonly digest: Digest; readonly stage: string; readonly output: string }[];
}

/** Reads only. `onProgress` hears how many bytes are done, of how many. */
export async function verifyStore(
  projectRoot: string,
  o: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void } = {},
): Promise<Result<StoreReport>> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  const objects = await store.value.objects();
  const records = store.value.records();
  const makers = new Map<Digest, string[]>();
  const there = new Set(objects.map((x) => x.digest));
  const missing: StoreReport["missing"][number][] = [];
  for (const record of records)
    for (const [output, { digest }] of Object.entries(record.outputs)) {
      if (there.has(digest)) makers.set(digest, [...new Set([...(makers.get(digest) ?? []), record.node])]);
      else missing.push({ digest, stage: record.node, output });
    }
  const total = objects.reduce((sum, x) => sum + x.bytes, 0);
  let done = 0;
  const found = { damaged: [] as Problem[], unread: [] as Problem[] };
  for (const { digest, bytes } of objects) {
    if (o.signal?.aborted) break;
    const [kind, problem] = (await problemOf(store.value.contentPath(digest), digest)) ?? [];
    if (kind !== undefined) found[kind].push({ digest, stages: makers.get(digest) ?? [], problem: problem ?? "" });
    done += bytes;
    o.onProgress?.(done, total);
  }
  return ok({ objects: objects.length, bytes: total, records: records.length, ...found, missing });
}

/** Moves damaged artifacts out of the way, so that the next run makes them again. Only under the project's lock. */
export function setAsideDamaged(projectRoot: string, report: StoreReport): Result<void> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  for (const { digest } of report.damaged) store.value.setAside(digest);
  return ok(undefined);
}

async function problemOf(path: string, digest: Digest): Promise<readonly ["damaged" | "unread", string] | undefined> {
  try {
    const { digest: found } = await takeSnapshot(path);
    return found === digest ? undefined : ["damaged", "its bytes are others"];
  } catch (e) {
    if (e instanceof UnfitTreeError) return ["damaged", e.message];
    const code = errorCode(e);
    if (code === "") throw e;
    // Nothing is lost by setting aside a place with nothing in it.
    return code === "ENOENT" && !existsSync(path) ? ["damaged", "it is gone"] : ["unread", `it cannot be read (${code})`];
  }
}
