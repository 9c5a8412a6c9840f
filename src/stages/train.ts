/**
 * train: fine-tunes the base model with LoRA on the training samples, in a Python step. The samples are
 * rendered here, with the very renderer that evaluation uses, so that what is trained is what is asked.
 */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StageDefinition } from "../engine/stage.ts";
import { trainingOf } from "../models/head-start.ts";
import { forSamples } from "../models/hyperparameters.ts";
import { parseJsonLines, toJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import { pythonRuntime } from "../runners/python-env.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, modelWords, type PipelineContext, sampleSource } from "./context.ts";

export const VERSION = 7;

export function trainStage(c: PipelineContext): StageDefinition {
  const { headStart } = c;
  const { examples: examplePlan } = trainingOf(c.family, headStart);
  return {
    kind: "stage",
    id: "train",
    title: "Fine-tune the model",
    version: VERSION,
    recipe: { seed: c.recipe.seed, profile: c.recipe.profile, train: { ...c.recipe.train }, model: modelWords(c) },
    settings: {
      ...baseSettings(c),
      ...(headStart === undefined ? {} : { head_start: headStart.digest }),
      hyperparameters: { ...c.hyperparameters.values },
      ...(c.hyperparameters.samplesSeen === undefined ? {} : { samples_seen: c.hyperparameters.samplesSeen }),
      examples: { ...examplePlan },
    },
    runtime: pythonRuntime(),
    inputs: { toolset: { stage: "inspect", output: "toolset" }, train: sampleSource(c) },
    after: ["gate:qa"],
    outputs: { adapter: "folder", rows: "file", training: "file" },
    resources: { cpu: 1, gpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const [{ runStep }, { ensureBase }, { createRenderer }, { examplesInSteps, trainingExamples }] = await Promise.all([
        import("../runners/local.ts"),
        import("../models/base.ts"),
        import("../models/render.ts"),
        import("../models/examples.ts"),
      ]);
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
      const samples = parseJsonLines<Sample>(await readFile(inputs.train as string, "utf8"));
      const hyper = forSamples(c.hyperparameters, samples.length);
      const renderer = createRenderer(c.family);
      const rows = join(scratch, "rendered.jsonl");
      await mkdir(scratch, { recursive: true });
      const examples = hyper.shuffle_tools
        ? examplesInSteps(samples, renderer, toolset.tools, { plan: examplePlan, size: hyper.samples_per_step, seed: c.recipe.seed })
        : trainingExamples(samples, renderer, toolset.tools, examplePlan);
      if (hyper.shuffle_tools && !examples.some((e) => e.reordered))
        emit({
          type: "log",
          level: "warning",
          message: `\`train.shuffle_tools\` changes nothing here: ${whyInOneOrder(toolset.tools.length, examples.length)}`,
        });
      await writeFile(rows, toJsonLines(examples));
      const result = await runStep(
        "train",
        {
          v: 1,
          base: { gguf: base.value.ggufPath, sha256: base.value.digest },
          ...(headStart === undefined ? {} : { head_start: { adapter: headStart.adapter, sha256: headStart.digest } }),
          family: c.family.name,
          ...(c.family.thinking === null ? {} : { thinking: { ...c.family.thinking } }),
          rows,
          hyper: { ...hyper },
          seed: c.recipe.seed,
          output: outputs.adapter as string,
          checkpoints: join(scratch, "checkpoints"),
        },
        { scratch, logFile, signal, onEvent: emit },
      );
      if (!result.ok) return result;
      await copyFile(rows, outputs.rows as string);
      await writeFile(
        outputs.training as string,
        `${JSON.stringify({ figures: result.value, hyperparameters: { ...c.hyperparameters, values: hyper }, head_start: headStart?.digest ?? null }, null, 2)}\n`,
      );
      const f = result.value as Record<string, number>;
      return ok({
        figures: result.value,
        summary: `${f.steps} steps, loss ${Number(f.final_loss).toFixed(3)}, ${Number(f.examples_per_second).toFixed(2)} examples/s`,
      });
    },
  };
}

const whyInOneOrder = (tools: number, examples: number): string =>
  tools < 2 ? "there is one tool" : `${examples} examples fill no two optimiser steps, and every second one has an order of its own`;
