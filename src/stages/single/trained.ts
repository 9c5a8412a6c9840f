/**
 * model.json in the folder of `forge train --data F --output FOLDER`: which base model was trained, down to its bytes. An adapter fits those weights alone: merged with other ones it
 * gives a model that nobody trained, and nothing in the result would tell. So `export` compares before it merges.
 */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { basePin, type Family } from "../../models/family.ts";
import { isFamilyFile, modelOfWord } from "../../models/family-file.ts";
import { pinsOfFolder } from "../../models/pin.ts";
import { resolveModel } from "../../models/resolve.ts";
import { EXIT } from "../../platform/exit.ts";
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { nameFrom } from "../../recipe/made.ts";

/** What model.json says. */
export interface Trained {
  /** A family's word (`qwen-2.5/7b`), or the way from the folder to a family file. */
  readonly family: string;
  /** What the model is called. */
  readonly name: string;
  /** What pinned the weights that were trained; undefined where an earlier version wrote it. */
  readonly base?: JsonObject;
}

/** The text of model.json. @param base the model that was trained, and the name of its source */
export function trainedText(words: Pick<Trained, "family" | "name">, base: { readonly family: Family; readonly sourceName: string }): string {
  const pin = basePin(base.family, base.sourceName);
  if (!pin.ok) throw new Error(`a model without the source ${base.sourceName} was trained`);
  return `${JSON.stringify({ version: 1, ...words, base: pin.value }, null, 2)}\n`;
}

/** Reads a model.json. */
export function readTrained(path: string): Result<Trained> {
  try {
    const { family, name, base } = JSON.parse(readFileSync(path, "utf8")) as { family?: unknown; name?: unknown; base?: unknown };
    if (typeof family === "string" && typeof name === "string")
      return ok({ family, name: nameFrom(name, "model"), ...(typeof base === "object" && base !== null ? { base: base as JsonObject } : {}) });
  } catch {
    // Said below.
  }
  return err({
    code: "usage/missing-flag",
    message: `${path} does not say which base model was trained`,
    hint: "name the folder that `forge train --data F --model FAMILY --output FOLDER` wrote",
    exit: EXIT.usage,
  });
}

/**
 * Why an adapter cannot be merged with what its base model's name means here and now; undefined where it can, and where the name means nothing that is pinned, which whoever opens
 * the model says. An earlier version wrote no pin: that is taken where a size of a family, whose files the lockfile decides, is not what was trained.
 * @param folder the trained model, as the user wrote it
 * @param word the base model, as seen from where the user stands
 */
export function otherBase(folder: string, { base }: Pick<Trained, "base">, word: string): Failure | undefined {
  const found = resolveModel(modelOfWord(word), process.cwd(), [pinsOfFolder(process.cwd())]);
  if (!found.ok || found.value.unpinned !== undefined) return undefined;
  const { family, source, size } = found.value;
  const again = `train it again: forge train --data F --model ${word} --output FOLDER`;
  const no = (message: string, hint: string): Failure => ({ code: "models/other-base", message, hint, exit: EXIT.usage });
  if (base === undefined)
    return size === undefined
      ? undefined
      : no(
          `\`${folder}\` does not say which files of ${word} it was trained on: an earlier version of forge wrote it`,
          `To merge it with no other ones, ${again}`,
        );
  const now = basePin(family, source);
  if (!now.ok || isDeepStrictEqual(weightsOf(now.value), weightsOf(base))) return undefined;
  const whose = size === undefined ? (isFamilyFile(word) ? word : "this version of forge") : "./forge.lock";
  return no(
    `\`${folder}\` was trained on ${word}${revisionOf(base)}, and ${whose} means other weights by that${revisionOf(now.value)}: merged with those it would be a model that nobody trained`,
    `${size === undefined && !isFamilyFile(word) ? "Export it with the version that trained it" : `Take back ${whose} as it was when it was trained (from version control)`}, or ${again}`,
  );
}

/** The digests in a pin: what the files and their commit are called changes no weights. */
const weightsOf = ({ sha256, files }: JsonObject): readonly (JsonValue | undefined)[] => [sha256, files];

/** The commit of a pin, in so many digits as tell it; what stands in a file may be anything. */
const revisionOf = ({ revision }: JsonObject): string =>
  typeof revision === "string" && /^[0-9a-f]{40}$/.test(revision) ? ` at ${revision.slice(0, 12)}` : "";
