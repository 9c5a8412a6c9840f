/**
 * export: merges the adapter into the base model in fp32 and writes it as GGUF with llama.cpp's own
 * converter (f16), then quantizes that with llama.cpp's own quantizer, one node a format. Each result is
 * compared with the Python model before anything is believed of it. Where a format is to know which weights
 * matter, `imatrix` finds that out on the training samples, once for all formats; `export:lora` is the adapter alone.
 */
import { readFile, writeFile } from "node:fs/promises";
import type { StageContext, StageDefinition, StageOutcome } from "../engine/stage.ts";
import type { ExportFigures, ExportMetadata } from "../models/export.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { ok, type Result } from "../platform/result.ts";
import type { ExportChoice } from "../recipe/formats.ts";
import { pythonRuntime } from "../runners/python-env.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, configHash, converterRuntime, familyWords, llamaRuntime, modelSlice, type PipelineContext, view } from "./context.ts";

export const VERSION = 3;

export function exportF16Stage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "export:f16",
    title: "Export to GGUF (f16)",
    version: VERSION,
    recipe: { name: c.recipe.name, ...modelSlice(c) },
    settings: { ...baseSettings(c), ...familyWords(c), ...unverified(c), ...recipeHash(c) },
    runtime: { ...pythonRuntime(), ...converterRuntime() },
    inputs: {
      toolset: { stage: "inspect", output: "toolset" },
      adapter: { stage: "train", output: "adapter" },
      rows: { stage: "train", output: "rows" },
      training: { stage: "train", output: "training" },
    },
    outputs: { model: "file", report: "file" },
    views: { report: view(c, "reports", "export_f16.json") },
    resources: { cpu: 1 },
    async run(context) {
      const { inputs, outputs, scratch, signal, emit, logFile } = context;
      const [{ exportF16 }, { ensureBase }] = await Promise.all([import("../models/export.ts"), import("../models/base.ts")]);
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      return reported(
        await exportF16(
          {
            base: { gguf: base.value.ggufPath, sha256: base.value.digest },
            family: c.family,
            adapter: inputs.adapter as string,
            rows: inputs.rows as string,
            output: outputs.model as string,
            verify: c.verifyExports,
            metadata: await metadataOf(c, context),
          },
          { scratch, signal, onEvent: emit, logFile },
        ),
        outputs,
        await mergingOf(context),
      );
    },
  };
}

/** The importance matrix that all formats share which ask for one. */
export function imatrixStage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "imatrix",
    title: "Find the weights that matter",
    version: VERSION,
    recipe: {},
    settings: unverified(c),
    runtime: { ...pythonRuntime(), ...llamaRuntime() },
    inputs: {
      model: { stage: "export:f16", output: "model" },
      rows: { stage: "train", output: "rows" },
    },
    outputs: { matrix: "file", report: "file" },
    resources: { cpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const { makeImatrix } = await import("../models/export.ts");
      const made = await makeImatrix(
        { input: inputs.model as string, rows: inputs.rows as string, output: outputs.matrix as string },
        { scratch, signal, onEvent: emit, logFile },
      );
      if (!made.ok) return made;
      await writeFile(outputs.report as string, `${JSON.stringify(made.value, null, 2)}\n`);
      return ok({ figures: made.value, summary: `${made.value.tensors} matrices, ${made.value.positions} tokens` });
    },
  };
}

export function quantizeStage(c: PipelineContext, { format, imatrix }: ExportChoice): StageDefinition {
  return {
    kind: "stage",
    id: `export:${format}`,
    title: `Quantize (${format})`,
    version: VERSION,
    recipe: { [`exports.${format}`]: imatrix ? { imatrix: true } : true },
    settings: unverified(c),
    runtime: pythonRuntime(),
    inputs: {
      model: { stage: "export:f16", output: "model" },
      rows: { stage: "train", output: "rows" },
      ...(imatrix ? { imatrix: { stage: "imatrix", output: "matrix" } } : {}),
    },
    outputs: { model: "file", report: "file" },
    views: { report: view(c, "reports", `export_${format}.json`) },
    resources: { cpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const { quantizeModel } = await import("../models/export.ts");
      const { model, rows, imatrix: matrix } = inputs as { model: string; rows: string; imatrix?: string };
      return reported(
        await quantizeModel(
          { input: model, output: outputs.model as string, format, rows, verify: c.verifyExports, ...(matrix === undefined ? {} : { imatrix: matrix }) },
          { scratch, signal, onEvent: emit, logFile },
        ),
        outputs,
      );
    },
  };
}

