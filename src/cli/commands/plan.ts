/** `forge plan`: what apply would do, and why. Starts nothing, writes nothing. */
import { Command } from "commander";
import type { ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { openRecipe } from "../recipe.ts";

interface Flags {
  readonly variant?: string;
  readonly until?: string;
  readonly refresh?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("plan")
    .description(
      "Says for each stage whether apply would run it, and why. It starts nothing, reaches no server and writes nothing\n(with --refresh it asks the tool servers what they offer now).\nExit code 0: nothing to do. 2: there is work. 3: there is none, and a gate refuses what there is.",
    )
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .option("--variant <name>", "lay this variant of the recipe over it")
    .option("--until <stage>", "only up to this stage")
    .option("--refresh", "ask the tool servers whether their tools are still those that were read")
    .option("--json", "print the plan as JSON")
    .option("-q, --quiet", "print nothing; the exit code says it")
    .addHelpText("after", "\nExample:\n  $ forge plan forge.yaml ; [ $? -eq 2 ] && echo there is work")
    .action(action(context, (recipe: string | undefined, flags: Flags) => run(context, recipe, flags)));
}

async function run(context: CliContext, recipe: string | undefined, flags: Flags): Promise<ExitCode> {
  const [opened, { planAsTold }] = await Promise.all([openRecipe(context, recipe, flags), import("../render/plan.ts")]);
  return opened.ok ? planAsTold(context, opened.value, flags) : fail(context, opened.error);
}
