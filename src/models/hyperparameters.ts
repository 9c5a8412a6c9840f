/**
 * One table of training hyperparameters out of three layers: the profile's, what the family wants in place of
 * it, and what the recipe says (which always wins). Every value keeps where it came from, for people to read.
 */

import type { Family, TrainingOverrides } from "../schemas/generated/family.ts";
import type { Train } from "../schemas/generated/forge.ts";

/** What the train step gets as `hyper`: everything is decided, nothing is left to defaults in Python. */
export interface Hyperparameters {
  /** LoRA rank. */
  readonly rank: number;
  /** LoRA alpha (scale = alpha / rank). */
  readonly alpha: number;
  readonly dropout: number;
  /** Peak rate of AdamW; linear decay to zero after the warm-up. */
  readonly learning_rate: number;
  readonly epochs: number;
  /** Samples of one optimiser step: batch x accumulation. Memory decides only how a step is cut into rows. */
  readonly samples_per_step: number;
  readonly warmup_steps: number;
  /** Longest sample with its prompt, in tokens; raised to the longest there is within the model's window. */
  readonly max_tokens: number;
  readonly batching: "shared_prefix" | "packed" | "padded";
  /** Whether every second step reads the tools in another order (examples.ts). */
  readonly shuffle_tools: boolean;
  /** Token budget of a row: the knob for memory, which training makes smaller by itself where it has to. In no key. */
  readonly row_tokens: number;
  readonly weight_decay: number;
}

/** One value and who decided it. */
export interface HyperparameterOrigin {
  readonly name: keyof Hyperparameters;
  readonly value: number | string | boolean;
  /** `recipe`: the recipe's `train`; `family`: the family's data file; `profile`: the profile's table; `default`: the same everywhere. */
  readonly from: "recipe" | "family" | "profile" | "default";
}

export interface ResolvedHyperparameters {
  readonly values: Hyperparameters;
  readonly origins: readonly HyperparameterOrigin[];
  /** So many samples the family wants shown at least; undefined where it says nothing, or the recipe names the epochs. */
  readonly samplesSeen: number | undefined;
  /** Why the family differs from the profile, one clause; undefined when none of its values is used. */
  readonly familyReason: string | undefined;
}

/** Row budget where the family names none: what a 135M model needs some 4 GB for (docs/training.md). */
const DEFAULT_ROW_TOKENS = 2560;
/** However few samples there are: what is seen more often is learned by heart. */
const MOST_EPOCHS = 4;

/**
 * Decides every hyperparameter.
 * @param profile name of the profile, to pick the family's overrides for it (`*` first, then the profile's own)
 * @param table the profile's table (REFERENCE.md, "Training")
 * @param train the recipe's own values
 * @param onHeadStart what the family wants on top of its head start, where training has one (before its overrides)
 */
export function resolveHyperparameters(o: {
  profile: string;
  table: Readonly<Train>;
  family: Family;
  train: Readonly<Train>;
  onHeadStart?: TrainingOverrides;
}): ResolvedHyperparameters {
  const { table, train, family } = o;
  const own = family.training.overrides;
  const wishes: TrainingOverrides = {
    ...own["*"],
    ...(Object.hasOwn(own, o.profile) ? own[o.profile] : {}),
    ...o.onHeadStart,
  };
  const origins: HyperparameterOrigin[] = [];
  const pick = <T extends number | string | boolean>(
    name: keyof Hyperparameters,
    recipe: T | undefined,
    wish: T | undefined,
    profile: T | undefined,
    fallback: T,
  ): T => {
    const layers: readonly (readonly [T | undefined, HyperparameterOrigin["from"]])[] = [
      [recipe, "recipe"],
      [wish, "family"],
      [profile, "profile"],
    ];
    for (const [value, from] of layers) {
      if (value === undefined) continue;
      origins.push({ name, value, from });
      return value;
    }
    origins.push({ name, value: fallback, from: "default" });
    return fallback;
  };
  const rank = pick("rank", train.rank, wishes.rank, table.rank, 16);
  // One of the two in the recipe decides the product together with the profile's other; the family's wish is for both.
  const stepOf = (t: Readonly<Train>): number | undefined =>
    t.batch === undefined && t.accumulation === undefined ? undefined : (t.batch ?? table.batch ?? 1) * (t.accumulation ?? table.accumulation ?? 1);
  const values: Hyperparameters = {
    rank,
    // An alpha belongs to the rank it was chosen for; of any other rank it is twice that.
    alpha: pick(
      "alpha",
      train.alpha,
      train.rank === undefined ? wishes.alpha : undefined,
      train.rank === undefined && wishes.rank === undefined ? table.alpha : undefined,
      2 * rank,
    ),
    dropout: pick("dropout", train.dropout, undefined, table.dropout, 0),
    learning_rate: pick("learning_rate", train.learning_rate, wishes.learning_rate, table.learning_rate, 2e-4),
    epochs: pick("epochs", train.epochs, wishes.epochs, table.epochs, 1),
    samples_per_step: pick("samples_per_step", stepOf(train), wishes.samples_per_step, stepOf(table), 8),
    warmup_steps: pick("warmup_steps", train.warmup_steps, wishes.warmup_steps, table.warmup_steps, 5),
    max_tokens: pick("max_tokens", train.max_tokens, undefined, table.max_tokens, 4096),
    batching: pick("batching", train.batching, undefined, table.batching, "shared_prefix"),
    shuffle_tools: pick("shuffle_tools", train.shuffle_tools, wishes.shuffle_tools, table.shuffle_tools, false),
    row_tokens: pick("row_tokens", train.row_tokens, wishes.row_tokens, table.row_tokens, DEFAULT_ROW_TOKENS),
    weight_decay: pick("weight_decay", train.weight_decay, wishes.weight_decay, table.weight_decay, 0),
  };
  return {
    values,
    origins,
    samplesSeen: train.epochs === undefined ? wishes.samples_seen : undefined,
    familyReason: origins.some((x) => x.from === "family") ? family.training.reason : undefined,
  };
}

/** Those that decide the adapter. Of how many tokens a row is is a matter of memory: no gradient depends on it (python/forge_steps/memory_cut.py). */
export function decisiveValues({ row_tokens: _, ...values }: Hyperparameters): Omit<Hyperparameters, "row_tokens"> {
  return values;
}

/** The values for a set of so many samples: few are gone through several times, where the family says how many must be seen. */
export function forSamples({ values, samplesSeen }: ResolvedHyperparameters, samples: number): Hyperparameters {
  const epochs = Math.min(MOST_EPOCHS, Math.round((samplesSeen ?? 0) / Math.max(1, samples)));
  return epochs > values.epochs ? { ...values, epochs } : values;
}
