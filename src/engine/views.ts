/**
 * Views: copies of outputs where people look for them (`dist/NAME`, `.mcp-forge/data/train.jsonl`).
 *
 * Guarantees: after a run a view holds what the store holds; it is a reflink or a copy, never a hard link, so editing
 * it cannot touch the store; what somebody edited or put there is never lost but moved beside it (`NAME.edited-1`)
 * before the view is made again; a view that is as we left it is not read (stat only); a copy that was made is read once,
 * and where it is not what the store should hold, it goes and the artifact counts as edited from then on.
 */
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { cloneTree, writeFileAtomic } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { matchesSnapshot, parseSnapshot, type Snapshot, takeSnapshot, UnfitTreeError, untilSettled } from "../platform/snapshot.ts";
import type { StageRecord } from "./record.ts";
import type { StageDefinition } from "./stage.ts";
import type { Store } from "./store.ts";

export interface WrittenView {
  readonly output: string;
  /** Relative to the project root, with forward slashes. */
  readonly path: string;
  /** Where what stood there was moved to, if it was not ours. */
  readonly kept?: string;
}

/** A view that is not the copy of the present result: there is none, it was written to since, no run is known to have left it, or it is an earlier result. */
export interface ChangedView {
  /** Relative to the project root, with forward slashes. */
  readonly path: string;
  readonly what: "missing" | "edited" | "unknown" | "other";
}

export class Views {
  readonly #projectRoot: string;
  readonly #file: string;
  /** By path relative to the project root: the copy as we left it. Shared by all variants, which may share a view. */
  readonly #made = new Map<string, Snapshot>();
  #dirty = false;

  constructor(projectRoot: string) {
    this.#projectRoot = projectRoot;
    this.#file = join(projectRoot, ".mcp-forge", "state", "views.json");
    try {
      for (const [path, value] of JSON.parse(readFileSync(this.#file, "utf8")) as [string, unknown][]) {
        const snapshot = parseSnapshot(value);
        if (snapshot !== undefined) this.#made.set(path, snapshot);
      }
    } catch {
      // Nothing known: views that stand are compared by content.
    }
  }

  /** Brings a stage's views up to date; gives those that were written. Fails when an artifact's bytes are not its own. Throws the file system's error. */
  async update(stage: StageDefinition, record: StageRecord, store: Store): Promise<Result<WrittenView[]>> {
    const written: WrittenView[] = [];
    for (const [output, path] of Object.entries(stage.views ?? {})) {
      const digest = record.outputs[output]?.digest;
      if (digest === undefined && Object.hasOwn(stage.reports ?? {}, output)) continue;
      if (digest === undefined) throw new Error(`${stage.id} has a view of ${output}, which is no output of it`);
      const shown = this.#shown(path);
      const made = this.#made.get(shown);
      if (made?.digest === digest && matchesSnapshot(path, made)) continue;
      let standing = isThere(path) ? await digestOf(path) : undefined;
      // One that was written this very moment could not be told from one that is written now: the next run would not trust it.
      if (standing?.digest === digest && !matchesSnapshot(path, standing)) {
        await untilSettled();
        standing = await digestOf(path);
      }
      if (standing?.digest === digest) {
        this.#remember(shown, standing);
        continue;
      }
      const kept = isThere(path) && (standing === undefined || standing.digest !== made?.digest) ? this.#moveAside(path) : undefined;
      await this.#write(path, store.contentPath(digest));
      await untilSettled(); // So that the next run can trust the stats.
      const copy = await takeSnapshot(path);
      if (copy.digest === digest) this.#remember(shown, copy);
      else if (!(await store.verify(digest))) {
        rmSync(path, { recursive: true, force: true });
        return err(damaged(stage.id, output, shown));
      } // Else somebody has edited it by now: it is none of ours, and the next run keeps it.
      written.push({ output, path: shown, ...(kept !== undefined && { kept: this.#shown(kept) }) });
    }
    return ok(written);
  }

  /** Whether a view is the copy of this output that we left there: looks at sizes and times, reads no content. */
  stands(path: string, digest: Digest | undefined): boolean {
    return digest !== undefined && this.#changeOf(this.#shown(path), path, digest) === undefined;
  }

  /** The views of a stage that are not the copies that `update` leaves: looks at sizes and times, reads no content. */
  changed(stage: StageDefinition, record: StageRecord): ChangedView[] {
    return Object.entries(stage.views ?? {}).flatMap(([output, at]) => {
      const path = this.#shown(at);
      const digest = record.outputs[output]?.digest;
      // Its record is older than the report.
      if (digest === undefined && Object.hasOwn(stage.reports ?? {}, output)) return [];
      const what = this.#changeOf(path, at, digest);
      return what === undefined ? [] : [{ path, what }];
    });
  }

  #changeOf(shown: string, path: string, digest: Digest | undefined): ChangedView["what"] | undefined {
    const made = this.#made.get(shown);
    if (!isThere(path)) return "missing";
    if (made === undefined) return "unknown";
    if (!matchesSnapshot(path, made)) return "edited";
    return made.digest === digest ? undefined : "other";
  }

  #shown(path: string): string {
    return relative(this.#projectRoot, path).split(sep).join("/");
  }

  /** Keeps what was learned for the next run. Throws the file system's error. */
  save(): void {
    if (!this.#dirty) return;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileAtomic(this.#file, JSON.stringify([...this.#made]), { durable: false, temporary: `${this.#file}.tmp` });
    this.#dirty = false;
  }

  /** Copies beside, then swaps. A kill in between leaves the view missing at worst, and then it is made again. */
  async #write(path: string, from: string): Promise<void> {
    const fresh = join(dirname(path), `.${basename(path)}.forge-new`);
    const old = join(dirname(path), `.${basename(path)}.forge-old`);
    mkdirSync(dirname(path), { recursive: true });
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
    await cloneTree(from, fresh);
    if (isThere(path)) renameSync(path, old);
    renameSync(fresh, path);
    rmSync(old, { recursive: true, force: true });
  }

  #moveAside(path: string): string {
    for (let n = 1; ; n++) {
      const to = `${path}.edited-${n}`;
      if (isThere(to)) continue;
      renameSync(path, to);
      return to;
    }
  }

  #remember(shown: string, snapshot: Snapshot): void {
    this.#made.set(shown, snapshot);
    this.#dirty = true;
  }
}

const damaged = (stage: string, output: string, view: string): Failure => ({
  code: "engine/artifact-damaged",
  message: `${view} cannot be copied: the bytes of the artifact ${output} of ${stage} are not those that it was made with`,
  hint: "run the same command again: it is made anew. `forge store verify` reads the whole store, for a disk that you do not trust",
  exit: EXIT.failed,
});

/** Whether something is at the path, a dangling link included. */
function isThere(path: string): boolean {
  if (existsSync(path)) return true;
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Snapshot of what stands at a view's place; undefined for what can be no copy of ours (a link, a device). */
async function digestOf(path: string): Promise<Snapshot | undefined> {
  try {
    return await takeSnapshot(path);
  } catch (e) {
    if (e instanceof UnfitTreeError) return undefined;
    throw e;
  }
}
