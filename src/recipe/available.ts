/**
 * What the recipe's format has a word for and this version cannot do yet. Said at once, at the line,
 * instead of an hour into a run. A row leaves this table when its feature arrives.
 */
import type { ResolvedRecipe } from "./types.ts";

/** Families whose data file this version ships (src/models/families; a test compares). Others are a project's own, in files. */
export const FAMILIES: readonly string[] = ["smollm2", "nano"];

interface Row {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** Everything in the recipe that this version has to refuse. */
export function notAvailable(recipe: ResolvedRecipe): Row[] {
  const rows: Row[] = [];
  const { train } = recipe;
  if (train.backend === "unsloth")
    rows.push({ path: ["train", "backend"], message: "the backend `unsloth` is not in this version", hint: "use `transformers`" });
  return rows;
}
