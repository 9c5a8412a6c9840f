/** `forge validate`: the recipe up to that stage; or a GGUF in real tool loops. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { stepCommand } from "../step.ts";

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("validate"), {
    step: "validate",
    until: "gate:validate",
    description:
      "With a recipe: runs the exported models in real tool loops and judges them.\nWith --model: the same for one GGUF, a line of checks a test. Exit code 3 when the gate says no.",
    examples: ["forge validate forge.yaml", "forge validate --model dist/weather-expert/model.gguf --stub weather --samples 20"],
    flags: ["model", "server", "stub", "tools", "execute", "samples", "cases", "seed", "family", "output"],
    texts: {
      model: "a GGUF, or the folder of a bundle",
      samples: "how many tests are made (20)",
      output: "the report (JSON); Markdown, records and cases beside it",
    },
  });
}
