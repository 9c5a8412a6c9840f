/**
 * Which artifacts the lockfiles of a project name: in its working tree, and on any local branch of its git repository.
 *
 * Guarantees: a lockfile of ours that cannot be read (damaged, in conflict, of a newer version) is a failure that names it
 * and its branch, never a lockfile that names nothing; other programs' lockfiles are passed over; a variant's section
 * counts unless the recipe beside it can be read and has no such variant. How many processes it starts does not grow with
 * the branches, up to some hundreds.
 */
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode, fsFailure } from "../platform/fs.ts";
import type { Digest } from "../platform/hash.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { filesIn, isRepository, listBranches, readBlobs } from "./git.ts";
import { type Lockfile, parseLockfile } from "./lockfile.ts";

/** The names of the variants that a recipe's text declares; undefined when that cannot be told. The engine knows no recipes. */
export type VariantsIn = (recipe: string) => ReadonlySet<string> | undefined;

export interface Named {
  readonly digests: ReadonlySet<Digest>;
  /** `the working tree`, and the branches. */
  readonly lookedAt: readonly string[];
}

/** What a recipe's name may end with; its lockfile has the same name with `.lock`. */
const RECIPE_ENDS = [".yaml", ".yml", ".json"];
/** A lockfile, or a recipe, has some kilobytes. */
const LARGEST = 4 << 20;

/** Where the recipe of a lockfile may lie. */
export const recipesOf = (lockfile: string): string[] => RECIPE_ENDS.map((end) => lockfile.replace(/\.lock$/, end));

/** The variants that count for a lockfile (path relative to the project) of the working tree; undefined: whichever it has. */
export const variantsHere = (projectRoot: string, lockfile: string, variantsIn: VariantsIn | undefined): ReadonlySet<string> | undefined =>
  union(
    recipesOf(lockfile).flatMap((path) => textOf(join(projectRoot, path)) ?? []),
    variantsIn,
  );

/**
 * Every digest that counts.
 * @param known lockfiles that are ours whatever they hold, relative to the project
 */
export async function namedDigests(
  projectRoot: string,
  known: Iterable<string>,
  o: { readonly ignoreBranches: boolean; readonly variantsIn?: VariantsIn },
): Promise<Result<Named>> {
  const digests = new Set<Digest>();
  const add = (lockfile: Lockfile, variants: ReadonlySet<string> | undefined): void => {
    const sections = Object.entries(lockfile.variants).filter(([name]) => variants?.has(name) !== false);
    for (const section of [lockfile.recipe, ...sections.map(([, s]) => s)])
      for (const node of Object.values(section)) for (const digest of Object.values(node.outputs ?? {})) digests.add(digest as Digest);
  };
  // One that was moved, or whose state is lost, names what it names.
  const ours = new Set(known);
  for (const path of new Set([...ours, ...lockfilesIn(projectRoot)])) {
    const text = ours.has(path) ? knownText(projectRoot, path) : ok(textOf(join(projectRoot, path)));
    if (!text.ok) return text;
    if (text.value === undefined || !(ours.has(path) || isOurs(text.value))) continue;
    const lockfile = parseLockfile(text.value, path);
    if (!lockfile.ok) return lockfile;
    add(lockfile.value, variantsHere(projectRoot, path, o.variantsIn));
  }
  const branches = o.ignoreBranches ? ok([]) : await addBranches(projectRoot, o.variantsIn, add);
  return branches.ok ? ok({ digests, lookedAt: ["the working tree", ...branches.value] }) : branches;
}

