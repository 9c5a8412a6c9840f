/**
 * Variations of conversations that are not in English (augment.ts). In a language with a pack (languages/) the request has other values, other words and
 * slips as the language has them, and what is answered is in it too. In any other, values alone are others: nothing is put round a sentence that nobody
 * here can read, and no value of one language goes into another.
 *
 * A result that is made up is the one that the varied conversation has, with the new values in it: so its answer fits, in the words of whoever wrote it.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Rng } from "../platform/rng.ts";
import { asWords, type Change, changed, changesOf, overlap, reworded, same, valueOptions, type World } from "./changes.ts";
import { type Address, addressOf } from "./languages/address.ts";
import { answerIn } from "./languages/answers.ts";
import { joined, varied } from "./languages/dress.ts";
import { textsIn, toldIn } from "./languages/of-draft.ts";
import { type LanguagePack, listOf, packOf } from "./languages/pack.ts";
import type { Language } from "./languages/recognise.ts";
import { anotherValue, type Spoken, spoken } from "./languages/values.ts";
import { answerFromAll } from "./teacher/builtin/answers.ts";
import type { Param, ToolModel } from "./teacher/builtin/model.ts";
import { type CallExchange, callsOf, type Draft, type DraftRequest, type Exchange } from "./teacher/teacher.ts";
import type { CallOutcome } from "./types.ts";

/** What a conversation of no language that is known is called in messages. */
export const NOT_RECOGNISED = "a language that was not recognised";

/** @param slips whether typing is varied too */
export function varyIn(
  from: Draft,
  { slot, attempt }: DraftRequest,
  model: ToolModel,
  world: World,
  language: Language | null,
  { rng, slips }: { readonly rng: Rng; readonly slips: boolean },
): Draft {
  const pack = packOf(language?.code ?? "");
  const modelOf = (name: string): ToolModel => world.byName.get(name) ?? model;
  const changes =
    pack === undefined ? changesOf(from, modelOf, world.known, rng, (param) => isOfALanguage(param, language)) : localChanges(from, modelOf, world, pack, rng);
  const address = pack === undefined ? "none" : addressIn(from, pack);
  const kept = from.exchanges.flatMap((e) => callsOf(e).flatMap((c) => [...Object.values(c.said), ...spokenIn(e, c.arguments, pack)]));
  const exchanges = from.exchanges.map((e, i): Exchange => {
    const dress = (blanked: string): string =>
      pack === undefined || i > 0 ? blanked : varied({ blanked, kept, address, alone: from.exchanges.length === 1, pack, rng, slips });
    const user = reworded(e.user, changes, dress);
    if (e.kind === "plain") return { ...e, user };
    const told = toldAgain(toldIn(e), e, changes, pack);
    // What does not depend on a result is said in its own words: with a value that cannot be exchanged in them the conversation stays as it is.
    if (e.kind === "say") return told === null ? e : { ...e, user, answer: told };
    return callAgain(e, user, changes, { modelOf, told, pack, asks: world.isAsked && language !== null, rng });
  });
  return {
    slot,
    attempt,
    frame: from.frame,
    exchanges,
    focus: from.focus,
    augmented: true,
    ...(pack === undefined && { valuesOnly: language?.name ?? NOT_RECOGNISED }),
  };
}

/** Parameters whose new values would be English words. Where the language is not known it may be English; names of towns stand in any Latin text. */
function isOfALanguage({ role }: Param, language: Language | null): boolean {
  if (language === null) return false;
  const isText = !NEUTRAL.has(role.kind);
  // Scripts are known without a code.
  return isText && (language.code === "" || role.kind !== "place");
}

const NEUTRAL = new Set(
  "email phone url path folder glob id token secret host username nickname latitude longitude symbol currency timezone count rating age money seconds number year date datetime time range".split(
    " ",
  ),
);

/** How the user speaks to the assistant; where the user's words do not show it, as the assistant does to the user. */
function addressIn(draft: Draft, pack: LanguagePack): Address {
  const users = draft.exchanges.map((e) => addressOf(e.user, pack)).reduce(joined, "none");
  return users === "none" ? draft.exchanges.map((e) => addressOf(toldIn(e) ?? "", pack)).reduce(joined, "none") : users;
}

