/**
 * validate: real tool loops on the exported GGUF itself: prompt, call, schema check, execution, result fed back, answer
 * judged. The model decodes freely, and once more with the grammar where the recipe's gates judge that. Whole records are
 * kept; the benchmark and the bundle build on them.
 */
import { writeFile } from "node:fs/promises";
import type { StageDefinition } from "../engine/stage.ts";
import { toJsonLines } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import { fakedFiles, llamaRuntime, modelSlice, type PipelineContext, toolSlice, toolsInUse, view } from "./context.ts";
import { evaluationInputs } from "./evaluation-inputs.ts";
import { gateFigures } from "./figures.ts";
import { openSession } from "./tool-session.ts";

export const VERSION = 8;

export function validateStage(c: PipelineContext, format: string): StageDefinition {
  const held = c.recipe.gates.decoding === "constrained";
  return {
    kind: "stage",
    id: `validate:${format}`,
    title: `Prove it on tool loops (${format})`,
    version: VERSION,
    recipe: { tools: toolSlice(c, { execute: true }), ...modelSlice(c), ...(held ? { "gates.decoding": "constrained" } : {}) },
    runtime: llamaRuntime(),
    files: fakedFiles(c),
    inputs: { ...evaluationInputs(c), model: { stage: `export:${format}`, output: "model" } },
    outputs: { report: "file", markdown: "file", records: "file", ...(held ? { constrained: "file" as const } : {}) },
    views: { report: view(c, "reports", `validation_${format}.json`), markdown: view(c, "reports", `validation_${format}.md`) },
    resources: { cpu: 1 },
    exclusive: toolsInUse(c),
    async run({ inputs, outputs, signal, emit }) {
      const [
        { openLlama },
        { evaluate, readEvaluationInputs, SIDE_BY_SIDE, UNDER_THE_GRAMMAR },
        { makeReport, reportMarkdown },
        { headline },
        { digestFile, hexOf },
      ] = await Promise.all([
        import("../models/llama/client.ts"),
        import("./evaluation.ts"),
        import("../evaluation/report.ts"),
        import("../evaluation/figures.ts"),
        import("../platform/hash.ts"),
      ]);
      const given = await readEvaluationInputs(inputs);
      const engine = await openLlama({ model: inputs.model as string, sequences: SIDE_BY_SIDE, signal });
      if (!engine.ok) return engine;
      // Each way with servers that were just started: one that remembers would judge the second by what the first did to it.
      const loops = async (decoding: "free" | "constrained"): Promise<Result<LoopRecord[]>> => {
        const session = await openSession(c, given.toolset, { signal, emit });
        if (!session.ok) return session;
        try {
          const message = decoding === "free" ? {} : { message: UNDER_THE_GRAMMAR };
          return await evaluate(c, { ...given, engine: engine.value, session: session.value, firstTurnOnly: false, signal, emit, decoding, ...message });
        } finally {
          await session.value.close();
        }
      };
      try {
        // What the gates judge comes first, for servers whose state outlives them (files, say).
        const constrained = held ? await loops("constrained") : undefined;
        if (constrained?.ok === false) return constrained;
        const records = await loops("free");
        if (!records.ok) return records;
        const model = `${c.recipe.name} ${format}`;
        const report = makeReport({
          kind: "validate",
          model,
          measured: { model: hexOf(await digestFile(inputs.model as string)), toolset: given.toolset.hash },
          records: records.value,
          constrained: constrained?.value,
          judged: held ? "constrained" : "free",
          sideBySide: SIDE_BY_SIDE,
        });
        await writeFile(outputs.report as string, `${JSON.stringify(report, null, 2)}\n`);
        await writeFile(outputs.markdown as string, reportMarkdown(report));
        await writeFile(outputs.records as string, toJsonLines(records.value));
        if (constrained !== undefined) await writeFile(outputs.constrained as string, toJsonLines(constrained.value));
        const summary = report.constrained === undefined ? headline(report.figures) : `with the grammar: ${headline(report.constrained)}`;
        return ok({ figures: gateFigures(report), summary });
      } finally {
        await engine.value.close();
      }
    },
  };
}
