/** `forge logs`: what the last run said, and what the processes of a stage printed. */
import { Command, InvalidArgumentError } from "commander";
import type { LoggedEvent } from "../../engine/run-log.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { projectOf, withProject } from "../recipe.ts";

interface Flags {
  readonly run?: string;
  readonly follow?: boolean;
  readonly lines?: number;
  readonly recipe?: string;
  readonly json?: boolean;
}

const whole = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It takes a whole number.");
  return Number(text);
};

export function define(context: CliContext): Command {
  return withProject(new Command("logs"))
    .description(
      "Shows the last run of this project: every event but progress, a line each. With a stage also what its processes printed (its log file).\nA stage is an id (export:q8_0) or the part before the colon.",
    )
    .argument("[stage]", "only this stage, with its log")
    .option("--run <id>", "another run (`forge runs` lists them)")
    .option("-f, --follow", "go on showing what the run says until it ends")
    .option("-n, --lines <n>", "at most so many lines of a log, the last ones", whole, 200)
    .option("--json", "print the events as JSON lines")
    .addHelpText("after", "\nExamples:\n  $ forge logs\n  $ forge logs train --lines 50\n  $ forge logs -f")
    .action(action(context, (stage: string | undefined, flags: Flags) => run(context, stage, flags)));
}

async function run(context: CliContext, stage: string | undefined, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ listRuns }, { followRunLog, readRunLog }, { safeText }, project] = await Promise.all([
    import("../../engine/runs.ts"),
    import("../../engine/run-log.ts"),
    import("../../platform/redact.ts"),
    projectOf(context, flags.recipe),
  ]);
  if (!project.ok) return fail(context, project.error);
  const root = project.value;
  const runs = listRuns(root);
  const id = flags.run ?? runs.at(-1);
  if (id === undefined) return fail(context, usage("no-runs", "nothing ran in this project yet", "forge apply"));
  if (!runs.includes(id)) return fail(context, usage("unknown-run", `there is no run \`${id}\``, "`forge runs` lists those that are kept"));
  const lines = flags.lines ?? 200;
  const show = (event: LoggedEvent): void => {
    if (flags.json === true) terminal.out(jsonText(event.value, 0));
    else if (event.text !== undefined) terminal.out(`${terminal.paint("dim", event.time)}  ${safeText(event.text)}\n`);
  };
  if (flags.follow === true) {
    const interrupt = listenForInterrupt(() => undefined);
    const onLine = (line: string): void => void (flags.json !== true && terminal.out(`${safeText(line)}\n`));
    const followed = await followRunLog(root, id, { stage, lines, signal: interrupt.signal, onEvent: show, onLine });
    interrupt.release();
    if (!followed.ok) return fail(context, followed.error);
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.ok;
  }
  const log = readRunLog(root, id, { stage, lines });
  if (!log.ok) return fail(context, log.error);
  log.value.events.forEach(show);
  if (flags.json === true) return EXIT.ok;
  for (const file of log.value.files) {
    terminal.out(`\n${terminal.paint("bold", file.path)}${file.cut ? terminal.paint("dim", ` (the last ${file.lines.length} lines)`) : ""}\n`);
    for (const line of file.lines) terminal.out(`${safeText(line)}\n`);
  }
  return EXIT.ok;
}
