/**
 * What a teacher is: given slots of the plan, it drafts conversations. Everything that follows (executing calls,
 * checks, duplicates, regeneration) is the same for all teachers. One file or folder a teacher.
 */
import type { JsonObject, JsonValue } from "../../platform/json.ts";
import type { Result } from "../../platform/result.ts";
import type { CallOutcome, Message, Slot } from "../types.ts";

/** A call that is due, and what else would be right. */
export interface DraftCall {
  readonly name: string;
  readonly arguments: JsonObject;
  /** Accepted values by argument; an empty string among them: may be left out. */
  readonly accepted: Readonly<Record<string, readonly JsonValue[]>>;
  /** Other calls that would be right too. */
  readonly alternatives?: readonly { readonly name: string; readonly accepted: Readonly<Record<string, readonly JsonValue[]>> }[];
  /** Words of the request that stand for each argument; checked against the user's text. Empty for an argument said by a phrase (booleans). */
  readonly said: Readonly<Record<string, string>>;
}

/** A fault that stands in for the tool's answer. */
export interface DraftFault extends CallOutcome {
  readonly kind: "error" | "empty" | "timeout";
}

/** Calls that one request may take: evaluation's loops end after five outputs, the answer among them. */
export const MOST_CALLS = 4;

/** A call beyond the first of an exchange. */
export interface FurtherCall {
  readonly call: DraftCall;
  readonly simulate: () => CallOutcome;
}

/** What was thought before each of an exchange's messages of the assistant, in their order; undefined where nothing was. */
export type Thoughts = readonly (string | undefined)[];

/** One request and how it is served. `thoughts` are those that came with it; a varied exchange has others (augment.ts), so they are not read there. */
export type Exchange =
  | {
      readonly kind: "call";
      readonly thoughts?: Thoughts;
      /** The answer that the last of the thoughts led to: it goes with no other. */
      readonly told?: string;
      readonly user: string;
      readonly call: DraftCall;
      /** What else the request takes (scenario chain), in order: made at once with the first, or each after the one before. */
      readonly more?: readonly FurtherCall[];
      readonly together?: boolean;
      readonly fault?: DraftFault;
      /** What the assistant says of the outcomes, the first call's and the others'; null: the teacher is asked (`Teacher.answer`) once they are known. */
      readonly answer: (outcome: CallOutcome, more: readonly CallOutcome[]) => string | null;
      readonly simulate: () => CallOutcome;
    }
  | { readonly kind: "say"; readonly user: string; readonly answer: string; readonly thoughts?: Thoughts }
  /** Answered by the untuned base model. */
  | { readonly kind: "plain"; readonly user: string };

export type CallExchange = Extract<Exchange, { kind: "call" }>;

/** All calls of an exchange, in order. */
export const callsOf = (e: Exchange): readonly DraftCall[] => (e.kind === "call" ? [e.call, ...(e.more ?? []).map((m) => m.call)] : []);

export interface Draft {
  readonly slot: Slot;
  readonly attempt: number;
  /** Wording of the request that the sample is about, values blanked. */
  readonly frame: string;
  readonly exchanges: readonly Exchange[];
  /** Index of the exchange that a held-out case asks for; those before it are its history. */
  readonly focus: number;
  /** Somebody's own conversation, by its id: a rule of thumb is no reason to drop it (checks/check.ts). */
  readonly brought?: string;
  /** Varied from another draft (augment.ts). */
  readonly augmented?: boolean;
  /** Of a varied one: the language without a pack that it is in, as messages have it; only its values were varied. */
  readonly valuesOnly?: string;
  /** ISO 639-1 code of its language, where whoever wrote it knows. */
  readonly language?: string;
}

export interface DraftRequest {
  readonly slot: Slot;
  /** 0 for the first try; each try draws anew. */
  readonly attempt: number;
  /** About how many requests more a draft will take (answers, thoughts), so that a teacher that costs something may keep that much back. */
  readonly follows?: number;
}

/** A call with its outcome, to be told to the user. */
export interface AnswerRequest {
  readonly slot: Slot;
  readonly user: string;
  readonly call: DraftCall;
  readonly outcome: CallOutcome;
  /** Of the calls beyond the first. */
  readonly more: readonly { readonly call: DraftCall; readonly outcome: CallOutcome }[];
}

/** A move of the assistant's in a conversation that is made already, for a teacher to think about in its place. */
export interface ThinkRequest extends DraftRequest {
  /** Which of the sample's moves it is, from 0. */
  readonly move: number;
  /** All that was said and done before it. */
  readonly before: readonly Message[];
  /** The calls that are due, of which the teacher is told nothing; none: an answer is. */
  readonly calls: readonly DraftCall[];
}

/** What a teacher thought in the assistant's place, and with an answer the words that it led to. */
export interface ThoughtMove {
  readonly thought: string;
  readonly answer?: string;
}

/** A draft that is to be said in other words. */
export interface RewordRequest extends DraftRequest {
  readonly draft: Draft;
  /** By exchange. */
  readonly keep: readonly (readonly string[])[];
}

/** Told that a draft is written, in whatever order they come; with its place among the requests and itself where nothing will change it. */
export type OnDraft = (place?: number, draft?: Draft | null | typeof NOT_ASKED) => void;

/** In place of what a teacher may not be asked for any more: its budget has ended. */
export const NOT_ASKED = "not asked";

export interface Teacher {
  readonly name: string;
  /** Attempts at a slot before it counts as short, where each one costs something; else there are many. */
  attempts?(slot: Slot): number | undefined;
  /**
   * Drafts, in the order of the requests; null where this attempt gave nothing usable, "later" where it waits for another of the
   * requests. Deterministic: seed, slot and attempt decide.
   */
  draft(requests: readonly DraftRequest[], onDraft?: OnDraft): Promise<Result<(Draft | null | "later" | typeof NOT_ASKED)[]>>;
  /**
   * The same conversations as other people would put them: the user's words of each exchange, or null where this attempt gave nothing usable.
   * `keep` has the words of each exchange that have to stay as they are.
   */
  reword?(requests: readonly RewordRequest[]): Promise<Result<(readonly string[] | null | typeof NOT_ASKED)[]>>;
  /** Answers from outcomes, for exchanges that leave that open; null where there is none of use, undefined where it was not asked for (`NOT_ASKED`). */
  answer?(requests: readonly AnswerRequest[]): Promise<Result<(string | null | undefined)[]>>;
  /**
   * Makes the assistant's moves itself, thinking first; null where its move is another than the one that is due, or its thought is of no use: a thought
   * is only worth learning that leads where it should. Asked for training samples of a family that thinks.
   */
  think?(requests: readonly ThinkRequest[], onThought?: () => void): Promise<Result<(ThoughtMove | null | typeof NOT_ASKED)[]>>;
  /** Told that all that it drafted so far has its answers and thoughts, or will have none: it need not keep anything back for them. */
  allServed?(): void;
  /** Replies by what they came to: `of use`, or why not. Undefined where there are none to count. */
  replies?(): Readonly<Record<string, number>>;
}

/** Whether a slot belongs to the held-out cases. */
export const isHeldout = (slot: Slot): boolean => slot.id.startsWith("eval/");
