/** What the recipes of the scenarios share: what they are, the toolset as read, and what exists behind it. */

import type { Rng } from "../../../platform/rng.ts";
import type { Known } from "../../discover.ts";
import type { Toolset } from "../../types.ts";
import type { Exchange } from "../teacher.ts";
import type { ToolModel } from "./model.ts";
import type { Territory } from "./plain.ts";

export interface World {
  readonly toolset: Toolset;
  readonly tools: readonly ToolModel[];
  readonly byName: ReadonlyMap<string, ToolModel>;
  readonly territory: Territory;
  readonly known: Known;
}

/** A conversation before it has a slot. */
export interface Made {
  readonly frame: string;
  readonly exchanges: readonly Exchange[];
  readonly focus?: number;
}

/** `turn` counts the draws of one attempt: later draws may try something simpler. */
export type Recipe = (world: World, model: ToolModel, rng: Rng, heldout: boolean, turn: number) => Made | null;
