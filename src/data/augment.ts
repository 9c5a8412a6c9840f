/**
 * Augmentation: of every `factor` conversations of one kind about one tool a teacher writes the first, and the others vary it. A variation
 * has other values where the request says them word for word, other dressing (greeting, register, small talk), and slips of the hand (slips.ts); its call is executed
 * like any other, and what it gives back is told in sentences of our own. It costs nothing, and stays on its seed's side of the split: the frame is the same.
 * With `reword` the teacher (or what rewords in its place, augment-kit.ts) says each variation in words of its own, which costs a short request;
 * values that a call has have to stand in them still.
 *
 * That is English's way, in which the builtin teacher writes; what a hosted one wrote or somebody brought in another language is varied in that (augment-language.ts).
 *
 * A slot varies an earlier one of its own kind, whatever comes after it: more samples change none that were there.
 */
import type { JsonValue } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import { type Rng, rngFor } from "../platform/rng.ts";
import { varyIn } from "./augment-language.ts";
import { asWords, changed, changesOf, composed, reworded, standsIn, type World } from "./changes.ts";
import { type Known, NOTHING_KNOWN } from "./discover.ts";
import { languageOf } from "./languages/of-draft.ts";
import { longer, misspelt, shorter } from "./slips.ts";
import { answerFromAll } from "./teacher/builtin/answers.ts";
import { dress, type Register } from "./teacher/builtin/dress.ts";
import { readToolset, type ToolModel } from "./teacher/builtin/model.ts";
import { simulateResult } from "./teacher/builtin/results.ts";
import { frameOf } from "./teacher/hosted/read.ts";
import { callsOf, type Draft, type DraftRequest, type Exchange, NOT_ASKED, type Teacher } from "./teacher/teacher.ts";
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
  /** Codes of the languages that conversations may be in; one alone is taken for granted. Left out: any, as it is recognised. */
  readonly languages?: readonly string[];
  /** The draft that a slot has, once it passed the checks; null before, and where the slot was given up. */
  readonly accepted: (id: string) => Draft | null;
}

/** A teacher whose conversations are varied. With a factor of 1 it is the teacher itself. */
export function augmented(teacher: Teacher, o: AugmentOptions): Teacher {
  if (o.factor <= 1) return teacher;
  const seedOf = seedsOf(o.slots, o.factor);
  const models = readToolset(o.toolset);
  const world = {
    byName: new Map(models.map((m) => [m.tool.name, m])),
    some: models[0],
    known: o.known ?? NOTHING_KNOWN,
    ...(o.languages !== undefined && { languages: o.languages }),
    isAsked: teacher.answer !== undefined,
  };
  const reword = o.reword === true ? teacher.reword : undefined;
  /** Slots whose seed came to nothing, or cannot be varied: they are written like seeds, and cost what seeds cost. */
  const orphans = new Set<string>();
  /** Seeds that the teacher was not asked for: what varies them is not there either, and no orphan. */
  const unasked = new Set<string>();
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
        if (waits(r) || unasked.has(from) || o.accepted(from) !== null) return false;
        orphans.add(r.slot.id);
        return true;
      };
      const asked = requests.filter(own);
      const drafts = asked.length === 0 ? ok([]) : await teacher.draft(asked, () => onDraft?.());
      if (!drafts.ok) return drafts;
      const made = new Map(asked.map((r, i) => [r.slot.id, drafts.value[i] ?? null]));
      for (const [id, draft] of made) {
        if (draft === NOT_ASKED) unasked.add(id);
        else unasked.delete(id);
      }
      const varied = requests.map((r) => {
        const written = made.get(r.slot.id);
        if (written !== undefined) return written;
        if (!waits(r) && unasked.has(seedOf.get(r.slot.id) ?? "")) return NOT_ASKED;
        const from = waits(r) ? null : o.accepted(seedOf.get(r.slot.id) ?? "");
        if (from === null) return "later";
        const draft = vary(from, r, world, {
          rng: rngFor(o.seed, "augment", r.slot.id, r.attempt),
          // Who says it anew makes slips of their own.
          ...(reword === undefined && { slips: rngFor(o.seed, "augment/slips", r.slot.id, r.attempt) }),
        });
        if (reword !== undefined || draft?.valuesOnly === undefined || draft.exchanges.some((e, i) => e.user !== from.exchanges[i]?.user)) return draft;
        // Nothing in it could change: no variation of it will ever be another.
        orphans.add(r.slot.id);
        return "later";
      });
      return reword === undefined ? ok(varied) : inOtherWords(varied, requests, reword);
    },
  };
}

/** Has the teacher reword the variations among drafts; null where a value of a call is not in the new words. */
async function inOtherWords(
  drafts: readonly (Draft | null | "later" | typeof NOT_ASKED)[],
  requests: readonly DraftRequest[],
  reword: NonNullable<Teacher["reword"]>,
): Promise<Result<(Draft | null | "later" | typeof NOT_ASKED)[]>> {
  const asked = drafts.flatMap((draft, i) =>
    draft !== null && typeof draft !== "string" && draft.augmented === true
      ? [{ i, ...(requests[i] as DraftRequest), draft, keep: draft.exchanges.map(keptWords) }]
      : [],
  );
  if (asked.length === 0) return ok([...drafts]);
  const said = await reword(asked);
  if (!said.ok) return said;
  const out = [...drafts];
  for (const [k, { i, draft, keep }] of asked.entries()) {
    const users = said.value[k] ?? null;
    if (users === NOT_ASKED) {
      out[i] = NOT_ASKED;
      continue;
    }
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

function vary(seed: Draft, { slot, attempt }: DraftRequest, world: World, { rng, slips }: { readonly rng: Rng; readonly slips?: Rng }): Draft | null {
  const model = (slot.tool === null ? undefined : world.byName.get(slot.tool)) ?? world.some;
  if (model === undefined || seed.exchanges.some((e) => /[{}]/.test(e.user))) return null;
  const from = composed(seed);
  const language = languageOf(from, world.languages);
  if (language?.code !== "en") return varyIn(from, { slot, attempt }, model, world, language, { rng, slips: slips !== undefined });
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
