/**
 * Digests of the user's own files that stages read, remembered by stat.
 * Guarantees: a file is read again only when its size, times or inode changed or were too fresh to be trusted;
 * nothing is written unless `save` is called.
 */
import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode, fsFailure, writeFileAtomic } from "../platform/fs.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { matchesSnapshot, parseSnapshot, refreshSnapshot, type Snapshot, UnfitTreeError } from "../platform/snapshot.ts";

export class FileDigests {
  readonly #projectRoot: string;
  readonly #cacheFile: string;
  #known: Map<string, Snapshot> | undefined;
  #dirty = false;

  constructor(projectRoot: string) {
    this.#projectRoot = projectRoot;
    this.#cacheFile = join(projectRoot, ".mcp-forge", "state", "files.json");
  }

  /** What a file or folder of the user's is: its digest, and the stats by which it is known again. A link is followed. Fails when it is missing or unfit. */
  async snapshot(path: string): Promise<Result<Snapshot>> {
    try {
      const real = realpathSync(path);
      const known = this.#load().get(real);
      if (known !== undefined && matchesSnapshot(real, known)) return ok(known);
      const fresh = await refreshSnapshot(real, known);
      this.#load().set(real, fresh);
      this.#dirty = true;
      return ok(fresh);
    } catch (e) {
      const shown = relative(this.#projectRoot, path);
      if (errorCode(e) === "ENOENT")
        return err({ code: "engine/file-missing", message: `the file ${shown} does not exist`, hint: "check the path in the recipe", exit: EXIT.usage });
      if (e instanceof UnfitTreeError) return err({ code: "engine/file-unfit", message: `cannot use ${shown}: ${e.message}`, exit: EXIT.usage });
      const failure = fsFailure(e, `read ${shown}`);
      if (failure === undefined) throw e;
      return err(failure);
    }
  }

  /** Keeps what was learned for the next run. Throws the file system's error. */
  save(): void {
    if (!this.#dirty || this.#known === undefined) return;
    mkdirSync(dirname(this.#cacheFile), { recursive: true });
    writeFileAtomic(this.#cacheFile, JSON.stringify([...this.#known]), { durable: false, temporary: `${this.#cacheFile}.tmp` });
    this.#dirty = false;
  }

  #load(): Map<string, Snapshot> {
    if (this.#known !== undefined) return this.#known;
    this.#known = new Map();
    try {
      for (const [path, value] of JSON.parse(readFileSync(this.#cacheFile, "utf8")) as [string, unknown][]) {
        const snapshot = parseSnapshot(value);
        if (snapshot !== undefined) this.#known.set(path, snapshot);
      }
    } catch {
      // Absent or damaged: the files are read again.
    }
    return this.#known;
  }
}
