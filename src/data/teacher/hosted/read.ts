/**
 * A hosted teacher's reply as a draft. The reply is a stranger's text: what does not have the form that was asked for, or does
 * not fit its slot, is no draft; whether its call is right the checks say, as of every sample.
 */

import { MOST_THOUGHT_CHARS } from "../../../models/thinking.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "../../../platform/json.ts";
import type { CallOutcome, Slot } from "../../types.ts";
import { type Draft, type DraftCall, type DraftFault, type Exchange, MOST_CALLS, type ThoughtMove } from "../teacher.ts";

/** Characters of any text of a conversation. */
const MOST_TEXT = 8000;

interface Turn {
  readonly user: string;
  /** Empty where nothing is called. */
  readonly calls: readonly MadeCall[];
  readonly answer: string;
}

interface MadeCall {
  readonly name: string;
  readonly arguments: JsonObject;
  readonly also: readonly { readonly argument: string; readonly value: JsonValue }[];
  readonly result: string | null;
}

/** The reply as a draft for its slot, or null. */
export function readConversation(text: string, slot: Slot, attempt: number): Draft | null {
  const turns = turnsOf(text);
  const inTwo = slot.kind === "follow_up" || slot.kind === "after_call";
  if (turns === null || turns.length !== (inTwo ? 2 : 1)) return null;
  const exchanges: Exchange[] = [];
  for (const [i, turn] of turns.entries()) {
    // What is leaned on is a request like any other, served by any tool.
    const before = inTwo && i === 0;
    const exchange = exchangeOf(turn, before ? { ...slot, scenario: "standard", kind: "plain", tool: turn.calls[0]?.name ?? null } : slot);
    if (exchange === null) return null;
    exchanges.push(exchange);
  }
  return { slot, attempt, frame: turns.map((t) => frameOf(t.user, t.calls)).join(" / "), exchanges, focus: exchanges.length - 1 };
}

/** The answer in a reply, or null. */
export function readAnswer(text: string): string | null {
  const value = parsed(text);
  const answer = isObject(value) ? value.answer : undefined;
  return isText(answer) ? answer.trim() : null;
}

/**
 * A move that the teacher made itself, or null: another one than is due, or with a thought that is too long to be learned. Its calls are the due ones to
 * the letter, as the thought names their values; calls that are made at once stand in any order.
 */
export function readMove(text: string, thought: string | undefined, calls: readonly DraftCall[]): ThoughtMove | null {
  const value = parsed(text);
  if (!isObject(value) || !Array.isArray(value.calls) || (thought ?? "").length > MOST_THOUGHT_CHARS) return null;
  const made = value.calls.map((c) => {
    const args = isObject(c) && typeof c.arguments === "string" ? parsed(c.arguments) : undefined;
    return isObject(c) && typeof c.name === "string" && isObject(args) ? sameCall(c.name, args) : null;
  });
  const due = calls.map((c) => sameCall(c.name, c.arguments));
  if (made.length !== due.length || [...made].sort().join("\n") !== due.sort().join("\n")) return null;
  if (calls.length > 0) return { thought: thought ?? "" };
  return isText(value.answer) ? { thought: thought ?? "", answer: value.answer.trim() } : null;
}

const sameCall = (name: string, args: JsonObject): string => `${name} ${canonicalJson(args)}`;

/** As many messages as there are to be, none of them blank; or null. */
export function readReworded(text: string, count: number): readonly string[] | null {
  const value = parsed(text);
  const messages = isObject(value) ? value.messages : undefined;
  return Array.isArray(messages) && messages.length === count && messages.every(isText) ? messages.map((m) => m.trim()) : null;
}

