/** `forge qa`: apply, up to that stage. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { recipeCommand } from "../run.ts";

export function define(context: CliContext): Command {
  return recipeCommand(context, new Command("qa"), {
    until: "gate:qa",
    description: "Measures the recipe's training data and judges it; exit code 3 when the gate says no. The report is in .mcp-forge/reports.",
    example: "$ forge qa forge.yaml",
  });
}
