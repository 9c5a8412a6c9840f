/** The words that several renderers share: reasons, verdicts, ends of stages. */
import type { RunEvent } from "../../engine/events.ts";
import { figure } from "../words.ts";

type Judged = Extract<RunEvent, { type: "gate-judged" }>;

/** The first reasons, and how many more there are. Empty text for none. */
export function reasonWords(reasons: readonly string[], shown = 2): string {
  if (reasons.length === 0) return "";
  const more = reasons.length - shown;
  return `${reasons.slice(0, shown).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/** `tool_selection_accuracy 0.970 >= 0.9`, or with `<` where it falls short. */
export function verdictWords(verdict: Judged["verdicts"][number]): string {
  const note = verdict.note ? ` (${verdict.note})` : "";
  if (verdict.value === null) return `${verdict.figure} not measured, needs ${verdict.threshold}${note}`;
  return `${verdict.figure} ${figure(verdict.value)} ${verdict.passed ? ">=" : "<"} ${verdict.threshold}${note}`;
}

/** A gate in one line: what it refused, or all that it found good. */
export function gateWords(event: Pick<Judged, "passed" | "verdicts">): string {
  const told = event.passed ? event.verdicts.map((v) => `${v.figure} ${figure(v.value)}`) : event.verdicts.filter((v) => !v.passed).map(verdictWords);
  return `${event.passed ? "passed" : "refused"}${told.length > 0 ? `: ${told.join(", ")}` : ""}`;
}
