/** `forge validate`: apply, up to that stage. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { recipeCommand } from "../run.ts";

export function define(context: CliContext): Command {
  return recipeCommand(context, new Command("validate"), {
    until: "gate:validate",
    description: "Runs the exported model in real tool loops and judges the figures; exit code 3 when the gate says no.",
    example: "$ forge validate forge.yaml",
  });
}
