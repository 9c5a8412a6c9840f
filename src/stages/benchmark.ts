/**
 * benchmark: tables by tool and scenario from the validation's records, and what they cannot say: the same first
 * turns held to the grammar, the latency of one request at a time, and the difference to the untuned base.
 */
import { readFile, writeFile } from "node:fs/promises";
import type { StageDefinition } from "../engine/stage.ts";
import { parseJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import type { Figures } from "../schemas/generated/evaluation-report.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import { llamaRuntime, modelSlice, type PipelineContext, toolsInUse, view } from "./context.ts";
import { evaluationInputs } from "./evaluation-inputs.ts";
import { gateFigures } from "./figures.ts";

export const VERSION = 8;

/** Requests that are timed one at a time, the warm-up's first among them. */
const TIMED = 24;
const WARM_UP = 4;

export function benchmarkStage(c: PipelineContext, format: string): StageDefinition {
  const { constrained, baseline } = c.recipe.evaluation;
  // Gates that judge with the grammar had whole loops run with it already.
  const validated = constrained && c.recipe.gates.decoding === "constrained";
  return {
    kind: "stage",
    id: `benchmark:${format}`,
    title: `Benchmark (${format})`,
    version: VERSION,
    recipe: { "evaluation.constrained": constrained, "evaluation.baseline": baseline, ...modelSlice(c) },
    runtime: llamaRuntime(),
    inputs: {
      ...evaluationInputs(c),
      model: { stage: `export:${format}`, output: "model" },
      records: { stage: `validate:${format}`, output: "records" },
      ...(validated ? { constrained: { stage: `validate:${format}`, output: "constrained" } } : {}),
      ...(baseline ? { baseline: { stage: `baseline:${format}`, output: "report" } } : {}),
    },
    outputs: { report: "file", markdown: "file", constrained: "file" },
    views: { report: view(c, "reports", `benchmark_${format}.json`), markdown: view(c, "reports", `benchmark_${format}.md`) },
    resources: { cpu: 1 },
    exclusive: toolsInUse(c),
    async run({ inputs, outputs, signal, emit }) {
      const [
        { openLlama },
        { evaluate, readEvaluationInputs, SIDE_BY_SIDE, UNDER_THE_GRAMMAR },
        { makeReport, reportMarkdown },
        { latency },
        { digestFile, hexOf },
      ] = await Promise.all([
        import("../models/llama/client.ts"),
        import("./evaluation.ts"),
        import("../evaluation/report.ts"),
        import("../evaluation/figures.ts"),
        import("../platform/hash.ts"),
      ]);
      const given = await readEvaluationInputs(inputs);
      const records = await recordsOf(inputs.records);
      const base = inputs.baseline === undefined ? undefined : (JSON.parse(await readFile(inputs.baseline, "utf8")) as { figures: Figures }).figures;
      const engine = await openLlama({ model: inputs.model as string, sequences: SIDE_BY_SIDE, signal });
      if (!engine.ok) return engine;
      try {
        const ask = { ...given, engine: engine.value, session: null, firstTurnOnly: true, signal, emit };
        const measured = constrained && !validated;
        const held = measured ? await evaluate(c, { ...ask, decoding: "constrained", message: UNDER_THE_GRAMMAR }) : ok(await recordsOf(inputs.constrained));
        if (!held.ok) return held;
        const timed = await evaluate(c, {
          ...ask,
          cases: spread(given.cases, TIMED),
          decoding: "free",
          concurrency: 1,
          uncut: true,
          warmUp: WARM_UP,
          message: "one at a time",
        });
        if (!timed.ok) return timed;
        const report = makeReport({
          kind: "benchmark",
          model: `${c.recipe.name} ${format}`,
          measured: { model: hexOf(await digestFile(inputs.model as string)), toolset: given.toolset.hash },
          records,
          constrained: constrained ? held.value : undefined,
          judged: validated ? "constrained" : "free",
          baseline: base,
          sideBySide: SIDE_BY_SIDE,
        });
        // The validation's loops shared the machine; what a user waits for is one request at a time.
        report.latency = latency(timed.value, 1);
        await writeFile(outputs.report as string, `${JSON.stringify(report, null, 2)}\n`);
        await writeFile(outputs.markdown as string, reportMarkdown(report));
        await writeFile(outputs.constrained as string, held.value.map((r) => `${JSON.stringify(r)}\n`).join(""));
        const score = report.overall_score === null ? "nothing measured" : `overall ${report.overall_score.toFixed(2)}`;
        const speed = report.latency === null ? "" : `, first turn ${report.latency.first_turn.p50} ms (p50)`;
        return ok({ figures: gateFigures(report), summary: `${score}${speed}` });
      } finally {
        await engine.value.close();
      }
    },
  };
}

const recordsOf = async (path: string | undefined): Promise<LoopRecord[]> =>
  path === undefined ? [] : parseJsonLines<LoopRecord>(await readFile(path, "utf8"));

/** `n` items evenly over the list, in order; all when there are no more. */
export function spread<T>(items: readonly T[], n: number): T[] {
  if (items.length <= n) return [...items];
  return Array.from({ length: n }, (_, i) => items[Math.floor((i * items.length) / n)] as T);
}
