/** What baseline, validate and benchmark share: the cases they judge on, and how a loop is bounded. */
import { readFile } from "node:fs/promises";
import type { StageContext } from "../engine/stage.ts";
import { runLoops } from "../evaluation/loop.ts";
import type { LlamaEngine } from "../models/llama/types.ts";
import { createRenderer } from "../models/render.ts";
import { parseJsonLines } from "../platform/json.ts";
import type { Result } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import type { ToolSession } from "../tools/types.ts";
import type { PipelineContext } from "./context.ts";

/** Sequences side by side: what two cores decode fastest (docs/measurements.md). */
export const SIDE_BY_SIDE = 8;
/** What the progress line says of a constrained pass. */
export const UNDER_THE_GRAMMAR = "under the grammar";

export interface EvaluationInputs {
  readonly toolset: Toolset;
  /** The held-out cases, then the user's own. */
  readonly cases: EvaluationCase[];
}

/** Reads the inputs `toolset`, `heldout` and, where the recipe names cases, `cases`. */
export async function readEvaluationInputs(inputs: StageContext["inputs"]): Promise<EvaluationInputs> {
  const read = (name: string): Promise<string> => readFile(inputs[name] as string, "utf8");
  const cases = parseJsonLines<EvaluationCase>(await read("heldout"));
  if (inputs.cases !== undefined) cases.push(...parseJsonLines<EvaluationCase>(await read("cases")));
  return { toolset: JSON.parse(await read("toolset")) as Toolset, cases };
}

export interface EvaluateOptions extends EvaluationInputs, Pick<StageContext, "signal" | "emit"> {
  readonly engine: LlamaEngine;
  readonly session: ToolSession | null;
  readonly decoding: "free" | "constrained";
  readonly firstTurnOnly: boolean;
  readonly concurrency?: number;
  /** First turns are decoded to their end, also where no call is in them. */
  readonly uncut?: boolean;
  readonly warmUp?: number;
  /** What is being done, for the progress line. */
  readonly message?: string;
}

/** Runs the cases through the model. */
export const evaluate = (c: PipelineContext, o: EvaluateOptions): Promise<Result<LoopRecord[]>> =>
  runLoops({
    engine: o.engine,
    renderer: createRenderer(c.family),
    toolset: o.toolset,
    cases: o.cases,
    session: o.session,
    decoding: o.decoding,
    firstTurnOnly: o.firstTurnOnly,
    concurrency: o.concurrency,
    uncut: o.uncut,
    warmUp: o.warmUp,
    signal: o.signal,
    onProgress: (done, total) => o.emit({ type: "progress", done, total, unit: "cases", message: o.message }),
  });
