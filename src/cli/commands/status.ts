/** `forge status`: where the recipe stands, from the records of its last runs. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { openRecipe } from "../recipe.ts";

interface Flags {
  readonly variant?: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("status")
    .description("Shows what the last runs left: each stage with its time and what came out, the gates with their figures, the bundle. It starts nothing.")
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .option("--variant <name>", "lay this variant of the recipe over it")
    .option("--json", "print it as JSON, all figures included")
    .addHelpText("after", "\nExample:\n  $ forge status forge.yaml")
    .action(action(context, (recipe: string | undefined, flags: Flags) => run(context, recipe, flags)));
}

async function run(context: CliContext, recipe: string | undefined, flags: Flags): Promise<ExitCode> {
  const [opened, { readStatus }] = await Promise.all([openRecipe(context, recipe, flags), import("../../stages/status.ts")]);
  if (!opened.ok) return fail(context, opened.error);
  const status = await readStatus(opened.value.pipeline);
  if (!status.ok) return fail(context, status.error);
  if (flags.json === true) context.terminal.out(jsonText(status.value));
  else {
    const { statusWords } = await import("../render/status.ts");
    context.terminal.out(statusWords(status.value, context.terminal));
  }
  return EXIT.ok;
}
