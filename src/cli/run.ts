/**
 * What `apply` and the stage commands share: the same arguments and flags, one run of the engine with a
 * renderer listening, and the words at its end.
 */
import { type Command, InvalidArgumentError } from "commander";
import type { RunOutcome } from "../engine/apply.ts";
import { isQuiet } from "../engine/events.ts";
import type { Unchanged } from "../engine/unchanged.ts";
import { EXIT, type ExitCode } from "../platform/exit.ts";
import type { Failure } from "../platform/result.ts";
import { action, type CliContext } from "./context.ts";
import { fail, usage } from "./failure.ts";
import { onGitHub, reportRun } from "./github.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { type OpenRecipe, openRecipe } from "./recipe.ts";
import { chooseRenderer } from "./render/renderer.ts";
import { duration } from "./words.ts";

export interface RunFlags {
  readonly variant?: string;
  readonly force?: readonly string[];
  readonly from?: string;
  readonly keepGoing?: boolean;
  readonly jobs?: number;
  readonly dryRun?: boolean;
  readonly locked?: boolean;
  readonly waitLock?: number | true;
  readonly refresh?: boolean;
  readonly only?: string;
  readonly until?: string;
  readonly unproven?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly offline?: boolean;
}

export interface RecipeCommandText {
  readonly description: string;
  /** One or more lines that work. */
  readonly example: string;
  /** The node after which the command stops: a stage, or the gate that judges it, which decides the exit code. */
  readonly until?: string;
}

/** Gives a command the recipe argument, the flags of a run, and the run itself. */
export function recipeCommand(context: CliContext, command: Command, text: RecipeCommandText): Command {
  return withRunFlags(command)
    .description(text.description)
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .addHelpText("after", `\nExample:\n  ${text.example}`)
    .action(
      action(context, (recipe: string | undefined, flags: RunFlags) =>
        runRecipe(context, recipe, text.until === undefined ? flags : { ...flags, until: text.until }),
      ),
    );
}

export function withRunFlags(command: Command): Command {
  return command
    .option("--variant <name>", "lay this variant of the recipe over it")
    .option("--force <stage>", "run this stage though nothing changed (may be repeated)", (stage: string, before: readonly string[] = []) => [...before, stage])
    .option("--from <stage>", "run this stage and everything after it though nothing changed")
    .option("--keep-going", "after a failure go on with what does not depend on it")
    .option("--jobs <n>", "so many stages at once that need the processor (never two on the GPU)", jobs, 1)
    .option("--dry-run", "say what would run and why, and run nothing (exit code 2: there is work)")
    .option("--locked", "fail when the recipe and its lockfile differ; write no lockfile")
    .option("--wait-lock [seconds]", "wait for another run to end, so long at most", seconds)
    .option("--refresh", "ask the tool servers again, though nothing changed")
    .option("--offline", "fetch nothing; what is missing is said at once")
    .option("--json", "print the run's events as JSON lines")
    .option("-q, --quiet", "print problems only")
    .option("-v, --verbose", "print everything that the stages say");
}

export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0))
    throw new InvalidArgumentError("It takes a number of seconds (--wait-lock=60), or nothing: then it waits as long as it takes.");
  return value;
}

/** `--wait-lock` in seconds: without a value there is no limit. */
export const waitSeconds = (flag: number | true | undefined): number => (flag === true ? Number.POSITIVE_INFINITY : (flag ?? 0));

function jobs(text: string): number {
  const value = Number(text);
  if (!/^\d{1,3}$/.test(text) || value < 1) throw new InvalidArgumentError("It takes a whole number, 1 or more.");
  return value;
}

/** One run of the engine, from the recipe to the exit code. */
export async function runRecipe(context: CliContext, recipe: string | undefined, flags: RunFlags): Promise<ExitCode> {
  const opened = await openRecipe(context, recipe, flags);
  if (!opened.ok) return fail(context, opened.error);
  let unchanged: Unchanged | undefined;
  const exit = await runOpened(context, opened.value, flags, undefined, (run) => {
    unchanged = run;
  });
  if (context.notes === undefined || exit !== EXIT.ok || onGitHub(context.env)) return exit;
  if (unchanged !== undefined) context.notes.leave(unchanged);
  else await (await import("./note.ts")).lookAgain(context, context.notes, recipe, flags);
  return exit;
}

