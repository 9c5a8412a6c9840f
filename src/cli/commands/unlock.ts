/** `forge unlock`: ends the lock of a run that is gone, where forge cannot see that by itself. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { projectOf, withProject } from "../recipe.ts";

interface Flags {
  readonly force?: boolean;
  readonly recipe?: string;
}

export function define(context: CliContext): Command {
  return withProject(new Command("unlock"))
    .description(
      "Ends this project's lock when the run that holds it is gone, but was on another machine or in another container, so that forge cannot know. The lock of a dead process on this machine is taken over without it.\nA run that lives on this machine keeps its lock unless --force is given: two runs at once would spoil each other's work.",
    )
    .option("--force", "also end the lock of a process that lives on this machine")
    .addHelpText("after", "\nExample:\n  $ forge unlock")
    .action(action(context, (flags: Flags) => run(context, flags)));
}

async function run(context: CliContext, { force = false, recipe }: Flags): Promise<ExitCode> {
  const [{ breakLock, lockHolder }, { describeHolder, liveness }, project] = await Promise.all([
    import("../../engine/lock.ts"),
    import("../../engine/holder.ts"),
    projectOf(context, recipe),
  ]);
  if (!project.ok) return fail(context, project.error);
  const root = project.value;
  const holder = lockHolder(root);
  if (holder === undefined) {
    context.terminal.out("This project is not locked.\n");
    return EXIT.ok;
  }
  if (liveness(holder) === "alive" && !force)
    return fail(context, {
      code: "engine/locked",
      message: `this project is locked by ${describeHolder(holder)}, which is running`,
      hint: "wait for it, or stop it with Ctrl-C; --force ends the lock all the same",
      exit: EXIT.locked,
    });
  breakLock(root);
  context.terminal.out(`Ended the lock of ${describeHolder(holder)}.\n`);
  return EXIT.ok;
}
