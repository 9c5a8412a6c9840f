/**
 * After a run that did something and ended well: one more look at the same recipe, which runs nothing and prints nothing, so that the same command is answered
 * from a note the next time (engine/unchanged.ts). Costs what an unchanged run costs, once.
 *
 * Guarantees: never fails the command, whatever it finds; where the look finds work, a warning, or anything but one line to say, there is no note.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { applyRun } from "../engine/apply.ts";
import { isQuiet } from "../engine/events.ts";
import type { Notes } from "../engine/unchanged.ts";
import { EXIT } from "../platform/exit.ts";
import { TICK_MS } from "../platform/snapshot.ts";
import type { CliContext } from "./context.ts";
import { openRecipe } from "./recipe.ts";
import { closingWords } from "./render/closing.ts";
import { duration } from "./words.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @param recipe as the command line has it */
export async function lookAgain(
  context: CliContext,
  notes: Notes,
  recipe: string | undefined,
  flags: { readonly variant?: string; readonly locked?: boolean },
): Promise<void> {
  // The command has ended well, whoever interrupts now.
  const leave = (): never => process.exit(EXIT.ok);
  for (const signal of SIGNALS) process.on(signal, leave);
  try {
    // What the run wrote last is then old enough to be told from what is written now.
    await sleep(2 * TICK_MS);
    notes.again();
    // What there is to warn of was said before.
    const silent = { ...context, terminal: { ...context.terminal, out: () => undefined, err: () => undefined } };
    const opened = await openRecipe(silent, recipe, flags);
    if (!opened.ok) return;
    const { loaded, pipeline } = opened.value;
    if (loaded.warnings.length > 0) return;
    let quiet = true;
    const run = await applyRun({
      nodes: pipeline.nodes,
      projectRoot: loaded.projectRoot,
      name: loaded.name,
      lockfile: pipeline.lockfile,
      variant: loaded.variant,
      locked: flags.locked,
      look: true,
      onEvent: (event) => {
        quiet &&= isQuiet(event);
      },
    });
    if (!run.ok || run.value.exit !== EXIT.ok || !quiet) return;
    const text = await closingWords(run.value, pipeline, loaded, context.terminal);
    notes.leave({ projectRoot: loaded.projectRoot, text, took: duration(run.value.seconds) });
  } catch {
    // The run itself is done and told.
  } finally {
    for (const signal of SIGNALS) process.off(signal, leave);
  }
}
