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

/** SPDX's identifiers that models have, as SPDX spells them; the hub and GGUF files write them in small letters. */
const SPDX: ReadonlyMap<string, string> = new Map(
  [
    ...["0BSD", "AFL-3.0", "AGPL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0"],
    ...["BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSL-1.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0"],
    ...["CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0"],
    ...["CC-BY-ND-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "ECL-2.0", "EPL-1.0", "EPL-2.0"],
    ...["EUPL-1.1", "EUPL-1.2", "GFDL-1.3-only", "GFDL-1.3-or-later", "GPL-2.0", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0", "GPL-3.0-only"],
    ...["GPL-3.0-or-later", "ISC", "LGPL-2.1", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0", "LGPL-3.0-only", "LGPL-3.0-or-later", "LPPL-1.3c"],
    ...["MIT", "MIT-0", "MPL-2.0", "MS-PL", "NCSA", "ODbL-1.0", "ODC-By-1.0", "OFL-1.1", "OpenMDW-1.0", "OSL-3.0", "PDDL-1.0", "PostgreSQL", "Unlicense"],
    ...["WTFPL", "Zlib"],
  ].map((id) => [id.toLowerCase(), id]),
);
const REFERENCE = /^licenseref-/i;

/** A licence by the hub's word for it; undefined where the word says none (`other`, `unknown`). */
export function licenceOf(word: unknown): string | undefined {
  if (typeof word !== "string" || !/^[A-Za-z0-9][A-Za-z0-9.+-]{0,80}$/.test(word)) return undefined;
  const name = word.replace(REFERENCE, "");
  const lower = name.toLowerCase();
  if (["", "other", "unknown"].includes(lower)) return undefined;
  // Our own GGUF files have the whole reference in small letters.
  if (name !== word) return `LicenseRef-${name}`;
  // The hub has names for licences that SPDX has none for: llama3.2, gemma, …
  return SPDX.get(lower) ?? (lower === word ? `LicenseRef-${word}` : word);
}

/** `license:` of a model card's front matter. */
export function licenceOfCard(text: string): string | undefined {
  const front = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
  return licenceOf(/^license:[ \t]*["']?([^"'\s#]+)/m.exec(front)?.[1]);
}
