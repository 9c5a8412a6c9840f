/** `forge generate`: apply, up to that stage. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { recipeCommand } from "../run.ts";

export function define(context: CliContext): Command {
  return recipeCommand(context, new Command("generate"), {
    until: "generate",
    description: "Makes the recipe's training data and evaluation cases (and first whatever that needs).",
    example: "$ forge generate forge.yaml",
  });
}
