/**
 * Augmentation: of every `factor` conversations of one kind about one tool a teacher writes the first, and the others vary it. A variation
 * has other values where the request says them word for word, other dressing (greeting, register, small talk), and slips of the hand (slips.ts); its call is executed
 * like any other, and what it gives back is told in sentences of our own. It costs nothing, and stays on its seed's side of the split: the frame is the same.
 * With `reword` the teacher (or what rewords in its place, augment-kit.ts) says each variation in words of its own, which costs a short request;
 * values that a call has have to stand in them still.
 *
 * A slot varies an earlier one of its own kind, whatever comes after it: more samples change none that were there.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import { type Rng, rngFor } from "../platform/rng.ts";
import { type Known, NOTHING_KNOWN } from "./discover.ts";
import { longer, misspelt, shorter } from "./slips.ts";
import { answerFromAll } from "./teacher/builtin/answers.ts";
import { dress, type Register } from "./teacher/builtin/dress.ts";
import { singular } from "./teacher/builtin/english.ts";
import { type Param, readToolset, type ToolModel } from "./teacher/builtin/model.ts";
import { simulateResult } from "./teacher/builtin/results.ts";
import { makeValue, type Value } from "./teacher/builtin/values/index.ts";
import { frameOf } from "./teacher/hosted/read.ts";
import { callsOf, type Draft, type DraftCall, type DraftRequest, type Exchange, type Teacher } from "./teacher/teacher.ts";
import type { Slot, Toolset } from "./types.ts";

const REGISTERS: readonly Register[] = ["plain", "polite", "casual", "terse", "chatty"];

/** Attempts at a variation about which the teacher thinks: most come to nothing before it is asked. */
const THOUGHT_ATTEMPTS = 8;

export interface AugmentOptions {
  readonly toolset: Toolset;
  readonly seed: number;
  readonly factor: number;
  /** Whether the teacher rewords what is varied. */
  readonly reword?: boolean;
  /** The training slots of the plan. */
  readonly slots: readonly Slot[];
  readonly known?: Known;
  /** The draft that a slot has, once it passed the checks; null before, and where the slot was given up. */
  readonly accepted: (id: string) => Draft | null;
}

/** A teacher whose conversations are varied. With a factor of 1 it is the teacher itself. */
export function augmented(teacher: Teacher, o: AugmentOptions): Teacher {
  if (o.factor <= 1) return teacher;
  const seedOf = seedsOf(o.slots, o.factor);
  const models = readToolset(o.toolset);
  const world = { byName: new Map(models.map((m) => [m.tool.name, m])), some: models[0], known: o.known ?? NOTHING_KNOWN };
  const reword = o.reword === true ? teacher.reword : undefined;
  /** Slots whose seed came to nothing: they are written like seeds, and cost what seeds cost. */
  const orphans = new Set<string>();
  return {
    ...teacher,
    // A variation that costs nothing is tried as often as it takes; what is thought about it costs.
    attempts: (slot) => {
      if (!seedOf.has(slot.id) || orphans.has(slot.id) || reword !== undefined) return teacher.attempts?.(slot);
      return teacher.think === undefined ? undefined : THOUGHT_ATTEMPTS;
    },
    draft: async (requests, onDraft) => {
      const pending = new Set(requests.map((r) => r.slot.id));
      const waits = ({ slot }: DraftRequest): boolean => pending.has(seedOf.get(slot.id) ?? "");
      const own = (r: DraftRequest): boolean => {
        const from = seedOf.get(r.slot.id);
        if (from === undefined || orphans.has(r.slot.id)) return true;
        if (waits(r) || o.accepted(from) !== null) return false;
        orphans.add(r.slot.id);
        return true;
      };
      const asked = requests.filter(own);
      const drafts = asked.length === 0 ? ok([]) : await teacher.draft(asked, () => onDraft?.());
      if (!drafts.ok) return drafts;
      const made = new Map(asked.map((r, i) => [r.slot.id, drafts.value[i] ?? null]));
      const varied = requests.map((r) => {
        const written = made.get(r.slot.id);
        if (written !== undefined) return written;
        const from = waits(r) ? null : o.accepted(seedOf.get(r.slot.id) ?? "");
        return from === null
          ? "later"
          : vary(from, r, world, {
              rng: rngFor(o.seed, "augment", r.slot.id, r.attempt),
              // Who says it anew makes slips of their own.
              ...(reword === undefined && { slips: rngFor(o.seed, "augment/slips", r.slot.id, r.attempt) }),
            });
      });
      return reword === undefined ? ok(varied) : inOtherWords(varied, requests, reword);
    },
  };
}

