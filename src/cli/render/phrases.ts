/** The words that several renderers share: reasons, verdicts, ends of stages. */
import type { RunEvent } from "../../engine/events.ts";
import type { Unfinished } from "../../stages/unfinished.ts";
import { bytes, figure, figureBeside } from "../words.ts";

type Judged = Extract<RunEvent, { type: "gate-judged" }>;

/** The first reasons, and how many more there are. Empty text for none. */
export function reasonWords(reasons: readonly string[], shown = 2): string {
  if (reasons.length === 0) return "";
  const more = reasons.length - shown;
  return `${reasons.slice(0, shown).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/** `tool_selection_accuracy 0.970 >= 0.9`, or with `<` where it falls short; of a limit (`max_…`) the other way round. */
export function verdictWords(verdict: Judged["verdicts"][number]): string {
  const note = verdict.note ? ` (${verdict.note})` : "";
  if (verdict.value === null) return `${verdict.figure} not measured, needs ${verdict.threshold}${note}`;
  const [good, bad] = verdict.figure.startsWith("max_") ? ["<=", ">"] : [">=", "<"];
  return `${verdict.figure} ${figureBeside(verdict.value, verdict.threshold)} ${verdict.passed ? good : bad} ${verdict.threshold}${note}`;
}

/** A gate in one line: what it refused, or all that it found good. */
export function gateWords(event: Pick<Judged, "passed" | "verdicts">): string {
  const told = event.passed ? event.verdicts.map((v) => `${v.figure} ${figure(v.value)}`) : event.verdicts.filter((v) => !v.passed).map(verdictWords);
  return `${event.passed ? "passed" : "refused"}${told.length > 0 ? `: ${told.join(", ")}` : ""}`;
}

/** `at step 1 of 18; the next apply goes on from there`: what is to be said of a stage that did not come to its end, beside its state. */
export function unfinishedWords({ progress, goesOn }: Unfinished): string {
  const words: string[] = [];
  if (progress !== undefined) {
    const { done, total, unit } = progress;
    words.push(unit === "bytes" ? `at ${bytes(done)} of ${bytes(total)}` : `at ${unit.replace(/s$/, "")} ${done} of ${total}`);
  }
  if (goesOn) words.push("the next apply goes on from there");
  return words.join("; ");
}
