/** What the recipes of the scenarios share: the toolset as read, and what exists behind it. */
import type { Known } from "../../discover.ts";
import type { Toolset } from "../../types.ts";
import type { ToolModel } from "./model.ts";
import type { Territory } from "./plain.ts";

export interface World {
  readonly toolset: Toolset;
  readonly tools: readonly ToolModel[];
  readonly byName: ReadonlyMap<string, ToolModel>;
  readonly territory: Territory;
  readonly known: Known;
}
