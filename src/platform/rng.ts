/**
 * Seeded randomness. Whatever draws has a stream of its own, made from the seed and its name (a slot of the
 * data, say), so that one sample can be made again alone and more samples change none before.
 * Not for cryptography.
 */

/** A deterministic stream of random choices. */
export interface Rng {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [lo, hi], both included. */
  int(lo: number, hi: number): number;
  /** True with probability `p`. */
  chance(p: number): boolean;
  /** One element; the list must not be empty. */
  pick<T>(list: readonly T[]): T;
  /** One element, drawn by weight; the list must not be empty and some weight positive. */
  weighted<T>(list: readonly (readonly [T, number])[]): T;
  /** A shuffled copy. */
  shuffle<T>(list: readonly T[]): T[];
}

/** 32-bit FNV-1a with a final avalanche (MurmurHash3's fmix32). Stable across platforms. */
export function hash32(text: string, start = 0x811c9dc5): number {
  let h = start >>> 0;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The stream that belongs to these labels (sfc32, Chris Doty-Humphrey's PractRand; 128 bits of state). */
export function rngFor(...labels: readonly (string | number)[]): Rng {
  const key = labels.join("\u0000");
  let a = hash32(key, 0x9e3779b9);
  let b = hash32(key, 0x243f6a88);
  let c = hash32(key, 0xb7e15162);
  let d = 1;
  const next32 = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next32();
  const next = () => next32() / 4294967296;
  const rng: Rng = {
    next,
    int: (lo, hi) => lo + Math.floor(next() * (hi - lo + 1)),
    chance: (p) => next() < p,
    pick: (list) => {
      if (list.length === 0) throw new Error("pick from an empty list");
      return list[Math.floor(next() * list.length)] as (typeof list)[number];
    },
    weighted: (list) => {
      let sum = 0;
      for (const [, w] of list) sum += w;
      let x = next() * sum;
      for (const [v, w] of list) {
        x -= w;
        if (x < 0 && w > 0) return v;
      }
      const last = list.findLast(([, w]) => w > 0);
      if (last === undefined) throw new Error("weighted pick without a weight");
      return last[0];
    },
    shuffle: (list) => {
      const out = [...list];
      for (let i = out.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [out[i], out[j]] = [out[j] as (typeof out)[number], out[i] as (typeof out)[number]];
      }
      return out;
    },
  };
  return rng;
}
