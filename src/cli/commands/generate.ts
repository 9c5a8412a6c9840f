/** `forge generate`: the recipe up to that stage; training data for the tools that the flags name; or a few conversations to look at. */
import { Command, InvalidArgumentError } from "commander";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { type RunFlags, runRecipe } from "../run.ts";
import { hasStepFlags, runStepCommand, type StepCommandText, stepCommand } from "../step.ts";

const TEXT: StepCommandText = {
  step: "generate",
  until: "generate",
  description:
    "With a recipe: makes its training data and evaluation cases (and first whatever that needs).\nWith --server, --stub or --tools: makes training data for these tools, and nothing else. The tools are written beside it.\nWith --preview: shows a few of the conversations that the recipe's teacher writes, and what all of them would cost.",
  examples: ["forge generate forge.yaml", "forge generate --preview 5", "forge generate --stub weather --samples 200 --output weather.jsonl"],
  flags: ["server", "stub", "tools", "execute", "samples", "minPerTool", "noToolRatio", "errorRatio", "seed", "family", "output", "cases"],
  texts: { samples: "how many samples (500)", output: "the file of samples (train.jsonl)", cases: "also write evaluation cases here" },
};
/** Conversations that `--preview` shows without a number. */
const PREVIEWED = 5;
/** More is no preview. */
const MOST_PREVIEWED = 100;

export function define(context: CliContext): Command {
  return stepCommand(context, new Command("generate"), TEXT)
    .option("--preview [n]", `show n conversations (${PREVIEWED}) of the recipe's teacher and write nothing but the replies that were paid for`, previewed)
    .action(
      action(context, async (recipe: string | undefined, flags: RunFlags & { readonly preview?: number | true }) => {
        const single = hasStepFlags(flags, TEXT);
        if (flags.preview === undefined)
          return single ? runStepCommand(context, recipe, flags, "generate") : runRecipe(context, recipe, { ...flags, until: "generate" });
        if (single) return fail(context, usage("conflict", "--preview goes with a recipe, not with single files", "leave the file flags out"));
        const stray = (["dryRun", "locked", "force", "from", "keepGoing", "refresh"] as const).find((name) => flags[name] !== undefined);
        if (stray !== undefined)
          return fail(
            context,
            usage("conflict", `--${stray.replace(/[A-Z]/, (c) => `-${c.toLowerCase()}`)} says how a run goes, and --preview is none`, "leave one of them out"),
          );
        const { runPreview } = await import("../preview.ts");
        return runPreview(context, recipe, flags.preview === true ? PREVIEWED : flags.preview, flags);
      }),
    );
}

function previewed(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > MOST_PREVIEWED) throw new InvalidArgumentError(`It takes a whole number from 1 to ${MOST_PREVIEWED}.`);
  return n;
}
