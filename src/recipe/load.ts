/** Loads a recipe: read, parse, overlay, substitute, validate, default. */
import type { Failure, Result } from "../platform/result.ts";
import type { LoadedRecipe } from "./types.ts";

export interface LoadOptions {
  /** Name of the variant to lay over the recipe. */
  readonly variant?: string;
  /** Where `${env:X}` is looked up. Default: the process's own environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Reads a recipe. On failure every problem that was found, each with its place; nothing is thrown. */
export async function loadRecipe(_file: string, _options: LoadOptions = {}): Promise<Result<LoadedRecipe, Failure[]>> {
  throw new Error("being written");
}
