/**
 * The examples that training reads, made from the samples: conversations whole, and the assistant's moves (what it does
 * at once after a user's message) alone, as often as the family's data file says. A move is short (no result, no answer), so it
 * costs little beside the shared prefix, and it is what is hardest to learn: whether to call, what, and with which arguments.
 *
 * A family that thinks reads a turn otherwise once another follows: its thought is gone; and so may one whose template is the model's own. There each
 * message of the assistant's is an example of its own, whole and once, after what inference shows before it.
 *
 * Of several requests the last is shown after the others, of which the moves are learned too; and every second time as many
 * programs keep a chat: its words alone, without the calls and results that stood between them.
 *
 * A recipe's tools stand in one order in every prompt, so a model can learn their places by heart and never read
 * what they say. `examplesInSteps` shows them in other orders too: those of an optimiser step share one, so that
 * the prompt is still computed once a step.
 */
import { type Rng, rngFor } from "../platform/rng.ts";
import type { Family } from "../schemas/generated/family.ts";
import type { Message, Sample } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";
import type { Renderer, Segment } from "./render.ts";

export interface TrainingExample {
  /** The sample's id; with `#first`, and a number from the second on, for a move alone; with `#turn` and a number for each message of the assistant's. */
  readonly id: string;
  /** Those of one group have the prompt in common and stay together in a step (python/forge_steps/train.py). */
  readonly group?: string;
  /** The tools stand in another order than the recipe's. */
  readonly reordered?: true;
  readonly segments: readonly Segment[];
}

/** How often what is shown; see `training.examples` of schemas/family.schema.json. */
export type ExamplePlan = Required<NonNullable<Family["training"]["examples"]>>;

/** Every conversation whole, once: what a family gets that says nothing. */
export const EVERY_SAMPLE_ONCE: ExamplePlan = { whole: 1, first: 0, first_without_call: 0 };

/** Characters of an answer that are kept where only the decision not to call is to be learned: the first dozen words. */
const DECISION_CHARS = 72;

/** An example before it is written out. */
interface Draft {
  readonly id: string;
  readonly sample: Sample;
  /** `call`: up to a move that calls; `decision`: up to one that calls nothing, its answer cut short; `turn`: one message of the assistant's alone. */
  readonly part: "whole" | "call" | "decision" | "turn";
  /** Which of the assistant's moves it ends with; of a turn the message's index. */
  readonly move?: number;
  /** Of what was said before, the words alone are shown. */
  readonly inWords?: true;
}

/** The examples of a recipe's samples, in the samples' order. The same samples give the same examples. A family of which each turn is a row has no use for `plan`. */
export function trainingExamples(
  samples: readonly Sample[],
  renderer: Renderer,
  tools: readonly ToolDefinition[],
  plan: ExamplePlan = EVERY_SAMPLE_ONCE,
): TrainingExample[] {
  const write = writer(renderer, tools);
  return drafts(samples, plan, renderer).map(write);
}

/**
 * The same examples in groups of `size` or a little more, drawn by the seed; every second group has the tools in an order of
 * its own, the others in theirs. A single tool has but one order: then there are no groups.
 */
export function examplesInSteps(
  samples: readonly Sample[],
  renderer: Renderer,
  tools: readonly ToolDefinition[],
  o: { readonly plan?: ExamplePlan; readonly size: number; readonly seed: number },
): TrainingExample[] {
  if (tools.length < 2) return trainingExamples(samples, renderer, tools, o.plan);
  const all = rngFor(o.seed, "steps").shuffle(drafts(samples, o.plan ?? EVERY_SAMPLE_ONCE, renderer));
  const asGiven = writer(renderer, tools);
  const result: TrainingExample[] = [];
  // None smaller than a step, which would then take two of them.
  const groups = Math.max(1, Math.floor(all.length / o.size));
  const start = (group: number): number => Math.floor((group * all.length) / groups);
  for (let group = 0; group < groups; group++) {
    const reordered = group % 2 === 1;
    const write = reordered ? writer(renderer, otherOrder(tools, rngFor(o.seed, "order", group))) : asGiven;
    for (const draft of all.slice(start(group), start(group + 1))) result.push({ ...write(draft), group: String(group), ...(reordered ? { reordered } : {}) });
  }
  return result;
}

/** The tools in another order than they are; there are two at least. */
function otherOrder(tools: readonly ToolDefinition[], rng: Rng): ToolDefinition[] {
  const order = rng.shuffle(tools);
  return order.every((t, i) => t === tools[i]) ? [...order.slice(1), order[0] as ToolDefinition] : order;
}

function drafts(samples: readonly Sample[], plan: ExamplePlan, renderer: Renderer): Draft[] {
  if (renderer.rowPerTurn) return samples.flatMap(turnsAlone);
  const seen = new Map<string, number>();
  const result: Draft[] = [];
  for (const sample of samples) {
    const kind = `${sample.scenario}/${sample.kind}/${sample.tool_name}`;
    const index = seen.get(kind) ?? 0;
    seen.set(kind, index + 1);
    const alone = movesAlone(sample, plan);
    // What failed is told from the result, and a second call comes after one, which only a whole conversation has: of these none is left out.
    if (!sample.messages.some(isLearned)) continue;
    if (sample.scenario === "error" || sample.scenario === "chain" || alone.length === 0 || isPicked(index, plan.whole))
      result.push({ id: sample.id, sample, part: "whole" });
    result.push(...alone);
  }
  return result;
}

