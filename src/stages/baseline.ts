/**
 * baseline: the untuned model on the same cases and the same tool prompt, first turn only, so that the report can say what fine-tuning brought. For each
 * format it is the base in that very format (`base:FORMAT`), so that nothing but the training lies between the two. Depends on no training: it is measured
 * once for a toolset and a format.
 */
import { writeFile } from "node:fs/promises";
import type { StageDefinition } from "../engine/stage.ts";
import { type JsonObject, toJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import { baseSettings, llamaRuntime, modelSlice, type PipelineContext, plain } from "./context.ts";
import { evaluationInputs } from "./evaluation-inputs.ts";

export const VERSION = 7;

export function baselineStage(c: PipelineContext, format: string): StageDefinition {
  // Another model in the base's place: `forge benchmark --baseline`.
  const given = c.baselineModel;
  return {
    kind: "stage",
    id: `baseline:${format}`,
    title: `Ask the untuned model (${format})`,
    version: VERSION,
    recipe: modelSlice(c),
    settings: baseSettings(c),
    runtime: llamaRuntime(),
    inputs: { ...evaluationInputs(c), ...(given === undefined ? { model: { stage: `base:${format}`, output: "model" } } : {}) },
    ...(given === undefined ? {} : { files: { model: given } }),
    outputs: { report: "file", records: "file" },
    resources: { cpu: 1 },
    async run({ inputs, outputs, signal, emit }) {
      const [{ openLlama }, { evaluate, readEvaluationInputs }] = await Promise.all([import("../models/llama/client.ts"), import("./evaluation.ts")]);
      const given = await readEvaluationInputs(inputs);
      const engine = await openLlama({ model: inputs.model as string, signal });
      if (!engine.ok) return engine;
      try {
        const records = await evaluate(c, { ...given, engine: engine.value, session: null, decoding: "free", firstTurnOnly: true, signal, emit });
        if (!records.ok) return records;
        const { firstTurnFigures, headline } = await import("../evaluation/figures.ts");
        const figures = firstTurnFigures(records.value);
        await writeFile(outputs.report as string, `${JSON.stringify({ version: 1, figures }, null, 2)}\n`);
        await writeFile(outputs.records as string, toJsonLines(records.value));
        return ok({ figures: plain(figures) as JsonObject, summary: headline(figures) });
      } finally {
        await engine.value.close();
      }
    },
  };
}
