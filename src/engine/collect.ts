/**
 * What the store may forget, and forgetting it (`forge gc`).
 *
 * Kept is what the last runs of every recipe of the project ended with, and whatever a lockfile names: of the working
 * tree, and of any local branch of its git repository. The rest can be made again, by running.
 *
 * Guarantees: nothing that is kept is touched; records go before the artifacts that they name, so a kill leaves a store
 * that is whole; deleting happens under the project's lock; a branch that cannot be read stops it.
 */
import { type Dirent, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { git, isRepository } from "./git.ts";
import { parseLockfile } from "./lockfile.ts";
import type { StageRecord } from "./record.ts";
import { listStates } from "./state.ts";
import { Store } from "./store.ts";

export interface CollectOptions {
  /** Only what was made so many seconds ago or earlier. Default: whatever its age. */
  readonly olderThanSeconds?: number;
  /** The oldest first, until the store holds at most so many bytes; 0 where it already does. Default: everything that may go. */
  readonly maxBytes?: number;
  /** Look at no branch but what is checked out. */
  readonly ignoreBranches?: boolean;
  /** Milliseconds since 1970; for tests. */
  readonly now?: number;
}

export interface Garbage {
  /** Finished stages that nothing names any more, oldest first. */
  readonly records: readonly { readonly fingerprint: Digest; readonly stage: string; readonly createdAt: string }[];
  readonly objects: readonly { readonly digest: Digest; readonly bytes: number }[];
  /** Absolute paths of what interrupted stages left to go on from, untouched for a month. */
  readonly scratch: readonly string[];
  /** Artifacts that were edited and set aside, and what they were set aside before (milliseconds since 1970). */
  readonly damaged: number;
  readonly damagedBefore: number;
  /** Of `objects` together. */
  readonly bytes: number;
  /** Of what stays. */
  readonly keptBytes: number;
  /** Where names of artifacts were looked for: `the working tree`, and the branches. */
  readonly lookedAt: readonly string[];
}

const A_MONTH_MS = 30 * 86_400_000;

/** What may go. Reads only. Fails on a lockfile or branch that cannot be read (exit 4, 6): better to keep too much. */
export async function findGarbage(projectRoot: string, o: CollectOptions = {}): Promise<Result<Garbage>> {
  const store = Store.open(projectRoot);
  if (!store.ok) return store;
  const named = await namedDigests(projectRoot, o.ignoreBranches === true);
  if (!named.ok) return named;
  const records = store.value.records();
  const current = new Set(
    listStates(projectRoot)
      .filter((s) => hasRecipe(projectRoot, s.lockfile))
      .flatMap((s) => s.stages),
  );
  const now = o.now ?? Date.now();
  const isOld = (r: StageRecord): boolean => o.olderThanSeconds === undefined || Date.parse(r.createdAt) <= now - o.olderThanSeconds * 1000;
  const damagedBefore = now - (o.olderThanSeconds ?? 0) * 1000;
  const digestsOf = (r: StageRecord): Digest[] => Object.values(r.outputs).map((x) => x.digest);
  const isKept = (r: StageRecord): boolean => current.has(r.fingerprint) || digestsOf(r).some((d) => named.value.digests.has(d));
  const candidates = records.filter((r) => !isKept(r) && isOld(r)).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));

  const objects = await store.value.objects();
  const bytesOf = new Map(objects.map((x) => [x.digest, x.bytes]));
  const total = objects.reduce((sum, x) => sum + x.bytes, 0);
  const leaving = new Set<Digest>();
  // How many of the records that stay name an artifact: it goes with the last of them.
  const holders = new Map<Digest, number>();
  for (const r of records) for (const d of new Set(digestsOf(r))) holders.set(d, (holders.get(d) ?? 0) + 1);
  const gone: StageRecord[] = [];
  let left = total;
  const goes = (digest: Digest): void => {
    if (named.value.digests.has(digest) || leaving.has(digest) || !bytesOf.has(digest)) return;
    leaving.add(digest);
    left -= bytesOf.get(digest) ?? 0;
  };
  // What no record names at all was left by a kill between the two.
  for (const { digest } of objects) if (!holders.has(digest)) goes(digest);
  for (const r of candidates) {
    if (o.maxBytes !== undefined && left <= o.maxBytes) break;
    gone.push(r);
    for (const d of new Set(digestsOf(r))) {
      const holding = (holders.get(d) ?? 1) - 1;
      holders.set(d, holding);
      if (holding === 0) goes(d);
    }
  }
  return ok({
    records: gone.map(({ fingerprint, node, createdAt }) => ({ fingerprint, stage: node, createdAt })),
    objects: [...leaving].map((digest) => ({ digest, bytes: bytesOf.get(digest) ?? 0 })),
    scratch: oldScratch(projectRoot, now),
    damaged: store.value.damaged(damagedBefore).length,
    damagedBefore,
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
  for (const folder of garbage.scratch) rmSync(folder, { recursive: true, force: true });
  if (garbage.damaged > 0) store.value.removeDamaged(garbage.damagedBefore);
  for (const { file, lockfile } of listStates(projectRoot)) if (!hasRecipe(projectRoot, lockfile)) rmSync(file, { force: true });
  return ok(undefined);
}

/** Whether a recipe (or its lockfile) still stands where a state says. */
const hasRecipe = (projectRoot: string, lockfile: string): boolean =>
  [".lock", ".yaml", ".yml", ".json"].some((end) => existsSync(join(projectRoot, lockfile.replace(/\.lock$/, end))));

function oldScratch(projectRoot: string, now: number): string[] {
  const folder = join(projectRoot, ".mcp-forge", "scratch");
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.map((n) => join(folder, n)).filter((path) => now - statSync(path).mtimeMs > A_MONTH_MS);
}

interface Named {
  readonly digests: ReadonlySet<Digest>;
  readonly lookedAt: readonly string[];
}

/** Every digest in a lockfile of the working tree or of a local branch. */
async function namedDigests(projectRoot: string, ignoreBranches: boolean): Promise<Result<Named>> {
  const digests = new Set<Digest>();
  const lookedAt = ["the working tree"];
  const add = (text: string, file: string): Failure | undefined => {
    const lockfile = parseLockfile(text, file);
    if (!lockfile.ok) return lockfile.error;
    for (const section of [lockfile.value.recipe, ...Object.values(lockfile.value.variants)])
      for (const node of Object.values(section)) for (const digest of Object.values(node.outputs ?? {})) digests.add(digest as Digest);
    return undefined;
  };
  for (const path of new Set(listStates(projectRoot).map((s) => s.lockfile))) {
    try {
      const failure = add(readFileSync(join(projectRoot, path), "utf8"), path);
      if (failure) return err(failure);
    } catch (e) {
      if (errorCode(e) !== "ENOENT") throw e;
    }
  }
  // One that was moved, or whose state is lost, names what it names. Other programs have lockfiles too.
  for (const path of lockfilesIn(projectRoot)) {
    const text = textOf(path);
    if (/"lockfileVersion"/.test(text)) add(text, path);
  }
  if (ignoreBranches) return ok({ digests, lookedAt });
  const repository = await isRepository(projectRoot);
  if (!repository.ok) return unreadable(repository.error);
  if (!repository.value) return ok({ digests, lookedAt });
  const branches = await git(projectRoot, ["for-each-ref", "--format=%(refname)", "refs/heads"]);
  if (!branches.ok) return unreadable(branches.error);
  for (const ref of branches.value.split("\n").filter((r) => r !== "")) {
    const files = await git(projectRoot, ["ls-tree", "-r", "-z", "--full-tree", "--name-only", ref]);
    if (!files.ok) return unreadable(files.error);
    for (const file of files.value.split("\0").filter((f) => f.endsWith(".lock"))) {
      const text = await git(projectRoot, ["show", `${ref}:${file}`]);
      if (!text.ok) return unreadable(text.error);
      // Other programs have lockfiles too; one of ours that is damaged on a branch is of no use to anybody there.
      if (/"lockfileVersion"/.test(text.value)) add(text.value, file);
    }
    lookedAt.push(ref.replace(/^refs\/heads\//, ""));
  }
  return ok({ digests, lookedAt });
}

/** Folders that hold no recipe of the user's. */
const OTHERS = new Set([".git", ".mcp-forge", "node_modules"]);
const DEEPEST = 8;
const MOST_FOLDERS = 20_000;
/** A lockfile has some kilobytes. */
const LARGEST = 4 << 20;

/** The `*.lock` files below a folder; links are not followed. */
function lockfilesIn(root: string): string[] {
  const found: string[] = [];
  const open = [{ path: root, depth: 0 }];
  for (let i = 0; i < open.length && i < MOST_FOLDERS; i++) {
    const { path, depth } = open[i] as (typeof open)[number];
    let entries: Dirent[];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch {
      continue; // A folder of somebody else.
    }
    for (const e of entries) {
      if (e.isDirectory() && depth < DEEPEST && !OTHERS.has(e.name)) open.push({ path: join(path, e.name), depth: depth + 1 });
      else if (e.isFile() && e.name.endsWith(".lock")) found.push(join(path, e.name));
    }
  }
  return found;
}

function textOf(path: string): string {
  try {
    return statSync(path).size > LARGEST ? "" : readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const unreadable = (failure: Failure): Result<never> =>
  err({
    code: "engine/branches",
    message: `the lockfiles of this repository's branches cannot be read: ${failure.message}`,
    hint: "mend the repository (`git status` says more), or use --ignore-branches",
    exit: EXIT.environment,
  });
