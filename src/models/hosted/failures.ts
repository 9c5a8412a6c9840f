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

export const overBudget = (budget: Budget, worst: number): Failure => ({
  code: "teacher/budget",
  message: `the teacher has cost $${budget.spent.toFixed(4)}, and the next request may cost $${worst.toFixed(4)}: more than \`budget_usd\` ${budget.limit} allows`,
  hint: "raise `data.teacher.budget_usd`, or lower `data.samples`; what was paid for is kept",
  exit: EXIT.failed,
});
