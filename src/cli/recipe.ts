/** The recipe that a command is about, the graph made from it, and the project that it lies in. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { LoadedRecipe } from "../recipe/types.ts";
import type { Pipeline } from "../stages/pipeline.ts";
import type { CliContext } from "./context.ts";
import { usage, warn } from "./failure.ts";

export const DEFAULT_RECIPE = "forge.yaml";

/** The recipe's path: the argument, else MCP_FORGE_CONFIG, else forge.yaml. */
export const recipePath = (context: Pick<CliContext, "env">, argument: string | undefined): string =>
  argument ?? (context.env.MCP_FORGE_CONFIG || DEFAULT_RECIPE);

export interface OpenRecipe {
  readonly loaded: LoadedRecipe;
  readonly pipeline: Pipeline;
}

/** Loads the recipe, shows its warnings, and builds the graph of its stages. */
export async function openRecipe(
  context: CliContext,
  argument: string | undefined,
  o: { readonly variant?: string; readonly unproven?: boolean } = {},
): Promise<Result<OpenRecipe, readonly Failure[]>> {
  const [{ loadRecipe }, { buildPipeline }] = await Promise.all([import("../recipe/load.ts"), import("../stages/pipeline.ts")]);
  const loaded = await loadRecipe(recipePath(context, argument), { variant: o.variant });
  if (!loaded.ok) return err(loaded.error);
  warn(context, loaded.value.warnings);
  const pipeline = buildPipeline(loaded.value, { unproven: o.unproven === true });
  if (!pipeline.ok) return err([pipeline.error]);
  const { warnings = [] } = pipeline.value;
  warn(context, warnings);
  return ok({ loaded: { ...loaded.value, warnings: [...loaded.value.warnings, ...warnings] }, pipeline: pipeline.value });
}

/** Gives a command that is about a project, and not about what its recipe says, the flag for a recipe elsewhere. */
export const withProject = (command: Command): Command =>
  command.option("--recipe <file>", "of the project that this recipe lies in (default: $MCP_FORGE_CONFIG, else the folder that you are in)");

/** The root of the project that `--recipe` means, where `apply` with the same recipe keeps everything. Fails (exit 4) when it names no file. */
export async function projectOf(context: CliContext, recipe: string | undefined): Promise<Result<string>> {
  const { findProjectRoot } = await import("../recipe/load.ts");
  const named = recipe ?? (context.env.MCP_FORGE_CONFIG || undefined);
  if (named === undefined) return ok(findProjectRoot(process.cwd()));
  if (!existsSync(named)) return err(usage("no-recipe", `there is no recipe \`${named}\``, "name the recipe that `forge apply` was given"));
  return ok(findProjectRoot(realpathSync(dirname(resolve(named)))));
}
