/** How varied the user's words are: distinct-n, similarity of neighbours, frames by tool. */
import { userWords } from "./checks/set-checks.ts";
import { jaccard, shingles } from "./similarity.ts";
import type { Sample } from "./types.ts";

export interface Diversity {
  readonly distinct_1: number;
  readonly distinct_2: number;
  readonly distinct_3: number;
  readonly self_similarity: number;
  readonly frames_by_tool: Record<string, number>;
}

/** distinct-n: different word n-grams over all word n-grams (Li et al. 2016, arXiv:1510.03055). It falls with the size of a set: compare equal sizes only. */
export function diversityOf(samples: readonly Sample[]): Diversity {
  const words = samples.map((s) => userWords(s.messages).split(/[\s/]+/));
  const distinct = (n: number): number => {
    const seen = new Set<string>();
    let total = 0;
    for (const w of words) {
      for (let i = 0; i + n <= w.length; i++) {
        seen.add(w.slice(i, i + n).join(" "));
        total++;
      }
    }
    return total === 0 ? 0 : round(seen.size / total);
  };
  // A tool may be called `constructor`.
  const frames = new Map<string, Set<string>>();
  for (const s of samples) {
    if (s.tool_name === null) continue;
    const known = frames.get(s.tool_name);
    if (known === undefined) frames.set(s.tool_name, new Set([s.frame]));
    else known.add(s.frame);
  }
  return {
    distinct_1: distinct(1),
    distinct_2: distinct(2),
    distinct_3: distinct(3),
    self_similarity: selfSimilarity(samples),
    frames_by_tool: Object.fromEntries([...frames].map(([k, v]) => [k, v.size])),
  };
}

/** Mean similarity of neighbouring samples about the same tool; a sample of pairs that costs linear time. */
function selfSimilarity(samples: readonly Sample[]): number {
  const last = new Map<string, Uint32Array>();
  let sum = 0;
  let n = 0;
  for (const s of samples) {
    const key = s.tool_name ?? "";
    const set = shingles(userWords(s.messages));
    const before = last.get(key);
    if (before) {
      sum += jaccard(before, set);
      n++;
    }
    last.set(key, set);
  }
  return n === 0 ? 0 : round(sum / n);
}

const round = (x: number): number => Math.round(x * 10_000) / 10_000;
