/**
 * The store: artifacts by content digest, and the records of which fingerprint made which.
 *
 *     .mcp-forge/store/version                     "2"
 *     .mcp-forge/store/objects/ab/cdef…/content    the artifact, read-only
 *     .mcp-forge/store/objects/ab/cdef…/snapshot.json   sizes and times when it was hashed
 *     .mcp-forge/store/records/<fingerprint>.json
 *     .mcp-forge/store/staging/<run>/…             what running stages write
 *     .mcp-forge/store/damaged/…                   artifacts that were edited, set aside
 *
 * Guarantees: an object is visible whole or not at all (hashed and synced in staging, then one rename of its folder,
 * which changes no inode or time of what is inside, so the snapshot taken before stays true); publishing copies no
 * bytes; a record is written after all its objects and names only such; an object whose bytes are not those of its
 * digest is never handed out; nothing is deleted but staging, and what collect.ts says (`forge gc`).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode, makeReadOnly, syncFolder, syncTree, writeFileAtomic } from "../platform/fs.ts";
import { type Digest, hexOf, isDigest } from "../platform/hash.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import {
  matchesSnapshot,
  parseSnapshot,
  refreshSnapshot,
  type Snapshot,
  stoodStill,
  takeSnapshot,
  UnfitTreeError,
  untilSettled,
} from "../platform/snapshot.ts";
import { parseRecord, type RecordOutput, type StageRecord } from "./record.ts";

const STORE_VERSION = 2;
/** Older ones that `migrate.ts` knows. */
const OLDEST_VERSION = 1;
export type ObjectState = "intact" | "missing" | "edited";

export class Store {
  readonly #root: string;
  /** What the store on disk has; today's for one that is yet to be made. */
  #version: number;
  /** Objects found intact by this process, which are not looked at twice; who hands one to a stage looks again (`hold`). */
  readonly #intact = new Set<Digest>();
  /** Records that this process has read: only the lock's holder writes any, and a plan shows one instant. */
  readonly #records = new Map<Digest, StageRecord>();

  private constructor(root: string, version: number) {
    this.#root = root;
    this.#version = version;
  }

  /** Opens the project's store for reading, an older one too; creates nothing. Fails on a store that a newer version wrote. */
  static open(projectRoot: string): Result<Store> {
    const root = join(projectRoot, ".mcp-forge", "store");
    let text = String(STORE_VERSION);
    try {
      text = readFileSync(join(root, "version"), "utf8").trim();
    } catch (e) {
      if (errorCode(e) !== "ENOENT") throw e;
    }
    const version = Number(text);
    if (Number.isInteger(version) && version >= OLDEST_VERSION && version <= STORE_VERSION) return ok(new Store(root, version));
    return err({
      code: "engine/store-version",
      message: `.mcp-forge/store has version ${text.slice(0, 20)}; this program reads versions ${OLDEST_VERSION} to ${STORE_VERSION}`,
      hint: "use the newer version of mcp-forge that wrote it, or move .mcp-forge away to start afresh",
      exit: EXIT.environment,
    });
  }

