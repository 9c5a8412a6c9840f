/**
 * What a match may cost where the engine goes back and tries again, as V8's does: an upper bound of its steps, found by counting in how many
 * ways each part of a pattern can match. It depends on the pattern and on the text's length alone, so that all machines agree.
 */
import type { PatternNode } from "./syntax.ts";

interface Cost {
  /** In how many ways the part can match at one place. */
  readonly ways: number;
  /** Steps to try all of them. */
  readonly steps: number;
}

/** Steps that looking for the pattern in a text of `length` characters takes at most; may be `Infinity`. */
export function mostSteps(tree: PatternNode, length: number): number {
  return cost(tree, length).steps * (isAnchored(tree) ? 1 : length + 1);
}

/** The longest text, up to `most`, in which looking for the pattern takes no more than `steps`; -1 where there is none. */
export function longestWithin(tree: PatternNode, steps: number, most: number): number {
  let [fits, exceeds] = [-1, most + 1];
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if (mostSteps(tree, middle) <= steps) fits = middle;
    else exceeds = middle;
  }
  return fits;
}

function cost(node: PatternNode, length: number): Cost {
  switch (node.kind) {
    case "set":
    case "edge":
      return { ways: 1, steps: 1 };
    case "back":
      return { ways: 1, steps: length + 1 };
    case "look": // Once it holds, it is not tried in another way.
      return { ways: 1, steps: cost(node.of, length).steps + 1 };
    case "choice": {
      const branches = node.branches.map((b) => cost(b, length));
      return { ways: sum(branches.map((b) => b.ways)), steps: 1 + sum(branches.map((b) => b.steps)) };
    }
    case "sequence": {
      let [ways, steps] = [1, 1];
      for (const part of node.parts) {
        const c = cost(part, length);
        steps += ways * c.steps;
        ways *= c.ways;
      }
      return { ways, steps };
    }
    case "repeat": {
      const c = cost(node.of, length);
      // Beyond what it must, a repetition of nothing is none (ECMA-262, RepeatMatcher).
      const most = Math.min(node.most, node.least + length);
      if (c.ways === 1) return { ways: most - node.least + 1, steps: 1 + (most + 1) * (c.steps + 1) };
      return { ways: geometric(c.ways, most), steps: 1 + geometric(c.ways, most) * (c.steps + 1) };
    }
  }
}

/** 1 + w + w² + … + w^n, or more. By multiplication, which all machines do alike. */
function geometric(w: number, n: number): number {
  let most = 2;
  for (let i = 0; i < n && most < Number.MAX_SAFE_INTEGER; i++) most *= w;
  return most < Number.MAX_SAFE_INTEGER ? most : Number.POSITIVE_INFINITY;
}
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Whether it can begin at the text's beginning only, which V8 sees too. */
function isAnchored(node: PatternNode): boolean {
  if (node.kind === "edge") return node.at === "start";
  if (node.kind === "choice") return node.branches.every(isAnchored);
  return node.kind === "sequence" && node.parts[0] !== undefined && isAnchored(node.parts[0]);
}
