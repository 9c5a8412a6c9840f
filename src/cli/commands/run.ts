/** `forge run`: the pipeline without a recipe file; the flags become one. */
import { Command } from "commander";
import type { ExitCode } from "../../platform/exit.ts";
import type { RunRecipeFlags } from "../../stages/single/run-recipe.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage, warn } from "../failure.ts";
import { type RunFlags, runOpened, runRecipe, withRunFlags } from "../run.ts";
import { type StepFlagName, withStepFlags } from "../step-flags.ts";

const FLAGS: readonly StepFlagName[] = [
  "server",
  "stub",
  "execute",
  "model",
  "profile",
  "samples",
  "minPerTool",
  "noToolRatio",
  "errorRatio",
  "seed",
  "name",
  "format",
  "output",
];

export function define(context: CliContext): Command {
  const command = withRunFlags(new Command("run"))
    .description(
      "The whole pipeline without a recipe file: makes a recipe from its flags and applies it. Run again, only what changed runs.\nThe recipe is kept in .mcp-forge/run, or written where --save-recipe says, to be applied from then on.",
    )
    .option("--tools-file <file>", "the tools, from a file: ours, or OpenAI functions; nothing is executed")
    .option("--resume", "go on with the last run of this project, as its flags had it")
    .option("--skip-benchmark", "no benchmark; the bundle says so")
    .option("--save-recipe <file>", "write the recipe here");
  withStepFlags(command, FLAGS, {
    model: "the base model's family (smollm2, nano, FAMILY or FAMILY/SIZE: forge models list), or a family file",
    samples: "training samples (500)",
    output: "folder for the bundle, inside the project (dist/NAME)",
  });
  return command
    .addHelpText(
      "after",
      '\nExamples:\n  $ forge run --stub weather --samples 300 --save-recipe forge.yaml\n  $ forge run --server "npx -y @modelcontextprotocol/server-filesystem ." --model smollm2 --output dist/files',
    )
    .action(action(context, (flags: RunFlags & RunRecipeFlags) => run(context, flags)));
}

async function run(context: CliContext, flags: RunFlags & RunRecipeFlags): Promise<ExitCode> {
  if (flags.variant !== undefined)
    return fail(
      context,
      usage("conflict", "--variant goes with a recipe file", "save the recipe (--save-recipe forge.yaml), add `variants` to it, and apply it"),
    );
  const stray =
    flags.resume === true
      ? [...FLAGS, "toolsFile" as const, "skipBenchmark" as const, "saveRecipe" as const].find((name) => flags[name] !== undefined)
      : undefined;
  if (stray !== undefined)
    return fail(
      context,
      usage(
        "conflict",
        `--resume goes on with the recipe of the last run, so --${stray.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} would change nothing`,
        "leave it out, or run again without --resume and with all flags: what did not change is not made again",
      ),
    );
  if (flags.toolsFile !== undefined && (flags.server !== undefined || flags.stub !== undefined))
    return fail(
      context,
      usage("conflict", "--tools-file and a server are both given", "name one of --server, --stub and --tools-file; a recipe takes several"),
    );
  const [{ toolSources }, made, { buildPipeline }, { dirname, resolve }] = await Promise.all([
    import("../../stages/single/steps.ts"),
    import("../../stages/single/run-recipe.ts"),
    import("../../stages/pipeline.ts"),
    import("node:path"),
  ]);
  let words: string[] | undefined;
  if (flags.server !== undefined) {
    const { splitCommandLine } = await import("../shell-words.ts");
    const split = splitCommandLine(flags.server);
    if (!split.ok) return fail(context, split.error);
    words = split.value;
  }
  const sources = toolSources({ ...flags, tools: flags.toolsFile }, words);
  if (!sources.ok) return fail(context, sources.error);
  const recipe =
    flags.resume === true
      ? undefined
      : made.recipeOfRun(flags, sources.value, flags.saveRecipe === undefined ? process.cwd() : dirname(resolve(flags.saveRecipe)));
  if (recipe !== undefined && !recipe.ok) return fail(context, recipe.error);
  if (recipe !== undefined && flags.saveRecipe !== undefined) {
    const saved = made.saveRecipe(recipe.value, flags.saveRecipe);
    return saved.ok ? runRecipe(context, flags.saveRecipe, flags) : fail(context, saved.error);
  }
  const loaded = recipe === undefined ? made.resumeRun() : made.openRun(recipe.value, { keep: flags.dryRun !== true });
  if (!loaded.ok) return fail(context, loaded.error);
  warn(context, loaded.value.warnings);
  const pipeline = buildPipeline(loaded.value);
  return pipeline.ok ? runOpened(context, { loaded: loaded.value, pipeline: pipeline.value }, flags) : fail(context, pipeline.error);
}
