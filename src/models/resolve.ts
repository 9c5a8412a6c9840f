/**
 * Which base model a recipe's `model` means, down to its bytes where they are known: a family that comes with forge, a file of the project's, or a size of a
 * family as the lockfile pins it. Asks nobody.
 */
import { basename } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { RecipePath } from "../recipe/types.ts";
import { type Family, getSource } from "./family.ts";
import { familyOfModel, type ModelWords } from "./family-file.ts";
import { type PinPlace, pinnedModel } from "./pin.ts";
import { type Size, sizeOf, sizeWord, surprises, unpinned } from "./registry.ts";

export interface ResolvedModel {
  readonly family: Family;
  /** The family's name of the source. */
  readonly source: string;
  /** The size that the hub has to be asked for before anything is made: `family` says only what is known without. */
  readonly unpinned?: Size;
  /** The size, pinned or not, of a family that has several. */
  readonly size?: Size;
  /** What is to be told of a pin that is used, and says of the model what its family's file does not. */
  readonly warnings?: readonly Failure[];
}

type Located<T> = Result<T, { readonly failure: Failure; readonly path: RecipePath }>;
type Words = ModelWords & { readonly source?: string };

/** The size of a family that a recipe's words mean, whatever a lockfile says; undefined where they mean a model whose bytes are known. */
export function sizeOfModel(model: Words, dir: string): Located<Size | undefined> {
  const found = sourceOfModel(model, dir);
  return found.ok ? ok(sizeOf(found.value.family, found.value.name)) : found;
}

function sourceOfModel(model: Words, dir: string): Located<{ readonly family: Family; readonly name: string }> {
  const family = familyOfModel(model, dir);
  if (!family.ok) return family;
  const name = model.source ?? "default";
  const source = getSource(family.value, name);
  return source.ok ? ok({ family: family.value, name }) : err({ failure: source.error, path: ["model", "source"] });
}

/** Whoever gets a lockfile from elsewhere saw no warning when it was pinned. */
const doubt = (size: Size, { path, command }: PinPlace, text: string): Failure => ({
  code: "models/pin-differs",
  message: `${basename(path)} pins ${sizeWord(size)} otherwise than forge knows it: ${text}`,
  hint: `see https://huggingface.co/${size.source.repository}, or pin what the hub says of it today: ${command(sizeWord(size))} --update`,
  exit: EXIT.usage,
});

/**
 * @param dir folder of the recipe, absolute
 * @param lockfiles that may pin it, the most important first; each need not be there
 */
export function resolveModel(model: Words, dir: string, lockfiles: readonly PinPlace[]): Located<ResolvedModel> {
  const found = sourceOfModel(model, dir);
  if (!found.ok) return found;
  const { family, name } = found.value;
  const size = sizeOf(family, name);
  if (size === undefined) return ok({ family, source: name });
  for (const lockfile of lockfiles) {
    const pinned = pinnedModel(size, lockfile);
    if (!pinned.ok) return err({ failure: pinned.error, path: ["model", "family"] });
    if (pinned.value === undefined) continue;
    return ok({ family: pinned.value, source: "default", size, warnings: surprises(size, pinned.value).map((text) => doubt(size, lockfile, text)) });
  }
  return ok({ family: unpinned(size), source: "default", unpinned: size, size });
}
