/** Failures that end the asking whichever way the requests go. */
import { EXIT } from "../../platform/exit.ts";
import type { Failure } from "../../platform/result.ts";
import type { Budget } from "./budget.ts";

export const INTERRUPTED: Failure = {
  code: "teacher/interrupted",
  message: "generation was interrupted",
  hint: "run the same again: what was paid for is kept",
  exit: EXIT.interrupted,
};

/** Code of the failure below. */
export const OVER_BUDGET = "teacher/budget";

export const overBudget = (budget: Budget, worst: number): Failure => ({
  code: OVER_BUDGET,
  message: `the teacher's budget has ended: ${inBooks(budget)}, and the next request may cost $${worst.toFixed(4)}, more than \`budget_usd\` ${budget.limit} allows`,
  hint: "raise `data.teacher.budget_usd`, or lower `data.samples`; what was paid for is kept",
  exit: EXIT.failed,
});

/** "$0.1460 paid, $0.3500 set aside for requests that …": what is certain, and what is not. */
export function inBooks({ spent, aside }: Pick<Budget, "spent" | "aside">): string {
  const paid = `$${Math.max(0, spent - aside).toFixed(4)} paid`;
  // Sums of doubles.
  if (aside < 1e-9) return paid;
  return `${paid}, $${aside.toFixed(4)} set aside for requests that were cut off or underway when a run was killed, or are in batches`;
}
