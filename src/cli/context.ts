/**
 * What every command gets: the terminal, the environment, and one place to leave its exit code. Keeps
 * commander out of the commands' insides: an action returns an exit code, nothing more.
 */
import type { Command } from "commander";
import type { Notes } from "../engine/unchanged.ts";
import type { ExitCode } from "../platform/exit.ts";
import type { Terminal } from "./terminal.ts";

export interface CliContext {
  readonly terminal: Terminal;
  readonly env: NodeJS.ProcessEnv;
  /** Exit code of the command that ran. */
  exit: ExitCode;
  /** Where this command, with nothing to do, may be answered without a run (engine/unchanged.ts). */
  readonly notes?: Notes;
  /** Loads every command, with the line that the help shows of it: for what speaks about all of them. */
  readonly commands: () => Promise<readonly { readonly command: Command; readonly summary: string }[]>;
}

/** A command's file exports this under the name `define`. */
export type Define = (context: CliContext) => Command;

/** Makes a function that returns an exit code into an action for commander. */
export function action<A extends unknown[]>(context: CliContext, run: (...args: A) => Promise<ExitCode>): (...args: A) => Promise<void> {
  return async (...args) => {
    context.exit = await run(...args);
  };
}
