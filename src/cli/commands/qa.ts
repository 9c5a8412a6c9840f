/** `forge qa`: the recipe's data; or a file of samples, measured, repaired, judged. */
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { stepCommand } from "../step.ts";

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("qa"), {
    step: "qa",
    until: "gate:qa",
    description:
      "With a recipe: measures its training data (and first makes whatever is missing).\nWith --data: measures a file of samples, and with --fix repairs it. With --shard and --merge: a data set in shares. The report is written as JSON, Markdown, CSV and HTML.\nExit code 3 when the gate says no.",
    examples: [
      "forge qa forge.yaml",
      "forge qa --data train.jsonl --tools tools.json --fix --output clean.jsonl",
      "forge qa --data train.jsonl --tools tools.json --family smollm2 --report quality.html",
      "forge qa --data part-1.jsonl --tools tools.json --shard part-1.shard    (on as many machines as you like)",
      "forge qa --merge part-1.shard --merge part-2.shard --tools tools.json   (the report of the whole)",
    ],
    flags: ["data", "tools", "server", "stub", "fix", "output", "shard", "merge", "report", "cases", "family", "profile"],
    texts: {
      output: "with --fix: the cleaned file (NAME.clean.jsonl); what was repaired goes beside it (NAME.clean.repairs.jsonl)",
      report: "the report in four forms: .json, .md, .csv, .html (NAME.qa)",
      cases: "cases that must not be in the data, nor nearly",
      family:
        "the model that the data is for (smollm2, nano, FAMILY/SIZE that ./forge.lock pins, or a family file): lengths after its chat template, its think tags",
      profile: "with --family: whose sequence the lengths are held against: fast_dev, balanced (default) or max_quality",
    },
  });
}
