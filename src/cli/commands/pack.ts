/** `forge pack`: the recipe's bundle; with --unproven also when a gate said no. */
import { Command } from "commander";
import { action, type CliContext } from "../context.ts";
import { type RunFlags, runRecipe, withRunFlags } from "../run.ts";

export function define(context: CliContext): Command {
  return withRunFlags(new Command("pack"))
    .description("Writes the bundle of the recipe (and first whatever that needs). When a gate said no, nothing is packed and the exit code is 3.")
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .option("--unproven", "pack although a gate said no; every file of the bundle says so")
    .addHelpText("after", "\nExample:\n  $ forge pack forge.yaml")
    .action(action(context, (recipe: string | undefined, flags: RunFlags) => runRecipe(context, recipe, flags)));
}
