/**
 * base: the untuned base model put through the export that the trained one goes through, in the same format: the same converter, the same rounding, the same
 * quantizer (or what is proven to give the same: `exportBase`), and an importance matrix where the format has one. So what the benchmark finds between the two is the fine-tuning's alone. It depends on no
 * training: it is made once for a base and a format (with a matrix, for the samples that it is found on).
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StageDefinition } from "../engine/stage.ts";
import { parseJsonLines, toJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import type { ModelFormat } from "../recipe/formats.ts";
import { pythonRuntime } from "../runners/python-env.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, converterRuntime, llamaRuntime, modelSlice, type PipelineContext, sampleSource } from "./context.ts";
import { exportSummary } from "./export.ts";
import { rowsSettings } from "./training-rows.ts";

export const VERSION = 1;

/** Whether forge makes the base's GGUF itself, of safetensors: all but what is taken as it is. */
const isConverted = (source: PipelineContext["source"]): boolean =>
  source.kind === "folder" ? !Object.keys(source.files).some((name) => name.endsWith(".gguf")) : source.kind !== "wheel";

export function exportBaseStage(c: PipelineContext, { format, imatrix }: { readonly format: ModelFormat; readonly imatrix: boolean }): StageDefinition {
  return {
    kind: "stage",
    id: `base:${format}`,
    title: `Export the untuned model (${format})`,
    version: VERSION,
    recipe: { ...modelSlice(c), [`exports.${format}`]: imatrix ? { imatrix: true } : true },
    settings: { ...baseSettings(c), ...(imatrix ? rowsSettings(c) : {}) },
    runtime: { ...pythonRuntime(), ...converterRuntime(), ...(imatrix ? llamaRuntime() : {}) },
    inputs: imatrix ? { toolset: { stage: "inspect", output: "toolset" }, train: sampleSource(c) } : {},
    // It could come first: but who waits for an error in the tools or the data is not to wait for this too.
    after: [`export:${format}`],
    outputs: { model: "file", report: "file" },
    resources: { cpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const [{ exportBase }, { ensureBase }] = await Promise.all([import("../models/export.ts"), import("../models/base.ts")]);
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      const rows = join(scratch, "rendered.jsonl");
      if (imatrix) {
        const { tools } = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
        const { trainingRows } = await import("./training-rows.ts");
        const seen = await trainingRows(c, tools, parseJsonLines<Sample>(await readFile(inputs.train as string, "utf8")));
        if (!seen.ok) return seen;
        await mkdir(scratch, { recursive: true });
        // What the trained model's matrix is found on.
        await writeFile(rows, toJsonLines(seen.value.examples));
      }
      const made = await exportBase(
        {
          base: { gguf: base.value.ggufPath, sha256: base.value.digest },
          family: c.family,
          output: outputs.model as string,
          format,
          converted: isConverted(c.source),
          ...(imatrix ? { imatrixRows: rows } : {}),
        },
        { scratch, signal, onEvent: emit, logFile },
      );
      if (!made.ok) return made;
      await writeFile(outputs.report as string, `${JSON.stringify(made.value, null, 2)}\n`);
      return ok({ figures: made.value, summary: exportSummary(made.value) });
    },
  };
}
