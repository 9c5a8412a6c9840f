/**
 * The three training profiles: what `profile:` in a recipe stands for. The numbers are the product's
 * promise (the reference's profile table); a family's data file may adjust them, visibly, and the
 * recipe's `train` overrides single values. The merge itself belongs to the train stage.
 */
import type { Recipe } from "../schemas/generated/forge.ts";

export type ProfileName = NonNullable<Recipe["profile"]>;

/** Hyperparameters of a profile. An optimiser step takes `batch * accumulation` samples, whatever memory is free. */
export interface ProfileTable {
  /** Longest sample in tokens, its prompt included. */
  readonly max_tokens: number;
  /** LoRA rank. */
  readonly rank: number;
  /** LoRA alpha: twice the rank. */
  readonly alpha: number;
  /** LoRA dropout, 0 to 1. */
  readonly dropout: number;
  /** Samples a batch. */
  readonly batch: number;
  /** Batches an optimiser step. */
  readonly accumulation: number;
  /** Peak learning rate of AdamW, before its linear decay. */
  readonly learning_rate: number;
  /** Passes over the samples. */
  readonly epochs: number;
  /** Optimiser steps of warm-up. */
  readonly warmup_steps: number;
  /** AdamW's weight decay. */
  readonly weight_decay: number;
}

const COMMON = { dropout: 0, weight_decay: 0 } as const;

export const PROFILES: Readonly<Record<ProfileName, ProfileTable>> = {
  fast_dev: { ...COMMON, max_tokens: 2048, rank: 8, alpha: 16, batch: 4, accumulation: 2, learning_rate: 5e-4, epochs: 1, warmup_steps: 5 },
  balanced: { ...COMMON, max_tokens: 4096, rank: 16, alpha: 32, batch: 2, accumulation: 4, learning_rate: 2e-4, epochs: 1, warmup_steps: 10 },
  max_quality: { ...COMMON, max_tokens: 4096, rank: 32, alpha: 64, batch: 1, accumulation: 8, learning_rate: 1e-4, epochs: 2, warmup_steps: 20 },
};