/** Has the teacher reword the variations among drafts; null where a value of a call is not in the new words. */
async function inOtherWords(
  drafts: readonly (Draft | null | "later")[],
  requests: readonly DraftRequest[],
  reword: NonNullable<Teacher["reword"]>,
): Promise<Result<(Draft | null | "later")[]>> {
  const asked = drafts.flatMap((draft, i) =>
    draft !== null && draft !== "later" && draft.augmented === true
      ? [{ i, ...(requests[i] as DraftRequest), draft, keep: draft.exchanges.map(keptWords) }]
      : [],
  );
  if (asked.length === 0) return ok([...drafts]);
  const said = await reword(asked);
  if (!said.ok) return said;
  const out = [...drafts];
  for (const [k, { i, draft, keep }] of asked.entries()) {
    const users = said.value[k] ?? null;
    const whole = users !== null && keep.every((words, x) => words.every((w) => standsIn(users[x] ?? "", w)));
    if (!whole) {
      out[i] = null;
      continue;
    }
    const exchanges = draft.exchanges.map((e, x): Exchange => ({ ...e, user: users[x] as string }));
    out[i] = { ...draft, exchanges, frame: exchanges.map((e) => frameOf(e.user, callsOf(e))).join(" / ") };
  }
  return ok(out);
}

/** The words of a request that a call's values stand in. */
const keptWords = (e: Exchange): string[] =>
  callsOf(e).flatMap((call) =>
    Object.entries(call.arguments)
      .map(([argument, value]) => call.said[argument] || asWords(value as JsonValue))
      .filter((words) => words !== "" && standsIn(e.user, words)),
  );

/** Which slot each varied one goes back to: the first of its so many, in the order of the plan. */
export function seedsOf(slots: readonly Slot[], factor: number): ReadonlyMap<string, string> {
  const counts = new Map<string, { n: number; id: string }>();
  const result = new Map<string, string>();
  for (const slot of slots) {
    const cell = `${slot.scenario}\u0000${slot.kind}\u0000${slot.tool ?? ""}`;
    const last = counts.get(cell);
    if (last === undefined || last.n % factor === 0) counts.set(cell, { n: 1, id: slot.id });
    else {
      last.n++;
      result.set(slot.id, last.id);
    }
  }
  return result;
}

interface World {
  readonly byName: ReadonlyMap<string, ToolModel>;
  /** For what is about no tool. */
  readonly some: ToolModel | undefined;
  readonly known: Known;
}

/** A value that the request says word for word, and what it becomes. */
interface Change {
  readonly argument: string;
  readonly value: JsonValue;
  /** The words that stand for it. */
  readonly before: string;
  readonly after: Value;
}

function vary(from: Draft, { slot, attempt }: DraftRequest, world: World, { rng, slips }: { readonly rng: Rng; readonly slips?: Rng }): Draft | null {
  const model = (slot.tool === null ? undefined : world.byName.get(slot.tool)) ?? world.some;
  if (model === undefined || from.exchanges.some((e) => /[{}]/.test(e.user))) return null;
  const changes = changesOf(from, (name) => world.byName.get(name) ?? model, world.known, rng);
  const register = rng.pick(REGISTERS);
  const exchanges = from.exchanges.map((e, i): Exchange => {
    const user = reworded(e.user, changes, (blanked) => (i === 0 ? typed(blanked, from, slips, (text) => dressed(text, model, rng, register)) : blanked));
    if (e.kind === "say") return { ...e, user, answer: reworded(e.answer, changes) };
    if (e.kind === "plain") return { ...e, user };
    const call = changed(e.call, changes);
    const mine = world.byName.get(call.name) ?? model;
    const more = (e.more ?? []).map((m) => {
      const other = changed(m.call, changes);
      const theirs = world.byName.get(other.name) ?? model;
      return { model: theirs, call: other, simulate: () => simulateResult(theirs, other.arguments, rng) };
    });
    const fault = e.fault === undefined ? {} : { fault: { ...e.fault, text: reworded(e.fault.text, changes) } };
    return {
      kind: "call",
      user,
      call,
      ...(more.length > 0 && { more: more.map(({ call, simulate }) => ({ call, simulate })), together: e.together === true }),
      ...fault,
      answer: (outcome, others) => answerFromAll([{ model: mine, call }, ...more], [outcome, ...others], rng),
      simulate: () => simulateResult(mine, call.arguments, rng),
    };
  });
  return { slot, attempt, frame: from.frame, exchanges, focus: from.focus, augmented: true };
}

