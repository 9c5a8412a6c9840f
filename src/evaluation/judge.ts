/**
 * Judges one loop by rule: was the move right (tool, arguments, or no call), did the loop end well, is
 * the answer grounded. Pure: a transcript and a case in, a judgement out. The report's figures are sums
 * over judgements.
 */
import { type AnswerSources, problemsOfAnswer, problemsOfErrorAnswer } from "../data/answers.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { EvaluationCase, ExpectedCall } from "../schemas/generated/case.ts";
import type { Judgement, LoopRecord, MadeCall } from "../schemas/generated/loop-record.ts";
import { type AllowedValues, type Slip, slipsOf, slipWords } from "./slips.ts";
import { isAccepted, mayBeLeftOut } from "./values.ts";

/** A loop before it is judged. */
export type Transcript = Omit<LoopRecord, "ok" | "judgement">;

/** How made calls compare with expected ones. */
export interface Match {
  readonly toolRight: boolean;
  readonly slotsDue: number;
  readonly slotsRight: number;
  readonly exact: boolean;
  /** What is wrong with the arguments of the calls that name the right tool. */
  readonly slips: readonly Slip[];
}

/** The judgement of a loop, and whether the case is fine as a whole. */
export function judge(transcript: Transcript, found: EvaluationCase, allowed?: AllowedValues): { judgement: Judgement; ok: boolean } {
  const { steps } = transcript;
  const alternatives = found.any_of ?? [found.expect];
  const accepted = alternatives.filter((a) => a !== null);
  const due = accepted.length === 0 ? "none" : accepted.length === alternatives.length ? "call" : "either";
  const attempted = steps.some((s) => s.attempted);
  const made = transcript.calls as readonly MadeCall[];
  const first = steps[0]?.calls ?? [];
  const conforming = steps.reduce((n, s) => n + (s.conforming ?? 0), 0);
  // Of calls that are made in turn a first turn shows the first.
  const inTurn = transcript.first_turn_only && found.kind === "in_turn";
  const shown = (expected: readonly ExpectedCall[]) => (inTurn && first.length < expected.length ? expected.slice(0, 1) : expected);
  const match = best(accepted.map(shown).map((expected) => matchCalls(expected.length > 1 ? made : untilFailure(transcript.steps), expected, allowed)));
  const firstConforms = (steps[0]?.conforming ?? 0) === first.length;
  const exact = match.exact && firstConforms && steps[0]?.problem === undefined;

  const completed = transcript.ended === "answer";
  const results = steps.flatMap((s) => s.results);
  const failed = results.some((r) => r.is_error || r.timed_out);
  const errorLoop = !transcript.first_turn_only && due !== "none" && (found.fault !== undefined || found.scenario === "error" || failed);
  const sources = sourcesOf(transcript, found);
  const answer = completed ? (transcript.answer ?? "") : "";
  const answerProblems = !completed || results.length === 0 ? [] : errorLoop ? problemsOfErrorAnswer(answer, sources) : problemsOfAnswer(answer, sources);
  const errorHandled = errorLoop && completed && results.length > 0 && answerProblems.length === 0;

  const reasons: string[] = [];
  if (due === "none" && attempted) reasons.push("a call was made where none is due");
  if (due === "call" && !attempted) reasons.push("no call was made where one is due");
  if (transcript.problem !== undefined) reasons.push(transcript.problem);
  if (due !== "none" && made.length > 0 && !exact)
    reasons.push(...(match.slips.length > 0 ? match.slips.map(slipWords) : [match.toolRight ? "not the calls that are due" : "a wrong tool was called"]));
  if (!completed && transcript.ended !== "first_turn" && transcript.problem === undefined)
    reasons.push(`the loop ended by ${transcript.ended.replace("_", " ")}`);
  reasons.push(...answerProblems);
  return {
    ok: reasons.length === 0,
    judgement: {
      due,
      attempted,
      parsed: made.length > 0 && steps.every((s) => s.problem === undefined),
      parsed_calls: made.length,
      conforming_calls: conforming,
      tool_right: match.toolRight,
      slots_due: match.slotsDue,
      slots_right: match.slotsRight,
      exact,
      completed,
      error_loop: errorLoop,
      error_handled: errorHandled,
      grounded: errorLoop || !completed || results.length === 0 ? null : answerProblems.length === 0,
      ...(match.slips.length === 0 ? {} : { slips: [...match.slips] }),
      reasons,
    },
  };
}

/** The calls up to the first that fails: what is tried after a failure is a way out of it, and no call too many. */
function untilFailure(steps: Transcript["steps"]): readonly MadeCall[] {
  const at = steps.findIndex((s) => s.results.some((r) => r.is_error || r.timed_out));
  return steps.slice(0, at < 0 ? undefined : at + 1).flatMap((s) => s.calls as readonly MadeCall[]);
}

/** The texts that an answer may draw on. */
function sourcesOf(transcript: Transcript, found: EvaluationCase): AnswerSources {
  const earlier = found.messages.filter((m) => m.role === "tool").map((m) => m.content ?? "");
  return {
    results: transcript.steps.flatMap((s) => s.results.map((r) => r.text)),
    given: [
      ...found.messages.filter((m) => m.role !== "tool").map((m) => m.content ?? ""),
      ...earlier,
      ...transcript.calls.map((c) => JSON.stringify(c.arguments)),
    ],
  };
}

/** Compares calls with expected ones, whatever their order: each expected call takes the made call that fits it best. */
export function matchCalls(made: readonly MadeCall[], expected: readonly ExpectedCall[], allowed?: AllowedValues): Match {
  const left = [...made];
  const slips: Slip[] = [];
  let slotsDue = 0;
  let slotsRight = 0;
  let exact = made.length === expected.length;
  for (const call of expected) {
    slotsDue += Object.keys(call.arguments).length;
    const same = left.filter((m) => m.name === call.name).map((m) => ({ made: m, ...compareArguments(m.arguments as JsonObject, call) }));
    const chosen = same.sort((a, b) => Number(b.exact) - Number(a.exact) || b.right - a.right)[0];
    if (chosen === undefined) exact = false;
    else {
      left.splice(left.indexOf(chosen.made), 1);
      slotsRight += chosen.right;
      exact &&= chosen.exact;
      slips.push(...slipsOf(chosen.made.arguments as JsonObject, call, allowed));
    }
  }
  return { toolRight: expected.some((e) => e.name === made[0]?.name), slotsDue, slotsRight, exact, slips };
}

/** Slots of one call: those that the expected call names; an argument beyond them makes the call inexact. */
function compareArguments(given: JsonObject, expected: ExpectedCall): { right: number; exact: boolean } {
  let right = 0;
  const slots = Object.entries(expected.arguments);
  for (const [name, accepted] of slots) {
    const value = Object.hasOwn(given, name) ? (given[name] as JsonValue) : undefined;
    if (value === undefined ? mayBeLeftOut(accepted) : isAccepted(value, accepted)) right += 1;
  }
  const extra = Object.keys(given).some((k) => !Object.hasOwn(expected.arguments, k));
  return { right, exact: right === slots.length && !extra };
}

const NO_MATCH: Match = { toolRight: false, slotsDue: 0, slotsRight: 0, exact: false, slips: [] };

/** Of several accepted moves, the one that the model came closest to. */
function best(matches: readonly Match[]): Match {
  const rank = (m: Match): number => Number(m.exact) * 4 + Number(m.toolRight) * 2 + (m.slotsDue === 0 ? 0 : m.slotsRight / m.slotsDue);
  return matches.reduce((a, b) => (rank(b) > rank(a) ? b : a), matches[0] ?? NO_MATCH);
}
