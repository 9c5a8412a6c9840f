/** `forge export`: apply, up to that stage. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { recipeCommand } from "../run.ts";

export function define(context: CliContext): Command {
  return recipeCommand(context, new Command("export"), {
    until: "export",
    description: "Writes the trained model as GGUF, in every format of the recipe.",
    example: "$ forge export forge.yaml",
  });
}