function exchangeOf(turn: Turn, slot: Slot): Exchange | null {
  if (slot.scenario === "no_tool") {
    if (turn.calls.length > 0) return null;
    return slot.kind === "general" ? { kind: "plain", user: turn.user } : { kind: "say", user: turn.user, answer: turn.answer };
  }
  const [first, ...others] = turn.calls;
  if (first === undefined || first.name !== slot.tool || (slot.scenario === "chain") !== others.length > 0 || turn.calls.length > MOST_CALLS) return null;
  // The same call twice is no chain, and a model that makes it once is right.
  if (new Set(turn.calls.map((c) => `${c.name} ${canonicalJson(c.arguments)}`)).size < turn.calls.length) return null;
  const outcome = outcomeOf(first, slot);
  const more = others.map((call) => ({ call: callOf(call), outcome: outcomeOf(call, slot) }));
  if (outcome === null || !more.every((m) => m.outcome !== null)) return null;
  const same = (real: CallOutcome, thought: CallOutcome | null): boolean =>
    real.text === thought?.text && real.isError === thought.isError && real.timedOut === thought.timedOut;
  return {
    kind: "call",
    user: turn.user,
    call: callOf(first),
    ...(more.length > 0 && { more: more.map((m) => ({ call: m.call, simulate: () => m.outcome as CallOutcome })), together: slot.kind === "parallel" }),
    ...(slot.scenario === "error" && { fault: { ...outcome, kind: slot.kind as DraftFault["kind"] } }),
    // The answer is to the results that the teacher thought of; of any other it has to be asked.
    answer: (real, rest) => (same(real, outcome) && more.every((m, i) => same(rest[i] as CallOutcome, m.outcome)) ? turn.answer : null),
    simulate: () => outcome,
  };
}

function outcomeOf({ result }: MadeCall, slot: Slot): CallOutcome | null {
  if (result === null || (result.trim() === "" && slot.kind !== "empty")) return null;
  const kind = slot.scenario === "error" ? slot.kind : "";
  return { text: result, isError: kind === "error", timedOut: kind === "timeout" };
}

function callOf(call: MadeCall): DraftCall {
  const others = (name: string, value: JsonValue): JsonValue[] => {
    const said = call.also.filter((a) => a.argument === name).map((a) => a.value);
    return [...new Map([value, ...said].map((v) => [JSON.stringify(v), v])).values()];
  };
  const accepted = Object.fromEntries(Object.entries(call.arguments).map(([name, value]) => [name, others(name, value)]));
  return { name: call.name, arguments: call.arguments, accepted, said: {} };
}

/** A request with its values blanked: texts and numbers of its calls that stand in it word for word. */
export function frameOf(user: string, calls: readonly { readonly arguments: JsonObject }[]): string {
  let frame = user.normalize("NFC").toLowerCase();
  const values = calls
    .flatMap((call) => Object.entries(call.arguments))
    .flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" ? [[name, String(value).normalize("NFC").toLowerCase()] as const] : [],
    );
  for (const [name, value] of values.sort((a, b) => b[1].length - a[1].length)) if (value.length > 1) frame = frame.replaceAll(value, () => `{${name}}`);
  return frame;
}

function turnsOf(text: string): Turn[] | null {
  const value = parsed(text);
  const turns = isObject(value) ? value.turns : undefined;
  if (!Array.isArray(turns)) return null;
  const read = turns.map(turnOf);
  return read.every((t) => t !== null) ? read : null;
}

function turnOf(value: unknown): Turn | null {
  if (!isObject(value) || !isText(value.user) || !isText(value.answer)) return null;
  const rest = { user: value.user.trim(), answer: value.answer.trim() };
  if (value.call === null) return { ...rest, calls: [] };
  // One call stands in the turn itself, several in a list of their own.
  const calls = (Array.isArray(value.calls) ? value.calls : [value]).map(callIn);
  return calls.every((c) => c !== null) ? { ...rest, calls } : null;
}

function callIn(value: unknown): MadeCall | null {
  if (!isObject(value)) return null;
  const { call, result } = value;
  if (result !== null && (typeof result !== "string" || result.length > MOST_TEXT)) return null;
  const also = (Array.isArray(value.also_right) ? value.also_right : []).flatMap((a: unknown) => {
    const other = isObject(a) && typeof a.argument === "string" && typeof a.value === "string" ? parsed(a.value) : undefined;
    return other === undefined ? [] : [{ argument: (a as { argument: string }).argument, value: other }];
  });
  const args = isObject(call) && typeof call.arguments === "string" ? parsed(call.arguments) : undefined;
  return isObject(call) && typeof call.name === "string" && isObject(args) ? { name: call.name, arguments: args, also, result } : null;
}

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "" && value.length <= MOST_TEXT;
const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