const turnsAlone = (sample: Sample): Draft[] =>
  sample.messages.flatMap((m, at) => (isLearned(m) ? [at] : [])).map((move, i) => ({ id: `${sample.id}#turn${i + 1}`, sample, part: "turn" as const, move }));

function movesAlone(sample: Sample, plan: ExamplePlan): Draft[] {
  const result: Draft[] = [];
  const moves = movesOf(sample.messages);
  for (const [move, { at, calls }] of moves.entries()) {
    // A call before the last move is learned with that.
    if (move < moves.length - 1 && calls) continue;
    if (!isLearned(sample.messages[at] as Message)) continue;
    const copies = calls ? plan.first : plan.first_without_call;
    const leans = moves.slice(0, move).some((m) => m.calls);
    for (let i = 0; i < (leans && copies > 0 ? Math.max(copies, 2) : copies); i++) {
      const id = `${sample.id}#first${result.length > 0 ? result.length + 1 : ""}`;
      result.push({ id, sample, part: calls ? "call" : "decision", move, ...(leans && i % 2 === 1 && { inWords: true }) });
    }
  }
  return result;
}

/** What the assistant does at once after a user's message. */
interface Move {
  /** Index of the message. */
  readonly at: number;
  readonly calls: boolean;
}

function movesOf(messages: readonly Message[]): Move[] {
  return messages.flatMap((m, at) =>
    m.role === "assistant" && messages[at - 1]?.role === "user" ? [{ at, calls: m.tool_calls !== undefined && m.tool_calls.length > 0 }] : [],
  );
}

/** Writes drafts out under one list of tools. A sample is rendered once, however many examples it gives in a row. */
function writer(renderer: Renderer, tools: readonly ToolDefinition[]): (draft: Draft) => TrainingExample {
  let last: { readonly sample: Sample; readonly segments: readonly Segment[] } | undefined;
  return ({ id, sample, part, move = 0, inWords }) => {
    if (part === "turn") return { id, segments: renderer.turn(sample.messages, move, tools) };
    if (inWords) {
      const { messages, end } = wordsBefore(sample.messages, move);
      const shown = upTo(renderer.segments(messages, tools), messages, end, () => false);
      return { id, segments: part === "call" ? shown : shortened(shown) };
    }
    if (last?.sample !== sample) last = { sample, segments: renderer.segments(sample.messages, tools) };
    const { segments } = last;
    if (part === "whole") return { id, segments: asMarked(segments, sample.messages) };
    const moves = movesOf(sample.messages).map((m) => m.at);
    const shown = upTo(segments, sample.messages, moves[move] ?? 0, (at) => moves.includes(at) && isLearned(sample.messages[at] as Message));
    return { id, segments: part === "call" ? shown : shortened(shown) };
  };
}

/** A message of the assistant's, unless it is marked as one not to learn from (`weight: 0`, as in OpenAI's fine-tuning files). */
const isLearned = (m: Message): boolean => m.role === "assistant" && m.weight !== 0;

/** The segments of a conversation, those read only that are marked so. */
function asMarked(segments: readonly Segment[], messages: readonly Message[]): readonly Segment[] {
  const turns = messages.filter((m) => m.role === "assistant");
  if (turns.every(isLearned)) return segments;
  let turn = 0;
  return segments.map((segment) => {
    const message = segment.learn ? turns[turn++] : undefined;
    return message === undefined || isLearned(message) ? segment : { ...segment, learn: false };
  });
}

/** The segments up to the assistant's message `end`; of the assistant's messages before it those are learned that `learned` names. */
function upTo(segments: readonly Segment[], messages: readonly Message[], end: number, learned: (at: number) => boolean): Segment[] {
  const turns = messages.flatMap((m, at) => (m.role === "assistant" ? [at] : []));
  const shown: Segment[] = [];
  let turn = 0;
  for (const segment of segments) {
    if (!segment.learn) shown.push(segment);
    else {
      const at = turns[turn++] ?? end;
      shown.push(at === end || learned(at) ? segment : { ...segment, learn: false });
      if (at === end) break;
    }
  }
  return shown;
}

/** The conversation without the calls and results before its last move, and where that is. */
function wordsBefore(messages: readonly Message[], move: number): { readonly messages: readonly Message[]; readonly end: number } {
  const end = movesOf(messages)[move]?.at ?? messages.length - 1;
  const before = messages.slice(0, end).filter((m) => m.role !== "tool" && !(m.role === "assistant" && m.tool_calls !== undefined));
  return { messages: [...before, ...messages.slice(end, end + 1)], end: before.length };
}

/** Spreads a share evenly over a counted group; its first member is always picked. */
const isPicked = (index: number, share: number): boolean => Math.ceil((index + 1) * share) > Math.ceil(index * share);

/** The same with a long last answer cut between two words, its end-of-turn token gone with the rest. */
function shortened(segments: readonly Segment[]): readonly Segment[] {
  const last = segments.at(-1);
  if (last === undefined || last.text.length <= DECISION_CHARS) return segments;
  const space = last.text.lastIndexOf(" ", DECISION_CHARS);
  return space <= 0 ? segments : [...segments.slice(0, -1), { ...last, text: last.text.slice(0, space) }];
}
