/**
 * qa: measures what `generate` put out, against its plan: schema pass rate, coverage, duplicates,
 * diversity, overlap with the evaluation cases. It changes nothing; its gate decides.
 */
import { readFile } from "node:fs/promises";
import type { StageContext, StageDefinition, StageOutcome } from "../engine/stage.ts";
import { type JsonObject, parseJsonLines } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { GenerationStatistics } from "../schemas/generated/generation.ts";
import type { SynthesisPlan } from "../schemas/generated/synthesis-plan.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { type PipelineContext, sampleSource, view } from "./context.ts";

export const VERSION = 6;

export function qaStage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "qa",
    title: "Check the data",
    version: VERSION,
    recipe: {},
    inputs: {
      toolset: { stage: "inspect", output: "toolset" },
      train: sampleSource(c),
      heldout: { stage: "generate", output: "heldout" },
      plan: { stage: "generate", output: "plan" },
      statistics: { stage: "generate", output: "statistics" },
    },
    outputs: { report: "file", markdown: "file", csv: "file" },
    views: { report: view(c, "reports", "qc_report.json"), markdown: view(c, "reports", "qc_report.md"), csv: view(c, "reports", "qc_report.csv") },
    run: measureData,
  };
}

/** The stage's work. Of data that somebody brought, what was left out stands in a file of its own (`taken_out`) and not in the statistics, nor does what is valid. */
export async function measureData({ inputs, outputs, scratch, signal }: StageContext): Promise<Result<StageOutcome>> {
  const [{ measureFiles }, { writeReports }] = await Promise.all([import("../data/scale/measure.ts"), import("../data/qa-reports.ts")]);
  const read = async (name: string): Promise<string> => readFile(inputs[name] as string, "utf8");
  const beside = {
    toolset: JSON.parse(await read("toolset")) as Toolset,
    heldout: parseJsonLines<EvaluationCase>(await read("heldout")),
    // Data that was brought, not made here, has no plan.
    plan: (JSON.parse(await read("plan")) as SynthesisPlan | null) ?? undefined,
    statistics: JSON.parse(await read("statistics")) as GenerationStatistics,
    brought: inputs.taken_out !== undefined,
  };
  const report = await measureFiles([inputs.train as string], beside, { scratch, signal });
  await writeReports(report, outputs as Outputs, inputs.taken_out);
  const figures = report.figures as unknown as JsonObject;
  return ok({ figures, summary: `schema pass rate ${String(figures.schema_pass_rate)}, at least ${String(figures.min_samples_per_tool)} samples a tool` });
}

type Outputs = Readonly<Record<"report" | "markdown" | "csv", string>>;
