/** `forge gc`: what the project may forget; with --yes, forgets it. */
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type { Garbage } from "../../engine/collect.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { safeText } from "../../platform/redact.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { projectOf, withProject } from "../recipe.ts";
import { seconds, waitSeconds } from "../run.ts";
import type { Terminal } from "../terminal.ts";
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
      "Shows what this project may forget: results that no recipe's last run ended with, and that no lockfile names, in the working tree or on any local branch; what interrupted stages left and what was edited by hand in the store and set aside, after a month; logs of runs (never the last one's) after a week.\nWith --yes it is deleted. Results that are gone can be made again by running; an edit cannot.",
    )
    .option("--yes", "delete it")
    .option("--older-than <age>", "only what is so old, of every kind: 12h, 30d, 2w", age)
    .option("--max-size <size>", "only until all of it holds no more than this, the oldest first and edited artifacts last: 500MB, 5GB", size)
    .option("--ignore-branches", "do not look at other branches' lockfiles")
    .option("--wait-lock [seconds]", "wait for another run in the same project to end, so long at most", seconds)
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge gc\n  $ forge gc --older-than 30d --yes")
    .action(action(context, (flags: Flags) => run(context, flags)));
}

async function run(context: CliContext, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ findGarbage, removeGarbage }, { acquireLock }, { fsFailure }, { declaredVariants }, project] = await Promise.all([
    import("../../engine/collect.ts"),
    import("../../engine/lock.ts"),
    import("../../platform/fs.ts"),
    import("../../recipe/variant.ts"),
    projectOf(context, flags.recipe),
  ]);
  if (!project.ok) return fail(context, project.error);
  const root = project.value;
  const options = {
    olderThanSeconds: flags.olderThan,
    maxBytes: flags.maxSize,
    ignoreBranches: flags.ignoreBranches === true,
    variantsIn: declaredVariants,
  };
  const lock = flags.yes === true && existsSync(join(root, ".mcp-forge")) ? await acquireLock(root, { waitSeconds: waitSeconds(flags.waitLock) }) : undefined;
  if (lock?.ok === false) return fail(context, lock.error);
  try {
    const garbage = await findGarbage(root, options);
    if (!garbage.ok) return fail(context, garbage.error);
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
    terminal.out(flags.json === true ? json(garbage.value, flags.yes === true) : words(garbage.value, root, flags.yes === true, terminal));
    return EXIT.ok;
  } finally {
    if (lock?.ok === true) lock.value.release();
  }
}

function json({ scratch, runs, damaged, states, ...garbage }: Garbage, removed: boolean): string {
  const sized = ({ path, bytes: size }: { readonly path: string; readonly bytes: number }) => ({ path, bytes: size });
  return jsonText({
    removed,
    ...garbage,
    scratch: scratch.map(sized),
    runs: runs.map(sized),
    damaged: damaged.map((d) => ({ ...sized(d), stages: d.stages })),
    past: states.map(({ lockfile, variant }) => ({ lockfile, variant: variant ?? null })),
  });
}

function words(
  { records, objects, scratch, runs, damaged, states, bytes: freed, keptBytes, lookedAt }: Garbage,
  root: string,
  yes: boolean,
  terminal: Terminal,
): string {
  const { paint } = terminal;
  const kept = paint("dim", `Kept: what the last runs ended with, and what lockfiles name in ${lookedAt.join(", ")}.\n`);
  const sizeOf = (of: readonly { readonly bytes: number }[]): string => bytes(of.reduce((sum, x) => sum + x.bytes, 0));
  const parts = [
    ...(records.length + objects.length > 0 ? [`${plural(records.length, "result")} (${plural(objects.length, "artifact")}, ${sizeOf(objects)})`] : []),
    ...(scratch.length > 0 ? [`what ${plural(scratch.length, "interrupted stage")} left (${sizeOf(scratch)})`] : []),
    ...(runs.length > 0 ? [`the logs of ${plural(runs.length, "run")} (${sizeOf(runs)})`] : []),
    ...(damaged.length > 0 ? [`${plural(damaged.length, "artifact")} that had been edited (${sizeOf(damaged)})`] : []),
  ];
  if (parts.length === 0) return `Nothing to forget; ${bytes(keptBytes)} are in use.\n${kept}`;
  const line = (time: string, text: string): string => `${paint("dim", time.slice(0, 16).replace("T", " "))}  ${safeText(text)}\n`;
  return [
    ...states.map(
      (s) => `${safeText(s.variant ? `the recipe of ${s.lockfile} has no variant ${s.variant} any more` : `the recipe of ${s.lockfile} is gone`)}\n`,
    ),
    ...records.map((r) => line(r.createdAt, r.stage)),
    // By name: they cannot be made again, so whoever made the edit can save it first.
    ...damaged.map((d) =>
      line(new Date(d.at).toISOString(), `edited by hand: ${relative(root, d.path)}${d.stages.length > 0 ? ` (of ${d.stages.join(", ")})` : ""}`),
    ),
    `${yes ? "Deleted" : "May go"}: ${parts.join(", ")}; ${bytes(freed)} in all. ${bytes(keptBytes)} ${yes ? "are left" : "would be left"}.\n`,
    kept,
    ...(yes ? [] : ["To delete it: forge gc --yes\n"]),
  ].join("");
}
