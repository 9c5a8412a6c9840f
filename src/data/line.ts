/**
 * The line between training and evaluation as generation keeps it, draft by draft. `FrameLine`: by frame, where the teacher makes frames of this
 * project's own (split.ts puts each on its side; here only what slips through is caught). `WordingLine`: by near-duplicates of the
 * wording, where a model or a person wrote and nobody knows the frame.
 *
 * What a line decides of a slot depends on the slots that rank before it alone, so that more samples change nothing that is there.
 */
import { caseOf, type Served, sampleOf, toolName } from "./assemble.ts";
import { FreeText, type FreeValue, HeldValues } from "./free-text.ts";
import { callsOf, type Draft, isHeldout, type Teacher } from "./teacher/teacher.ts";
import type { Sample, Toolset } from "./types.ts";
import { type Wording, WordingIndex, wordingOfCase, wordingOfSample } from "./wording.ts";

/** How a teacher's conversations are kept apart where their frames are not the project's own. */
export interface ForeignFrames {
  /** Conversations that training has whatever is planned: held-out cases keep away from them. */
  readonly training?: readonly Sample[];
  /** Whether a draft's frame is the project's own all the same. */
  knows?(draft: Draft): boolean;
}

/** A teacher that says so; one that says nothing has frames of the project's own. */
export type SplitTeacher = Teacher & { readonly foreign?: ForeignFrames };

/** A draft on the way to its place. */
export interface Candidate {
  readonly place: number;
  readonly draft: Draft;
  /** Stands for what the calls will give: no wording depends on it. */
  readonly served: readonly Served[];
  /** What soft demands may cost: whether half of the slot's attempts are used up. */
  readonly late: boolean;
}

export interface Line {
  /** Whether held-out slots rank before training slots, so that a draft of training gives way. */
  readonly heldoutFirst: boolean;
  /** Why a draft that has no place yet may lose the one that it got, in the words of `dropped`. */
  readonly givesWay: string;
  /** What to do about slots that stay empty, by the reason of their last refusal. */
  readonly remedies: Readonly<Record<string, string>>;
  /** Why this draft may not have its place; null when it may. */
  refuses(c: Candidate): string | null;
  /** Takes a draft in; gives the places of those that have to give way to it, in order. */
  takes(c: Candidate): number[];
  /** Forgets the draft of a place. */
  releases(place: number): void;
}

export const lineFor = (foreign: ForeignFrames | undefined, toolset: Toolset): Line =>
  foreign === undefined ? new FrameLine() : new WordingLine(foreign, toolset);

const inOrder = (places: Iterable<number>): number[] => [...places].sort((a, b) => a - b);

/** A frame of a training draft is training's, for good; held-out cases that have it are drafted again. */
class FrameLine implements Line {
  readonly heldoutFirst = false;
  readonly givesWay = "frame_in_training";
  readonly remedies = {};
  private readonly training = new Set<string>();
  private readonly heldout = new Map<number, string>();

  refuses({ draft }: Candidate): string | null {
    return isHeldout(draft.slot) && this.training.has(draft.frame) ? this.givesWay : null;
  }

  takes({ place, draft }: Candidate): number[] {
    if (isHeldout(draft.slot)) {
      this.heldout.set(place, draft.frame);
      return [];
    }
    if (this.training.has(draft.frame)) return [];
    this.training.add(draft.frame);
    return inOrder([...this.heldout].flatMap(([at, frame]) => (frame === draft.frame ? [at] : [])));
  }

  releases(place: number): void {
    this.heldout.delete(place);
  }
}

/**
 * No training wording is near a held-out one. Held-out cases rank first: they are drawn as if there were no training, so they are the teacher's
 * ordinary ones and not what is left over, and they stay the same however many samples are asked for. Values that the schema leaves free
 * are kept apart as far as half of a slot's attempts take it.
 */
class WordingLine implements Line {
  readonly heldoutFirst = true;
  readonly givesWay = "near_heldout";
  readonly remedies = {
    near_heldout: "all that the teacher wrote for them is nearly what a held-out case says: raise `data.teacher.temperature`, or lower `evaluation.samples`",
    near_training: "all that was written for these held-out cases is nearly what a conversation of `data.teacher.path` says: lower `evaluation.samples`",
  };
  private readonly reserved = new WordingIndex<number>();
  private readonly reservedValues = new HeldValues();
  private readonly heldout = new WordingIndex<number>();
  private readonly training = new WordingIndex<number>();
  private readonly values = new HeldValues();
  private readonly valuesOf = new Map<number, readonly FreeValue[]>();
  private readonly freeText: FreeText;

  constructor(
    private readonly foreign: ForeignFrames,
    toolset: Toolset,
  ) {
    this.freeText = new FreeText(toolset);
    for (const [i, sample] of (foreign.training ?? []).entries()) {
      this.reserved.add(i, wordingOfSample(sample));
      this.reservedValues.add(valuesOfSample(sample, this.freeText));
    }
  }

  refuses({ draft, served, late }: Candidate): string | null {
    if (isHeldout(draft.slot)) {
      if (this.reserved.has(wordingOf(draft, served))) return "near_training";
      return !late && this.valuesIn(draft).some((v) => this.reservedValues.has(v.value)) ? "training_value" : null;
    }
    if (this.isOwn(draft)) return null;
    if (this.heldout.has(wordingOf(draft, served))) return this.givesWay;
    return !late && draft.brought === undefined && this.valuesIn(draft).some((v) => this.values.has(v.value)) ? "heldout_value" : null;
  }

  takes({ place, draft, served }: Candidate): number[] {
    const wording = wordingOf(draft, served);
    if (!isHeldout(draft.slot)) {
      if (!this.isOwn(draft)) this.training.add(place, wording);
      return [];
    }
    this.heldout.add(place, wording);
    const values = this.valuesIn(draft);
    this.valuesOf.set(place, values);
    this.values.add(values);
    return inOrder(this.training.near(wording));
  }

  releases(place: number): void {
    this.heldout.remove(place);
    this.training.remove(place);
    this.values.remove(this.valuesOf.get(place) ?? []);
    this.valuesOf.delete(place);
  }

  private isOwn(draft: Draft): boolean {
    return this.foreign.knows?.(draft) === true;
  }

  private valuesIn(draft: Draft): FreeValue[] {
    return draft.exchanges.flatMap((e) => callsOf(e).flatMap((c) => this.freeText.of(c.name, c.arguments)));
  }
}

/** A draft is looked at more than once. */
const wordings = new WeakMap<Draft, Wording>();

function wordingOf(draft: Draft, served: readonly Served[]): Wording {
  const known = wordings.get(draft);
  if (known !== undefined) return known;
  const made = isHeldout(draft.slot) ? wordingOfCase(caseOf(draft, served, toolName, true)) : wordingOfSample(sampleOf(draft, served, toolName));
  wordings.set(draft, made);
  return made;
}

function valuesOfSample(sample: Sample, freeText: FreeText): FreeValue[] {
  return sample.messages.flatMap((m) =>
    m.role !== "assistant" || m.tool_calls === undefined
      ? []
      : m.tool_calls.flatMap((c) => {
          try {
            return freeText.of(c.function.name, JSON.parse(c.function.arguments));
          } catch {
            return [];
          }
        }),
  );
}
