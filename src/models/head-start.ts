/**
 * A family's head start: an adapter that comes with the program and holds what every recipe would teach again (a
 * call's form, copying values, leaving out what was not said, refusing). Training begins on top of it. Made by
 * `npm run head-start`; what it was made of is told in the model card beside it.
 */
import { join } from "node:path";
import type { Digest } from "../platform/digest.ts";
import { packageRoot } from "../platform/paths.ts";
import type { Family, TrainingOverrides } from "../schemas/generated/family.ts";
import { EVERY_SAMPLE_ONCE, type ExamplePlan } from "./examples.ts";

export interface HeadStart {
  /** PEFT folder. */
  readonly adapter: string;
  /** Of its weights' bytes. */
  readonly digest: Digest;
}

/** The family's head start; undefined where it has none, or the recipe says `head_start: false`. */
export function headStartOf(family: Family, model: { readonly head_start?: boolean }): HeadStart | undefined {
  const { head_start: own } = family;
  if (own === undefined || model.head_start === false) return undefined;
  return { adapter: join(packageRoot(), "head-starts", own.folder), digest: `sha256:${own.sha256}` as Digest };
}

/** What the family wants of training, on top of its head start or without one. */
export function trainingOf(family: Family, headStart: HeadStart | undefined): { readonly overrides: TrainingOverrides; readonly examples: ExamplePlan } {
  const own = headStart === undefined ? undefined : family.head_start;
  return { overrides: own?.overrides ?? {}, examples: own?.examples ?? family.training.examples ?? EVERY_SAMPLE_ONCE };
}
