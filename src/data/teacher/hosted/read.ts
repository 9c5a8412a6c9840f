/**
 * A hosted teacher's reply as a draft. The reply is a stranger's text: what does not have the form that was asked for, or does
 * not fit its slot, is no draft; whether its call is right the checks say, as of every sample.
 */
import type { JsonObject, JsonValue } from "../../../platform/json.ts";
import type { CallOutcome, Slot } from "../../types.ts";
import type { Draft, DraftCall, DraftFault, Exchange } from "../teacher.ts";

/** Characters of any text of a conversation. */
const MOST_TEXT = 8000;

interface Turn {
  readonly user: string;
  readonly call: { readonly name: string; readonly arguments: JsonObject } | null;
  readonly also: readonly { readonly argument: string; readonly value: JsonValue }[];
  readonly result: string | null;
  readonly answer: string;
}

/** The reply as a draft for its slot, or null. */
export function readConversation(text: string, slot: Slot, attempt: number): Draft | null {
  const turns = turnsOf(text);
  if (turns === null || turns.length !== (slot.kind === "follow_up" ? 2 : 1)) return null;
  const exchanges: Exchange[] = [];
  for (const turn of turns) {
    const exchange = exchangeOf(turn, slot);
    if (exchange === null) return null;
    exchanges.push(exchange);
  }
  return { slot, attempt, frame: turns.map(frameOf).join(" / "), exchanges, focus: exchanges.length - 1 };
}

/** The answer in a reply, or null. */
export function readAnswer(text: string): string | null {
  const value = parsed(text);
  const answer = isObject(value) ? value.answer : undefined;
  return isText(answer) ? answer.trim() : null;
}

/** As many messages as there are to be, none of them blank; or null. */
export function readReworded(text: string, count: number): readonly string[] | null {
  const value = parsed(text);
  const messages = isObject(value) ? value.messages : undefined;
  return Array.isArray(messages) && messages.length === count && messages.every(isText) ? messages.map((m) => m.trim()) : null;
}

function exchangeOf(turn: Turn, slot: Slot): Exchange | null {
  if (slot.scenario === "no_tool") {
    if (turn.call !== null) return null;
    return slot.kind === "general" ? { kind: "plain", user: turn.user } : { kind: "say", user: turn.user, answer: turn.answer };
  }
  if (turn.call === null || turn.call.name !== slot.tool) return null;
  const outcome = outcomeOf(turn, slot);
  if (outcome === null) return null;
  return {
    kind: "call",
    user: turn.user,
    call: callOf(turn.call, turn),
    ...(slot.scenario === "error" && { fault: { ...outcome, kind: slot.kind as DraftFault["kind"] } }),
    // The answer is to the result that the teacher thought of; of any other it has to be asked.
    answer: (real) => (real.text === outcome.text && real.isError === outcome.isError && real.timedOut === outcome.timedOut ? turn.answer : null),
    simulate: () => outcome,
  };
}

function outcomeOf(turn: Turn, slot: Slot): CallOutcome | null {
  if (turn.result === null || (turn.result.trim() === "" && slot.kind !== "empty")) return null;
  const kind = slot.scenario === "error" ? slot.kind : "";
  return { text: turn.result, isError: kind === "error", timedOut: kind === "timeout" };
}

function callOf(call: { readonly name: string; readonly arguments: JsonObject }, turn: Turn): DraftCall {
  const others = (name: string, value: JsonValue): JsonValue[] => {
    const said = turn.also.filter((a) => a.argument === name).map((a) => a.value);
    return [...new Map([value, ...said].map((v) => [JSON.stringify(v), v])).values()];
  };
  const accepted = Object.fromEntries(Object.entries(call.arguments).map(([name, value]) => [name, others(name, value)]));
  return { name: call.name, arguments: call.arguments, accepted, said: {} };
}

/** A request with its values blanked: texts and numbers of the call that stand in it word for word. */
export function frameOf({ user, call }: { readonly user: string; readonly call: { readonly arguments: JsonObject } | null }): string {
  let frame = user.toLowerCase();
  const values = Object.entries(call?.arguments ?? {}).flatMap(([name, value]) =>
    typeof value === "string" || typeof value === "number" ? [[name, String(value).toLowerCase()] as const] : [],
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
  const { call, result } = value;
  if (result !== null && (typeof result !== "string" || result.length > MOST_TEXT)) return null;
  const also = (Array.isArray(value.also_right) ? value.also_right : []).flatMap((a: unknown) => {
    const other = isObject(a) && typeof a.argument === "string" && typeof a.value === "string" ? parsed(a.value) : undefined;
    return other === undefined ? [] : [{ argument: (a as { argument: string }).argument, value: other }];
  });
  const rest = { user: value.user.trim(), result, answer: value.answer.trim(), also };
  if (call === null) return { ...rest, call: null };
  const args = isObject(call) && typeof call.arguments === "string" ? parsed(call.arguments) : undefined;
  return isObject(call) && typeof call.name === "string" && isObject(args) ? { ...rest, call: { name: call.name, arguments: args } } : null;
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
