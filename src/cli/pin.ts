/** Before a run: the base model that no lockfile pins yet is looked up on the model hub, once, and pinned. */
import type { PinPlace } from "../models/pin.ts";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Pinned, PinOptions } from "../stages/pin.ts";
import type { CliContext } from "./context.ts";
import { listenForInterrupt } from "./interrupt.ts";
import type { OpenRecipe } from "./recipe.ts";
import { bytes } from "./words.ts";

export interface PinFlags {
  readonly locked?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly waitLockSeconds?: number;
  readonly until?: string;
  readonly only?: string;
}

/**
 * The recipe with a base model that is pinned: as it is where one is, or where the run comes to no stage that reads it, else after the hub was asked. A stage by itself has no
 * lockfile to pin one in, and `--locked` pins none.
 */
export async function withPinned(context: CliContext, opened: OpenRecipe, flags: PinFlags): Promise<Result<OpenRecipe>> {
  const { pipeline, loaded } = opened;
  const { unpinned } = pipeline;
  if (unpinned === undefined) return ok(opened);
  const [{ readsBase }, { pinSize }, { notPinnedHere }, { sizeWord }] = await Promise.all([
    import("../stages/base-readers.ts"),
    import("../stages/pin.ts"),
    import("../models/pin.ts"),
    import("../models/registry.ts"),
  ]);
  if (!readsBase(pipeline, flags)) return ok(opened);
  const place = { place: loaded.placeOf(["model", "family"]) };
  if (pipeline.given !== undefined) return err(notPinnedHere(sizeWord(unpinned)));
  if (flags.locked === true) return err({ ...lockedOut(sizeWord(unpinned), pipeline.pins), ...place });
  const interrupt = listenForInterrupt((line) => context.terminal.err(`${line}\n`), "stopping, nothing is pinned");
  const { projectRoot, lockfile, pins } = pipeline;
  const told = flags.json !== true && flags.quiet !== true;
  const pinned = await pinSize(unpinned, {
    ...(await tellers(context, told)),
    signal: interrupt.signal,
    projectRoot,
    pins,
    waitLockSeconds: flags.waitLockSeconds,
  });
  interrupt.release();
  if (!pinned.ok) return err({ ...place, ...pinned.error });
  if (told) context.terminal.err(`${await pinnedWords(pinned.value, lockfile)}\n`);
  const again = pipeline.again();
  return again.ok ? ok({ loaded, pipeline: again.value }) : again;
}

/** `--locked` writes no lockfile, so that it can pin nothing. */
export const lockedOut = (word: string, { path, command }: PinPlace): Failure => ({
  code: "lockfile/out-of-date",
  message: `${fileName(path)} is not up to date: it does not pin the base model ${word}`,
  hint: `run the same command without --locked (or \`${command(word)}\`), and commit the lockfile`,
  exit: EXIT.usage,
});

/** What a lookup says while it goes on. */
export async function tellers({ terminal }: CliContext, told: boolean): Promise<Pick<PinOptions, "onAsking" | "onWaiting" | "onWarning">> {
  const { safeText } = await import("../platform/redact.ts");
  const say = (text: string): void => terminal.err(`${safeText(text)}\n`);
  return {
    onWarning: (message) => say(`warning: ${message}`),
    ...(told && {
      onAsking: (repository) => say(`asking the model hub for ${repository}`),
      onWaiting: (holder) => say(`waiting for ${holder}, which has the project locked`),
    }),
  };
}

/** One line on what is pinned now. */
export async function pinnedWords({ word, family, written }: Pinned, lockfile: string): Promise<string> {
  const { safeText } = await import("../platform/redact.ts");
  const source = family.sources.default;
  if (source?.kind !== "hub") throw new Error("a model that is pinned comes from the hub");
  const size = bytes(Object.values(source.files).reduce((sum, file) => sum + file.bytes, 0));
  const verb = { new: "pinned", updated: "pinned anew", unchanged: "as it was" }[written];
  return safeText(`${verb}: ${word} is ${source.repository} at ${source.revision.slice(0, 12)} (${size}, ${family.licence}), in ${fileName(lockfile)}`);
}

const fileName = (path: string): string => path.split(/[/\\]/).at(-1) ?? path;
