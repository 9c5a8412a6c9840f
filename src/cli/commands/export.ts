/** `forge export`: the recipe up to that stage; a trained adapter as GGUF; or what a GGUF is. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import type { StepFlags } from "../../stages/single/steps.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { jsonText } from "../json.ts";
import { type RunFlags, runRecipe } from "../run.ts";
import { hasStepFlags, runStepCommand, stepCommand } from "../step.ts";
import type { StepFlagName } from "../step-flags.ts";

const FLAGS: readonly StepFlagName[] = ["model", "tools", "format", "imatrix", "name", "skipVerify", "output"];

type Flags = RunFlags & StepFlags & { readonly inspect?: string };

export function define(context: CliContext): Command {
  const text = {
    step: "export",
    until: "export",
    description:
      "With a recipe: writes the trained model as GGUF, in every format of the recipe.\nWith --model: the same for a folder that `forge train --output` wrote.\nWith --inspect: says what a GGUF is (architecture, size, quantization, vocabulary, tools, digests); nothing of it is run.",
    examples: [
      "forge export forge.yaml",
      "forge export --model adapter --output model.gguf --format q4_k_m --imatrix",
      "forge export --inspect dist/weather-expert/model.gguf",
    ],
    flags: FLAGS,
    texts: { model: "folder that `forge train --output` wrote", output: "the GGUF (model.gguf); further formats beside it" },
  } as const;
  return stepCommand(context, new Command("export"), text)
    .option("--inspect <file>", "say what this GGUF is, and start nothing (with --json: one document)")
    .action(
      action(context, (recipe: string | undefined, flags: Flags) => {
        if (flags.inspect !== undefined) return inspect(context, recipe, flags, flags.inspect);
        return hasStepFlags(flags, text) ? runStepCommand(context, recipe, flags, "export") : runRecipe(context, recipe, { ...flags, until: "export" });
      }),
    );
}

async function inspect(context: CliContext, recipe: string | undefined, flags: Flags, file: string): Promise<ExitCode> {
  if (recipe !== undefined || FLAGS.some((name) => flags[name as keyof Flags] !== undefined))
    return fail(context, usage("conflict", "--inspect goes with no recipe, and with no other file", "forge export --inspect FILE.gguf"));
  const [{ inspectGguf }, { ggufWords }] = await Promise.all([import("../../models/inspect-gguf.ts"), import("../render/gguf.ts")]);
  const found = inspectGguf(file);
  if (!found.ok) return fail(context, found.error);
  const { terminal } = context;
  terminal.out(flags.json === true ? jsonText(found.value) : ggufWords(found.value, terminal.columns));
  return found.value.damaged === null ? EXIT.ok : EXIT.failed;
}
