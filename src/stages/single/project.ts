/**
 * A stage by itself: an ephemeral recipe in a scratch project of its own, the real graph with what is given in
 * place of the stages that would make it; deliver.ts copies the results to where the user wants them. Guarantees: the
 * user's project gets no lockfile and no state; the scratch project goes, whatever happens (a SIGKILL leaves it in the
 * temporary folder, from where a later step removes it), but for that of a step that can go on where it stopped: it stays in the cache until its results
 * are delivered.
 */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeDefinition, StageDefinition } from "../../engine/stage.ts";
import { pinsOfFolder } from "../../models/pin.ts";
import { hexOf } from "../../platform/digest.ts";
import { errorCode, fsFailure } from "../../platform/fs.ts";
import { digestText } from "../../platform/hash.ts";
import { CACHE_FIX, cacheDir } from "../../platform/paths.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { loadMade } from "../../recipe/made.ts";
import type { LoadedRecipe, Recipe } from "../../recipe/types.ts";
import { buildPipeline, type Pipeline, type PipelineOptions } from "../pipeline.ts";

export interface SingleOptions extends PipelineOptions {
  readonly recipe: Recipe;
  /** Stages that are given: each replaces the one of its id. */
  readonly given: readonly StageDefinition[];
  /** Gates and stages that nothing waits for here (`fine-tuning only`). */
  readonly without?: readonly string[];
  /** For a step that is long and can go on: what tells it from others (where its result goes). */
  readonly resumable?: string;
}

export interface SingleProject {
  readonly loaded: LoadedRecipe;
  readonly pipeline: Pipeline;
  /** Removes the scratch project, or leaves what the same step can go on from. Idempotent. */
  readonly close: (delivered: boolean) => void;
}

/** Makes the scratch project. Paths in the recipe are relative to the folder that the user stands in. */
export function openSingle(o: SingleOptions): Result<SingleProject, readonly Failure[]> {
  const kept = o.resumable === undefined ? undefined : keptFolder(o.resumable);
  if (kept?.ok) return openIn(kept.value, o, true);
  const root = temporaryFolder();
  if (!root.ok) return err([root.error]);
  const opened = openIn(root.value, o, false);
  if (!opened.ok || kept === undefined) return opened;
  // A cache that is read only may hold all that is needed, and the training is worth more than going on with it.
  const { loaded } = opened.value;
  const warning: Failure = { ...kept.error, message: `${kept.error.message}; if this is interrupted it cannot go on where it stopped` };
  return ok({ ...opened.value, loaded: { ...loaded, warnings: [...loaded.warnings, warning] } });
}

/** Folders of steps that were killed are removed when they are so old: a step by itself does not take days, and a process may be one of another container. */
const ABANDONED_MS = 3 * 86_400_000;

function temporaryFolder(): Result<string> {
  try {
    const all = realpathSync(tmpdir());
    removeAbandoned(all);
    return ok(mkdtempSync(join(all, `mcp-forge-${process.pid}-`)));
  } catch (e) {
    const failure = fsFailure(e, `make a folder in ${tmpdir()}`, "name a folder that is there and can be written to: export TMPDIR=FOLDER");
    if (failure === undefined) throw e;
    return err(failure);
  }
}

/** What a SIGKILL left, of this user's. */
function removeAbandoned(all: string): void {
  for (const name of readdirSync(all)) {
    const pid = /^mcp-forge-(\d+)-/.exec(name)?.[1];
    if (pid === undefined) continue;
    try {
      const found = lstatSync(join(all, name));
      const old = Date.now() - found.mtimeMs > ABANDONED_MS;
      if (found.isDirectory() && found.uid === process.getuid?.() && old && !isAlive(Number(pid))) rmSync(join(all, name), { recursive: true, force: true });
    } catch {
      // Another step may just have removed it.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return errorCode(e) !== "ESRCH";
  }
}

/** Scratch projects of steps that were never taken up again. */
const FORGOTTEN_MS = 30 * 86_400_000;

/** The folder of a step that can go on, made or found; those of others that nobody came back to go. */
function keptFolder(resumable: string): Result<string> {
  const all = join(cacheDir(), "steps");
  try {
    mkdirSync(all, { recursive: true });
    for (const name of readdirSync(all)) {
      const path = join(all, name);
      const found = statSync(path, { throwIfNoEntry: false }); // Another training may just have delivered.
      if (found !== undefined && Date.now() - found.mtimeMs > FORGOTTEN_MS) rmSync(path, { recursive: true, force: true });
    }
    const root = join(realpathSync(all), hexOf(digestText(resumable)).slice(0, 16));
    mkdirSync(root, { recursive: true });
    utimesSync(root, new Date(), new Date());
    return ok(root);
  } catch (e) {
    const failure = fsFailure(e, "make a folder in the cache", CACHE_FIX);
    if (failure === undefined) throw e;
    return err(failure);
  }
}

/** @param kept whether what is there, or comes to be there, outlasts a run that does not end well */
function openIn(root: string, o: SingleOptions, kept: boolean): Result<SingleProject, readonly Failure[]> {
  const remove = (): void => {
    process.off("exit", remove);
    rmSync(root, { recursive: true, force: true });
  };
  if (!kept) process.on("exit", remove);
  const recipe: Recipe = { ...o.recipe, bundle: { output: join(root, "bundle") } };
  const loaded = loadMade(recipe, { file: join(root, "forge.yaml"), shown: "(the flags, as a recipe)", dir: process.cwd(), projectRoot: root });
  // The base model is pinned where the user stands: what is trained now is exported tomorrow, by another scratch project.
  const pipeline = loaded.ok ? buildPipeline(loaded.value, { pins: pinsOfFolder(process.cwd()), ...o }) : loaded;
  if (!loaded.ok || !pipeline.ok) {
    // A slip of the pen costs no training that is kept there, or goes on there.
    if (!kept) remove();
    return err(loaded.ok ? (pipeline.ok ? [] : [pipeline.error].flat()) : loaded.error);
  }
  mkdirSync(join(root, ".mcp-forge"), { recursive: true });
  const close = (delivered: boolean): void => {
    if (delivered || !kept) remove();
  };
  const nodes = withGiven(pipeline.value.nodes, o.given, new Set(o.without));
  const told = { ...loaded.value, warnings: [...loaded.value.warnings, ...(pipeline.value.warnings ?? [])] };
  return ok({ loaded: told, pipeline: { ...pipeline.value, nodes, given: new Set(o.given.map((g) => g.id)) }, close });
}

/** The graph with these stages in place of those of the same id. */
export function withGiven(nodes: readonly NodeDefinition[], given: readonly StageDefinition[], without: ReadonlySet<string> = new Set()): NodeDefinition[] {
  const byId = new Map(given.map((g) => [g.id, g]));
  const ids = new Set(nodes.map((n) => n.id));
  const added = given.filter((g) => !ids.has(g.id));
  return [...nodes.filter((n) => !without.has(n.id)).map((n) => byId.get(n.id) ?? n), ...added].map((n) =>
    without.size === 0 || n.after === undefined ? n : { ...n, after: n.after.filter((id) => !without.has(id)) },
  );
}