/** The adapter by itself, for the base's own file. It is packed, and by itself neither validated nor benchmarked: the merged formats are. */
export function exportLoraStage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "export:lora",
    title: "Export the adapter (GGUF)",
    version: VERSION,
    recipe: { name: c.recipe.name, ...modelSlice(c), "exports.lora": true },
    settings: { ...baseSettings(c), ...familyWords(c), ...unverified(c), ...recipeHash(c) },
    runtime: { ...pythonRuntime(), ...converterRuntime() },
    inputs: {
      toolset: { stage: "inspect", output: "toolset" },
      adapter: { stage: "train", output: "adapter" },
      rows: { stage: "train", output: "rows" },
      training: { stage: "train", output: "training" },
      model: { stage: "export:f16", output: "model" },
    },
    outputs: { model: "file", report: "file" },
    views: { report: view(c, "reports", "export_lora.json") },
    resources: { cpu: 1 },
    async run(context) {
      const { inputs, outputs, scratch, signal, emit, logFile } = context;
      const [{ exportLora }, { ensureBase }] = await Promise.all([import("../models/export.ts"), import("../models/base.ts")]);
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      return reported(
        await exportLora(
          {
            base: { gguf: base.value.ggufPath, sha256: base.value.digest },
            family: c.family,
            adapter: inputs.adapter as string,
            merged: inputs.model as string,
            rows: inputs.rows as string,
            output: outputs.model as string,
            verify: c.verifyExports,
            metadata: await metadataOf(c, context),
          },
          { scratch, signal, onEvent: emit, logFile },
        ),
        outputs,
      );
    },
  };
}

/** A comparison that was left out is part of the key: what it would have found is not in the record. */
const unverified = (c: PipelineContext): Record<string, JsonValue> => (c.verifyExports ? {} : { verify: false });

/** What the file says of the recipe is part of the key; where somebody's training is given, the recipe at hand is not what it was trained by. */
const recipeHash = (c: PipelineContext): Record<string, JsonValue> => (c.trainedHere ? { recipe_hash: configHash(c) } : {});

/** What the file says of its making: of the recipe what is in the key, all else of the inputs. */
async function metadataOf(c: PipelineContext, { inputs }: StageContext): Promise<ExportMetadata> {
  const { digestFile } = await import("../platform/hash.ts");
  const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
  const training = JSON.parse(await readFile(inputs.training as string, "utf8")) as { figures: Record<string, number> };
  return {
    name: c.recipe.name,
    toolsetHash: toolset.hash,
    tools: toolset.tools.map((t) => t.name),
    training: training.figures,
    datasetHash: await digestFile(inputs.rows as string),
    ...(c.trainedHere ? { recipeHash: configHash(c) } : {}),
  };
}

/** What training found that merging changes (`merging_kl` and others, python/forge_steps/merging.py): of an adapter that was trained on a rounded base. */
async function mergingOf({ inputs }: StageContext): Promise<JsonObject> {
  const { figures } = JSON.parse(await readFile(inputs.training as string, "utf8")) as { figures: JsonObject };
  return Object.fromEntries(Object.entries(figures).filter(([name]) => name.startsWith("merging_")));
}

async function reported(made: Result<ExportFigures>, outputs: StageContext["outputs"], merging: JsonObject = {}): Promise<Result<StageOutcome>> {
  if (!made.ok) return made;
  const figures = { ...made.value, ...merging };
  await writeFile(outputs.report as string, `${JSON.stringify(figures, null, 2)}\n`);
  return ok({ figures, summary: exportSummary(figures) });
}

/** `105 MB (4.9 bits a weight), KL 1.2e-2 (2.0e-2 without the matrix), perplexity 1.31 (f16: 1.30), 44 tokens/s`. */
export function exportSummary(figures: object): string {
  const f = figures as Record<string, unknown>;
  const number = (name: string): number | undefined => (typeof f[name] === "number" ? f[name] : undefined);
  const parts: string[] = [];
  const bytes = number("bytes");
  const bits = number("bits_per_weight");
  if (bytes !== undefined) parts.push(`${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB${bits === undefined ? "" : ` (${bits} bits a weight)`}`);
  const kl = number("kl");
  const plain = number("kl_without_imatrix");
  if (kl !== undefined) parts.push(`KL ${kl.toExponential(1)}${plain === undefined ? "" : ` (${plain.toExponential(1)} without the matrix)`}`);
  const merging = number("merging_kl");
  if (merging !== undefined) parts.push(`KL ${merging.toExponential(1)} of the merged model from the one that was trained in 4 bits`);
  const perplexity = number("perplexity");
  if (perplexity !== undefined) parts.push(`perplexity ${perplexity.toPrecision(4)}`);
  const speed = number("tokens_per_second");
  if (speed !== undefined) parts.push(`${speed.toFixed(speed < 10 ? 1 : 0)} tokens/s`);
  return parts.join(", ") || "written";
}
