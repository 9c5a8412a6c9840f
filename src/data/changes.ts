/** Values of a conversation that become others (augment.ts): in its requests, word for word, and in its calls. */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Rng } from "../platform/rng.ts";
import type { Known } from "./discover.ts";
import { singular } from "./teacher/builtin/english.ts";
import type { Param, ToolModel } from "./teacher/builtin/model.ts";
import { makeValue, type Value, type ValueOptions } from "./teacher/builtin/values/index.ts";
import { callsOf, type Draft, type DraftCall } from "./teacher/teacher.ts";

/** A value that a request says word for word, and what it becomes. */
export interface Change {
  readonly argument: string;
  readonly value: JsonValue;
  /** The words that stand for it. */
  readonly before: string;
  readonly after: Value;
}

/** What variation has to know of the tools. */
export interface World {
  readonly byName: ReadonlyMap<string, ToolModel>;
  /** For what is about no tool. */
  readonly some: ToolModel | undefined;
  readonly known: Known;
  readonly languages?: readonly string[];
  /** Whether the teacher answers from results that it did not think of. */
  readonly isAsked: boolean;
}

/** How values of a tool's arguments are drawn for training. */
export const valueOptions = (model: ToolModel, known: Known): ValueOptions => ({
  heldout: false,
  known,
  making: model.cls === "create" || model.cls === "write",
  topic: singular(model.objects[0] ?? ""),
  extreme: false,
  rare: false,
  wrong: false,
});

/** A new value for every argument whose value stands in the words of the user. The same value gets the same new one in every turn. @param leaves whether a parameter keeps its value */
export function changesOf(
  draft: Draft,
  modelOf: (tool: string) => ToolModel,
  known: Known,
  rng: Rng,
  leaves: (param: Param) => boolean = () => false,
): Change[] {
  const changes: Change[] = [];
  const used = new Set<string>();
  const calls = draft.exchanges.flatMap((e) => callsOf(e).map((call) => ({ e, call })));
  for (const { e, call } of calls) {
    const model = modelOf(call.name);
    const options = valueOptions(model, known);
    for (const [argument, value] of Object.entries(call.arguments)) {
      // Its words, where the teacher says which they are ("one week" for 7), else the value itself, which stands there without a unit.
      const words = call.said[argument];
      const before = words || asWords(value as JsonValue);
      const param = model.params.find((p: Param) => p.property.name === argument);
      if (before === "" || param === undefined || leaves(param) || param.property.enum !== undefined || !standsIn(e.user, before)) continue;
      if (changes.some((c) => c.argument === argument && same(c.value, value))) continue;
      const drawn = makeValue(param.property, param.role, rng, { used }, options);
      const said = drawn === null ? "" : words ? drawn.said : asWords(drawn.json);
      if (drawn !== null && said !== "" && !/[{}]/.test(said)) changes.push({ argument, value: value as JsonValue, before, after: { ...drawn, said } });
    }
  }
  // Words that two arguments share, or that stand inside another's, would be exchanged for both.
  const all = calls.flatMap(({ call }) =>
    Object.entries(call.arguments).map(([argument, value]) => ({ argument, value, words: call.said[argument] || asWords(value as JsonValue) })),
  );
  return changes.filter(
    (c) => !all.some((other) => (other.argument !== c.argument || !same(other.value as JsonValue, c.value)) && overlap(other.words, c.before)),
  );
}

/** The text with its values exchanged and, around them, dressed. In a text without capitals they have none either, where they can do without. */
export function reworded(text: string, changes: readonly Change[], dress: (blanked: string) => string = (t) => t): string {
  let blanked = text;
  for (const [i, { before }] of changes.entries()) blanked = blanked.replace(wordsOf(before), () => `{v${i}}`);
  const said = dress(blanked);
  const lower = text === text.toLowerCase();
  return said.replace(/\{v(\d+)\}/g, (_, i: string) => {
    const after = changes[Number(i)]?.after;
    return after === undefined ? `{v${i}}` : lower && after.caseless ? after.said.toLowerCase() : after.said;
  });
}

/** The call with the new values, and what else is right with them. */
export function changed(call: DraftCall, changes: readonly Change[]): DraftCall {
  const found = (argument: string, value: JsonValue | undefined) => changes.find((c) => c.argument === argument && same(c.value, value));
  const args = Object.fromEntries(Object.entries(call.arguments).map(([k, v]) => [k, found(k, v)?.after.json ?? v])) as JsonObject;
  const other = (accepted: DraftCall["accepted"]) =>
    Object.fromEntries(Object.entries(accepted).map(([k, v]) => [k, found(k, call.arguments[k])?.after.accepted ?? v]));
  // Also where the teacher did not say which words they are: they are known now, and checked against the request.
  const said = Object.fromEntries(
    Object.entries(call.arguments).flatMap(([k, v]) => {
      const words = found(k, v)?.after.said ?? call.said[k];
      return words === undefined ? [] : [[k, words]];
    }),
  );
  const alternatives = call.alternatives?.map((a) => ({ name: a.name, accepted: other(a.accepted) }));
  return { name: call.name, arguments: args, accepted: other(call.accepted), said, ...(alternatives !== undefined && { alternatives }) };
}

/** A text or a number as it stands in a request; anything else does not. */
export const asWords = (value: JsonValue): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");
/** Whether one's words hold the other's. */
export const overlap = (a: string, b: string): boolean => a !== "" && b !== "" && (standsIn(a, b) || standsIn(b, a));
export const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A value as words of their own, so that 5 is not found in 15. */
const wordsOf = (value: string): RegExp => new RegExp(`(?<![\\p{L}\\p{N}])${value.replace(/[.*+?^$()|[\]\\/{}]/g, "\\$&")}(?![\\p{L}\\p{N}])`, "giu");
export const standsIn = (text: string, value: string): boolean => wordsOf(value).test(text);

const composedOnce = new WeakMap<Draft, Draft>();

/**
 * The conversation with its accents composed (Unicode's NFC), where the values of its calls are: in one form a value is found in the words of the user, and
 * what is put round them is of the same form. The same object where there is nothing to do.
 */
export function composed(draft: Draft): Draft {
  const known = composedOnce.get(draft);
  if (known !== undefined) return known;
  const isNfc = (text: string): boolean => text === text.normalize("NFC");
  const values = draft.exchanges.flatMap((e) => callsOf(e).map((c) => JSON.stringify([c.arguments, c.said])));
  const made =
    draft.exchanges.every((e) => isNfc(e.user)) || !values.every(isNfc)
      ? draft
      : { ...draft, exchanges: draft.exchanges.map((e) => ({ ...e, user: e.user.normalize("NFC") })) };
  composedOnce.set(draft, made);
  return made;
}
