/**
 * pack: puts the exported models, the tools, the prompt, the figures and smoke tests into one folder that travels by
 * itself. Comes after every gate; `--unproven` packs without them, and where one refuses says so in every file. What it packs
 * is read and compared with its digests first: from here on nobody can.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { InputRef, StageDefinition } from "../engine/stage.ts";
import { type JsonObject, parseJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { EvaluationReport, Figures } from "../schemas/generated/evaluation-report.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import type { QaReport } from "../schemas/generated/qa-report.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, configHash, familyWords, modelSlice, type PipelineContext, plain, sampleSource, toolSlice } from "./context.ts";
import { evaluationInputs } from "./evaluation-inputs.ts";
import { gateFigures } from "./figures.ts";
import { gate, gateId } from "./gates.ts";

export const VERSION = 4;

/** What the adapter alone is called in the graph. */
const LORA = "lora";

/** Figures of the README's table, most important first. */
const SHOWN = [
  "tool_call_parse_rate",
  "schema_conformance_rate",
  "tool_selection_accuracy",
  "slots_right",
  "exact_arguments",
  "loop_completion_rate",
  "error_handling_rate",
  "no_tool_correctness",
];

export function packStage(c: PipelineContext, formats: readonly string[], lora = false): StageDefinition {
  const { recipe, unproven } = c;
  const measured = recipe.evaluation.benchmark;
  const perFormat: Record<string, InputRef> = {};
  for (const format of formats) {
    perFormat[`model_${format}`] = { stage: `export:${format}`, output: "model" };
    perFormat[`export_${format}`] = { stage: `export:${format}`, output: "report" };
    perFormat[`records_${format}`] = { stage: `validate:${format}`, output: recipe.gates.decoding === "constrained" ? "constrained" : "records" };
    perFormat[`validation_${format}`] = { stage: `validate:${format}`, output: "report" };
    if (measured) perFormat[`benchmark_${format}`] = { stage: `benchmark:${format}`, output: "report" };
  }
  if (lora) perFormat.adapter = { stage: `export:${LORA}`, output: "model" };
  const first = formats[0] as string;
  const constrained = recipe.gates.decoding === "constrained";
  return {
    kind: "stage",
    id: "pack",
    title: "Pack the bundle",
    version: VERSION,
    recipe: {
      name: recipe.name,
      profile: recipe.profile,
      exports: lora ? [...formats, LORA] : [...formats],
      tools: toolSlice(c, { execute: true }),
      "gates.decoding": recipe.gates.decoding,
      ...(measured ? {} : { "evaluation.benchmark": false }),
      ...(unproven ? { gates: plain(recipe.gates) } : {}),
      ...modelSlice(c),
    },
    settings: { ...baseSettings(c), ...familyWords(c), ...(unproven ? { unproven: true } : {}) },
    inputs: {
      ...evaluationInputs(c),
      train: sampleSource(c),
      training: { stage: "train", output: "training" },
      qa: { stage: "qa", output: "report" },
      ...perFormat,
    },
    after: [gateId("qa"), ...formats.flatMap((f) => [gateId(`validate:${f}`), ...(measured ? [gateId(`benchmark:${f}`)] : [])])],
    outputs: { bundle: "folder" },
    views: { bundle: resolve(c.loaded.dir, recipe.bundle.output) },
    resources: { cpu: 1 },
    verifyInputs: true,
    async run({ inputs, outputs, recordedAt, signal, emit }) {
      const [{ packBundle }, { ensureBase }, { createRenderer }, { toolCallGrammar }, { compare, overallScore }] = await Promise.all([
        import("../bundle/pack.ts"),
        import("../models/base.ts"),
        import("../models/render.ts"),
        import("../evaluation/grammar.ts"),
        import("../evaluation/figures.ts"),
      ]);
      const text = (name: string): Promise<string> => readFile(inputs[name] as string, "utf8");
      const json = async <T>(name: string): Promise<T> => JSON.parse(await text(name)) as T;
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      const toolset = await json<Toolset>("toolset");
      const samples = parseJsonLines<Sample>(await text("train"));
      const training = await json<{ figures: { final_loss?: number; longest_tokens?: number; epochs?: number } }>("training");
      const validation = await json<EvaluationReport>(`validation_${first}`);
      const benchmark = measured ? await json<EvaluationReport>(`benchmark_${first}`) : undefined;
      const reasons = unproven ? await refusals(c, formats, json) : [];
      // What ships is what is shown: the figures with the grammar where the bundle is to be run with it.
      const reached = constrained ? (validation.constrained ?? {}) : validation.figures;
      const rate = (name: string): number | null => reached[name]?.value ?? null;
      const cases = parseJsonLines<EvaluationCase>(await text("heldout"));
      const renderer = createRenderer(c.family);
      const packed = await packBundle({
        outputDir: outputs.bundle as string,
        name: recipe.name,
        createdAt: recordedAt,
        models: await Promise.all(
          formats.map(async (format) => ({ format, path: inputs[`model_${format}`] as string, measured: exportMeasures(await json(`export_${format}`)) })),
        ),
        ...(inputs.adapter === undefined ? {} : { adapter: inputs.adapter }),
        toolset,
        sources: recipe.statedTools,
        family: c.family,
        renderer,
        licensePath: base.value.licensePath,
        contextLength: contextLength(training.figures.longest_tokens ?? 0, c.family.context_tokens),
        baseModel: {
          name: c.family.title,
          hf_id: c.family.hub_id ?? null,
          revision: c.source.kind === "hub" ? c.source.revision : null,
          family: c.family.name,
          license: c.family.licence,
        },
        training: {
          config_hash: configHash(c),
          profile: recipe.profile,
          epochs: training.figures.epochs ?? c.hyperparameters.values.epochs,
          final_loss: training.figures.final_loss ?? null,
        },
        dataset: {
          total_samples: samples.length,
          seed_samples: samples.filter((s) => s.source === "seed").length,
          augmented_samples: samples.filter((s) => s.source === "augmented").length,
          tool_coverage: countBy(samples, (s) => s.tool_name),
          scenario_coverage: countBy(samples, (s) => s.scenario),
        },
        validation: {
          passed: reasons.length === 0,
          tool_call_parse_rate: rate("tool_call_parse_rate"),
          schema_conformance_rate: rate("schema_conformance_rate"),
          tool_selection_accuracy: rate("tool_selection_accuracy"),
          loop_completion_rate: rate("loop_completion_rate"),
          error_handling_rate: rate("error_handling_rate"),
        },
        benchmark: {
          executed: measured,
          overall_score: benchmark === undefined ? null : constrained ? overallScore(reached) : benchmark.overall_score,
          comparison_to_base: (constrained && benchmark?.baseline !== undefined ? compare(reached, benchmark.baseline) : benchmark?.comparison) ?? null,
        },
        figures: SHOWN.flatMap((name) => row(name, reached, benchmark?.baseline)),
        cases,
        records: await provable(cases, await Promise.all(formats.map(async (f) => parseJsonLines<LoopRecord>(await text(`records_${f}`))))),
        decoding: recipe.gates.decoding,
        grammar: constrained ? toolCallGrammar(toolset, renderer.spacing) : undefined,
        unproven: reasons.length > 0 ? { reasons } : undefined,
        measuredHere: [validation, ...(benchmark === undefined ? [] : [benchmark])].every(saysItsModel),
      });
      if (!packed.ok) return packed;
      const { files, bytes, smokeTests } = packed.value;
      return ok({
        figures: { files, bytes, smoke_tests: smokeTests },
        summary: `${(bytes / 1e6).toFixed(0)} MB in ${files} files${reasons.length > 0 ? ", unproven" : ""}`,
      });
    },
  };
}

