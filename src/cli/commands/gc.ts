/** `forge gc`: what the store may forget; with --yes, forgets it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { projectOf, withProject } from "../recipe.ts";
import { seconds, waitSeconds } from "../run.ts";
import { bytes, plural } from "../words.ts";

interface Flags {
  readonly yes?: boolean;
  readonly olderThan?: number;
  readonly maxSize?: number;
  readonly ignoreBranches?: boolean;
  readonly waitLock?: number | true;
  readonly recipe?: string;
  readonly json?: boolean;
}

/** `30d`, `12h`, `2w` in seconds. */
export function age(text: string): number {
  const found = /^(\d{1,6})(h|d|w)$/.exec(text);
  if (!found) throw new InvalidArgumentError("It takes a whole number and a unit: 12h, 30d or 2w.");
  return Number(found[1]) * ({ h: 3600, d: 86_400, w: 604_800 }[found[2] as "h" | "d" | "w"] as number);
}

/** `500MB`, `5GB`, `0` in bytes (decimal units). */
export function size(text: string): number {
  const found = /^(\d{1,9}(?:\.\d{1,3})?)(kB|KB|MB|GB|TB|B)?$/.exec(text);
  if (!found || (found[2] === undefined && Number(text) !== 0)) throw new InvalidArgumentError("It takes a number and a unit: 500MB, 5GB or 1.5TB.");
  return Number(found[1]) * 1000 ** ["B", "KB", "MB", "GB", "TB"].indexOf((found[2] ?? "B").toUpperCase());
}

export function define(context: CliContext): Command {
  return withProject(new Command("gc"))
    .description(
      "Shows what the store of this project may forget: results that no recipe's last run ended with, and that no lockfile names, in the working tree or on any local branch.\nWith --yes it is deleted. What is gone can be made again by running.",
    )
    .option("--yes", "delete it")
    .option("--older-than <age>", "only what is so old: 12h, 30d, 2w", age)
    .option("--max-size <size>", "the oldest first, until the store holds no more than this: 500MB, 5GB", size)
    .option("--ignore-branches", "do not look at other branches' lockfiles")
    .option("--wait-lock [seconds]", "wait for another run in the same project to end, so long at most", seconds)
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge gc\n  $ forge gc --older-than 30d --yes")
    .action(action(context, (flags: Flags) => run(context, flags)));
}

async function run(context: CliContext, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ findGarbage, removeGarbage }, { acquireLock }, { fsFailure }, project] = await Promise.all([
    import("../../engine/collect.ts"),
    import("../../engine/lock.ts"),
    import("../../platform/fs.ts"),
    projectOf(context, flags.recipe),
  ]);
  if (!project.ok) return fail(context, project.error);
  const root = project.value;
  const options = { olderThanSeconds: flags.olderThan, maxBytes: flags.maxSize, ignoreBranches: flags.ignoreBranches === true };
  const lock = flags.yes === true && existsSync(join(root, ".mcp-forge")) ? await acquireLock(root, { waitSeconds: waitSeconds(flags.waitLock) }) : undefined;
  if (lock?.ok === false) return fail(context, lock.error);
  try {
    const garbage = await findGarbage(root, options);
    if (!garbage.ok) return fail(context, garbage.error);
    const { records, objects, scratch, damaged, bytes: freed, keptBytes, lookedAt } = garbage.value;
    if (flags.yes === true) {
      try {
        const removed = removeGarbage(root, garbage.value);
        if (!removed.ok) return fail(context, removed.error);
      } catch (e) {
        const failure = fsFailure(e, "delete what the store may forget");
        if (failure === undefined) throw e;
        return fail(context, failure);
      }
    }
    if (flags.json === true) {
      terminal.out(jsonText({ removed: flags.yes === true, records, objects, scratch, damaged, bytes: freed, keptBytes, lookedAt }));
      return EXIT.ok;
    }
    const nothing = records.length + objects.length + scratch.length + damaged === 0;
    if (nothing) terminal.out(`Nothing to forget; the store holds ${bytes(keptBytes)}.\n`);
    else {
      for (const r of records) terminal.out(`${terminal.paint("dim", r.createdAt.slice(0, 16).replace("T", " "))}  ${r.stage}\n`);
      const parts = [
        `${plural(records.length, "result")} (${plural(objects.length, "artifact")}, ${bytes(freed)})`,
        ...(scratch.length > 0 ? [`${plural(scratch.length, "interrupted stage")} of more than a month ago`] : []),
        ...(damaged > 0 ? [`${plural(damaged, "artifact")} that had been edited`] : []),
      ];
      terminal.out(
        `${flags.yes === true ? "Deleted" : "May go"}: ${parts.join(", ")}. ${bytes(keptBytes)} ${flags.yes === true ? "are left" : "would be left"}.\n`,
      );
    }
    terminal.out(terminal.paint("dim", `Kept: what the last runs ended with, and what lockfiles name in ${lookedAt.join(", ")}.\n`));
    if (!nothing && flags.yes !== true) terminal.out("To delete it: forge gc --yes\n");
    return EXIT.ok;
  } finally {
    if (lock?.ok === true) lock.value.release();
  }
}
