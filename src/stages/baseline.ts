/**
 * baseline: the untuned base model on the same cases and the same tool prompt, first turn only, so that
 * the report can say what fine-tuning brought. Depends on no training: it is measured once for a toolset.
 */
import { writeFile } from "node:fs/promises";
import type { StageDefinition } from "../engine/stage.ts";
import type { LlamaEngine } from "../models/llama/types.ts";
import { type JsonObject, toJsonLines } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import { baseSettings, llamaRuntime, modelSlice, type PipelineContext, plain } from "./context.ts";
import { evaluationInputs } from "./evaluation-inputs.ts";

export const VERSION = 6;

/** Another model in the base's place (`forge benchmark --baseline`). */
async function openOther(model: string, signal: AbortSignal): Promise<Result<{ readonly engine: LlamaEngine; readonly close: () => Promise<void> }>> {
  const { openLlama } = await import("../models/llama/client.ts");
  const engine = await openLlama({ model, signal });
  return engine.ok ? ok({ engine: engine.value, close: () => engine.value.close() }) : engine;
}

export function baselineStage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "baseline",
    title: "Ask the untuned model",
    version: VERSION,
    recipe: modelSlice(c),
    settings: baseSettings(c),
    runtime: llamaRuntime(),
    inputs: evaluationInputs(c),
    ...(c.baselineModel === undefined ? {} : { files: { model: c.baselineModel } }),
    outputs: { report: "file", records: "file" },
    resources: { cpu: 1 },
    async run({ inputs, outputs, signal, emit }) {
      const [{ openBase }, { evaluate, readEvaluationInputs }] = await Promise.all([import("./base-model.ts"), import("./evaluation.ts")]);
      const given = await readEvaluationInputs(inputs);
      const base = inputs.model === undefined ? await openBase(c, { signal, emit }) : await openOther(inputs.model, signal);
      if (!base.ok) return base;
      try {
        const records = await evaluate(c, { ...given, engine: base.value.engine, session: null, decoding: "free", firstTurnOnly: true, signal, emit });
        if (!records.ok) return records;
        const { firstTurnFigures, headline } = await import("../evaluation/figures.ts");
        const figures = firstTurnFigures(records.value);
        await writeFile(outputs.report as string, `${JSON.stringify({ version: 1, figures }, null, 2)}\n`);
        await writeFile(outputs.records as string, toJsonLines(records.value));
        return ok({ figures: plain(figures) as JsonObject, summary: headline(figures) });
      } finally {
        await base.value.close();
      }
    },
  };
}
