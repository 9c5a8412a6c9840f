/** Whether a model's own template is what a family file or a bundle says that it is; found out once in a process. */
import type { ChatFamily } from "../rendering.ts";
import { roundTrip, verdictOf } from "./round-trip.ts";

/** What was found, by the words that were asked with. */
const found = new Map<string, string | undefined>();

/** What is wrong with a family's use of the model's own template, completing "it "; undefined where nothing is, or where it uses none. */
export function provenProblem({ template, special_tokens, official }: ChatFamily): string | undefined {
  if (official === undefined) return undefined;
  const { rewrites, spacing, ...text } = official;
  const asked = JSON.stringify([template, special_tokens, official]);
  if (!found.has(asked)) {
    const tried = roundTrip(text, { template, special_tokens });
    const contradiction =
      tried.rewrites !== rewrites || tried.spacing !== spacing ? "is written otherwise than is said of it (`rewrites`, `spacing`)" : undefined;
    found.set(asked, tried.usable ? contradiction : verdictOf(tried));
  }
  return found.get(asked);
}
