/**
 * What the stage commands share: with a recipe they are `apply`, up to that stage; with file flags the stage by
 * itself, on what the flags name.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { RunOutcome } from "../engine/apply.ts";
import { EXIT, type ExitCode } from "../platform/exit.ts";
import type { Pipeline } from "../stages/pipeline.ts";
import type { PreparedStep, Step, StepFlags } from "../stages/single/steps.ts";
import { action, type CliContext } from "./context.ts";
import { fail, usage, warn } from "./failure.ts";
import { type RunFlags, runOpened, runRecipe, withRunFlags } from "./run.ts";
import { type StepFlagName, THRESHOLDS, thresholdsIn, withStepFlags, withThresholds } from "./step-flags.ts";

export interface StepCommandText {
  readonly step: Step;
  /** What the recipe's run stops after. */
  readonly until?: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly flags: readonly StepFlagName[];
  /** Words for single flags. */
  readonly texts?: Readonly<Partial<Record<StepFlagName, string>>>;
}

/** Gives a command its recipe argument, the flags of a run and those of the step. */
export function stepCommand(context: CliContext, command: Command, text: StepCommandText): Command {
  withRunFlags(command).description(text.description).argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml); without file flags");
  defineStepFlags(command, text);
  return command
    .addHelpText("after", `\nExamples:\n${text.examples.map((e) => `  $ ${e}`).join("\n")}`)
    .action(
      action(context, (recipe: string | undefined, flags: RunFlags & StepFlags) =>
        hasStepFlags(flags, text) ? runStepCommand(context, recipe, flags, text.step) : runRecipe(context, recipe, { ...flags, until: text.until }),
      ),
    );
}

export function defineStepFlags(command: Command, text: Pick<StepCommandText, "step" | "flags" | "texts">): void {
  withStepFlags(command, text.flags, text.texts);
  const gate = gateOf(text.step);
  if (gate !== undefined) withThresholds(command, gate);
}

const gateOf = (step: Step): keyof typeof THRESHOLDS | undefined => (step in THRESHOLDS ? (step as keyof typeof THRESHOLDS) : undefined);

export function hasStepFlags(flags: object, text: Pick<StepCommandText, "step" | "flags">): boolean {
  const gate = gateOf(text.step);
  const given = flags as Record<string, unknown>;
  return text.flags.some((name) => given[name] !== undefined) || (gate !== undefined && Object.keys(thresholdsIn(given, gate)).length > 0);
}

/** One stage on what the flags name. */
export async function runStepCommand(context: CliContext, recipe: string | undefined, flags: RunFlags & StepFlags, step: Step): Promise<ExitCode> {
  if (recipe !== undefined)
    return fail(
      context,
      usage(
        "conflict",
        `\`${recipe}\` and flags for single files are both given`,
        `either name a recipe (forge ${step} ${recipe}) or files (forge ${step} --help)`,
      ),
    );
  const strays = { variant: "variant", locked: "locked", force: "force", from: "from", dryRun: "dry-run" } as const;
  for (const [name, flag] of Object.entries(strays))
    if (flags[name as keyof typeof strays] !== undefined)
      return fail(context, usage("conflict", `--${flag} goes with a recipe, not with single files`, `leave --${flag} out`));
  const { prepareStep, toolSources } = await import("../stages/single/steps.ts");
  let words: string[] | undefined;
  if (flags.server !== undefined) {
    const { splitCommandLine } = await import("./shell-words.ts");
    const split = splitCommandLine(flags.server);
    if (!split.ok) return fail(context, split.error);
    words = split.value;
  }
  const gate = gateOf(step);
  const all: StepFlags = { ...flags, ...(gate === undefined ? {} : { thresholds: thresholdsIn(flags as Record<string, unknown>, gate) }) };
  const sources = toolSources(all, words);
  if (!sources.ok) return fail(context, sources.error);
  const prepared = prepareStep(step, all, sources.value);
  if (!prepared.ok) return fail(context, prepared.error);
  const { openSingle } = await import("../stages/single/project.ts");
  const project = openSingle(prepared.value.single);
  if (!project.ok) return fail(context, project.error);
  let delivered = false;
  try {
    warn(
      context,
      project.value.loaded.warnings.filter((w) => w.code !== "recipe/doubtful"),
    );
    const said = (await goesToStandardOutput(prepared.value)) ? { ...flags, quiet: true } : flags;
    const exit = await runOpened(context, project.value, { ...said, until: prepared.value.until }, (run) =>
      close(context, run, prepared.value, said, project.value.pipeline),
    );
    delivered = exit === EXIT.ok;
    return exit;
  } finally {
    project.value.close(delivered);
  }
}

/** Whether a result is what the command prints: then it prints nothing else. */
async function goesToStandardOutput({ deliveries }: PreparedStep): Promise<boolean> {
  const { isStandardOutput } = await import("../platform/output-file.ts");
  return deliveries.some(({ to }) => isStandardOutput(resolve(to)));
}

/** Delivers the results and says what came out. */
async function close(context: CliContext, run: RunOutcome, step: PreparedStep, flags: RunFlags, pipeline: Pipeline): Promise<{ text: string; exit: ExitCode }> {
  const { terminal } = context;
  const [{ deliver }, { stepWords }, { safeText }] = await Promise.all([
    import("../stages/single/deliver.ts"),
    import("./render/step.ts"),
    import("../platform/redact.ts"),
  ]);
  const delivered = await deliver(run, step.deliveries, run.exit === EXIT.ok ? step.beside?.(pipeline.context) : {}, ({ path, now }) =>
    terminal.err(`${safeText(path)} was not as forge had left it: what was there is now ${safeText(now)}\n`),
  );
  if (!delivered.ok) return { text: "", exit: fail(context, delivered.error) };
  const quiet = flags.json === true || flags.quiet === true;
  return { text: quiet ? "" : await stepWords(run, step, delivered.value, terminal), exit: run.exit };
}
