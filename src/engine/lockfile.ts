/**
 * NAME.lock: what was last built from the recipe, committed beside it (schemas/lockfile.schema.json).
 *
 * Guarantees: JSON with sorted keys, one value a line, so that diffs and merges are small; the same content gives the
 * same bytes; it is written only when it changes, atomically; a run replaces the nodes that it settled anew in the file
 * as it finds it then, so that other variants' sections and what others wrote meanwhile (a pull) stay; what cannot be
 * read is an error that names the line, never silently replaced.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode, fsFailure, writeFileAtomic } from "../platform/fs.ts";
import { err, type Failure, ok, type Place, type Result } from "../platform/result.ts";
import type { Lockfile, LockNode, LockPin } from "../schemas/generated/lockfile.ts";
import { validate } from "../schemas/generated/lockfile.validate.js";
import type { Graph } from "./graph.ts";
import type { Keys } from "./key.ts";

export type { Lockfile, LockNode, LockPin } from "../schemas/generated/lockfile.ts";
export type LockSection = Readonly<Record<string, LockNode>>;

const LOCKFILE_VERSION = 1;

/** Absolute path of the lockfile of a recipe: NAME.lock beside NAME.yaml. */
export const lockfileOf = (recipe: string): string => join(dirname(recipe), `${basename(recipe).replace(/\.[^.]+$/, "")}.lock`);

/** The lockfile's content; undefined when there is none. Fails (exit 4) on one that is damaged, in conflict, or newer, and (exit 6) on one that the system does not read. */
export function readLockfile(path: string): Result<Lockfile | undefined> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (e) {
    if (errorCode(e) === "ENOENT") return ok(undefined);
    // A read that fails names no path, an open that fails does.
    const shown = (e as NodeJS.ErrnoException).path === undefined ? ` ${path}` : "";
    const failure = fsFailure(e, `read the lockfile${shown}`, "it is a file that forge writes: move away what stands there, or mend its permissions");
    if (failure === undefined) throw e;
    return err(failure);
  }
  return parseLockfile(text, basename(path));
}

/** @param file the name to show in failures. */
export function parseLockfile(text: string, file: string): Result<Lockfile> {
  const lines = text.split("\n");
  const conflict = lines.findIndex((l) => /^(?:<{7}|={7}|>{7}|\|{7})(?: |$)/.test(l));
  if (conflict >= 0) return err(unusable("lockfile/conflict", `${file} has an unresolved merge conflict`, place(file, lines, conflict)));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (e) {
    const position = Number(/position (\d+)/.exec((e as Error).message)?.[1] ?? 0);
    const line = text.slice(0, position).split("\n").length - 1;
    return err(unusable("lockfile/not-json", `${file} is not valid JSON`, place(file, lines, line)));
  }
  const version = value !== null && typeof value === "object" && "lockfileVersion" in value ? value.lockfileVersion : undefined;
  if (typeof version === "number" && version > LOCKFILE_VERSION)
    return err({
      code: "lockfile/newer",
      message: `${file} was written by a newer mcp-forge (lockfile version ${version}; this one reads ${LOCKFILE_VERSION})`,
      hint: "update mcp-forge",
      exit: EXIT.usage,
    });
  if (validate(value)) return ok(value as Lockfile);
  const problem = validate.errors?.[0];
  return err(
    unusable("lockfile/invalid", `${file} is not a lockfile: ${problem?.instancePath || "the whole"} ${problem?.message ?? "has the wrong shape"}`, undefined),
  );
}

const unusable = (code: string, message: string, where: Place | undefined): Failure => ({
  code,
  message,
  hint: "restore it from version control, or delete it: `forge apply` writes it anew from the store, running only what is missing",
  ...(where && { place: where }),
  exit: EXIT.usage,
});

const place = (file: string, lines: readonly string[], index: number): Place => ({
  file,
  line: index + 1,
  column: 1,
  source: lines[index] ?? "",
  length: Math.max(1, lines[index]?.length ?? 1),
});

/** The lockfile of one run: compares with the section of the run's variant as it was at first, writes what finishes. */
export class LockfileWriter {
  readonly #path: string;
  readonly #variant: string | undefined;
  /** As it was when the run began. */
  readonly #begun: Lockfile;
  /** What this run settled otherwise than it was. */
  readonly #set = new Map<string, LockNode>();
  readonly #dropped = new Set<string>();
  /** Whether something is not in the file yet; an unchanged run neither reads it again nor puts the text together. */
  #changed = false;

  constructor(path: string, variant: string | undefined, lockfile: Lockfile | undefined) {
    this.#path = path;
    this.#variant = variant;
    this.#begun = lockfile ?? EMPTY;
  }

