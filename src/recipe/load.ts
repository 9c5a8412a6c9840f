/**
 * Loads a recipe: read, parse, lay the variant over it, put settings in, validate, check, default.
 *
 * Guarantees: never throws for what stands in the file; reports every problem it can find at once,
 * sorted by place; reads the recipe once, starts nothing, writes nothing. Variants that were not
 * asked for are checked too, except for what only their own environment can tell (settings, files).
 */
import { existsSync, realpathSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Recipe } from "../schemas/generated/forge.ts";
import { validate } from "../schemas/generated/forge.validate.js";
import { type Complaint, contradictions, doubts, fileComplaints } from "./checks.ts";
import { withDefaults } from "./defaults.ts";
import { locate } from "./locate.ts";
import { nearest } from "./nearest.ts";
import { type Problem, problemsOf } from "./problems.ts";
import { MAX_BYTES, type MapTree, parseTree, type Range, Source, type Tree, toJson } from "./source.ts";
import { statedTools } from "./stated.ts";
import { substitute } from "./substitute.ts";
import type { LoadedRecipe, RecipePath, ResolvedRecipe } from "./types.ts";
import { overlay, variantsOf } from "./variant.ts";

export type { LoadedRecipe, ResolvedRecipe, ToolSource } from "./types.ts";

