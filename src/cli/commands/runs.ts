/** `forge runs`: what ran here, when, and how it ended. */
import { Command } from "commander";
import type { RunSummary } from "../../engine/runs.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { projectOf, withProject } from "../recipe.ts";
import { duration } from "../words.ts";

interface Flags {
  readonly recipe?: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  return withProject(new Command("runs"))
    .description(
      "Lists the runs of this project, the last one at the end: when, how long, how it ended, and what its stages did.\n`forge logs --run ID` shows one of them.",
    )
    .option("--json", "print them as JSON")
    .addHelpText("after", "\nExample:\n  $ forge runs")
    .action(action(context, (flags: Flags) => run(context, flags)));
}

async function run(context: CliContext, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ readRuns }, { safeText }, project] = await Promise.all([
    import("../../engine/runs.ts"),
    import("../../platform/redact.ts"),
    projectOf(context, flags.recipe),
  ]);
  if (!project.ok) return fail(context, project.error);
  const runs = readRuns(project.value);
  if (flags.json === true) terminal.out(jsonText(runs));
  else if (runs.length === 0) terminal.out("Nothing ran in this project yet.\n");
  else for (const r of runs) terminal.out(`${safeText(line(r))}\n`);
  return EXIT.ok;
}

function line(r: RunSummary): string {
  const counts = Object.entries(r.counts).map(([status, n]) => `${n} ${status === "cached" ? "unchanged" : status}`);
  const end = r.state === "finished" ? `exit ${r.exit}` : r.state;
  const name = r.variant === undefined ? r.name : `${r.name}@${r.variant}`;
  return `${r.id}  ${duration(r.seconds).padStart(12)}  ${end.padEnd(8)}  ${name}${counts.length === 0 ? "" : `: ${counts.join(", ")}`}`;
}
