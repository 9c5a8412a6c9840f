/** Shows failures, all of them the same way, and says which exit code they lead to. */
import { EXIT, type ExitCode } from "../platform/exit.ts";
import { redact } from "../platform/redact.ts";
import type { Failure } from "../platform/result.ts";
import { formatFailures } from "../recipe/diagnostic.ts";
import type { CliContext } from "./context.ts";
import { annotation, onGitHub } from "./github.ts";

/**
 * Writes failures to stderr. The exit code is that of the first: a recipe's problems all have the same.
 */
export function fail(context: Pick<CliContext, "terminal" | "env">, failures: Failure | readonly Failure[]): ExitCode {
  const list = Array.isArray(failures) ? (failures as readonly Failure[]) : [failures as Failure];
  context.terminal.err(`${redact(formatFailures(list, { color: context.terminal.paintErr("red", "") !== "" }))}\n`);
  annotate(context, list, "error");
  return list[0]?.exit ?? EXIT.failed;
}

/** Writes warnings to stderr. */
export function warn(context: Pick<CliContext, "terminal" | "env">, warnings: readonly Failure[]): void {
  if (warnings.length === 0) return;
  context.terminal.err(`${redact(formatFailures(warnings, { color: context.terminal.paintErr("red", "") !== "", severity: "warning" }))}\n`);
  annotate(context, warnings, "warning");
}

/** In a GitHub workflow the same once more, as annotations on the lines. */
function annotate(context: Pick<CliContext, "terminal" | "env">, failures: readonly Failure[], severity: "error" | "warning"): void {
  if (onGitHub(context.env)) for (const failure of failures) context.terminal.err(annotation(failure, severity, context.env));
}

/** A wrong use of the command line. */
export const usage = (code: string, message: string, hint?: string): Failure => ({ code: `usage/${code}`, message, hint, exit: EXIT.usage });
