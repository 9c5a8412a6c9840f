/** `forge train`: the recipe up to that stage; or fine-tuning on a file of samples. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { stepCommand } from "../step.ts";

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("train"), {
    step: "train",
    until: "train",
    description:
      "With a recipe: fine-tunes its base model (and first makes whatever that needs).\nWith --data and --model: fine-tunes that family on these samples, and nothing else.",
    examples: ["forge train forge.yaml", "forge train --data train.jsonl --tools tools.json --model smollm2 --output adapter"],
    flags: ["data", "model", "tools", "server", "stub", "profile", "seed", "name", "output"],
    texts: {
      output: "folder for the adapter and what `forge export` needs with it (adapter)",
      tools: "the tools of the samples (default: tools.json beside the data)",
    },
  });
}
