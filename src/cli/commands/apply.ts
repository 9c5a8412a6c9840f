/** `forge apply`: the whole pipeline. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { recipeCommand } from "../run.ts";

export function define(context: CliContext): Command {
  return recipeCommand(context, new Command("apply"), {
    description:
      "Takes the recipe through all its stages and leaves a bundle. Only what changed since the last time runs.\nThe first Ctrl-C saves a checkpoint and stops; the next apply goes on from there.",
    example: "$ forge apply forge.yaml\n  $ forge apply --variant ci --json",
  })
    .option("--until <stage>", "stop after this stage: its id, or the part before the colon")
    .option("--only <stage>", "run this stage and no other; what it reads must be up to date");
}
