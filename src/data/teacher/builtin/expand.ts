/**
 * The small template notation of the builtin teacher. `(a|b|)` is one of these, an empty one among
 * them; groups nest. What is in braces stays: `{@place}` becomes the way in which the place is
 * mentioned, `{=place}` the bare blank, other names are filled by the caller.
 */
import type { Rng } from "../../../platform/rng.ts";

const GROUP = /\(([^()]*)\)/;

/** One expansion, chosen at random. */
export function expand(pattern: string, rng: Rng): string {
  let text = pattern;
  for (let i = 0; i < 64; i++) {
    const m = GROUP.exec(text);
    if (!m) break;
    text = text.slice(0, m.index) + rng.pick((m[1] as string).split("|")) + text.slice(m.index + m[0].length);
  }
  return text;
}

/** How many expansions a pattern has (an upper bound on distinct texts). */
export function expansions(pattern: string): number {
  const GROUP_OR_COUNT = /\(([^()]*)\)/;
  let text = pattern;
  for (let i = 0; i < 64; i++) {
    const m = GROUP_OR_COUNT.exec(text);
    if (!m) break;
    const sum = (m[1] as string).split("|").reduce((n, alt) => n + product(alt), 0);
    text = `${text.slice(0, m.index)}\ue000${sum}\ue001${text.slice(m.index + m[0].length)}`;
  }
  return product(text);
}

const product = (text: string): number => [...text.matchAll(/\ue000(\d+)\ue001/g)].reduce((n, m) => n * Number(m[1]), 1);
