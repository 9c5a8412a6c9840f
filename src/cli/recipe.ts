/** The recipe that a command is about, and the graph made from it. */
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { LoadedRecipe } from "../recipe/types.ts";
import type { Pipeline } from "../stages/pipeline.ts";
import type { CliContext } from "./context.ts";
import { warn } from "./failure.ts";

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
  return pipeline.ok ? ok({ loaded: loaded.value, pipeline: pipeline.value }) : err([pipeline.error]);
}