/** The words in which the values of a call stand in a request, and the values themselves. */
function spokenIn(e: Exchange, args: JsonObject, pack: LanguagePack | undefined): string[] {
  const values = Object.values(args) as JsonValue[];
  const local = pack === undefined ? [] : values.flatMap((v) => spoken(v, e.user, pack)?.words ?? []);
  return [...local, ...values.flatMap(textsIn)];
}

/** Days by which dates move at most, and tries at a number of days that all of them can be moved by. */
const MOST_DAYS = 150;
const TRIES = 12;

/** A new value for every argument that the request says in a form in which the pack can say another. */
function localChanges(draft: Draft, modelOf: (tool: string) => ToolModel, { known }: World, pack: LanguagePack, rng: Rng): Change[] {
  const calls = draft.exchanges.flatMap((e) => callsOf(e).map((call) => ({ e, call })));
  const users = draft.exchanges.map((e) => e.user).join("\n");
  const spots = calls.flatMap(({ e, call }) => {
    const model = modelOf(call.name);
    return Object.entries(call.arguments).flatMap(([argument, value]) => {
      const at = spoken(value as JsonValue, e.user, pack);
      const param = model.params.find((p: Param) => p.property.name === argument);
      const words = call.said[argument];
      return at === null || param === undefined || (words !== undefined && words !== at.words)
        ? []
        : [{ argument, value: value as JsonValue, at, param, model }];
    });
  });
  const shift = shiftFor(spots, rng);
  const changes: Change[] = [];
  const used = new Set<string>(spots.map((s) => s.at.words));
  for (const { argument, value, at, param, model } of spots) {
    if (changes.some((c) => c.argument === argument && same(c.value, value))) continue;
    const after = anotherValue(param, value, at, users, { pack, rng, used, shift, options: valueOptions(model, known) });
    if (after !== null && !/[{}]/.test(after.said)) changes.push({ argument, value, before: at.words, after });
  }
  // Words that two arguments share, or that stand inside another's, would be exchanged for both.
  const all = calls.flatMap(({ e, call }) =>
    Object.entries(call.arguments).flatMap(([argument, value]) =>
      [spoken(value as JsonValue, e.user, pack)?.words ?? "", ...textsIn(value as JsonValue)].map((words) => ({ argument, value: value as JsonValue, words })),
    ),
  );
  const clear = changes.filter((c) => !all.some((other) => (other.argument !== c.argument || !same(other.value, c.value)) && overlap(other.words, c.before)));
  // Dates move together or not at all.
  const dates = spots.filter((s) => ISO.test(String(s.value)));
  const moved = dates.every((d) => clear.some((c) => c.argument === d.argument && same(c.value, d.value)));
  return moved ? clear : clear.filter((c) => !ISO.test(String(c.value)));
}

const ISO = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;

/** A number of days by which every date can be moved and still be said as it is. */
function shiftFor(spots: readonly { readonly value: JsonValue; readonly at: Spoken }[], rng: Rng): number {
  const dates = spots.filter((s) => typeof s.value === "string" && ISO.test(s.value));
  let shift = 0;
  for (let i = 0; i < TRIES && dates.length > 0; i++) {
    shift = rng.int(2, MOST_DAYS) * (rng.chance(0.5) ? 1 : -1);
    const at = (value: JsonValue): number => Date.parse(`${value}T00:00:00Z`) + shift * DAY_MS;
    if (dates.every((d) => !Number.isNaN(at(d.value)) && d.at.say(new Date(at(d.value)).toISOString().slice(0, 10)) !== null)) return shift;
  }
  return shift;
}

interface Again {
  readonly modelOf: (tool: string) => ToolModel;
  readonly told: string | null;
  readonly pack: LanguagePack | undefined;
  /** Whether the teacher is asked for an answer to a result that it did not think of, where nobody here has words for one. */
  readonly asks: boolean;
  readonly rng: Rng;
}

