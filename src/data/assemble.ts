/** Turns a draft and its outcomes into a sample, or into a held-out case. */
import { SYSTEM_PROMPT } from "../models/prompt.ts";
import type { JsonObject } from "../platform/json.ts";
import type { Draft, DraftCall, Exchange } from "./teacher/teacher.ts";
import type { CallOutcome, EvaluationCase, Message, Sample } from "./types.ts";

/** What one exchange came to. */
export interface Served {
  /** The tool's answer, for calls. */
  readonly outcome?: CallOutcome;
  readonly simulated?: boolean;
  /** The base model's answer, for plain questions. */
  readonly plain?: string;
  /** The teacher's answer from the outcome, where the draft has none. */
  readonly answer?: string;
}

/** Arguments as JSON text: compact, keys in the order of the schema (the order they were made in). */
export const argumentsText = (args: JsonObject): string => JSON.stringify(args);

/** The conversation of a draft; outcomes that are not known yet are left blank (for the checks that need no execution). */
export function sampleOf(draft: Draft, served: readonly Served[], toolNameOf: (draft: Draft) => string | null): Sample {
  const messages: Message[] = [{ role: "system", content: SYSTEM_PROMPT }];
  for (const [i, e] of draft.exchanges.entries()) messages.push(...turns(e, served[i] ?? {}, i));
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

function turns(e: Exchange, s: Served, index: number): Message[] {
  const user: Message = { role: "user", content: e.user };
  if (e.kind === "say") return [user, { role: "assistant", content: e.answer }];
  if (e.kind === "plain") return [user, { role: "assistant", content: s.plain ?? "" }];
  const id = `call_${index + 1}`;
  const call: Message = {
    role: "assistant",
    content: null,
    tool_calls: [{ id, type: "function", function: { name: e.call.name, arguments: argumentsText(e.call.arguments) } }],
  };
  const outcome = s.outcome ?? { text: "", isError: false, timedOut: false };
  return [
    user,
    call,
    { role: "tool", content: outcome.text, tool_call_id: id, name: e.call.name },
    { role: "assistant", content: s.outcome ? (s.answer ?? e.answer(outcome) ?? "") : "" },
  ];
}

/** The held-out case of a draft: history up to the exchange in focus, and what is accepted there. */
export function caseOf(draft: Draft, served: readonly Served[], toolNameOf: (draft: Draft) => string | null, useFault: boolean): EvaluationCase {
  const focus = draft.exchanges[draft.focus] as Exchange;
  const history = draft.exchanges.slice(0, draft.focus).flatMap((e, i) => turns(e, served[i] ?? {}, i));
  const messages = [...history, { role: "user" as const, content: focus.user }] as EvaluationCase["messages"];
  const expect = focus.kind === "call" ? [expectation(focus.call)] : null;
  const alternatives = focus.kind === "call" ? (focus.call.alternatives ?? []) : [];
  const fault = focus.kind === "call" && useFault && focus.fault ? { kind: focus.fault.kind, text: focus.fault.text } : undefined;
  return {
    id: draft.slot.id,
    messages,
    expect: expect as EvaluationCase["expect"],
    ...(alternatives.length > 0 ? { any_of: [expect, ...alternatives.map((a) => [{ name: a.name, arguments: a.accepted }])] as EvaluationCase["any_of"] } : {}),
    scenario: draft.slot.scenario,
    kind: draft.slot.kind,
    tool_name: toolNameOf(draft),
    frame: draft.frame,
    ...(fault ? { fault } : {}),
  };
}

const expectation = (call: DraftCall) => ({ name: call.name, arguments: Object.fromEntries(Object.entries(call.accepted).map(([k, v]) => [k, [...v]])) });

/** REFERENCE: `tool_name` is null for no_tool. */
export const toolName = (draft: Draft): string | null => (draft.slot.scenario === "no_tool" ? null : draft.slot.tool);
