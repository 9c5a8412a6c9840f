/** What forge takes for granted of a model that nobody measured: how it wants to be trained, by its size; and names of licences. */
import type { Family } from "../../schemas/generated/family.ts";

const M = 1e6;
const B = 1e9;

/**
 * Hyperparameters by size: what was measured of 3.6M and 135M parameters (docs/measurements.md) at the small end, the profiles' own, which suit 8B, at the
 * large one, and steps between them, which were not measured.
 */
export function trainingFor(parameters: number): Family["training"] {
  const reason = "chosen by the size of the model, between what was measured of 135M parameters and the profiles' defaults, which suit 8B; not measured on it";
  if (parameters >= 6 * B) return { reason: "a model of this size takes the profiles' defaults; not measured on it", overrides: {} };
  if (parameters < 20 * M) return { reason, overrides: { "*": { rank: 32, alpha: 64, learning_rate: 2e-3, samples_per_step: 8 } } };
  const examples = { whole: 0.3, first: 1, first_without_call: 4 };
  if (parameters < 250 * M)
    return { reason, examples, overrides: { "*": { rank: 16, alpha: 32, learning_rate: 2e-3, samples_per_step: 12, samples_seen: 600 } } };
  if (parameters < 0.9 * B)
    return { reason, examples, overrides: { "*": { rank: 16, alpha: 32, learning_rate: 1e-3, samples_per_step: 12, samples_seen: 600 } } };
  if (parameters < 2.5 * B) return { reason, overrides: { "*": { rank: 16, alpha: 32, learning_rate: 5e-4, samples_per_step: 8 } } };
  return { reason, overrides: { "*": { rank: 16, alpha: 32, learning_rate: 3e-4, samples_per_step: 8 } } };
}

/** The hub's words for licences → SPDX, where they differ by more than nothing. */
const SPDX: Readonly<Record<string, string>> = {
  "apache-2.0": "Apache-2.0",
  mit: "MIT",
  "bsd-3-clause": "BSD-3-Clause",
  "cc-by-4.0": "CC-BY-4.0",
  "cc-by-nc-4.0": "CC-BY-NC-4.0",
  "cc-by-sa-4.0": "CC-BY-SA-4.0",
};

/** A licence by the hub's word for it; undefined where the word says none (`other`, `unknown`). */
export function licenceOf(word: unknown): string | undefined {
  if (typeof word !== "string" || !/^[A-Za-z0-9][A-Za-z0-9.+-]{0,80}$/.test(word) || ["other", "unknown"].includes(word.toLowerCase())) return undefined;
  const lower = word.toLowerCase();
  // The hub has names for licences that SPDX has none for: llama3.2, gemma, …
  return SPDX[lower] ?? (lower === word ? `LicenseRef-${word}` : word);
}

/** `license:` of a model card's front matter. */
export function licenceOfCard(text: string): string | undefined {
  const front = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
  return licenceOf(/^license:[ \t]*["']?([^"'\s#]+)/m.exec(front)?.[1]);
}
