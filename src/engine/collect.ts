/**
 * What a project may forget, and forgetting it (`forge gc`).
 *
 * Kept is what the last runs of every recipe of the project, and of every variant that it has, ended with, and whatever a
 * lockfile names: of the working tree, and of any local branch of its git repository (named.ts). Other results can be made
 * again, by running. What lies beside them (leftovers.ts) goes by age: what interrupted stages left and artifacts that
 * somebody edited after a month, logs of runs after a week, but never those of the newest run, the only one that may be going on.
 *
 * Where a size is named, nothing goes while everything together fits. Else these go until it fits: artifacts that no
 * record names, then logs and what interrupted stages left (those old enough), then results, each the oldest first; and
 * last, whatever their age, edited artifacts, for they alone cannot be made again.
 *
 * An artifact that no record names was left by a kill between the two and is of no use to any run: no age spares it.
 *
 * Guarantees: nothing that is kept is touched; records go before the artifacts that they name, so a kill leaves a store
 * that is whole; deleting happens under the project's lock; a lockfile or a branch that cannot be read stops it.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../platform/hash.ts";
import { ok, type Result } from "../platform/result.ts";
import { type Leftover, runLogs, type SetAside, scratchOf, setAside } from "./leftovers.ts";
import { namedDigests, recipesOf, type VariantsIn, variantsHere } from "./named.ts";
import type { StageRecord } from "./record.ts";
import { type ListedState, listStates } from "./state.ts";
import { Store } from "./store.ts";

export interface CollectOptions {
  /** Only what was made (or written to, or set aside) so many seconds ago or earlier. Default: results whatever their age, the rest as above. */
  readonly olderThanSeconds?: number;
  /** Until everything together holds at most so many bytes. Default: everything that may go. */
  readonly maxBytes?: number;
  /** Look at no branch but what is checked out. */
  readonly ignoreBranches?: boolean;
  /** Default: every variant counts that ever ran or that a lockfile has. */
  readonly variantsIn?: VariantsIn;
  /** Milliseconds since 1970; for tests. */
  readonly now?: number;
}

export interface Garbage {
  /** Finished stages that nothing names any more, oldest first. */
  readonly records: readonly { readonly fingerprint: Digest; readonly stage: string; readonly createdAt: string }[];
  readonly objects: readonly { readonly digest: Digest; readonly bytes: number }[];
  /** What interrupted stages left to go on from. */
  readonly scratch: readonly Leftover[];
  /** Logs of runs. */
  readonly runs: readonly Leftover[];
  /** Artifacts that were edited and set aside, oldest first. */
  readonly damaged: readonly SetAside[];
  /** Books of recipes that are gone, and of variants that their recipe no longer has. */
  readonly states: readonly ListedState[];
  /** Of all these together. */
  readonly bytes: number;
  /** Of what stays. */
  readonly keptBytes: number;
  /** Where names of artifacts were looked for: `the working tree`, and the branches. */
  readonly lookedAt: readonly string[];
}

const DAY_MS = 86_400_000;
const A_WEEK_MS = 7 * DAY_MS;
const A_MONTH_MS = 30 * DAY_MS;
/** Also what a clock that was set back has dated into the future. */
const AT_ONCE = Number.NEGATIVE_INFINITY;

