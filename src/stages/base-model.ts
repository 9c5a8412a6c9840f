/** Opens the untuned base model in llama.cpp, as it was published, for the stage that asks it something (generate). */
import type { StageContext } from "../engine/stage.ts";
import { ensureBase } from "../models/base.ts";
import { answersFile, keptAnswers } from "../models/kept-answers.ts";
import { answerPlain, plainPrompt } from "../models/llama/answer-plain.ts";
import { openLlama } from "../models/llama/client.ts";
import type { LlamaEngine } from "../models/llama/types.ts";
import { createRenderer } from "../models/render.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { llamaRuntime, type PipelineContext } from "./context.ts";

export interface OpenBase {
  readonly engine: LlamaEngine;
  readonly answerPlain: (questions: readonly string[]) => Promise<Result<string[], Failure>>;
  readonly close: () => Promise<void>;
}

export async function openBase(c: PipelineContext, o: Pick<StageContext, "signal" | "emit">): Promise<Result<OpenBase>> {
  const base = await ensureBase(c.family, c.sourceName, { signal: o.signal, onProgress: o.emit });
  if (!base.ok) return base;
  const engine = await openLlama({ model: base.value.ggufPath, signal: o.signal });
  if (!engine.ok) return err(engine.error);
  const renderer = createRenderer(c.family);
  const onAnswer = (done: number, total: number): void =>
    o.emit({ type: "progress", done, total, unit: "answers", message: "the base model answers plain questions" });
  const file = answersFile(base.value.digest, [plainPrompt(renderer, "…"), llamaRuntime()]);
  const ask = keptAnswers(file, (questions, told) => answerPlain(engine.value, renderer, told)(questions), onAnswer);
  return ok({ engine: engine.value, answerPlain: ask, close: () => engine.value.close() });
}