/** The branches' names. */
async function addBranches(
  projectRoot: string,
  variantsIn: VariantsIn | undefined,
  add: (lockfile: Lockfile, variants: ReadonlySet<string> | undefined) => void,
): Promise<Result<string[]>> {
  const repository = await isRepository(projectRoot);
  if (!repository.ok) return unreadable(repository.error);
  if (!repository.value) return ok([]);
  const branches = await listBranches(projectRoot);
  if (!branches.ok) return unreadable(branches.error);
  const branchAt = new Map(branches.value.map((b) => [b.tree, b.name]));
  const files = await filesIn(projectRoot, [...branchAt.keys()], [":(top)*.lock"]);
  if (!files.ok) return unreadable(files.error);
  const texts = await contents(projectRoot, files.value, isOurs);
  if (!texts.ok) return texts;
  const lockfiles = new Map<string, Lockfile>();
  for (const { blob, path, tree } of files.value) {
    const text = texts.value.get(blob);
    if (text === undefined || lockfiles.has(blob)) continue;
    const lockfile = parseLockfile(text, `${path} of the branch ${branchAt.get(tree)}`);
    if (!lockfile.ok) return err({ ...lockfile.error, hint: "mend it on that branch, or use --ignore-branches: then what only branches name may go" });
    lockfiles.set(blob, lockfile.value);
  }
  // The recipes are asked for only where a section could go by what they say.
  const inDoubt = files.value.filter(({ blob }) => variantsIn !== undefined && Object.keys(lockfiles.get(blob)?.variants ?? {}).length > 0);
  const recipes = await filesIn(
    projectRoot,
    [...new Set(inDoubt.map((f) => f.tree))],
    [...new Set(inDoubt.flatMap((f) => recipesOf(f.path)))].map((path) => `:(top,literal)${path}`),
  );
  if (!recipes.ok) return unreadable(recipes.error);
  const recipeTexts = await contents(projectRoot, recipes.value);
  if (!recipeTexts.ok) return recipeTexts;
  const recipeAt = new Map(recipes.value.map((f) => [`${f.tree}:${f.path}`, recipeTexts.value.get(f.blob) ?? ""]));
  for (const { blob, path, tree } of files.value) {
    const lockfile = lockfiles.get(blob);
    const beside = recipesOf(path).flatMap((recipe) => recipeAt.get(`${tree}:${recipe}`) ?? []);
    if (lockfile !== undefined) add(lockfile, union(beside, variantsIn));
  }
  return ok(branches.value.map((b) => b.name));
}

/** The texts of these files by blob, of those that are wanted. */
async function contents(
  projectRoot: string,
  files: readonly { readonly blob: string }[],
  wanted: (text: string) => boolean = () => true,
): Promise<Result<Map<string, string>>> {
  const texts = new Map<string, string>();
  const onText = (blob: string, text: string): void => void (wanted(text) && texts.set(blob, text));
  const read = await readBlobs(
    projectRoot,
    files.map((f) => f.blob),
    LARGEST,
    onText,
  );
  return read.ok ? ok(texts) : unreadable(read.error);
}

/** What all recipes of one name declare together; undefined where there is none, or one that cannot be read. */
function union(recipes: readonly string[], variantsIn: VariantsIn | undefined): ReadonlySet<string> | undefined {
  const declared = recipes.map((text) => variantsIn?.(text));
  return declared.length === 0 || declared.includes(undefined) ? undefined : new Set(declared.flatMap((names) => [...(names ?? [])]));
}

/** Whether a text is a lockfile of ours, be it broken off, in conflict or newer. Other programs (bun) say `lockfileVersion` too. */
const isOurs = (text: string): boolean =>
  /"lockfileVersion"/.test(text) && (/"sha256:[0-9a-f]{64}"/.test(text) || (/"recipe"\s*:\s*\{/.test(text) && /"variants"\s*:\s*\{/.test(text)));

/** Folders that hold no recipe of the user's. */
const OTHERS = new Set([".git", ".mcp-forge", "node_modules"]);
const DEEPEST = 8;
const MOST_FOLDERS = 20_000;

/** The `*.lock` files below a folder, relative to it, with `/`; links are not followed. */
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
      else if (e.isFile() && e.name.endsWith(".lock")) found.push(relative(root, join(path, e.name)).split(sep).join("/"));
    }
  }
  return found;
}

/** The text of a lockfile that a state tells of; undefined where it is gone. */
function knownText(projectRoot: string, path: string): Result<string | undefined> {
  try {
    return ok(readFileSync(join(projectRoot, path), "utf8"));
  } catch (e) {
    if (errorCode(e) === "ENOENT") return ok(undefined);
    const failure = fsFailure(e, `read ${path}`);
    if (failure === undefined) throw e;
    return err(failure);
  }
}

/** undefined for what is not there; "" for what cannot be read or is too large to be one of ours. */
function textOf(path: string): string | undefined {
  try {
    return statSync(path).size > LARGEST ? "" : readFileSync(path, "utf8");
  } catch (e) {
    return errorCode(e) === "ENOENT" ? undefined : "";
  }
}

const unreadable = (failure: Failure): Result<never> =>
  err({
    code: "engine/branches",
    message: `the lockfiles of this repository's branches cannot be read: ${failure.message}`,
    hint: "mend the repository (`git status` says more), or use --ignore-branches",
    exit: EXIT.environment,
  });
