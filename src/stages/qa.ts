/**
 * qa: measures what `generate` put out, against its plan: schema pass rate, coverage, duplicates,
 * diversity, overlap with the evaluation cases, length for the model that is to learn from it. It changes nothing; its gate decides.
 */
import { readFile } from "node:fs/promises";
import type { StageContext, StageDefinition, StageOutcome } from "../engine/stage.ts";
import { fixedAnswers } from "../models/plain-answers.ts";
import { EXIT } from "../platform/exit.ts";
import { type JsonObject, parseJsonLines } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { GenerationStatistics } from "../schemas/generated/generation.ts";
import type { Lengths, QaReport } from "../schemas/generated/qa-report.ts";
import type { SynthesisPlan } from "../schemas/generated/synthesis-plan.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, llamaRuntime, modelSlice, type PipelineContext, sampleSource, view } from "./context.ts";
import type { LengthSetup } from "./lengths.ts";

export const VERSION = 8;

/** The forms of the report, each an output of the stage. */
export const QA_OUTPUTS = { report: "file", markdown: "file", csv: "file", html: "file" } as const;

export function qaStage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "qa",
    title: "Check the data",
    version: VERSION,
    recipe: { profile: c.recipe.profile, "train.max_tokens": c.recipe.train.max_tokens, ...modelSlice(c) },
    settings: { ...baseSettings(c), max_tokens: c.hyperparameters.values.max_tokens },
    runtime: llamaRuntime(),
    inputs: {
      toolset: { stage: "inspect", output: "toolset" },
      train: sampleSource(c),
      heldout: { stage: "generate", output: "heldout" },
      plan: { stage: "generate", output: "plan" },
      statistics: { stage: "generate", output: "statistics" },
    },
    outputs: QA_OUTPUTS,
    views: {
      report: view(c, "reports", "qc_report.json"),
      markdown: view(c, "reports", "qc_report.md"),
      csv: view(c, "reports", "qc_report.csv"),
      html: view(c, "reports", "qc_report.html"),
    },
    run: (context) =>
      measureData(context, {
        family: c.family,
        source: c.sourceName,
        profile: c.recipe.profile,
        maxTokens: c.hyperparameters.values.max_tokens,
        exact: fixedAnswers(c.family) === undefined,
      }),
  };
}

/**
 * The stage's work. Of data that somebody brought, what was left out stands in a file of its own (`taken_out`) and not in the statistics, nor does what is valid;
 * so do the repairs (`repairs`).
 * @param lengths for which model the samples are measured; without it they are not
 */
export async function measureData(context: StageContext, lengths?: LengthSetup): Promise<Result<StageOutcome>> {
  const { inputs, scratch, signal } = context;
  const { measureFiles } = await import("../data/scale/measure.ts");
  const read = async (name: string): Promise<string> => readFile(inputs[name] as string, "utf8");
  const toolset = JSON.parse(await read("toolset")) as Toolset;
  // Data that was brought, not made here, has no plan.
  const plan = (JSON.parse(await read("plan")) as SynthesisPlan | null) ?? undefined;
  // Of a plan with plain questions the base model wrote the answers, so it is there; of another it is not fetched only to count.
  const exact = lengths?.exact === true && (plan === undefined || plan.train.some((slot) => slot.kind === "general"));
  const long = lengths === undefined ? ok(undefined) : await lengthsOf(inputs.train as string, { ...lengths, exact }, toolset, context);
  if (!long.ok) return long;
  const beside = {
    toolset,
    heldout: parseJsonLines<EvaluationCase>(await read("heldout")),
    plan,
    statistics: JSON.parse(await read("statistics")) as GenerationStatistics,
    brought: inputs.taken_out !== undefined,
    ...(lengths === undefined ? {} : { thinking: lengths.family.thinking !== null }),
    ...(long.value === undefined ? {} : { lengths: long.value }),
  };
  return reported(context, await measureFiles([inputs.train as string], beside, { scratch, signal }));
}

/** Writes the report in its forms; of data that somebody brought, what was left out and repaired stands in files of their own. What the stage says of it. */
export async function reported({ inputs, outputs, emit }: StageContext, report: QaReport): Promise<Result<StageOutcome>> {
  const { writeReports } = await import("../data/qa-reports.ts");
  await writeReports(report, outputs as Outputs, { takenOut: inputs.taken_out, repairs: inputs.repairs });
  if ((report.lengths?.over_profile ?? 0) > 0) emit({ type: "log", level: "info", message: longWords(report.lengths as Lengths) });
  const figures = await figuresOf(report);
  return ok({ figures, summary: `schema pass rate ${String(figures.schema_pass_rate)}, at least ${String(figures.min_samples_per_tool)} samples a tool` });
}

type Outputs = Readonly<Record<keyof typeof QA_OUTPUTS, string>>;

/** What the gate reads: the report's figures; whether there was a plan, and what of it is short. */
async function figuresOf(report: QaReport): Promise<JsonObject> {
  const { shortInWords, shortReasons } = await import("../data/plan-outcome.ts");
  const short = report.plan === undefined ? undefined : shortInWords(report.plan);
  return {
    ...(report.figures as unknown as JsonObject),
    planned: report.totals.planned,
    ...(report.plan === undefined || short === undefined ? {} : { short, short_reasons: shortReasons(report.plan).slice(0, 5) }),
  };
}

const longWords = ({ over_profile: over, longest, max_tokens, profile, window, too_long }: Lengths): string =>
  `${over} samples are longer than the ${max_tokens} tokens of \`${profile}\`: training takes the ${Math.min(longest ?? 0, window)} that they need${too_long > 0 ? `; ${too_long} do not fit into the model's ${window}` : ""}`;

export async function lengthsOf(path: string, setup: LengthSetup, toolset: Toolset, o: StageContext): Promise<Result<QaReport["lengths"]>> {
  const { measureLengths } = await import("./lengths.ts");
  try {
    return await measureLengths(path, setup, toolset, o);
  } catch (e) {
    if (!o.signal.aborted) throw e;
    return err({ code: "data/interrupted", message: "measuring the samples was interrupted", exit: EXIT.interrupted });
  }
}
