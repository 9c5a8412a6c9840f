/** `forge pack`: the recipe's bundle, with --unproven also when a gate said no; or a bundle of single files. */
import { Command } from "commander";
import { action, type CliContext } from "../context.ts";
import { type RunFlags, runRecipe, withRunFlags } from "../run.ts";
import { defineStepFlags, hasStepFlags, runStepCommand } from "../step.ts";
import type { StepFlagName } from "../step-flags.ts";

const FLAGS: readonly StepFlagName[] = [
  "model",
  "tools",
  "server",
  "stub",
  "validation",
  "benchmark",
  "records",
  "cases",
  "training",
  "data",
  "family",
  "name",
  "output",
];
const STEP = { step: "pack", flags: FLAGS } as const;

export function define(context: CliContext): Command {
  const command = withRunFlags(new Command("pack"))
    .description(
      "With a recipe: writes its bundle (and first whatever that needs).\nWith --model: a bundle of single files; the gates judge the reports that are given.\nWhen a gate said no, nothing is packed and the exit code is 3.",
    )
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml); without file flags")
    .option("--unproven", "pack although a gate said no, or a report does not say what it measured; every file of the bundle says so");
  defineStepFlags(command, {
    ...STEP,
    texts: { model: "the GGUF", output: "folder for the bundle (dist/NAME)", cases: "the validation's cases (default: beside the report)" },
  });
  return command
    .addHelpText(
      "after",
      "\nExamples:\n  $ forge pack forge.yaml\n  $ forge pack --model model.gguf --tools tools.json --validation validation.json --benchmark benchmark.json --output dist/my-expert",
    )
    .action(
      action(context, (recipe: string | undefined, flags: RunFlags) =>
        hasStepFlags(flags, STEP) ? runStepCommand(context, recipe, flags, "pack") : runRecipe(context, recipe, flags),
      ),
    );
}
