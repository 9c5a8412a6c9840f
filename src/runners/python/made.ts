/**
 * Environments that forge makes for itself in the cache, each once.
 *
 * Guarantees: one is used only when its marker, written last, is there, so a killed build is never used; two forges do not build at once; a
 * failed build leaves nothing.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { acquireLock } from "../../engine/lock.ts";
import type { StageEvent } from "../../engine/stage.ts";
import { fsFailure, makeFolders, writeFileAtomic } from "../../platform/fs.ts";
import type { JsonObject } from "../../platform/json.ts";
import { isOffline, offlineFailure } from "../../platform/offline.ts";
import { CACHE_FIX, cacheDir } from "../../platform/paths.ts";
import { err, ok, type Result } from "../../platform/result.ts";
import { type BuildOptions, pythonIn } from "./build.ts";
import { findPython, type Interpreter } from "./find.ts";

export interface PythonOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: StageEvent) => void;
  /** For what the installers print; default `build.log` beside the environments. */
  readonly logFile?: string;
}

export interface Python {
  /** Path of the interpreter. */
  readonly python: string;
}

/** One kind of environment. */
export interface Making {
  /** What forge calls it: "Python environment". */
  readonly name: string;
  /** What its folder is called, before the version of Python. */
  readonly prefix: string;
  /** What it takes on disk, in words. */
  readonly size: string;
  /** Phases of its build. */
  readonly steps: number;
  /** What its marker says beside the version of Python. */
  readonly mark: JsonObject;
  /** Builds it in `dir`, which is not there yet. */
  readonly build: (dir: string, python: Interpreter, o: BuildOptions) => Promise<Result<void>>;
}

/** The file that says that an environment is finished. */
export const MARKER = "forge-environment.json";
/** For what pip unpacks: on the disk that was found large enough, where /tmp may be small. */
const TEMPORARY = ".tmp";
/** Another forge may be fetching GBs over a slow line. */
export const WAIT_SECONDS = 3600;

/** Where environments lie. */
export const environmentsDir = (): string => join(cacheDir(), "python");

/** A finished environment, whatever Python made it; undefined when there is none. */
export function finished(prefix: string): Result<Python> | undefined {
  const root = environmentsDir();
  if (!existsSync(root)) return undefined;
  for (const name of readdirSync(root).sort().reverse()) {
    const dir = join(root, name);
    // `existsSync` follows the link to the interpreter: an environment whose Python was removed does not count.
    if (name.startsWith(prefix) && existsSync(join(dir, MARKER)) && existsSync(pythonIn(dir))) return ok({ python: pythonIn(dir) });
  }
  return undefined;
}

/** Makes an environment, or waits for another forge that makes it. Failures exit with 6. */
export async function makeOnce(m: Making, o: PythonOptions): Promise<Result<Python>> {
  if (isOffline()) return err(offlineFailure(`forge's own ${m.name} (${m.size}) is not made yet`));
  const root = environmentsDir();
  const emit = o.onProgress ?? (() => {});
  try {
    const found = await findPython();
    if (!found.ok) return found;
    makeFolders(root);
    const waiting = (holder: string) => emit({ type: "log", level: "info", message: `waiting for another forge that makes the ${m.name} (${holder})` });
    const lock = await acquireLock(root, { waitSeconds: WAIT_SECONDS, ...(o.signal && { signal: o.signal }), onWaiting: waiting });
    if (!lock.ok) return lock;
    try {
      const meanwhile = finished(m.prefix);
      if (meanwhile) return meanwhile;
      const dir = join(root, `${m.prefix}${found.value.version.split(".").slice(0, 2).join(".")}`);
      const temporary = join(root, TEMPORARY);
      for (const path of [dir, temporary]) rmSync(path, { recursive: true, force: true }); // Half of one, left by a kill.
      mkdirSync(temporary);
      emit({ type: "log", level: "info", message: `making forge's own ${m.name}, once: ${m.size} in ${dir}` });
      const made = await m.build(dir, found.value, { ...buildOptions(m, o), temporary });
      rmSync(temporary, { recursive: true, force: true });
      if (!made.ok) {
        rmSync(dir, { recursive: true, force: true });
        return made;
      }
      writeFileAtomic(join(dir, MARKER), `${JSON.stringify({ python: found.value.version, ...m.mark })}\n`);
      emit({ type: "progress", done: m.steps, total: m.steps, unit: "steps", message: `the ${m.name} is ready` });
      return ok({ python: pythonIn(dir) });
    } finally {
      lock.value.release();
    }
  } catch (e) {
    const failure = fsFailure(e, `make the ${m.name}`, CACHE_FIX);
    if (failure) return err(failure);
    throw e;
  }
}

/** What a build tells, as progress of so many steps. */
export function buildOptions(m: Pick<Making, "name" | "steps">, o: PythonOptions): BuildOptions {
  let current = 0;
  return {
    signal: o.signal ?? new AbortController().signal,
    logFile: o.logFile ?? join(environmentsDir(), "build.log"),
    onPhase: (step, message) => {
      if (step >= 0) current = step;
      o.onProgress?.({ type: "progress", done: current, total: m.steps, unit: "steps", message: `${m.name}: ${message}` });
    },
  };
}