/** A new value for every argument whose value stands in the words of the user. The same value gets the same new one in every turn. */
function changesOf(draft: Draft, modelOf: (tool: string) => ToolModel, known: Known, rng: Rng): Change[] {
  const changes: Change[] = [];
  const used = new Set<string>();
  const calls = draft.exchanges.flatMap((e) => callsOf(e).map((call) => ({ e, call })));
  for (const { e, call } of calls) {
    const model = modelOf(call.name);
    const options = {
      heldout: false,
      known,
      making: model.cls === "create" || model.cls === "write",
      topic: singular(model.objects[0] ?? ""),
      extreme: false,
      rare: false,
      wrong: false,
    };
    for (const [argument, value] of Object.entries(call.arguments)) {
      // Its words, where the teacher says which they are ("one week" for 7), else the value itself, which stands there without a unit.
      const words = call.said[argument];
      const before = words || asWords(value as JsonValue);
      const param = model.params.find((p: Param) => p.property.name === argument);
      if (before === "" || param === undefined || param.property.enum !== undefined || !standsIn(e.user, before)) continue;
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

const GREETING = /^(?:(?:hi|hello|hey|morning|good (?:morning|afternoon|evening)|right|ok|alright)(?: there)?[,!.]+\s+)+/i;

/** Dressed, and as people type: shorter or longer by what says nothing, a word misspelt. */
function typed(blanked: string, { exchanges }: Draft, rng: Rng | undefined, dress: (text: string) => string): string {
  if (rng === undefined) return dress(blanked);
  const kept = exchanges.flatMap((e) => callsOf(e).flatMap((c) => [...Object.values(c.said), JSON.stringify(c.arguments), JSON.stringify(c.accepted)]));
  return misspelt(longer(dress(shorter(blanked, rng)), rng), kept, rng);
}

/** In another register; what the request has of one already (a greeting, a "please") is not put on top. */
function dressed(blanked: string, model: ToolModel, rng: Rng, register: Register): string {
  const bare = blanked.replace(GREETING, "").replace(/[.!\s]+$/, "");
  const polite = /\b(please|thanks?|kindly|pls)\b/i.test(bare);
  return dress([bare], { ...model, domains: [] }, rng, polite && register === "polite" ? "chatty" : register);
}

/** The text with its values exchanged and, around them, dressed. In a text without capitals they have none either, where they can do without. */
function reworded(text: string, changes: readonly Change[], dress: (blanked: string) => string = (t) => t): string {
  let blanked = text;
  for (const [i, { before }] of changes.entries()) blanked = blanked.replace(wordsOf(before), () => `{v${i}}`);
  const said = dress(blanked);
  const lower = text === text.toLowerCase();
  return said.replace(/\{v(\d+)\}/g, (_, i: string) => {
    const after = changes[Number(i)]?.after;
    return after === undefined ? `{v${i}}` : lower && after.caseless ? after.said.toLowerCase() : after.said;
  });
}

function changed(call: DraftCall, changes: readonly Change[]): DraftCall {
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
const asWords = (value: JsonValue): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");
/** Whether one's words hold the other's. */
const overlap = (a: string, b: string): boolean => a !== "" && b !== "" && (standsIn(a, b) || standsIn(b, a));
const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A value as words of their own, so that 5 is not found in 15. */
const wordsOf = (value: string): RegExp => new RegExp(`(?<![\\p{L}\\p{N}])${value.replace(/[.*+?^$()|[\]\\/{}]/g, "\\$&")}(?![\\p{L}\\p{N}])`, "giu");
const standsIn = (text: string, value: string): boolean => wordsOf(value).test(text);
