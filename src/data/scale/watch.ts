/**
 * Looks, sample by sample, for what of the held-out cases is also in training, word for word or nearly (wordings and values: leakage.ts). The cases are what is kept, so that its memory does not grow with the training
 * data; what parts of the data have seen is put together by `merge`.
 */
import { canonicalJson } from "../../platform/json.ts";
import { readCalls } from "../checks/check.ts";
import { jaccard, NEAR_DUPLICATE } from "../similarity.ts";
import type { EvaluationCase, Sample } from "../types.ts";
import { SMALLEST_KEPT } from "./shingle-sets.ts";
import { saidIn, TextReader } from "./text.ts";

export interface Leakage {
  readonly shared_frames: number;
  readonly shared_prompts: number;
  readonly near_prompts: number;
  readonly shared_calls: number;
}

/** What one part of the training data has shown of the cases: a number each, not 0 where it was seen. */
export interface Seen {
  readonly frames: Uint8Array<ArrayBuffer>;
  readonly prompts: Uint8Array<ArrayBuffer>;
  readonly near: Uint8Array<ArrayBuffer>;
  readonly calls: Uint8Array<ArrayBuffer>;
}

interface Prompt {
  readonly case: number;
  readonly low: number;
  readonly high: number;
  readonly set: Uint32Array;
}

const listed = <K, V>(table: Map<K, V[]>, key: K, value: V): void => {
  const list = table.get(key);
  if (list === undefined) table.set(key, [value]);
  else list.push(value);
};

export class HeldoutWatch {
  readonly #frames = new Map<string, number[]>();
  /** By digest of the words; by digest of the shingles; by each of the first shingles. */
  readonly #byWords = new Map<number, Prompt[]>();
  readonly #bySet = new Map<number, Prompt[]>();
  readonly #byShingle = new Map<number, Prompt[]>();
  readonly #calls = new Map<string, number[]>();
  readonly #named = new Set<string>();
  readonly #empty: boolean;
  readonly seen: Seen;

  constructor(heldout: readonly EvaluationCase[]) {
    const reader = new TextReader();
    let calls = 0;
    for (const [at, c] of heldout.entries()) {
      if (c.frame !== undefined) listed(this.#frames, c.frame, at);
      reader.read(saidIn(c.messages as { role: string; content: string | null }[]));
      const prompt = { case: at, low: reader.wordsLow, high: reader.wordsHigh, set: reader.set.slice(0, reader.size) };
      listed(this.#byWords, prompt.low, prompt);
      listed(this.#bySet, reader.setLow, prompt);
      if (reader.size >= SMALLEST_KEPT) for (const shingle of prefix(prompt.set)) listed(this.#byShingle, shingle, prompt);
      for (const call of c.expect ?? []) {
        const args = Object.fromEntries(
          Object.entries(call.arguments)
            .filter(([, v]) => !v.includes(""))
            .map(([k, v]) => [k, v[0]]),
        );
        if (Object.keys(args).length > 0) {
          this.#named.add(call.name);
          listed(this.#calls, `${call.name} ${canonicalJson(args)}`, calls++);
        }
      }
    }
    this.#empty = heldout.length === 0;
    const flags = (n: number): Uint8Array<ArrayBuffer> => new Uint8Array(n);
    this.seen = { frames: flags(heldout.length), prompts: flags(heldout.length), near: flags(heldout.length), calls: flags(calls) };
  }

  /** @param reader has just read what the sample's user says */
  look(sample: Sample, reader: TextReader): void {
    if (this.#empty) return;
    const { seen } = this;
    for (const at of this.#frames.get(sample.frame) ?? []) seen.frames[at] = 1;
    for (const p of this.#byWords.get(reader.wordsLow) ?? []) if (p.high === reader.wordsHigh) seen.prompts[p.case] = 1;
    this.#lookNear(reader);
    if (this.#named.size === 0) return;
    for (const c of readCalls(sample)) {
      if (typeof c.value !== "object" || c.value === null || !this.#named.has(c.name)) continue;
      for (const at of this.#calls.get(`${c.name} ${canonicalJson(c.value)}`) ?? []) seen.calls[at] = 1;
    }
  }

  #lookNear(reader: TextReader): void {
    const { near } = this.seen;
    const set = reader.set.subarray(0, reader.size);
    const check = (p: Prompt): void => {
      if (near[p.case] === 0 && p.set.length * NEAR_DUPLICATE <= set.length + 1 && jaccard(p.set, set) >= NEAR_DUPLICATE) near[p.case] = 1;
    };
    for (const p of this.#bySet.get(reader.setLow) ?? []) check(p);
    if (set.length >= SMALLEST_KEPT && this.#byShingle.size > 0)
      for (const shingle of prefix(set)) for (const p of this.#byShingle.get(shingle) ?? []) check(p);
  }

  /** Takes in what another part of the data has shown. */
  merge(other: Seen): void {
    for (const name of ["frames", "prompts", "near", "calls"] as const) {
      const mine = this.seen[name];
      for (const [i, flag] of other[name].entries()) if (flag !== 0) mine[i] = 1;
    }
  }

  leakage(): Leakage {
    const { frames, prompts, near, calls } = this.seen;
    const sum = (flags: Uint8Array): number => flags.reduce((n, flag) => n + flag, 0);
    return {
      shared_frames: sum(frames),
      shared_prompts: sum(prompts),
      near_prompts: sum(near.map((flag, i) => (prompts[i] === 0 ? flag : 0))),
      shared_calls: sum(calls),
    };
  }
}

const prefix = (set: Uint32Array): Uint32Array => set.subarray(0, set.length - Math.ceil(NEAR_DUPLICATE * set.length) + 1);