  set(id: string, node: LockNode): void {
    const section = sectionOf(this.#begun, this.#variant);
    const before = this.#set.get(id) ?? (Object.hasOwn(section, id) ? section[id] : undefined);
    if (before !== undefined && JSON.stringify(sorted(before)) === JSON.stringify(sorted(node))) return;
    this.#set.set(id, node);
    this.#changed = true;
  }

  /** Drops nodes that the recipe no longer has. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of Object.keys(sectionOf(this.#begun, this.#variant))) {
      if (ids.has(id) || this.#dropped.has(id)) continue;
      this.#dropped.add(id);
      this.#changed = true;
    }
  }

  /** Writes it if it changed. Fails when the file cannot be read by now (a merge conflict), and leaves it as it is. Throws the file system's error. */
  save(): Result<void> {
    if (!this.#changed) return ok(undefined);
    const standing = readLockfile(this.#path);
    if (!standing.ok) return standing;
    const base = standing.value ?? this.#begun;
    const kept = Object.entries(sectionOf(base, this.#variant)).filter(([id]) => !this.#dropped.has(id));
    const text = lockfileText(withSection(base, this.#variant, Object.fromEntries([...kept, ...this.#set])));
    if (standing.value === undefined || text !== lockfileText(standing.value)) writeWhole(this.#path, text);
    this.#changed = false;
    return ok(undefined);
  }
}

/**
 * Writes down what a name of the recipe's means, and leaves all else as it is. The caller holds the project's lock. Fails on a lockfile that cannot be read; throws the file
 * system's error.
 */
export function writePin(path: string, name: string, pin: LockPin): Result<void> {
  const standing = readLockfile(path);
  if (!standing.ok) return standing;
  const base = standing.value ?? EMPTY;
  const pins = Object.fromEntries([...Object.entries(base.pins ?? {}), [name, pin]]);
  writeWhole(path, lockfileText({ ...base, pins }));
  return ok(undefined);
}

const writeWhole = (path: string, text: string): void => writeFileAtomic(path, text, { temporary: join(dirname(path), `.${basename(path)}.tmp`) });

const EMPTY: Lockfile = { lockfileVersion: LOCKFILE_VERSION, recipe: {}, variants: {} };

function withSection(lockfile: Lockfile, variant: string | undefined, section: Record<string, LockNode>): Lockfile {
  if (variant === undefined) return { ...lockfile, recipe: section };
  // A variant may be called anything, `__proto__` too.
  return { ...lockfile, variants: Object.fromEntries([...Object.entries(lockfile.variants), [variant, section]]) };
}

export function sectionOf(lockfile: Lockfile | undefined, variant: string | undefined): LockSection {
  if (lockfile === undefined) return {};
  if (variant === undefined) return lockfile.recipe;
  return Object.hasOwn(lockfile.variants, variant) ? (lockfile.variants[variant] ?? {}) : {};
}

/** The bytes of a lockfile. */
export const lockfileText = (lockfile: Lockfile): string => `${JSON.stringify(sorted(lockfile), null, 2)}\n`;

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([k, v]) => [k, sorted(v)]));
}

/**
 * `--locked`: the first node, in order of the graph, whose recipe key is not the lockfile's. undefined when all agree.
 * @param reasonsOf what is known on this machine about the difference, in words.
 */
export function compareLocked(
  graph: Graph,
  keys: ReadonlyMap<string, Keys>,
  lockfile: Lockfile | undefined,
  o: { readonly variant: string | undefined; readonly file: string; readonly whole: boolean; readonly reasonsOf: (id: string) => readonly string[] },
): Failure | undefined {
  const section = sectionOf(lockfile, o.variant);
  const of = o.variant === undefined ? "" : ` (variant ${o.variant})`;
  const fail = (message: string): Failure => ({
    code: "lockfile/out-of-date",
    message: `${o.file}${of} is not up to date: ${message}`,
    hint: "run the same command without --locked, and commit the lockfile",
    exit: EXIT.usage,
  });
  if (Object.keys(section).length === 0) return fail("it has no entries for this recipe");
  const entryOf = (id: string): LockSection[string] | undefined => (Object.hasOwn(section, id) ? section[id] : undefined);
  // Behind a gate that said no nothing was made: this run ends there too.
  const stopped = new Set<string>();
  for (const node of graph.nodes) {
    const before = [...Object.values(node.inputs).map((i) => i.stage), ...(node.after ?? []), ...(node.kind === "gate" ? [node.stage] : [])];
    if (before.some((id) => stopped.has(id))) {
      stopped.add(node.id);
      continue;
    }
    const locked = entryOf(node.id);
    if (node.kind === "gate" && locked?.passed === false && locked.key === keys.get(node.id)?.recipe) stopped.add(node.id);
    if (locked === undefined) return fail(`${node.id} is not in it`);
    if (locked.key === keys.get(node.id)?.recipe) continue;
    const reasons = locked.version === node.version ? o.reasonsOf(node.id) : [`stage ${node.id}: version ${locked.version} → ${node.version}`];
    const slice = Object.keys(node.recipe).map((path) => `\`${path}\``);
    return fail(
      `${node.id}: ${reasons.length > 0 ? reasons.join("; ") : `its recipe key differs${slice.length > 0 ? ` (it reads ${slice.join(", ")})` : ""}`}`,
    );
  }
  const extra = o.whole ? Object.keys(section).find((id) => !graph.byId.has(id)) : undefined;
  return extra === undefined ? undefined : fail(`it names ${extra}, which the recipe no longer has`);
}
