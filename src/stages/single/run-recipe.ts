/**
 * `forge run`: the pipeline from flags. The flags become a recipe like any other: saved where the user says, else
 * kept in the project's state, from where `--resume` takes it up again.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { isFamilyFile, modelOfWord } from "../../models/family-file.ts";
import { EXIT } from "../../platform/exit.ts";
import { fsFailure, writeFileAtomic } from "../../platform/fs.ts";
import { outputTarget } from "../../platform/output-file.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { findProjectRoot, readRecipe } from "../../recipe/load.ts";
import { locate } from "../../recipe/locate.ts";
import { loadMade, nameFrom, recipeText } from "../../recipe/made.ts";
import { Source } from "../../recipe/source.ts";
import type { LoadedRecipe, Recipe, ToolSource } from "../../recipe/types.ts";
import { deliverable } from "./deliver.ts";
import { countsOf, formatsOf, type StepFlags, scenarioWeights } from "./steps.ts";

export interface RunRecipeFlags extends StepFlags {
  readonly toolsFile?: string;
  readonly resume?: boolean;
  readonly skipBenchmark?: boolean;
  readonly saveRecipe?: string;
}

const HEAD = "# Made by `forge run` from its flags.\n";
const usage = (code: string, message: string, hint: string): Failure => ({ code: `usage/${code}`, message, hint, exit: EXIT.usage });

/** Where the recipe of the last `forge run` in a project is kept. */
const kept = (projectRoot: string): string => join(projectRoot, ".mcp-forge", "run", "recipe.yaml");
/** Beside it the folder that its paths are relative to, from the project's root: `{"version": 1, "folder": "tools"}`. */
const keptFolder = (projectRoot: string): string => join(projectRoot, ".mcp-forge", "run", "folder.json");

/** The recipe that the flags stand for; its paths are relative to `dir`. */
export function recipeOfRun(flags: RunRecipeFlags, sources: readonly ToolSource[], dir: string): Result<Recipe> {
  if (sources.length === 0)
    return err(usage("missing-flag", "`run` needs tools", 'say which: --server "COMMAND", --tools-file FILE or --stub NAME; or write a recipe: forge init'));
  if (flags.toolsFile !== undefined && !existsSync(flags.toolsFile))
    return err(
      usage(
        "missing-file",
        `the file of tools \`${flags.toolsFile}\` (--tools-file) does not exist`,
        "check the path; it is relative to the folder that you stand in",
      ),
    );
  const weights = scenarioWeights(flags);
  if (!weights.ok) return weights;
  const formats = formatsOf(flags);
  if (!formats.ok) return formats;
  const here = (path: string): string => relative(dir, resolve(path)) || ".";
  const [first] = sources;
  const subject = typeof first?.stub === "string" ? `${first.stub}-expert` : (flags.toolsFile ?? first?.mcp?.args?.at(-1) ?? first?.mcp?.command ?? "");
  const last =
    (flags.output ?? subject)
      .replace(/[/\\]+$/, "")
      .split(/[/\\]/)
      .at(-1) ?? "";
  const name = flags.name ?? nameFrom(last.replace(/\.[a-z0-9]+$/i, ""), "my-expert");
  const data = { ...countsOf(flags), ...weights.value };
  return ok({
    version: 1,
    name,
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    tools: sources.map((s) => (s.file === undefined ? s : { ...s, file: here(s.file) })) as Recipe["tools"],
    ...(flags.model === undefined ? {} : { model: (isFamilyFile(flags.model) ? { family: here(flags.model) } : modelOfWord(flags.model)) as Recipe["model"] }),
    ...(flags.profile === undefined ? {} : { profile: flags.profile as Recipe["profile"] }),
    ...(Object.keys(data).length === 0 ? {} : { data }),
    ...(flags.skipBenchmark === true ? { evaluation: { benchmark: false } } : {}),
    exports: formats.value,
    bundle: { output: here(flags.output ?? join("dist", name)) },
  });
}

/** Writes the recipe where `--save-recipe` says, if it can be used. A file with something else in it is never written over. */
export function saveRecipe(recipe: Recipe, file: string): Result<void, readonly Failure[]> {
  const written = save(recipe, file);
  return written.ok ? written : err([written.error].flat());
}

function save(recipe: Recipe, file: string): Result<void, Failure | readonly Failure[]> {
  const text = HEAD + recipeText(recipe);
  const blocked = deliverable(file, "file", `--save-recipe ${file}`);
  if (blocked !== undefined) return err(blocked);
  const dir = dirname(resolve(file));
  const usable = loadMade(recipe, { file: resolve(file), shown: "(the flags, as a recipe)", dir, projectRoot: findProjectRoot(dir) });
  if (!usable.ok) return usable;
  if (existsSync(file) && readFileSync(file, "utf8") !== text)
    return err(usage("exists", `${file} is already there, and is another recipe`, `name another file, or apply that one: forge apply ${file}`));
  return write(file, text);
}

/** Loads the flags' recipe in the project that the user stands in, and keeps it for `--resume` unless only a plan is wanted. */
export function openRun(recipe: Recipe, o: { readonly keep: boolean }): Result<LoadedRecipe, readonly Failure[]> {
  const projectRoot = findProjectRoot(process.cwd());
  const file = kept(projectRoot);
  const loaded = loadMade(recipe, { file, shown: "(the flags, as a recipe)", dir: process.cwd(), projectRoot });
  if (!loaded.ok || !o.keep) return loaded;
  const folder = relative(projectRoot, process.cwd()).split(sep).join("/");
  for (const [path, text] of [
    [keptFolder(projectRoot), `${JSON.stringify({ version: 1, folder })}\n`],
    [file, HEAD + recipeText(recipe)],
  ] as const) {
    const written = write(path, text);
    if (!written.ok) return err([written.error]);
  }
  return loaded;
}

/** The folder that the kept recipe's paths are relative to. */
function folderOfRun(projectRoot: string): string {
  try {
    const { folder } = JSON.parse(readFileSync(keptFolder(projectRoot), "utf8")) as { folder?: unknown };
    if (typeof folder === "string") return resolve(projectRoot, folder);
  } catch {
    // Kept by an earlier version: the project's root is where most people stand.
  }
  return projectRoot;
}

/** The recipe of the last `forge run` in this project. */
export function resumeRun(): Result<LoadedRecipe, readonly Failure[]> {
  const projectRoot = findProjectRoot(process.cwd());
  const file = kept(projectRoot);
  if (!existsSync(file))
    return err([usage("nothing-to-resume", "there is no earlier `forge run` in this project", 'name the tools: forge run --server "COMMAND"')]);
  const dir = folderOfRun(projectRoot);
  const read = readRecipe(new Source(relative(process.cwd(), file), readFileSync(file, "utf8")), { dir, projectRoot, env: process.env });
  if (!read.ok) return read;
  const { recipe, warnings, tree, source } = read.value;
  return ok({ recipe, file, dir, projectRoot, name: recipe.name, warnings, placeOf: (at) => source.place(locate(tree, at).range) });
}

function write(file: string, text: string): Result<void> {
  try {
    mkdirSync(dirname(resolve(file)), { recursive: true });
    writeFileAtomic(outputTarget(file).path, text);
    return ok(undefined);
  } catch (e) {
    const failure = fsFailure(e, `write ${file}`);
    if (failure === undefined) throw e;
    return err(failure);
  }
}