  /** Makes the folders, brings an older store to today's form, and clears what killed runs left in staging. Only under the project's lock. */
  async prepare(): Promise<void> {
    if (!existsSync(join(this.#root, "version"))) {
      for (const name of ["objects", "records"]) mkdirSync(join(this.#root, name), { recursive: true });
      const ignore = join(dirname(this.#root), ".gitignore");
      if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
      writeFileAtomic(join(this.#root, "version"), `${STORE_VERSION}\n`);
    }
    if (this.#version < STORE_VERSION) {
      const { migrateSnapshots } = await import("./migrate.ts");
      migrateSnapshots(this.#digests().map((digest) => this.#snapshotPath(digest)));
      writeFileAtomic(join(this.#root, "version"), `${STORE_VERSION}\n`);
      this.#version = STORE_VERSION;
    }
    this.clearStaging();
  }

  /** Removes what stages wrote that was not published. */
  clearStaging(): void {
    rmSync(join(this.#root, "staging"), { recursive: true, force: true });
  }

  /** Where an artifact's content lies, whether or not it is there. */
  contentPath(digest: Digest): string {
    return join(this.#objectFolder(digest), "content");
  }

  /** Empty places to write outputs to, on the store's file system. */
  stage(run: string, node: string, outputs: readonly string[]): { folder: string; paths: Record<string, string> } {
    const folder = join(this.#root, "staging", run, encodeURIComponent(node));
    const paths: Record<string, string> = {};
    for (const [i, name] of outputs.entries()) {
      mkdirSync(join(folder, String(i)), { recursive: true });
      paths[name] = join(folder, String(i), "content");
    }
    return { folder, paths };
  }

  /** Takes staged outputs (paths from `stage`) into the store. Fails when one is missing, of the wrong kind or unfit; throws the file system's error. */
  async publish(paths: Readonly<Record<string, string>>, kinds: Readonly<Record<string, "file" | "folder">>): Promise<Result<Record<string, RecordOutput>>> {
    for (const [name, path] of Object.entries(paths)) {
      if (!existsSync(path)) return err(bad(name, "was not written"));
      await makeReadOnly(path);
      await syncTree(path);
    }
    await untilSettled(); // So that no snapshot is racy and none is read again.
    const outputs: Record<string, RecordOutput> = {};
    for (const [name, path] of Object.entries(paths)) {
      try {
        const snapshot = await takeSnapshot(path);
        if (snapshot.kind !== kinds[name]) return err(bad(name, `is a ${snapshot.kind}, not a ${kinds[name]}`));
        await this.#adopt(dirname(path), snapshot);
        outputs[name] = { kind: snapshot.kind, digest: snapshot.digest, bytes: snapshot.bytes };
      } catch (e) {
        if (e instanceof UnfitTreeError) return err(bad(name, `cannot be kept: ${e.message}`));
        throw e;
      }
    }
    return ok(outputs);
  }

  /**
   * Whether an artifact is what its digest says, by stat where that suffices.
   * @param repair note fresh stats after a re-reading (a run may; a plan writes nothing).
   */
  async check(digest: Digest, repair: boolean): Promise<ObjectState> {
    if (this.#intact.has(digest)) return "intact";
    const content = this.contentPath(digest);
    const old = await this.#readSnapshot(digest);
    if (old === undefined || !matchesSnapshot(content, old)) {
      if (!existsSync(content)) return "missing";
      let fresh: Snapshot;
      try {
        fresh = await refreshSnapshot(content, old);
      } catch (e) {
        if (e instanceof UnfitTreeError) return "edited";
        throw e;
      }
      if (fresh.digest !== digest) return "edited";
      if (repair) writeFileAtomic(this.#snapshotPath(digest), JSON.stringify(fresh), { durable: false });
    }
    this.#intact.add(digest);
    return "intact";
  }

  /** An artifact as it is now, whatever this process found before: its snapshot, or undefined when it is not what its digest says. Only under the project's lock. */
  async hold(digest: Digest): Promise<Snapshot | undefined> {
    this.#intact.delete(digest);
    return (await this.check(digest, true)) === "intact" ? this.#readSnapshot(digest) : undefined;
  }

  /** Whether an artifact was not written to since `hold`, not even to be put back. What was is looked at again before it counts as intact. */
  async stoodStill(digest: Digest, held: Snapshot): Promise<boolean> {
    const content = this.contentPath(digest);
    if (matchesSnapshot(content, held)) return true;
    this.#intact.delete(digest);
    try {
      return stoodStill(held, await refreshSnapshot(content, held));
    } catch (e) {
      if (e instanceof UnfitTreeError || errorCode(e) !== "") return false;
      throw e;
    }
  }

  /**
   * Whether an artifact's bytes are those of its digest: reads them all. Of one that differs the stats are forgotten, so that it is taken for
   * edited from now on, though they show nothing. Only under the project's lock.
   */
  async verify(digest: Digest): Promise<boolean> {
    try {
      if ((await takeSnapshot(this.contentPath(digest))).digest === digest) return true;
    } catch (e) {
      if (!(e instanceof UnfitTreeError) && errorCode(e) === "") throw e;
    }
    this.#intact.delete(digest);
    rmSync(this.#snapshotPath(digest), { force: true });
    return false;
  }

  /** Moves a damaged artifact out of the way; returns where to. */
  setAside(digest: Digest): string {
    const folder = join(this.#root, "damaged");
    mkdirSync(folder, { recursive: true });
    for (let n = 1; ; n++) {
      const to = join(folder, `${hexOf(digest)}-${n}`);
      if (existsSync(to)) continue;
      renameSync(this.#objectFolder(digest), to);
      return to;
    }
  }

  /** `setAside`, when the artifact still is there and damaged. */
  async setAsideIfDamaged(digest: Digest): Promise<void> {
    if (existsSync(this.#objectFolder(digest)) && (await this.check(digest, true)) !== "intact") this.setAside(digest);
  }

  readRecord(fingerprint: Digest): StageRecord | undefined {
    const known = this.#records.get(fingerprint);
    if (known !== undefined) return known;
    try {
      const record = parseRecord(readFileSync(this.#recordPath(fingerprint), "utf8"));
      if (record?.fingerprint !== fingerprint) return undefined;
      this.#records.set(fingerprint, record);
      return record;
    } catch (e) {
      if (errorCode(e) === "ENOENT") return undefined;
      throw e;
    }
  }

  /** The instant at which a stage counts as finished. */
  writeRecord(record: StageRecord): void {
    this.#records.delete(record.fingerprint);
    writeFileAtomic(this.#recordPath(record.fingerprint), `${JSON.stringify(record)}\n`);
  }

  /** Every record that can be read, in no order. */
  records(): StageRecord[] {
    const names = entries(join(this.#root, "records")).filter((n) => n.endsWith(".json"));
    return names.flatMap((n) => this.readRecord(`sha256:${n.slice(0, -".json".length)}` as Digest) ?? []);
  }

  /** Every artifact that lies in the store, whatever its state; bytes as its snapshot says (0 where there is none). */
  async objects(): Promise<{ readonly digest: Digest; readonly bytes: number }[]> {
    return Promise.all(this.#digests().map(async (digest) => ({ digest, bytes: (await this.#readSnapshot(digest))?.bytes ?? 0 })));
  }

  /** Names of what was set aside as damaged, up to a time (milliseconds since 1970). */
  damaged(before: number): string[] {
    const folder = join(this.#root, "damaged");
    return entries(folder).filter((name) => (statSync(join(folder, name), { throwIfNoEntry: false })?.ctimeMs ?? 0) <= before);
  }

  /** Forgets that a stage finished; its artifacts stay. Only under the project's lock. */
  removeRecord(fingerprint: Digest): void {
    this.#records.delete(fingerprint);
    rmSync(this.#recordPath(fingerprint), { force: true });
  }

  /** Deletes an artifact, its snapshot first, so that what a kill leaves of it is not taken for whole. Only under the project's lock, and when no record names it. */
  removeObject(digest: Digest): void {
    this.#intact.delete(digest);
    rmSync(this.#snapshotPath(digest), { force: true });
    rmSync(this.#objectFolder(digest), { recursive: true, force: true });
  }

  async #adopt(staged: string, snapshot: Snapshot): Promise<void> {
    const { digest } = snapshot;
    const target = this.#objectFolder(digest);
    for (;;) {
      if (existsSync(target)) {
        this.#intact.delete(digest);
        if ((await this.check(digest, true)) === "intact") return;
        if (existsSync(target)) this.setAside(digest);
      }
      writeFileAtomic(join(staged, "snapshot.json"), JSON.stringify(snapshot));
      mkdirSync(dirname(target), { recursive: true });
      try {
        renameSync(staged, target);
      } catch (e) {
        if (errorCode(e) === "ENOTEMPTY" || errorCode(e) === "EEXIST") continue; // Another stage of this run just published the same bytes.
        throw e;
      }
      syncFolder(dirname(target));
      this.#intact.add(digest);
      return;
    }
  }

  #digests(): Digest[] {
    const folder = join(this.#root, "objects");
    return entries(folder).flatMap((first) =>
      entries(join(folder, first))
        .map((rest) => `sha256:${first}${rest}`)
        .filter(isDigest),
    );
  }

  #snapshotPath(digest: Digest): string {
    return join(this.#objectFolder(digest), "snapshot.json");
  }

  #objectFolder(digest: Digest): string {
    const hex = hexOf(digest);
    return join(this.#root, "objects", hex.slice(0, 2), hex.slice(2));
  }

  #recordPath(fingerprint: Digest): string {
    return join(this.#root, "records", `${hexOf(fingerprint)}.json`);
  }

  async #readSnapshot(digest: Digest): Promise<Snapshot | undefined> {
    try {
      const kept: unknown = JSON.parse(readFileSync(this.#snapshotPath(digest), "utf8"));
      const snapshot = this.#version === STORE_VERSION ? parseSnapshot(kept) : (await import("./migrate.ts")).parseAnySnapshot(kept);
      return snapshot?.digest === digest ? snapshot : undefined;
    } catch {
      return undefined;
    }
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (e) {
    if (errorCode(e) === "ENOENT") return [];
    throw e;
  }
}

const bad = (output: string, what: string): Failure => ({
  code: "engine/bad-output",
  message: `the output ${output} ${what}`,
  hint: "this is a fault of the stage; please report it with the run's log",
  exit: EXIT.failed,
});
