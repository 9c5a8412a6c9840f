/** `forge store verify`: reads every byte of the store. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { projectOf, withProject } from "../recipe.ts";
import { seconds, waitSeconds } from "../run.ts";
import { bytes, plural } from "../words.ts";

interface Flags {
  readonly repair?: boolean;
  readonly waitLock?: number | true;
  readonly recipe?: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  const store = new Command("store").description("What lies in this project's store (.mcp-forge/store).");
  withProject(store.command("verify"))
    .description(
      "Reads every byte of the store and compares it with its digest. A run trusts sizes and times; this does not.\nExit code 1: something is damaged, or cannot be read. With --repair what is damaged is set aside, and the next run makes it again.",
    )
    .option("--repair", "set aside what is damaged")
    .option("--wait-lock [seconds]", "with --repair: wait for another run in the same project to end, so long at most", seconds)
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExample:\n  $ forge store verify")
    .action(action(context, (flags: Flags) => run(context, flags)));
  return store;
}

async function run(context: CliContext, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ setAsideDamaged, verifyStore }, { acquireLock }, project] = await Promise.all([
    import("../../engine/verify.ts"),
    import("../../engine/lock.ts"),
    projectOf(context, flags.recipe),
  ]);
  if (!project.ok) return fail(context, project.error);
  const root = project.value;
  const lock =
    flags.repair === true && existsSync(join(root, ".mcp-forge")) ? await acquireLock(root, { waitSeconds: waitSeconds(flags.waitLock) }) : undefined;
  if (lock?.ok === false) return fail(context, lock.error);
  try {
    const report = await verifyStore(root);
    if (!report.ok) return fail(context, report.error);
    const { objects, records, damaged, unread, missing } = report.value;
    if (flags.repair === true) {
      const done = setAsideDamaged(root, report.value);
      if (!done.ok) return fail(context, done.error);
    }
    if (flags.json === true) terminal.out(jsonText({ ...report.value, repaired: flags.repair === true }));
    else {
      for (const d of damaged)
        terminal.out(`${terminal.paint("red", "damaged")}  ${d.digest.slice(0, 19)}…  ${d.stages.join(", ") || "of no stage"}: ${d.problem}\n`);
      for (const u of unread)
        terminal.out(`${terminal.paint("red", "not read")}  ${u.digest.slice(0, 19)}…  ${u.stages.join(", ") || "of no stage"}: ${u.problem}\n`);
      for (const m of missing)
        terminal.out(`${terminal.paint("yellow", "missing")}  ${m.digest.slice(0, 19)}…  ${m.stage}: ${m.output}; it is made again when it is needed\n`);
      const what = `${plural(objects, "artifact")} of ${plural(records, "result")}, ${bytes(report.value.bytes)}`;
      if (damaged.length + unread.length === 0) terminal.out(`Every byte is right: ${what}.\n`);
      if (damaged.length > 0)
        terminal.out(
          `${damaged.length} of ${what}: ${flags.repair === true ? "set aside in .mcp-forge/store/damaged; the next run makes them again" : "`forge store verify --repair` sets them aside, and the next run makes them again"}.\n`,
        );
      if (unread.length > 0) terminal.out(`${unread.length} of ${what} could not be read and may be whole: see who owns the files, then verify again.\n`);
    }
    return unread.length === 0 && (damaged.length === 0 || flags.repair === true) ? EXIT.ok : EXIT.failed;
  } finally {
    if (lock?.ok === true) lock.value.release();
  }
}
