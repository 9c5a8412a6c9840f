/**
 * A recipe that is made from a command's flags instead of being written by hand: as text that could be saved and
 * applied, and loaded through the very checks that a written one goes through.
 */
import { stringify } from "yaml";
import type { Failure, Result } from "../platform/result.ts";
import { err, ok } from "../platform/result.ts";
import { DEFAULT_SCENARIOS } from "./defaults.ts";
import { readRecipe } from "./load.ts";
import { locate } from "./locate.ts";
import { Source } from "./source.ts";
import type { LoadedRecipe, Recipe, RecipePath, ScenarioName } from "./types.ts";

export interface MadeOptions {
  /** Absolute path under which the recipe is known; its lockfile would lie beside it. Nothing is read there. */
  readonly file: string;
  /** What to call it in a failure: `the flags`. */
  readonly shown: string;
  /** Absolute path of the folder that its paths are relative to. */
  readonly dir: string;
  readonly projectRoot: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The text of a recipe; the same recipe gives the same text. */
export const recipeText = (recipe: Recipe): string => stringify(recipe, { lineWidth: 0, aliasDuplicateObjects: false });

/** Loads a recipe that exists as an object. On failure every problem, each at its line of `recipeText`. */
export function loadMade(recipe: Recipe, o: MadeOptions): Result<LoadedRecipe, Failure[]> {
  const read = readRecipe(new Source(o.shown, recipeText(recipe)), { dir: o.dir, projectRoot: o.projectRoot, env: o.env ?? process.env });
  if (!read.ok) return err(read.error);
  const { recipe: resolved, warnings, tree, source } = read.value;
  return ok({
    recipe: resolved,
    file: o.file,
    dir: o.dir,
    projectRoot: o.projectRoot,
    name: resolved.name,
    warnings,
    placeOf: (at: RecipePath) => source.place(locate(tree, at).range),
  });
}

/**
 * The default weights with some of them set, the others scaled so that all sum to exactly 1 (to the tolerance of the
 * recipe's check). Undefined where what is set sums to more than 1 or a weight is no share.
 */
export function scaledScenarios(set: Readonly<Partial<Record<ScenarioName, number>>>): Record<string, number> | undefined {
  const given = Object.values(set).reduce((a, b) => a + b, 0);
  if (Object.values(set).some((w) => !(w >= 0 && w <= 1)) || given > 1 + 1e-9) return undefined;
  const others = Object.entries(DEFAULT_SCENARIOS).filter(([name]) => !Object.hasOwn(set, name));
  const rest = others.reduce((sum, [, w]) => sum + w, 0);
  const scale = rest === 0 ? 0 : (1 - given) / rest;
  const weights: Record<string, number> = {};
  for (const [name, weight] of Object.entries(DEFAULT_SCENARIOS)) {
    const own = set[name as ScenarioName];
    weights[name] = own ?? Number((weight * scale).toFixed(6));
  }
  // What rounding left over goes to the largest of those that were scaled.
  const sum = Object.values(weights).reduce((a, b) => a + b, 0);
  const largest = others.map(([name]) => name).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))[0];
  if (largest !== undefined) weights[largest] = Number(((weights[largest] ?? 0) + 1 - sum).toFixed(6));
  return weights;
}

/** A recipe's name from any text: a file, a folder, a command. Never empty. */
export function nameFrom(text: string, otherwise: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64)
    .replace(/[-.]+$/, "");
  return name === "" ? otherwise : name;
}
