/** The keys of `train`: which of them decide the adapter, and which need another. */
import type { ResolvedRecipe, Train } from "./types.ts";

/** Keys that change how training goes and nothing in what comes out: they are in no stage's key, and an edit of one runs nothing again. */
const WITHOUT_EFFECT = [
  "gradient_checkpointing",
  "row_tokens",
  "gpus",
  "processes",
  "save_steps",
  "save_total_limit",
  "report_to",
] as const satisfies readonly (keyof Train)[];

/** What of `train` decides the adapter. */
export function decisive(train: Readonly<Train>): Train {
  const rest: Train = { ...train };
  for (const key of WITHOUT_EFFECT) delete rest[key];
  return rest;
}

/** Keys of evaluation during training say nothing where nothing is held out. */
export const trainKeys = ({ train }: Pick<ResolvedRecipe, "train">) =>
  train.eval_fraction !== undefined
    ? []
    : (["eval_steps", "early_stopping_patience"] as const)
        .filter((key) => train[key] !== undefined)
        .map((key) => ({
          path: ["train", key],
          code: "missing-key",
          message: `\`${key}\` needs \`eval_fraction\`: nothing is held out of training to evaluate on`,
          hint: `add \`eval_fraction: 0.1\` beside it, or remove \`${key}\``,
        }));
