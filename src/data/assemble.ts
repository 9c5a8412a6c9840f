/** Turns a draft and its outcomes into a sample, or into a held-out case. */
import { SYSTEM_PROMPT } from "../models/prompt.ts";
import type { JsonObject } from "../platform/json.ts";
import { callsOf, type Draft, type DraftCall, type Exchange, type Thoughts } from "./teacher/teacher.ts";
import type { CallOutcome, EvaluationCase, Message, Sample } from "./types.ts";

/** What one exchange came to. */
export interface Served {
  /** The tool's answer, for calls. */
  readonly outcome?: CallOutcome;
  /** The tools' answers to the calls beyond the first. */
  readonly more?: readonly CallOutcome[];
  readonly simulated?: boolean;
  /** The base model's answer, for plain questions. */
  readonly plain?: string;
  /** The teacher's answer from the outcome, where the draft has none; of one that thinks, what its thought led to. */
  readonly answer?: string;
  /** What the teacher thought before each message of the assistant's. */
  readonly thoughts?: Thoughts;
}

/** Arguments as JSON text: compact, keys in the order of the schema (the order they were made in). */
export const argumentsText = (args: JsonObject): string => JSON.stringify(args);

/** The conversation of a draft; outcomes that are not known yet are left blank (for the checks that need no execution). */
export function sampleOf(draft: Draft, served: readonly Served[], toolNameOf: (draft: Draft) => string | null): Sample {
  const messages: Message[] = [{ role: "system", content: SYSTEM_PROMPT }];
  for (const [i, e] of draft.exchanges.entries()) messages.push(...withThoughts(turns(e, served[i] ?? {}, i), e, served[i] ?? {}, draft.augmented === true));
  const simulated = served.some((s) => s.simulated === true);
  return {
    id: draft.slot.id,
    source: draft.augmented === true ? "augmented" : "seed",
    scenario: draft.slot.scenario,
    kind: draft.slot.kind,
    tool_name: toolNameOf(draft),
    frame: draft.frame,
    qc_passed: true,
    ...(simulated ? { simulated: true } : {}),
    messages: messages as Sample["messages"],
  };
}

/** The messages with what was thought before each; what came with an exchange that was varied since, or with another answer, is left out. */
function withThoughts(messages: Message[], e: Exchange, s: Served, varied: boolean): Message[] {
  const own = varied || e.kind === "plain" ? undefined : e.thoughts;
  if (s.thoughts === undefined && own === undefined) return messages;
  let move = 0;
  return messages.map((m, i): Message => {
    if (m.role !== "assistant") return m;
    const thought = (s.thoughts ?? own ?? [])[move++];
    const another = s.thoughts === undefined && i === messages.length - 1 && e.kind === "call" && e.told !== m.content;
    return thought === undefined || thought === "" || another ? m : { ...m, reasoning_content: thought };
  });
}

function turns(e: Exchange, s: Served, index: number): Message[] {
  const user: Message = { role: "user", content: e.user };
  if (e.kind === "say") return [user, { role: "assistant", content: s.answer ?? e.answer }];
  if (e.kind === "plain") return [user, { role: "assistant", content: s.answer ?? s.plain ?? "" }];
  const outcomes = [s.outcome, ...(s.more ?? [])];
  const calls = callsOf(e).map((call, k) => {
    const id = `call_${index + 1}${k === 0 ? "" : `_${k + 1}`}`;
    return {
      call: { id, type: "function" as const, function: { name: call.name, arguments: argumentsText(call.arguments) } },
      result: { role: "tool" as const, content: outcomes[k]?.text ?? "", tool_call_id: id, name: call.name },
    };
  });
  const made = (group: typeof calls): Message[] => [
    { role: "assistant", content: null, tool_calls: group.map((c) => c.call) as [(typeof calls)[number]["call"]] },
    ...group.map((c) => c.result),
  ];
  const content = s.outcome ? (s.answer ?? e.answer(s.outcome, s.more ?? []) ?? "") : "";
  return [user, ...(e.together === true ? made(calls) : calls.flatMap((c) => made([c]))), { role: "assistant", content }];
}

/** The held-out case of a draft: history up to the exchange in focus, and what is accepted there. */
export function caseOf(draft: Draft, served: readonly Served[], toolNameOf: (draft: Draft) => string | null, useFault: boolean): EvaluationCase {
  const focus = draft.exchanges[draft.focus] as Exchange;
  const history = draft.exchanges.slice(0, draft.focus).flatMap((e, i) => turns(e, served[i] ?? {}, i));
  const messages = [...history, { role: "user" as const, content: focus.user }] as EvaluationCase["messages"];
  const expect = focus.kind === "call" ? callsOf(focus).map(expectation) : null;
  const calls = callsOf(focus);
  // Of several calls each may be exchanged for what would do as well: every combination but the expected one itself.
  const moves = calls.reduce<ReturnType<typeof expectation>[][]>(
    (before, c) => before.flatMap((move) => ways(c).map((way) => [...move, way])).slice(0, MOST_MOVES),
    [[]],
  );
  const alternatives = moves.slice(1);
  const fault = focus.kind === "call" && useFault && focus.fault ? { kind: focus.fault.kind, text: focus.fault.text } : undefined;
  return {
    id: draft.slot.id,
    messages,
    expect: expect as EvaluationCase["expect"],
    ...(alternatives.length > 0 ? { any_of: [expect, ...alternatives] as EvaluationCase["any_of"] } : {}),
    scenario: draft.slot.scenario,
    kind: draft.slot.kind,
    tool_name: toolNameOf(draft),
    frame: draft.frame,
    ...(fault ? { fault } : {}),
  };
}

/**
 * All that a case says, as a conversation that checks can read: its messages, every call that is accepted (with all values of each argument), and what
 * its fault says. Nobody learns from it.
 */
export function readableCase(c: EvaluationCase): Sample {
  const moves = [c.expect ?? [], ...(c.any_of ?? []).map((move) => move ?? [])];
  const calls = moves.flat().map(({ name, arguments: accepted }, k) => ({
    id: `call_${k}`,
    type: "function" as const,
    function: { name, arguments: JSON.stringify(accepted) },
  }));
  return {
    id: c.id,
    source: "seed",
    scenario: (c.scenario ?? "standard") as Sample["scenario"],
    kind: c.kind ?? "plain",
    tool_name: c.tool_name ?? null,
    frame: c.frame ?? "",
    qc_passed: true,
    messages: [
      ...(c.messages as Message[]),
      { role: "assistant", content: null, ...(calls.length > 0 && { tool_calls: calls as [(typeof calls)[number]] }) },
      ...(c.fault === undefined ? [] : [{ role: "tool" as const, content: c.fault.text, tool_call_id: "call_0" }]),
    ] as Sample["messages"],
  };
}

/** Accepted moves of a case. */
const MOST_MOVES = 32;

/** A call's own expectation first, then its alternatives'. */
const ways = (call: DraftCall) => [
  expectation(call),
  ...(call.alternatives ?? []).map((a) => ({ name: a.name, arguments: Object.fromEntries(Object.entries(a.accepted).map(([k, v]) => [k, [...v]])) })),
];

const expectation = (call: DraftCall) => ({ name: call.name, arguments: Object.fromEntries(Object.entries(call.accepted).map(([k, v]) => [k, [...v]])) });

/** REFERENCE: `tool_name` is null for no_tool. */
export const toolName = (draft: Draft): string | null => (draft.slot.scenario === "no_tool" ? null : draft.slot.tool);
