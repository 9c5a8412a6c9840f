/** `forge qa`: the recipe's data; or a file of samples, measured, repaired, judged. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { stepCommand } from "../step.ts";

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("qa"), {
    step: "qa",
    until: "gate:qa",
    description:
      "With a recipe: measures its training data (and first makes whatever is missing).\nWith --data: measures a file of samples, and with --fix repairs it. The report is written as JSON, Markdown and CSV.\nExit code 3 when the gate says no.",
    examples: ["forge qa forge.yaml", "forge qa --data train.jsonl --tools tools.json --fix --output clean.jsonl"],
    flags: ["data", "tools", "server", "stub", "fix", "output", "report", "cases"],
    texts: {
      output: "with --fix: the cleaned file (NAME.clean.jsonl)",
      report: "the report, without its ending (NAME.qa)",
      cases: "cases that must not be in the data",
    },
  });
}
