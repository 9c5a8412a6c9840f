/**
 * What a lockfile pins of a family's size: the commit, files and control tokens that the hub named when it was asked, in the form of a family file. Guarantees: what was
 * edited by hand, is no family or is another model than the family's file says, is a failure that names the lockfile and never used; how the model is trained is the
 * program's to say, whatever stands there.
 */
import { basename, join } from "node:path";
import { type Lockfile, type LockPin, lockfileOf, readLockfile } from "../engine/lockfile.ts";
import { digestJson } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Family } from "../schemas/generated/family.ts";
import type { ProjectFamily } from "./family.ts";
import { checkFamily } from "./family-check.ts";
import { shownPath } from "./family-file.ts";
import { disagreement, type Size, sharedWords, sizeWord, trainingOfSize } from "./registry.ts";

/** What a lockfile holds for a model that was found. */
export function pinOf(found: Family): LockPin {
  const plain = JSON.parse(JSON.stringify(found)) as JsonObject;
  return { digest: digestJson(plain), found: plain };
}

/** A lockfile that may pin sizes. */
export interface PinPlace {
  /** Absolute path of NAME.lock. */
  readonly path: string;
  /** The command that pins a size there. */
  readonly command: (word: string) => string;
}

/** The lockfile of stages on single files, and of whoever names a size by its word. @param dir where the user stands */
export const pinsOfFolder = (dir: string): PinPlace => ({ path: join(dir, "forge.lock"), command: (word) => `forge models pin ${word}` });

/**
 * The lockfile of a recipe.
 * @param file of the recipe, absolute
 */
export const pinsOfRecipe = (file: string, variant?: string): PinPlace => ({
  path: lockfileOf(file),
  command: () => `forge models pin ${inShell(shownPath(file))}${variant === undefined ? "" : ` --variant ${inShell(variant)}`}`,
});

/** A word of a command line, quoted for a POSIX shell where it has to be. */
const inShell = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The model that a lockfile pins for a size; undefined where it pins none, or is not there. */
export function pinnedModel(size: Size, place: PinPlace): Result<ProjectFamily | undefined> {
  const found = standingPin(size, place);
  return found.ok ? ok(found.value?.model) : found;
}

/** The same with the digest of the entry, by which two pins of a size are told apart. */
export function standingPin(size: Size, place: PinPlace): Result<{ readonly model: ProjectFamily; readonly digest: string } | undefined> {
  const lockfile = readLockfile(place.path);
  return lockfile.ok ? pinnedIn(size, lockfile.value, place) : lockfile;
}

function pinnedIn(size: Size, lockfile: Lockfile | undefined, place: PinPlace): ReturnType<typeof standingPin> {
  const word = sizeWord(size);
  const pin = lockfile?.pins !== undefined && Object.hasOwn(lockfile.pins, word) ? lockfile.pins[word] : undefined;
  if (pin === undefined) return ok(undefined);
  const file = basename(place.path);
  const wrong = (message: string): Result<never> =>
    err({
      code: "models/pin",
      message,
      hint: `Restore the lockfile from version control, or pin what the hub has today: ${place.command(word)} --update`,
      exit: EXIT.usage,
    });
  if (digestJson(pin.found as JsonValue) !== pin.digest)
    return wrong(`the base model that ${file} pins for ${word} is not what was written there: it was edited, or merged by hand`);
  const family = checkFamily(pin.found);
  if (!family.ok) return wrong(`${file} pins for ${word} what this version cannot use: ${family.error.message}`);
  const other = disagreement(size, family.value);
  if (other !== undefined) return wrong(`${file} pins another base model for ${word}: ${other}`);
  return ok({ model: { ...sharedWords(size), ...family.value, training: trainingOfSize(size), file: place.path }, digest: pin.digest });
}

/** The same for a stage by itself, which has no lockfile of its own. */
export const notPinnedHere = (word: string): Failure => ({
  ...notPinned(word),
  hint: `Pin it in ./forge.lock, which every step then goes by: forge models pin ${word}`,
});

/** What to do where a size's weights are wanted and nothing pins them. */
export const notPinned = (word: string): Failure => ({
  code: "models/not-pinned",
  message: `the base model ${word} is not pinned: which files it is made of has to be asked of the model hub first`,
  hint: "Run `forge models pin RECIPE` once with a network (`forge apply` does it too), and commit the lockfile.",
  exit: EXIT.usage,
});