/** What may go. Reads only. Fails on a lockfile or branch that cannot be read (exit 4, 6): better to keep too much. */
export async function findGarbage(projectRoot: string, o: CollectOptions = {}): Promise<Result<Garbage>> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  const states = listStates(projectRoot);
  const named = await namedDigests(
    projectRoot,
    states.map((s) => s.lockfile),
    { ignoreBranches: o.ignoreBranches === true, ...(o.variantsIn && { variantsIn: o.variantsIn }) },
  );
  if (!named.ok) return named;
  const past = states.filter((s) => isPast(projectRoot, s, o.variantsIn));
  const current = new Set(states.filter((s) => !past.includes(s)).flatMap((s) => s.stages));
  const now = o.now ?? Date.now();
  /** Whether something of this time is old enough to go, where no age is named after so long. */
  const isOld = (at: number, after: number): boolean => at <= now - (o.olderThanSeconds === undefined ? after : o.olderThanSeconds * 1000);

  const records = store.value.records();
  const objects = await store.value.objects();
  const [scratch, runs, damaged] = [scratchOf(projectRoot), runLogs(projectRoot), setAside(projectRoot, store.value, records)];
  const sum = (of: readonly { readonly bytes: number }[]): number => of.reduce((bytes, x) => bytes + x.bytes, 0);
  const total = sum([...objects, ...scratch, ...runs, ...damaged]);
  let left = total;
  const fits = (): boolean => o.maxBytes !== undefined && left <= o.maxBytes;
  /** Of these, oldest first, as many as have to go. */
  const takeOf = <T extends Leftover>(these: readonly T[]): T[] =>
    [...these]
      .sort((a, b) => a.at - b.at)
      .filter((x) => {
        if (fits()) return false;
        left -= x.bytes;
        return true;
      });

  const bytesOf = new Map(objects.map((x) => [x.digest, x.bytes]));
  const leaving = new Set<Digest>();
  const goes = (digest: Digest): void => {
    if (named.value.digests.has(digest) || leaving.has(digest) || !bytesOf.has(digest)) return;
    leaving.add(digest);
    left -= bytesOf.get(digest) ?? 0;
  };
  const digestsOf = (r: StageRecord): Digest[] => [...new Set(Object.values(r.outputs).map((x) => x.digest))];
  // How many of the records that stay name an artifact: it goes with the last of them.
  const holders = new Map<Digest, number>();
  for (const r of records) for (const d of digestsOf(r)) holders.set(d, (holders.get(d) ?? 0) + 1);
  for (const { digest } of objects) if (!holders.has(digest) && !fits()) goes(digest);

  const expired = takeOf([...runs.slice(0, -1).filter((r) => isOld(r.at, A_WEEK_MS)), ...scratch.filter((s) => isOld(s.at, A_MONTH_MS))]);

  const isKept = (r: StageRecord): boolean => current.has(r.fingerprint) || digestsOf(r).some((d) => named.value.digests.has(d));
  const candidates = records.filter((r) => !isKept(r) && isOld(Date.parse(r.createdAt), AT_ONCE)).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  const gone: StageRecord[] = [];
  for (const r of candidates) {
    if (fits()) break;
    gone.push(r);
    for (const d of digestsOf(r)) {
      const holding = (holders.get(d) ?? 1) - 1;
      holders.set(d, holding);
      if (holding === 0) goes(d);
    }
  }
  const edited = takeOf(damaged.filter((d) => isOld(d.at, o.maxBytes === undefined ? A_MONTH_MS : AT_ONCE)));
  return ok({
    records: gone.map(({ fingerprint, node, createdAt }) => ({ fingerprint, stage: node, createdAt })),
    objects: [...leaving].map((digest) => ({ digest, bytes: bytesOf.get(digest) ?? 0 })),
    scratch: expired.filter((x) => scratch.includes(x)),
    runs: expired.filter((x) => runs.includes(x)),
    damaged: edited,
    states: past,
    bytes: total - left,
    keptBytes: left,
    lookedAt: named.value.lookedAt,
  });
}

/** Deletes what `findGarbage` found. Only under the project's lock, taken before it was found. Throws the file system's error. */
export function removeGarbage(projectRoot: string, garbage: Garbage): Result<void> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  for (const { fingerprint } of garbage.records) store.value.removeRecord(fingerprint);
  for (const { digest } of garbage.objects) store.value.removeObject(digest);
  for (const { path } of [...garbage.scratch, ...garbage.runs, ...garbage.damaged]) rmSync(path, { recursive: true, force: true });
  for (const { file } of garbage.states) rmSync(file, { force: true });
  return ok(undefined);
}

/** Whether no recipe (or lockfile of one) stands where a state says, or one that no longer has its variant. */
function isPast(projectRoot: string, { lockfile, variant }: ListedState, variantsIn: VariantsIn | undefined): boolean {
  if (![lockfile, ...recipesOf(lockfile)].some((path) => existsSync(join(projectRoot, path)))) return true;
  return typeof variant === "string" && variantsHere(projectRoot, lockfile, variantsIn)?.has(variant) === false;
}