/** Words at the end of a run in place of the usual ones, and its exit code. */
export type Closing = (run: RunOutcome) => Promise<{ readonly text: string; readonly exit: ExitCode }>;

const ASKED_AGAIN: ReadonlyMap<string, readonly string[]> = new Map([["inspect", ["asked again (--refresh)"]]]);

/**
 * One run of a graph that is open already.
 * @param onUnchanged told of a run that did nothing, warned of nothing and printed one line
 */
export async function runOpened(
  context: CliContext,
  opened: OpenRecipe,
  flags: RunFlags,
  closing?: Closing,
  onUnchanged?: (run: Unchanged) => void,
): Promise<ExitCode> {
  const { terminal } = context;
  if (flags.only !== undefined && (flags.until !== undefined || flags.from !== undefined))
    return fail(context, usage("conflict", "--only goes with neither --until nor --from"));
  if (flags.unproven === true && flags.locked === true)
    return fail(context, usage("conflict", "--unproven does not go with --locked: no lockfile has a bundle that goes past its gates"));
  if (flags.dryRun === true) {
    const { planAsTold } = await import("./render/plan.ts");
    return planAsTold(context, opened, flags);
  }
  const { applyRun } = await import("../engine/apply.ts");
  const { goOffline, isOffline } = await import("../platform/offline.ts");
  const offline = flags.offline === true || isOffline(context.env);
  if (offline) goOffline();
  const { withPinned } = await import("./pin.ts");
  const pinned = await withPinned(context, opened, { ...flags, waitLockSeconds: waitSeconds(flags.waitLock) });
  if (!pinned.ok) return fail(context, pinned.error);
  const { loaded, pipeline } = pinned.value;
  if (offline) {
    const { missingOffline } = await import("../stages/offline.ts");
    const missing = await missingOffline(pipeline, flags.only ?? flags.until);
    if (missing.length > 0) return fail(context, missing);
  }
  const { unableToTrain } = await import("../stages/unable.ts");
  const unable = await unableToTrain(pipeline, flags);
  if (unable !== undefined) return fail(context, unable);
  const renderer = chooseRenderer(terminal, flags);
  let quiet = loaded.warnings.length === 0;
  const interrupt = listenForInterrupt(renderer.say);
  try {
    const run = await applyRun({
      nodes: pipeline.nodes,
      projectRoot: loaded.projectRoot,
      name: loaded.name,
      lockfile: pipeline.lockfile,
      variant: loaded.variant,
      signal: interrupt.signal,
      onEvent: (event) => {
        quiet &&= isQuiet(event);
        renderer.onEvent(event);
      },
      until: flags.until,
      force: flags.force,
      from: flags.from,
      only: flags.only,
      ...(flags.refresh === true && { because: ASKED_AGAIN }),
      keepGoing: flags.keepGoing,
      ...(flags.jobs === undefined ? {} : { slots: { cpu: flags.jobs } }),
      locked: flags.locked,
      // Without its gates the graph is not the one that the recipe is locked by.
      ...(flags.unproven === true && { apart: true }),
      waitLockSeconds: waitSeconds(flags.waitLock),
    });
    await renderer.finish();
    if (!run.ok) return fail(context, run.error);
    const failures = run.value.nodes.flatMap((node) => (node.status === "failed" && node.failure !== undefined ? [node.failure] : []));
    if (failures.length > 0) fail(context, failures as Failure[]);
    if (onGitHub(context.env)) reportRun(context, run.value, loaded);
    const end = await closing?.(run.value);
    if (flags.json !== true && flags.quiet !== true) {
      const { closingWords } = await import("./render/closing.ts");
      const text = end?.text ?? (await closingWords(run.value, pipeline, loaded, terminal));
      terminal.out(text);
      if (quiet) onUnchanged?.({ projectRoot: loaded.projectRoot, text, took: duration(run.value.seconds) });
    }
    return end?.exit ?? run.value.exit;
  } finally {
    interrupt.release();
  }
}