export interface LoadOptions {
  /** Name of the variant to lay over the recipe. */
  readonly variant?: string;
  /** Where `${env:X}` is looked up. Default: the process's own environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Reads a recipe. On failure every problem that was found, each with its place (exit code 4). */
export async function loadRecipe(file: string, options: LoadOptions = {}): Promise<Result<LoadedRecipe, Failure[]>> {
  const path = resolve(file);
  const shown = displayPath(path);
  const text = await readText(path, shown);
  if (!text.ok) return err([text.error]);
  // A folder that a link leads to is the folder: its project lies above it there.
  const dir = realpathSync(dirname(path));
  const projectRoot = findProjectRoot(dir);
  const result = readRecipe(new Source(shown, text.value), {
    dir,
    projectRoot,
    env: options.env ?? process.env,
    ...(options.variant === undefined ? {} : { variant: options.variant }),
  });
  if (!result.ok) return result;
  const { recipe, warnings, tree, source } = result.value;
  return ok({
    recipe,
    file: join(dir, basename(path)),
    dir,
    projectRoot,
    name: recipe.name,
    ...(options.variant === undefined ? {} : { variant: options.variant }),
    warnings,
    placeOf: (at: RecipePath) => source.place(locate(tree, at).range),
  });
}

export interface ReadOptions {
  readonly dir: string;
  readonly projectRoot: string;
  readonly env: NodeJS.ProcessEnv;
  readonly variant?: string;
  /** Nothing is said of files that the recipe names: it is one of another time. */
  readonly withoutFiles?: boolean;
}

export interface ReadRecipe {
  readonly recipe: ResolvedRecipe;
  readonly warnings: readonly Failure[];
  /** The recipe as laid together and substituted, with its places. */
  readonly tree: MapTree;
  readonly source: Source;
}

/** The same from a text that was already read. */
export function readRecipe(source: Source, options: ReadOptions): Result<ReadRecipe, Failure[]> {
  const parsed = parseTree(source);
  if (!parsed.ok) return parsed;
  const problems = structureOfVariants(parsed.value, source);
  const variants = variantsOf(parsed.value);
  const chosen = options.variant === undefined ? undefined : variants.get(options.variant);
  if (options.variant !== undefined && chosen === undefined) return err([unknownVariant(options.variant, parsed.value, source)]);
  const main = judge(overlay(parsed.value, chosen?.value), source, options, { name: options.variant, over: chosen?.value });
  problems.push(...main.problems);
  const { recipe } = main;
  for (const [name, member] of variants) {
    if (name === options.variant) continue;
    const other = judge(overlay(parsed.value, member.value), source, options);
    const { start, end } = member.value.range;
    problems.push(...other.problems.filter((p) => p.at.start >= start && p.at.start < end));
  }
  const failures = sorted(problems);
  if (failures.length > 0 || recipe === undefined) return err(failures);
  return ok({ recipe, warnings: main.warnings, tree: main.tree, source });
}

/** What is run: the recipe itself, or one of its variants. */
interface Chosen {
  readonly name: string | undefined;
  readonly over: Tree | undefined;
}

/** A variant that does not say where its bundle goes puts it beside the recipe's own, never over it. */
function apart(recipe: ResolvedRecipe, { name: variant, over }: Chosen): ResolvedRecipe {
  if (variant === undefined || over?.kind !== "map") return recipe;
  const bundle = over.members.get("bundle")?.value;
  if (bundle?.kind === "map" && bundle.members.has("output")) return recipe;
  return { ...recipe, bundle: { output: `${recipe.bundle.output.replace(/[/\\]+$/, "")}-${variant}` } };
}

interface Judged {
  readonly problems: Problem[];
  readonly warnings: readonly Failure[];
  readonly tree: MapTree;
  readonly recipe?: ResolvedRecipe;
}

/** Everything there is to say about one way of laying the recipe together; of the chosen one also what files say. */
function judge(laid: MapTree, source: Source, options: ReadOptions, chosen?: Chosen): Judged {
  const { tree, failures } = substitute(laid, source, options.env);
  const at = (c: Complaint): Problem => {
    const { range } = locate(tree, c.path);
    return { at: range, failure: source.failure(c.code, c.message, range, c.hint) };
  };
  const problems: Problem[] = failures
    .filter((f) => chosen !== undefined || f.code !== "recipe/env-missing")
    .map((failure) => ({ at: offsetOf(failure, source), failure }));
  const data = toJson(tree);
  const valid = isRecipe(data);
  const found = valid ? { problems: [], paths: [] } : problemsOf(validate.errors ?? [], tree, source);
  problems.push(...found.problems);
  const sound = valid ? data : salvage(data, found.paths);
  if (sound === undefined) return { problems, warnings: [], tree };
  const filled = withDefaults(sound);
  const whole: ResolvedRecipe = { ...filled, statedTools: statedTools(filled.tools, toJson(laid)) };
  const recipe = chosen === undefined ? whole : apart(whole, chosen);
  const complaints = [
    ...contradictions(sound, recipe),
    ...(chosen !== undefined && options.withoutFiles !== true ? fileComplaints(recipe, options.dir, options.projectRoot) : []),
  ];
  problems.push(...complaints.filter((c) => !isUnknown(tree, c.path)).map(at));
  if (problems.length > 0) return { problems, warnings: [], tree };
  return { problems, warnings: doubts(recipe).map((c) => at(c).failure), tree, recipe };
}

/** Nothing is said about a value that could not be found out. */
function isUnknown(tree: MapTree, path: RecipePath): boolean {
  const value = locate(tree, path).tree;
  return value?.kind === "leaf" && value.unknown === true;
}

/** The recipe without what the schema refused, so that the rest can be checked in the same breath; undefined if nothing usable is left. */
function salvage(data: unknown, paths: readonly RecipePath[]): Recipe | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const copy: Record<string, unknown> = { ...data };
  for (const [key, second] of paths) {
    const group = copy[String(key)];
    if (key === "version") copy.version = 1;
    else if (key === "name" || key === undefined) copy.name ??= "x";
    else if (key === "tools") copy.tools = [{ stub: "weather" }];
    else if (typeof second === "string" && typeof group === "object" && group !== null) {
      const { [second]: _, ...rest } = group as Record<string, unknown>;
      copy[key] = rest;
    } else delete copy[String(key)];
  }
  if (paths.some(([key]) => key === "name")) copy.name = "x";
  copy.tools ??= [{ stub: "weather" }];
  copy.version ??= 1;
  return isRecipe(copy) ? copy : undefined;
}

const isRecipe = (data: unknown): data is Recipe => validate(data);

