/**
 * Holds a share of the training samples out of training, to measure the loss on while it goes. (The evaluation cases are another matter:
 * they measure the finished model, and training never sees them.)
 *
 * Guarantees: samples with one frame, or with nearly one wording (wording.ts), are on one side, and so is whatever a chain of them leads to;
 * of no scenario and tool more than half is held out; seed and samples alone decide, and the order that the samples come in does not.
 */
import { hash32 } from "../platform/rng.ts";
import type { Sample } from "./types.ts";
import { WordingIndex, wordingOfSample } from "./wording.ts";

export interface EvalSplit {
  readonly train: readonly Sample[];
  readonly heldOut: readonly Sample[];
  /** How many groups of samples there are that say the same. */
  readonly wordings: number;
}

/** The share that is missed at the most where groups do not come out even. */
const OVER = 1.25;

/** Both sides, each in the samples' order. `heldOut` is empty where no group is small enough. */
export function evalSplit(samples: readonly Sample[], fraction: number, seed: number): EvalSplit {
  const groups = groupsOf(samples);
  const target = Math.max(1, Math.round(fraction * samples.length));
  const kindOf = (at: number): string => `${samples[at]?.scenario}/${samples[at]?.tool_name ?? ""}`;
  const left = new Map<string, number>();
  for (const at of samples.keys()) left.set(kindOf(at), (left.get(kindOf(at)) ?? 0) + 1);
  const most = new Map([...left].map(([kind, count]) => [kind, Math.floor(count / 2)]));
  const held = new Set<number>();
  const mayGo = (group: readonly number[]): boolean => {
    const counts = new Map<string, number>();
    for (const at of group) counts.set(kindOf(at), (counts.get(kindOf(at)) ?? 0) + 1);
    return [...counts].every(([kind, count]) => count <= (most.get(kind) ?? 0));
  };
  for (const group of inTurns(groups, samples, kindOf, seed)) {
    if (held.size >= target) break;
    if (held.size + group.length > OVER * target && held.size > 0) continue;
    // One that is too large alone is taken only where nothing else is there.
    if (group.length > 2 * target || !mayGo(group)) continue;
    for (const at of group) {
      held.add(at);
      most.set(kindOf(at), (most.get(kindOf(at)) ?? 0) - 1);
    }
  }
  return { train: samples.filter((_, i) => !held.has(i)), heldOut: samples.filter((_, i) => held.has(i)), wordings: groups.length };
}

/** Groups drawn by the seed, one of each scenario and tool after the other. */
function inTurns(groups: readonly (readonly number[])[], samples: readonly Sample[], kindOf: (at: number) => string, seed: number): (readonly number[])[] {
  const draw = (group: readonly number[]): number => Math.min(...group.map((at) => hash32(`held/${seed}/${samples[at]?.id}`)));
  const byKind = new Map<string, (readonly number[])[]>();
  for (const [group] of groups.map((g) => [g, draw(g)] as const).sort((a, b) => a[1] - b[1])) {
    const kind = kindOf(group[0] as number);
    byKind.set(kind, [...(byKind.get(kind) ?? []), group]);
  }
  const lists = [...byKind].sort(([a], [b]) => hash32(`kind/${seed}/${a}`) - hash32(`kind/${seed}/${b}`)).map(([, list]) => list);
  const turns: (readonly number[])[] = [];
  for (let turn = 0; turns.length < groups.length; turn++) turns.push(...lists.flatMap((list) => list.slice(turn, turn + 1)));
  return turns;
}

/** Indices of samples that say the same, however long the chain. */
function groupsOf(samples: readonly Sample[]): number[][] {
  const parent = samples.map((_, i) => i);
  const root = (at: number): number => {
    let top = at;
    while (parent[top] !== top) top = parent[top] as number;
    for (let i = at; i !== top; ) {
      const next = parent[i] as number;
      parent[i] = top;
      i = next;
    }
    return top;
  };
  const join = (a: number, b: number): void => {
    parent[root(a)] = root(b);
  };
  const byFrame = new Map<string, number>();
  const bySaid = new Map<string, number>();
  const index = new WordingIndex<number>();
  for (const [i, sample] of samples.entries()) {
    const sameFrame = byFrame.get(sample.frame);
    if (sameFrame === undefined) byFrame.set(sample.frame, i);
    else join(i, sameFrame);
    const wording = wordingOfSample(sample);
    const said = `${wording.blanked.join(" ")}/${wording.said.join(" ")}`;
    const same = bySaid.get(said);
    if (same !== undefined) {
      join(i, same);
      continue;
    }
    bySaid.set(said, i);
    for (const near of index.near(wording)) join(i, near);
    index.add(i, wording);
  }
  const groups = new Map<number, number[]>();
  for (const i of samples.keys()) {
    const group = groups.get(root(i));
    if (group === undefined) groups.set(root(i), [i]);
    else group.push(i);
  }
  return [...groups.values()];
}
