/** `forge train`: apply, up to that stage. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { recipeCommand } from "../run.ts";

export function define(context: CliContext): Command {
  return recipeCommand(context, new Command("train"), {
    until: "train",
    description: "Fine-tunes the base model on the recipe's data. The gate of the data must have passed.",
    example: "$ forge train forge.yaml",
  });
}