/** The overlays' own keys and names, which are gone once a variant has been laid over the recipe. */
function structureOfVariants(tree: MapTree, source: Source): Problem[] {
  const member = tree.members.get("variants");
  if (member === undefined) return [];
  const bare: MapTree = { kind: "map", range: tree.range, members: new Map([["variants", member]]) };
  if (validate(toJson(bare))) return [];
  const errors = (validate.errors ?? []).filter((e) => {
    const depth = e.instancePath.split("/").length - 1;
    return e.instancePath.startsWith("/variants") && (depth === 1 || (depth === 2 && (e.keyword === "additionalProperties" || e.keyword === "type")));
  });
  return problemsOf(errors, bare, source).problems;
}

/** One failure a place and code, in the order of the file. */
function sorted(problems: readonly Problem[]): Failure[] {
  const seen = new Map<string, Problem>();
  for (const p of problems) {
    const key = `${p.at.start}:${p.failure.code}:${p.failure.message}`;
    if (!seen.has(key)) seen.set(key, p);
  }
  return [...seen.values()].sort((a, b) => a.at.start - b.at.start).map((p) => p.failure);
}

function offsetOf(failure: Failure, source: Source): Range {
  const { line = 1, column = 1 } = failure.place ?? {};
  let start = 0;
  for (let n = 1; n < line; n++) start = source.text.indexOf("\n", start) + 1;
  return { start: start + column - 1, end: start + column };
}

function unknownVariant(name: string, tree: MapTree, source: Source): Failure {
  const names = [...variantsOf(tree).keys()];
  const member = tree.members.get("variants");
  const close = nearest(name, names);
  const hint = close ? `did you mean \`${close}\`?` : names.length > 0 ? `there are: ${names.join(", ")}` : "the recipe has no `variants`";
  return source.failure("unknown-variant", `the recipe has no variant \`${name}\``, member?.key ?? { start: 0, end: 1 }, hint);
}

/** The nearest folder from `dir` upwards that has `.mcp-forge` or `.git`, else `dir`. */
export function findProjectRoot(dir: string): string {
  for (let at = dir; ; at = dirname(at)) {
    if (existsSync(join(at, ".mcp-forge")) || existsSync(join(at, ".git"))) return at;
    if (dirname(at) === at) return dir;
  }
}

/** As the user would type it: relative to the working directory where that is shorter. */
function displayPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near !== "" && !near.startsWith("..") ? near : path;
}

async function readText(path: string, shown: string): Promise<Result<string, Failure>> {
  const fail = (code: string, message: string, hint: string): Result<never, Failure> =>
    err({ code: `recipe/${code}`, message, hint, place: { file: shown, line: 1, column: 1 }, exit: EXIT.usage });
  const unreadable = async (cause: unknown): Promise<Result<never, Failure>> => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
    if (code === "ENOENT" || code === "ENOTDIR") return fail("missing", `there is no file \`${shown}\``, await missingHint(path));
    return fail("unreadable", `\`${shown}\` cannot be read (${code})`, "check the file's permissions");
  };
  let bytes: Buffer;
  try {
    const status = await stat(path);
    if (status.isDirectory()) return fail("not-a-file", `\`${shown}\` is a folder`, `name the recipe in it: ${join(shown, "forge.yaml")}`);
    // A pipe or a device could keep us waiting, or never end.
    if (!status.isFile()) return fail("not-a-file", `\`${shown}\` is not a regular file`, "name a file");
    if (status.size > MAX_BYTES)
      return fail("too-large", `\`${shown}\` has ${status.size} bytes; a recipe may have ${MAX_BYTES}`, "data belongs in files of its own");
    bytes = await readFile(path);
  } catch (cause) {
    return unreadable(cause);
  }
  try {
    return ok(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail("encoding", `\`${shown}\` is not UTF-8 text`, "save the file as UTF-8");
  }
}

async function missingHint(path: string): Promise<string> {
  const names = (await readdir(dirname(path)).catch(() => [])).filter((n) => /\.ya?ml$/.test(n));
  const close = nearest(path.slice(dirname(path).length + 1), names) ?? (names.length === 1 ? names[0] : undefined);
  return close === undefined ? "run `forge init` to write a starter recipe" : `did you mean \`${close}\`?`;
}
