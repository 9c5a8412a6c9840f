/**
 * Near-duplicates: Jaccard similarity of word shingles, found exactly (no sketch) by prefix filtering: two
 * sets with similarity t or more share one of their first |s| - ceil(t |s|) + 1 elements in any fixed order
 * (Chaudhuri et al. 2006; Bayardo et al. 2007).
 */
import { hash32 } from "../platform/rng.ts";

/** REFERENCE: near-duplicates are dropped at this similarity. */
export const NEAR_DUPLICATE = 0.95;
const SHINGLE = 3;

/**
 * Words of a text: letters, with the marks that belong to them, and digits of any script, in lower case. So that "-40" is not "40", "C#" not "C"
 * and "5 - 3" not "5 + 3", signs before and behind words and between blanks count.
 */
export const wordsOf = (text: string): string[] =>
  text
    .toLowerCase()
    .match(/(?<![\p{L}\p{M}\p{N}])[-+$\u20ac\u2212](?=\p{N})[\p{L}\p{M}\p{N}]+%?|[\p{L}\p{M}\p{N}]+(?:#|\+{1,2}|%)?|(?<=\s)[-+*/%<>=](?=\s)/gu) ?? [];

/** Hashes of the word 3-grams of a text, sorted; texts of fewer words count as one shingle. */
export function shingles(text: string): Uint32Array {
  const words = wordsOf(text);
  const out = new Set<number>();
  if (words.length <= SHINGLE) out.add(hash32(words.join(" ")));
  for (let i = 0; i + SHINGLE <= words.length; i++) out.add(hash32(`${words[i]} ${words[i + 1]} ${words[i + 2]}`));
  return Uint32Array.from(out).sort();
}

/** Jaccard similarity of two sorted sets. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let i = 0;
  let j = 0;
  let both = 0;
  while (i < a.length && j < b.length) {
    const x = a[i] as number;
    const y = b[j] as number;
    if (x === y) {
      both++;
      i++;
      j++;
    } else if (x < y) i++;
    else j++;
  }
  const union = a.length + b.length - both;
  return union === 0 ? 1 : both / union;
}

/** The last text's shingles: what is looked for is mostly what is added next. */
let latest: { readonly text: string; readonly set: Uint32Array } = { text: "", set: shingles("") };

function shinglesOnce(text: string): Uint32Array {
  if (latest.text !== text) latest = { text, set: shingles(text) };
  return latest.set;
}

/** Finds, for texts added one after the other, an earlier one that is a near-duplicate. */
export class NearIndex {
  private readonly byShingle = new Map<number, number[]>();
  private readonly sets: Uint32Array[] = [];

  constructor(private readonly threshold: number = NEAR_DUPLICATE) {}

  /** Position of an earlier near-duplicate of this text, or -1. */
  find(text: string): number {
    const s = shinglesOnce(text);
    const seen = new Set<number>();
    for (let i = 0; i < this.prefix(s); i++) {
      for (const k of this.byShingle.get(s[i] as number) ?? []) {
        if (seen.has(k)) continue;
        seen.add(k);
        if (jaccard(s, this.sets[k] as Uint32Array) >= this.threshold) return k;
      }
    }
    return -1;
  }

  /** Adds a text; returns its position. */
  add(text: string): number {
    const s = shinglesOnce(text);
    const at = this.sets.push(s) - 1;
    for (let i = 0; i < this.prefix(s); i++) {
      const list = this.byShingle.get(s[i] as number);
      if (list) list.push(at);
      else this.byShingle.set(s[i] as number, [at]);
    }
    return at;
  }

  private prefix(s: Uint32Array): number {
    return s.length - Math.ceil(this.threshold * s.length) + 1;
  }
}
