/**
 * Reads every byte of the store and compares it with its digest (`forge store verify`). A run trusts sizes and times, as git
 * does; this is for a disk that one does not trust.
 */

import { errorCode } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import { ok, type Result } from "../platform/result.ts";
import { takeSnapshot, UnfitTreeError } from "../platform/snapshot.ts";
import { Store } from "./store.ts";

export interface StoreReport {
  readonly objects: number;
  readonly bytes: number;
  readonly records: number;
  /** Artifacts whose bytes are not those of their digest, or cannot be read, with the stages that made them. */
  readonly damaged: readonly { readonly digest: Digest; readonly stages: readonly string[]; readonly problem: string }[];
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
  const damaged: StoreReport["damaged"][number][] = [];
  for (const { digest, bytes } of objects) {
    if (o.signal?.aborted) break;
    const problem = await problemOf(store.value.contentPath(digest), digest);
    if (problem !== undefined) damaged.push({ digest, stages: makers.get(digest) ?? [], problem });
    done += bytes;
    o.onProgress?.(done, total);
  }
  return ok({ objects: objects.length, bytes: total, records: records.length, damaged, missing });
}

/** Moves damaged artifacts out of the way, so that the next run makes them again. Only under the project's lock. */
export function setAsideDamaged(projectRoot: string, report: StoreReport): Result<void> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  for (const { digest } of report.damaged) store.value.setAside(digest);
  return ok(undefined);
}

async function problemOf(path: string, digest: Digest): Promise<string | undefined> {
  try {
    const { digest: found } = await takeSnapshot(path);
    return found === digest ? undefined : "its bytes are others";
  } catch (e) {
    if (e instanceof UnfitTreeError) return e.message;
    const code = errorCode(e);
    if (code === "") throw e;
    return code === "ENOENT" ? "it is gone" : `it cannot be read (${code})`;
  }
}
