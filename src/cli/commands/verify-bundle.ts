/** `forge verify-bundle`: is this bundle whole, and does its model work? */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";

interface Flags {
  readonly shallow?: boolean;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("verify-bundle")
    .description(
      "Checks a bundle: the SHA-256 of every file, every schema, the toolset's hash, the template; then loads the model and runs the smoke tests.\nExit code 1 when a check fails.",
    )
    .argument("<bundle>", "folder of the bundle")
    .option("--shallow", "files and schemas only: the model is not loaded")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  $ forge verify-bundle dist/weather-expert")
    .action(action(context, (bundle: string, flags: Flags) => run(context, bundle, flags)));
}

async function run(context: CliContext, bundle: string, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ verifyBundle }, { safeText }] = await Promise.all([import("../../bundle/verify.ts"), import("../../platform/redact.ts")]);
  const interrupt = listenForInterrupt(() => terminal.err("stopping\n"));
  const verified = await verifyBundle(bundle, {
    deep: flags.shallow !== true,
    signal: interrupt.signal,
    onCheck: (check) => {
      if (flags.json === true) return;
      terminal.out(`${check.passed ? terminal.paint("green", "✓") : terminal.paint("red", "✗")} ${check.check.padEnd(9)} ${safeText(check.message)}\n`);
      if (!check.passed && check.hint !== undefined) terminal.out(`            ${safeText(check.hint)}\n`);
    },
  });
  interrupt.release();
  if (!verified.ok) return fail(context, verified.error);
  const { passed, unproven } = verified.value;
  if (flags.json === true) terminal.out(jsonText(verified.value));
  else
    terminal.out(
      `${passed ? terminal.paint("green", "the bundle is whole") : terminal.paint("red", "the bundle must not be used")}${unproven ? "; it is unproven, and its README.md says why" : ""}\n`,
    );
  return passed ? EXIT.ok : EXIT.failed;
}
