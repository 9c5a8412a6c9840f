/** `forge generate`: the recipe up to that stage; or training data for the tools that the flags name. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { stepCommand } from "../step.ts";

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("generate"), {
    step: "generate",
    until: "generate",
    description:
      "With a recipe: makes its training data and evaluation cases (and first whatever that needs).\nWith --server, --stub or --tools: makes training data for these tools, and nothing else. The tools are written beside it.",
    examples: ["forge generate forge.yaml", "forge generate --stub weather --samples 200 --output weather.jsonl"],
    flags: ["server", "stub", "tools", "execute", "samples", "noToolRatio", "errorRatio", "seed", "family", "output", "cases"],
    texts: { samples: "how many samples (500)", output: "the file of samples (train.jsonl)", cases: "also write evaluation cases here" },
  });
}