/** The call with its new values, its result with them, and what is said of it. */
function callAgain(e: CallExchange, user: string, changes: readonly Change[], { modelOf, told, pack, asks, rng }: Again): CallExchange {
  const call = changed(e.call, changes);
  const first = resultAgain(e.fault ?? e.simulate(), changes);
  const more = (e.more ?? []).map((m) => ({ call: changed(m.call, changes), outcome: resultAgain(m.simulate(), changes) }));
  const calls = [call, ...more.map((m) => m.call)].map((c) => ({ model: modelOf(c.name), call: c }));
  const expected = [first, ...more.map((m) => m.outcome)];
  return {
    kind: "call",
    user,
    call,
    ...(more.length > 0 && { more: more.map((m) => ({ call: m.call, simulate: () => m.outcome })), together: e.together === true }),
    ...(e.fault !== undefined && { fault: { ...e.fault, text: first.text } }),
    answer: (outcome, others) => {
      const outcomes = [outcome, ...others];
      if (told !== null && outcomes.every((o, i) => isSame(o, expected[i]))) return told;
      if (pack !== undefined) return answerIn(pack, calls, outcomes, rng);
      return asks ? null : answerFromAll(calls, outcomes, rng);
    },
    simulate: () => ({ text: first.text, isError: first.isError, timedOut: first.timedOut }),
  };
}

const isSame = (a: CallOutcome, b: CallOutcome | undefined): boolean => a.text === b?.text && a.isError === b.isError && a.timedOut === b.timedOut;

/** A result with the new values in the old ones' places. */
function resultAgain(outcome: CallOutcome, changes: readonly Change[]): CallOutcome {
  const texts = changes.map(
    (c): Change => ({ ...c, before: asWords(c.value) || c.before, after: { ...c.after, said: asWords(c.after.json) || c.after.said, caseless: false } }),
  );
  const inside = (value: JsonValue, name: string): JsonValue => {
    if (typeof value === "string")
      return reworded(
        value,
        texts.filter((c) => typeof c.value === "string"),
      );
    if (typeof value === "number") return changes.find((c) => c.argument === name && c.value === value)?.after.json ?? value;
    if (Array.isArray(value)) return value.map((v) => inside(v as JsonValue, name));
    if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, inside(v as JsonValue, k)]));
    return value;
  };
  const value = parsed(outcome.text);
  const text =
    value === undefined
      ? reworded(
          outcome.text,
          texts.filter((c) => typeof c.value === "string"),
        )
      : JSON.stringify(inside(value, ""));
  return { ...outcome, text: value !== undefined && text === JSON.stringify(value) ? outcome.text : text };
}

function parsed(text: string): JsonValue | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** An answer with the new values in it; null where one of the old ones cannot be exchanged in it for sure. */
function toldAgain(told: string | null, e: Exchange, changes: readonly Change[], pack: LanguagePack | undefined): string | null {
  if (told === null) return null;
  const results =
    e.kind === "call" ? [e.fault ?? e.simulate(), ...(e.more ?? []).map((m) => m.simulate())].map((o) => resultAgain(o, changes).text).join("\n") : "";
  const exchanges: Change[] = [];
  for (const c of changes) {
    const at = pack === undefined ? literally(c, told) : spoken(c.value, told, pack);
    if (at === null) continue;
    // A number may be another's: of the result (where it still stands in that), or of another argument.
    const isNumber = typeof c.value === "number";
    const elsewhere = isNumber && (numbersIn(results).includes(c.value as number) || changes.some((other) => other !== c && same(other.value, c.value)));
    const said = at.say(c.after.json);
    if (elsewhere || said === null) return null;
    exchanges.push({ ...c, before: at.words, after: { ...c.after, said, caseless: false } });
  }
  // A day of the week belongs to its date.
  const days = pack === undefined || !changes.some((c) => ISO.test(String(c.value))) ? [] : listOf(pack.dates.days);
  return days.some((d) => told.toLowerCase().includes(d.toLowerCase())) ? null : reworded(told, exchanges);
}

function literally({ value, before }: Change, told: string): Pick<Spoken, "words" | "say"> | null {
  const words = asWords(value) || before;
  return told.toLowerCase().includes(words.toLowerCase()) ? { words, say: (v) => asWords(v) || null } : null;
}

const numbersIn = (text: string): number[] => (text.match(/-?\d+(?:\.\d+)?/g) ?? []).map(Number);
