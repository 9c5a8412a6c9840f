/**
 * What a lockfile pins of a family's size: the commit, files and control tokens that the hub named when it was asked, in the form of a family file. Guarantees: what was
 * edited by hand, is no family or is another model than the family's file says, is a failure that names the lockfile and never used.
 */
import { basename } from "node:path";
import { type Lockfile, type LockPin, readLockfile } from "../engine/lockfile.ts";
import { digestJson } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Family } from "../schemas/generated/family.ts";
import type { ProjectFamily } from "./family.ts";
import { checkFamily } from "./family-check.ts";
import { disagreement, type Size, sharedWords, sizeWord } from "./registry.ts";

/** What a lockfile holds for a model that was found. */
export function pinOf(found: Family): LockPin {
  const plain = JSON.parse(JSON.stringify(found)) as JsonObject;
  return { digest: digestJson(plain), found: plain };
}

/**
 * The model that a lockfile pins for a size; undefined where it pins none, or is not there.
 * @param path absolute, of NAME.lock
 */
export function pinnedModel(size: Size, path: string): Result<ProjectFamily | undefined> {
  const lockfile = readLockfile(path);
  return lockfile.ok ? pinnedIn(size, lockfile.value, path) : lockfile;
}

function pinnedIn(size: Size, lockfile: Lockfile | undefined, path: string): Result<ProjectFamily | undefined> {
  const word = sizeWord(size);
  const pin = lockfile?.pins !== undefined && Object.hasOwn(lockfile.pins, word) ? lockfile.pins[word] : undefined;
  if (pin === undefined) return ok(undefined);
  const file = basename(path);
  if (digestJson(pin.found as JsonValue) !== pin.digest)
    return err(wrong(`the base model that ${file} pins for ${word} is not what was written there: it was edited, or merged by hand`, word));
  const family = checkFamily(pin.found);
  if (!family.ok) return err(wrong(`${file} pins for ${word} what this version cannot use: ${family.error.message}`, word));
  const other = disagreement(size, family.value);
  if (other !== undefined) return err(wrong(`${file} pins another base model for ${word}: ${other}`, word));
  return ok({ ...sharedWords(size), ...family.value, file: path });
}

const wrong = (message: string, word: string): Failure => ({
  code: "models/pin",
  message,
  hint: `Restore the lockfile from version control, or pin what the hub has today: forge models pin --update (${word}).`,
  exit: EXIT.usage,
});

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
