/** `forge export`: the recipe up to that stage; or a trained adapter as GGUF. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { stepCommand } from "../step.ts";

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("export"), {
    step: "export",
    until: "export",
    description:
      "With a recipe: writes the trained model as GGUF, in every format of the recipe.\nWith --model: the same for a folder that `forge train --output` wrote.",
    examples: ["forge export forge.yaml", "forge export --model adapter --output model.gguf --format q8_0"],
    flags: ["model", "tools", "format", "name", "skipVerify", "output"],
    texts: { model: "folder that `forge train --output` wrote", output: "the GGUF (model.gguf); further formats beside it" },
  });
}
