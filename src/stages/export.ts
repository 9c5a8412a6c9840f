/**
 * export: merges the adapter into the base model in fp32 and writes it as GGUF with llama.cpp's own
 * converter (f16), then quantizes that with llama.cpp's own quantizer, one node a format. Each result is
 * compared with the Python model before anything is believed of it.
 */
import { readFile, writeFile } from "node:fs/promises";
import type { StageDefinition } from "../engine/stage.ts";
import type { JsonValue } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import { pythonRuntime } from "../runners/python-env.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, converterRuntime, familyWords, modelSlice, type PipelineContext } from "./context.ts";

export const VERSION = 2;

export function exportF16Stage(c: PipelineContext): StageDefinition {
  return {
    kind: "stage",
    id: "export:f16",
    title: "Export to GGUF (f16)",
    version: VERSION,
    recipe: { name: c.recipe.name, ...modelSlice(c) },
    settings: { ...baseSettings(c), ...familyWords(c), ...unverified(c) },
    runtime: { ...pythonRuntime(), ...converterRuntime() },
    inputs: {
      toolset: { stage: "inspect", output: "toolset" },
      adapter: { stage: "train", output: "adapter" },
      rows: { stage: "train", output: "rows" },
      training: { stage: "train", output: "training" },
    },
    outputs: { model: "file", report: "file" },
    resources: { cpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const [{ exportF16 }, { ensureBase }] = await Promise.all([import("../models/export.ts"), import("../models/base.ts")]);
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
      const training = JSON.parse(await readFile(inputs.training as string, "utf8")) as { figures: Record<string, number> };
      const made = await exportF16(
        {
          base: { gguf: base.value.ggufPath, sha256: base.value.digest },
          family: c.family,
          adapter: inputs.adapter as string,
          rows: inputs.rows as string,
          output: outputs.model as string,
          verify: c.verifyExports,
          metadata: { name: c.recipe.name, toolsetHash: toolset.hash, tools: toolset.tools.map((t) => t.name), training: training.figures },
        },
        { scratch, signal, onEvent: emit, logFile },
      );
      if (!made.ok) return made;
      await writeFile(outputs.report as string, `${JSON.stringify(made.value, null, 2)}\n`);
      return ok({ figures: made.value, summary: exportSummary(made.value) });
    },
  };
}

export function quantizeStage(c: PipelineContext, format: string): StageDefinition {
  return {
    kind: "stage",
    id: `export:${format}`,
    title: `Quantize (${format})`,
    version: VERSION,
    recipe: { [`exports.${format}`]: true },
    settings: unverified(c),
    runtime: pythonRuntime(),
    inputs: {
      model: { stage: "export:f16", output: "model" },
      rows: { stage: "train", output: "rows" },
    },
    outputs: { model: "file", report: "file" },
    resources: { cpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const { quantizeModel } = await import("../models/export.ts");
      const made = await quantizeModel(
        { input: inputs.model as string, output: outputs.model as string, format, rows: inputs.rows as string, verify: c.verifyExports },
        { scratch, signal, onEvent: emit, logFile },
      );
      if (!made.ok) return made;
      await writeFile(outputs.report as string, `${JSON.stringify(made.value, null, 2)}\n`);
      return ok({ figures: made.value, summary: exportSummary(made.value) });
    },
  };
}

/** A comparison that was left out is part of the key: what it would have found is not in the record. */
const unverified = (c: PipelineContext): Record<string, JsonValue> => (c.verifyExports ? {} : { verify: false });

function exportSummary(figures: object): string {
  const f = figures as Record<string, unknown>;
  const parts: string[] = [];
  if (typeof f.bytes === "number") parts.push(`${(f.bytes / 1e6).toFixed(0)} MB`);
  if (typeof f.kl === "number") parts.push(`KL ${f.kl.toExponential(1)}`);
  return parts.join(", ") || "written";
}
