/**
 * From arguments to an exit code. Only the command that was asked for is loaded; the others are rows of
 * a table, enough for `--help` and for "did you mean". Wrong usage is shown like every other failure and
 * ends with exit code 4; a bug is shown with its stack and ends with 1.
 */
import { Command, CommanderError } from "commander";
import { EXIT, type ExitCode } from "../platform/exit.ts";
import { errorCode, fsFailure } from "../platform/fs.ts";
import { type Failure, FailureError } from "../platform/result.ts";
import { CATALOGUE } from "./catalogue.ts";
import type { CliContext } from "./context.ts";
import { outputLost, taken, watchReader } from "./reader.ts";
import { openTerminal } from "./terminal.ts";

const HELP_AFTER = `
Start with:
  $ forge init            a recipe (forge.yaml) to edit
  $ forge doctor          is this machine ready?
  $ forge apply           build the model and its bundle

forge COMMAND --help says more about one command.`;

/** Runs one command. Never throws. */
export async function runCli(argv: readonly string[], notes?: CliContext["notes"]): Promise<ExitCode> {
  const terminal = openTerminal();
  const context: CliContext = {
    terminal,
    ...(notes !== undefined && { notes }),
    env: process.env,
    exit: EXIT.ok,
    commands: () => Promise.all(CATALOGUE.map(async (row) => ({ command: (await row.load()).define(context), summary: row.summary }))),
  };
  watchReader();
  const args = argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv];
  try {
    const program = await buildProgram(context, args);
    await program.parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
    await taken();
    return outputLost() ? EXIT.environment : context.exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      if (errorCode(error) === "ENOENT" && (error as NodeJS.ErrnoException).syscall === "uv_cwd") {
        const { fail } = await import("./failure.ts");
        const message = "the folder that this shell stands in no longer exists";
        return fail(context, { code: "cli/no-folder", message, hint: "change to a folder that is there (`cd`)", exit: EXIT.environment });
      }
      const known = error instanceof FailureError ? error.failure : fsFailure(error, "go on");
      if (known !== undefined) {
        const { fail } = await import("./failure.ts");
        return fail(context, known);
      }
      terminal.err(`forge: a bug, please report it\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      return EXIT.failed;
    }
    if (error.exitCode === 0) return EXIT.ok;
    const { fail } = await import("./failure.ts");
    return fail(context, error.code === "commander.help" ? missingCommand(args) : asFailure(error));
  }
}

/** The program with the one command loaded that `args` name, the rest as rows of the help. */
async function buildProgram(context: CliContext, args: readonly string[]): Promise<Command> {
  const program = new Command("forge")
    .description("From a set of tools to a small, proven, locally runnable model that calls them.")
    .usage("COMMAND [options]")
    .version("", "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .addHelpText("after", HELP_AFTER)
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ writeOut: context.terminal.out, writeErr: () => undefined, getOutHelpWidth: () => Math.min(context.terminal.columns, 110) });
  const wanted = args.find((a) => !a.startsWith("-"));
  for (const row of CATALOGUE) {
    const command = row.name === wanted ? (await row.load()).define(context) : new Command(row.name);
    inherit(command, program);
    program.addCommand(command.summary(row.summary).helpGroup(row.group));
  }
  return program;
}

/** commander passes settings on only through `.command()`; ours are made apart, in files of their own. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent).exitOverride().helpOption("-h, --help", "show help").helpCommand(false);
  for (const sub of command.commands) inherit(sub, command);
}

/** A group without one of its commands: commander would print its help. */
function missingCommand(args: readonly string[]): Failure {
  const group = args.find((a) => !a.startsWith("-")) ?? "";
  return {
    code: "usage/missing-command",
    message: `\`forge ${group}\` needs one of its commands`,
    hint: `\`forge ${group} --help\` lists them`,
    exit: EXIT.usage,
  };
}

/** commander's "error: unknown option '--forse'\n(Did you mean --force?)" as message and hint. */
function asFailure(error: CommanderError): Failure {
  const [first = "", ...rest] = error.message.split("\n");
  const suggestion = /\(Did you mean (.*)\?\)/.exec(rest.join("\n"))?.[1];
  const hint = suggestion
    ? `did you mean ${suggestion.startsWith("one of") ? suggestion : `\`${suggestion}\``}?`
    : "`forge --help` lists the commands, `forge COMMAND --help` its options";
  return {
    code: `usage/${error.code
      .replace(/^commander\./, "")
      .replace(/([a-z])([A-Z])/g, "$1-$2")
      .toLowerCase()}`,
    message: first.replace(/^error: /, ""),
    hint,
    exit: EXIT.usage,
  };
}
