/**
 * The examples that training reads, made from the samples: conversations whole, and the assistant's first moves
 * alone, as often as the family's data file says. A first move is short (no result, no answer), so it costs little
 * beside the shared prefix, and it is what is hardest to learn: whether to call, what, and with which arguments.
 */
import type { Family } from "../schemas/generated/family.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";
import type { Renderer, Segment } from "./render.ts";

export interface TrainingExample {
  /** The sample's id; with `#first`, and a number from the second on, for a first move alone. */
  readonly id: string;
  readonly segments: readonly { readonly text: string; readonly learn: boolean }[];
}

/** How often what is shown; see `training.examples` of schemas/family.schema.json. */
export type ExamplePlan = Required<NonNullable<Family["training"]["examples"]>>;

/** Every conversation whole, once: what a family gets that says nothing. */
export const EVERY_SAMPLE_ONCE: ExamplePlan = { whole: 1, first: 0, first_without_call: 0 };

/** Characters of an answer that are kept where only the decision not to call is to be learned: the first dozen words. */
const DECISION_CHARS = 72;

/** The examples of a recipe's samples, in the samples' order. The same samples give the same examples. */
export function trainingExamples(
  samples: readonly Sample[],
  renderer: Renderer,
  tools: readonly ToolDefinition[],
  plan: ExamplePlan = EVERY_SAMPLE_ONCE,
): TrainingExample[] {
  const seen = new Map<string, number>();
  const result: TrainingExample[] = [];
  for (const sample of samples) {
    const group = `${sample.scenario}/${sample.kind}/${sample.tool_name}`;
    const index = seen.get(group) ?? 0;
    seen.set(group, index + 1);
    const segments = renderer.segments(sample.messages, tools);
    const end = segments.findIndex((s) => s.learn) + 1;
    const calls = sample.messages.find((m) => m.role === "assistant")?.tool_calls !== undefined;
    const times = calls ? plan.first : plan.first_without_call;
    // What failed is told from the result, and a second call comes after one, which only a whole conversation has: of these none is left out.
    if (sample.scenario === "error" || sample.scenario === "chain" || times === 0 || isPicked(index, plan.whole)) result.push({ id: sample.id, segments });
    const first = segments.slice(0, end);
    for (let i = 1; i <= times; i++) result.push({ id: `${sample.id}#first${i > 1 ? i : ""}`, segments: calls ? first : shortened(first) });
  }
  return result;
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
