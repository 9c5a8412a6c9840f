/**
 * The rows that training reads: each conversation whole, and once more up to the assistant's first move. The second is short
 * (no result, no answer), so it costs little beside the shared prefix, and shows twice as often what is hardest to learn:
 * whether to call, what, and with which arguments.
 */
import type { Sample } from "../schemas/generated/sample.ts";
import type { ToolDefinition } from "../schemas/generated/toolset.ts";
import type { Renderer } from "./render.ts";

export interface TrainingRow {
  readonly id: string;
  readonly segments: readonly { readonly text: string; readonly learn: boolean }[];
}

/** Two rows a sample: `ID` whole and `ID#first` up to the end of its first learned turn. */
export function trainingRows(samples: readonly Sample[], renderer: Renderer, tools: readonly ToolDefinition[]): TrainingRow[] {
  return samples.flatMap((sample) => {
    const segments = renderer.segments(sample.messages, tools);
    const first = segments.findIndex((s) => s.learn);
    return [
      { id: sample.id, segments },
      { id: `${sample.id}#first`, segments: segments.slice(0, first + 1) },
    ];
  });
}
