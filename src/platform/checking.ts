/**
 * The bounds of one check of a value against a foreign schema: counted in steps of the work itself, never in time, so that all machines stop at
 * the same place, if at all. One check runs at a time and to its end: nothing in it waits.
 */

/** Steps of a backtracking engine, all patterns of one check together; about three seconds. */
const MOST_PATTERN_STEPS = 1_000_000_000;

/** Ends a check that has reached a bound; its message is a clause about what it is that has too much of what. */
export class Unbounded extends Error {}

let patternSteps = Number.POSITIVE_INFINITY;

/** Takes steps of pattern matching off what this check has left. Outside a check nothing is counted. */
export function spend(steps: number): void {
  patternSteps -= steps;
  if (patternSteps < 0) throw new Unbounded("its patterns take too many steps on these arguments");
}

/** Begins to count for one check. */
export function countPatterns(): void {
  patternSteps = MOST_PATTERN_STEPS;
}

/** Ends the counting. */
export function uncountPatterns(): void {
  patternSteps = Number.POSITIVE_INFINITY;
}
