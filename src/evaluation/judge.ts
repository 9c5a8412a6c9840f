/**
 * Judges one loop by rule: was the move right (tool, arguments, or no call), did the loop end well, is
 * the answer grounded. Pure: a transcript and a case in, a judgement out. The report's figures are sums
 * over judgements.
 */
import { type AnswerSources, looksFailed, problemsOfAnswer, problemsOfErrorAnswer } from "../data/answers.ts";
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
  // A first turn that is all there is to see was cut short where no call is in it.
  const judged = completed && (results.length > 0 || (sources.results.length > 0 && !transcript.first_turn_only));
  const answerProblems = !judged
    ? []
    : errorLoop
      ? problemsAfterError(answer, transcript, sources)
      : problemsOfResultAnswer(answer, sources, results.length > 0);
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
      grounded: errorLoop || !judged ? null : answerProblems.length === 0,
      ...(match.slips.length === 0 ? {} : { slips: [...match.slips] }),
      reasons,
    },
  };
}

/** Whether a loop's first turn would be right if it were all that is seen, as a bundle's smoke tests see it. */
export function rightAtFirst(record: LoopRecord, found: EvaluationCase | undefined): boolean {
  const step = record.steps[0];
  if (step === undefined || found === undefined) return false;
  const alone = record.steps.length === 1 && step.calls.length === 0;
  return judge(
    {
      ...record,
      steps: [{ ...step, results: [] }],
      calls: step.calls,
      first_turn_only: true,
      ended: alone ? record.ended : "first_turn",
      answer: alone ? record.answer : null,
      ...(alone ? {} : { problem: undefined }),
    },
    found,
  ).ok;
}

/**
 * What is wrong with the answer of an error loop: it has to say that the call failed; or, where in the end one did not (a second try, or a
 * tool that failed by finding nothing), what came of that.
 */
function problemsAfterError(answer: string, { steps }: Transcript, sources: AnswerSources): string[] {
  const problems = problemsOfErrorAnswer(answer, sources);
  const last = steps.findLast((s) => s.results.length > 0)?.results ?? [];
  const failed = last.length === 0 || last.some((r) => r.is_error || r.timed_out);
  if (problems.length === 0 || failed) return problems;
  return problemsOfAnswer(answer, { ...sources, results: last.map((r) => r.text) }).length === 0 ? [] : problems;
}

/** What is wrong with the answer to results; where the case itself ends in them nothing says whether they are of a failure, but they may look so. */
function problemsOfResultAnswer(answer: string, sources: AnswerSources, executed: boolean): string[] {
  const problems = problemsOfAnswer(answer, sources);
  return problems.length === 0 || executed || !sources.results.some(looksFailed) ? problems : problemsOfErrorAnswer(answer, sources);
}

/** The calls up to the first that fails: what is tried after a failure is a way out of it, and no call too many. */
function untilFailure(steps: Transcript["steps"]): readonly MadeCall[] {
  const at = steps.findIndex((s) => s.results.some((r) => r.is_error || r.timed_out));
  return steps.slice(0, at < 0 ? undefined : at + 1).flatMap((s) => s.calls as readonly MadeCall[]);
}

/** The texts that an answer may draw on. */
function sourcesOf(transcript: Transcript, found: EvaluationCase): AnswerSources {
  const results = transcript.steps.flatMap((s) => s.results.map((r) => r.text));
  // A case that ends in results asks for the answer to them, unless more is called for.
  const asked = results.length > 0 ? found.messages.length : found.messages.findLastIndex((m) => m.role !== "tool") + 1;
  const text = (m: { readonly content: string | null }): string => m.content ?? "";
  return {
    results: [...results, ...found.messages.slice(asked).map(text)],
    given: [...found.messages.slice(0, asked).map(text), ...transcript.calls.map((c) => JSON.stringify(c.arguments))],
  };
}

/** Compares calls with expected ones, whatever their order: expected and made calls are put together so that most is right. */
export function matchCalls(made: readonly MadeCall[], expected: readonly ExpectedCall[], allowed?: AllowedValues): Match {
  const pairs = expected.flatMap((call, due) =>
    made.flatMap((m, i) => (m.name === call.name ? [{ due, made: i, ...compareArguments(m.arguments as JsonObject, call) }] : [])),
  );
  const chosen = new Map(assign(pairs).map((pair) => [pair.due, pair]));
  const slips: Slip[] = [];
  for (const [due, call] of expected.entries()) {
    const pair = chosen.get(due);
    if (pair !== undefined) slips.push(...slipsOf(made[pair.made]?.arguments as JsonObject, call, allowed));
  }
  return {
    toolRight: expected.some((e) => e.name === made[0]?.name),
    slotsDue: expected.reduce((n, e) => n + Object.keys(e.arguments).length, 0),
    slotsRight: [...chosen.values()].reduce((n, pair) => n + pair.right, 0),
    exact: made.length === expected.length && chosen.size === expected.length && [...chosen.values()].every((pair) => pair.exact),
    slips,
  };
}

interface Pair {
  readonly due: number;
  readonly made: number;
  readonly right: number;
  readonly exact: boolean;
}

/** Of so many calls and pairs every way is tried; more are put together the best first. */
const MOST_CALLS = 6;
const MOST_PAIRS = 24;

/** Pairs of which none shares a call with another: as many calls as can be, of these ways the one with most exact, then most right slots. */
function assign(pairs: readonly Pair[]): readonly Pair[] {
  const sorted = [...pairs].sort((a, b) => Number(b.exact) - Number(a.exact) || b.right - a.right || a.due - b.due || a.made - b.made);
  const dues = [...new Set(sorted.map((p) => p.due))];
  if (dues.length > MOST_CALLS || sorted.length > MOST_PAIRS) {
    const taken: Pair[] = [];
    for (const pair of sorted) if (taken.every((t) => apart(t, pair))) taken.push(pair);
    return taken;
  }
  const worth = (chosen: readonly Pair[]): number[] => [chosen.length, chosen.filter((p) => p.exact).length, chosen.reduce((n, p) => n + p.right, 0)];
  let best: readonly Pair[] = [];
  const tryAll = (at: number, chosen: readonly Pair[]): void => {
    if (at === dues.length) {
      const [a, b] = [worth(chosen), worth(best)];
      const differs = a.findIndex((value, i) => value !== b[i]);
      if (differs >= 0 && (a[differs] as number) > (b[differs] as number)) best = chosen;
      return;
    }
    for (const pair of sorted) if (pair.due === dues[at] && chosen.every((c) => apart(c, pair))) tryAll(at + 1, [...chosen, pair]);
    tryAll(at + 1, chosen);
  };
  tryAll(0, []);
  return best;
}

const apart = (a: Pair, b: Pair): boolean => a.due !== b.due && a.made !== b.made;

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
