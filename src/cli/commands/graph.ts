/** `forge graph`: the stages and gates of a recipe, and what comes before what. */
import { Command, Option } from "commander";
import { GRAPH_FORMATS, type GraphFormat } from "../../engine/explain.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { openRecipe } from "../recipe.ts";

interface Flags {
  readonly variant?: string;
  readonly format: GraphFormat;
}

export function define(context: CliContext): Command {
  return new Command("graph")
    .description("Prints the stages and gates of a recipe and what comes before what, for people, for mermaid or for Graphviz. It starts nothing.")
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .option("--variant <name>", "lay this variant of the recipe over it")
    .addOption(new Option("--format <format>", "the notation").choices(GRAPH_FORMATS).default("text"))
    .addHelpText("after", "\nExample:\n  $ forge graph --format dot | dot -Tsvg -o graph.svg")
    .action(action(context, (recipe: string | undefined, flags: Flags) => run(context, recipe, flags)));
}

async function run(context: CliContext, recipe: string | undefined, flags: Flags): Promise<ExitCode> {
  const [opened, { buildGraph }, { drawGraph }] = await Promise.all([
    openRecipe(context, recipe, flags),
    import("../../engine/graph.ts"),
    import("../../engine/explain.ts"),
  ]);
  if (!opened.ok) return fail(context, opened.error);
  context.terminal.out(`${drawGraph(buildGraph(opened.value.pipeline.nodes), flags.format)}\n`);
  return EXIT.ok;
}
