/** `forge benchmark`: the recipe's stage, or a bundle (a GGUF's folder) on cases of one's own. */
import { Command } from "commander";
import { action, type CliContext } from "../context.ts";
import { type RunFlags, runRecipe, withRunFlags } from "../run.ts";

export function define(context: CliContext): Command {
  return withRunFlags(new Command("benchmark"))
    .description("With a recipe: measures every exported format (apply, up to that stage).")
    .argument("[recipe]", "a recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .addHelpText("after", "\nExample:\n  $ forge benchmark forge.yaml")
    .action(action(context, (what: string | undefined, flags: RunFlags) => runRecipe(context, what, { ...flags, until: "gate:benchmark" })));
}
