/** `forge doctor`: is this machine ready, and if not, what mends it? */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import type { Finding } from "../../stages/doctor.ts";
import { action, type CliContext } from "../context.ts";
import { jsonText } from "../json.ts";

export function define(context: CliContext): Command {
  return new Command("doctor")
    .description(
      "Says what this machine has for a run and what it lacks, each with what mends it. It installs nothing.\nExit code 0: ready. 6: something is missing.",
    )
    .option("--json", "print the findings as JSON")
    .addHelpText("after", "\nExample:\n  $ forge doctor")
    .action(action(context, (flags: { readonly json?: boolean }) => run(context, flags)));
}

async function run(context: CliContext, flags: { readonly json?: boolean }): Promise<ExitCode> {
  const { terminal } = context;
  const { examine } = await import("../../stages/doctor.ts");
  const report = await examine({ projectDir: process.cwd(), env: context.env });
  const missing = report.findings.filter((f) => f.status === "missing");
  const exit = missing.length === 0 ? EXIT.ok : EXIT.environment;
  if (flags.json === true) {
    terminal.out(jsonText({ ...report, exit }));
    return exit;
  }
  const marks: Readonly<Record<Finding["status"], string>> = {
    ok: terminal.paint("green", "✓"),
    note: terminal.paint("yellow", "-"),
    missing: terminal.paint("red", "✗"),
  };
  terminal.out(`mcp-forge ${report.version}\n`);
  for (const finding of report.findings) {
    terminal.out(`${marks[finding.status]} ${finding.check.padEnd(8)}  ${finding.message}\n`);
    if (finding.fix !== undefined)
      terminal.out(`            ${terminal.paint("dim", `${finding.status === "missing" ? "to mend it: " : ""}${finding.fix}`)}\n`);
  }
  if (exit === EXIT.ok) terminal.out(`Ready to train: ${report.ready.join(", ")}\n`);
  else terminal.out(`Not ready: ${missing.map((f) => f.check).join(", ")}\n`);
  return exit;
}