/** What of an export's report says how good the file is; what time or the machine decides is left out, and so is what is no finite number. */
function exportMeasures(report: JsonObject): Record<string, number> {
  const said = Object.entries(report).flatMap(([name, value]) => (typeof value === "number" && Number.isFinite(value) ? [[name, value] as const] : []));
  const names = ["bits_per_weight", "kl", "perplexity", "perplexity_reference"];
  return Object.fromEntries(said.filter(([name]) => names.includes(name)));
}

/**
 * The first format's records, of which only those count as right that every format shows right at its first turn: a smoke test is
 * recorded once and judges each.
 */
async function provable(cases: readonly EvaluationCase[], [first = [], ...others]: readonly LoopRecord[][]): Promise<LoopRecord[]> {
  const { rightAtFirst } = await import("../evaluation/judge.ts");
  const found = new Map(cases.map((one) => [one.id, one]));
  const right = [first, ...others].map((records) => new Set(records.filter((r) => rightAtFirst(r, found.get(r.id))).map((r) => r.id)));
  return first.map((r) => ({ ...r, ok: r.ok && right.every((ids) => ids.has(r.id)) }));
}

/** Context that the bundle asks a runtime for: four times the longest sample, in steps of 1,024, at least 4,096, at most the model's window. */
const contextLength = (longest: number, window: number): number => Math.min(window, Math.max(4096, Math.ceil((4 * longest) / 1024) * 1024));

/** What the recipe's gates have against the figures, one sentence a verdict; and before it which figures may be another model's. */
async function refusals(c: PipelineContext, formats: readonly string[], json: <T>(name: string) => Promise<T>): Promise<string[]> {
  const qa = await json<QaReport>("qa");
  const unnamed: string[] = [];
  const judged: { stage: string; judge: ReturnType<typeof gate>["judge"]; figures: JsonObject }[] = [
    { stage: "qa", judge: gate(c, "qa", "qa").judge, figures: qa.figures as unknown as JsonObject },
  ];
  for (const format of formats) {
    const of = async (name: string): Promise<JsonObject> => {
      const report = await json<EvaluationReport>(`${name}_${format}`);
      if (!saysItsModel(report)) unnamed.push(`${report.kind}:${format}: the report does not say which model it measured, so it may have been another`);
      return gateFigures(report);
    };
    judged.push({ stage: `validate:${format}`, judge: gate(c, "validate", `validate:${format}`).judge, figures: await of("validation") });
    if (c.recipe.evaluation.benchmark)
      judged.push({ stage: `benchmark:${format}`, judge: gate(c, "benchmark", `benchmark:${format}`).judge, figures: await of("benchmark") });
  }
  const refused = judged.flatMap(({ stage, judge, figures }) =>
    judge(figures)
      .verdicts.filter((v) => !v.passed)
      .map((v) => `${stage}: ${v.figure} is ${v.value ?? "not measured"}, the gate wants ${v.threshold}`),
  );
  return [...unnamed, ...refused];
}

/** Reports of earlier versions, which somebody may bring, do not; that those which do are of this model is checked where they are brought. */
const saysItsModel = (report: EvaluationReport): boolean => report.model_sha256 !== undefined && report.toolset_hash !== undefined;

function row(name: string, figures: Figures, base: Figures | undefined) {
  const f = figures[name];
  if (f === undefined) return [];
  const interval = f.low === null || f.high === null ? undefined : ([f.low, f.high] as const);
  return [{ figure: name, value: f.value, n: f.n, interval, base: base?.[name]?.value ?? null }];
}

function countBy(samples: readonly Sample[], key: (s: Sample) => string | null): Record<string, number> {
  const counts = new Map<string, number>();
  for (const s of samples) {
    const k = key(s);
    if (k !== null) counts.set(k, (counts.get(k) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
