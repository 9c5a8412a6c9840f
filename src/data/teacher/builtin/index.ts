/**
 * The builtin teacher: makes training conversations for any toolset from its definitions alone, with no
 * key and no network. One recipe a scenario (scenarios.ts); every slot draws from its own stream.
 */
import { ok } from "../../../platform/result.ts";
import { rngFor } from "../../../platform/rng.ts";
import { type Known, NOTHING_KNOWN } from "../../discover.ts";
import { isHeldoutFrame } from "../../split.ts";
import type { Toolset } from "../../types.ts";
import { type Draft, type DraftRequest, isHeldout, type Teacher } from "../teacher.ts";
import { readToolset, type ToolModel } from "./model.ts";
import { territoryOf } from "./plain.ts";
import { RECIPES } from "./scenarios.ts";
import type { World } from "./world.ts";

/** Draws inside one attempt before it counts as unusable: most miss because their frame lies on the other side of the split. */
const TRIES = 60;

/** The teacher for a toolset; `known` are values that really exist behind it. Reading the toolset is done once. */
export function builtinTeacher(toolset: Toolset, seed: number, known: Known = NOTHING_KNOWN): Teacher {
  const tools = readToolset(toolset);
  const world: World = { toolset, tools, byName: new Map(tools.map((t) => [t.tool.name, t])), territory: territoryOf(tools), known };
  return { name: "builtin", draft: async (requests) => ok(requests.map((r) => draftOne(world, seed, r))) };
}

function draftOne(world: World, seed: number, { slot, attempt }: DraftRequest): Draft | null {
  const recipe = RECIPES[`${slot.scenario}/${slot.kind}`];
  if (!recipe) return null;
  const model: ToolModel | null = slot.tool === null ? null : (world.byName.get(slot.tool) ?? null);
  if (slot.tool !== null && model === null) return null;
  const heldout = isHeldout(slot);
  for (let i = 0; i < TRIES; i++) {
    const made = recipe(world, model as ToolModel, rngFor(seed, slot.id, attempt, i), heldout, i);
    if (made !== null && isHeldoutFrame(made.frame) === heldout) return { slot, attempt, focus: made.exchanges.length - 1, language: "en", ...made };
  }
  return null;
}
