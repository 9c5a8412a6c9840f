/**
 * train: fine-tunes the base model with LoRA on the training samples, in a Python step. The samples are
 * rendered here, with the very renderer that evaluation uses, so that what is trained is what is asked. Where the recipe says so a share of
 * them is held out, and what training tells goes to trackers of experiments too, which decide nothing of what comes out.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { StageDefinition } from "../engine/stage.ts";
import { backendSettings } from "../models/backend.ts";
import { trainingOf } from "../models/head-start.ts";
import { decisiveValues } from "../models/hyperparameters.ts";
import { bytesAfterTraining } from "../models/memory.ts";
import { trackersOf } from "../models/tracking.ts";
import { type JsonObject, parseJsonLines, toJsonLines } from "../platform/json.ts";
import { ok } from "../platform/result.ts";
import { exportChoice } from "../recipe/formats.ts";
import { decisive } from "../recipe/train-keys.ts";
import { backendRuntime, ensureBackend } from "../runners/backend-env.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import { baseSettings, modelWords, type PipelineContext, sampleSource, view } from "./context.ts";

export const VERSION = 8;

export function trainStage(c: PipelineContext): StageDefinition {
  const { headStart, backend } = c;
  const { train } = c.recipe;
  const { examples: examplePlan } = trainingOf(c.family, headStart);
  return {
    kind: "stage",
    id: "train",
    title: "Fine-tune the model",
    version: VERSION,
    recipe: { seed: c.recipe.seed, profile: c.recipe.profile, train: { ...decisive(train) }, model: modelWords(c) },
    settings: {
      ...baseSettings(c),
      ...backendSettings(backend),
      ...(headStart === undefined ? {} : { head_start: headStart.digest }),
      hyperparameters: { ...decisiveValues(c.hyperparameters.values) },
      ...(c.hyperparameters.samplesSeen === undefined ? {} : { samples_seen: c.hyperparameters.samplesSeen }),
      examples: { ...examplePlan },
    },
    runtime: backendRuntime(backend),
    inputs: { toolset: { stage: "inspect", output: "toolset" }, train: sampleSource(c) },
    after: ["gate:qa"],
    outputs: { adapter: "folder", rows: "file", training: "file" },
    reports: { curve: "file" },
    views: { training: view(c, "reports", "training.json"), curve: view(c, "reports", "training.csv") },
    resources: { cpu: 1, gpu: 1 },
    async run({ inputs, outputs, scratch, signal, emit, logFile }) {
      const [{ runThroughKills }, { ensureBase }, { trainingRows }, { curveCsv, readCurve }] = await Promise.all([
        import("../runners/killed.ts"),
        import("../models/base.ts"),
        import("./training-rows.ts"),
        import("../models/learning-curve.ts"),
      ]);
      const told = await trackersOf(train, { signal, emit });
      if (!told.ok) return told;
      const base = await ensureBase(c.family, c.sourceName, { signal, onProgress: emit });
      if (!base.ok) return base;
      const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
      const made = await trainingRows(c, toolset.tools, parseJsonLines<Sample>(await readFile(inputs.train as string, "utf8")));
      if (!made.ok) return made;
      const { samples, held: unlearned, heldOut, hyper, examples } = made.value;
      const rows = join(scratch, "rendered.jsonl");
      await mkdir(scratch, { recursive: true });
      if (hyper.shuffle_tools && !examples.some((e) => e.reordered))
        emit({
          type: "log",
          level: "warning",
          message: `\`train.shuffle_tools\` changes nothing here: ${whyInOneOrder(toolset.tools.length, examples.length)}`,
        });
      await writeFile(rows, toJsonLines(examples));
      const held = join(scratch, "held-out.jsonl");
      if (heldOut > 0) {
        await writeFile(held, toJsonLines(unlearned));
        const share = ((100 * heldOut) / (samples.length + heldOut)).toFixed(0);
        emit({
          type: "log",
          level: "info",
          message: `${heldOut} of ${samples.length + heldOut} samples (${share} %) are held out for evaluation`,
        });
      }
      // One of an interrupted run goes: a checkpoint holds it, and whoever follows the file must not see a step twice.
      const curve = join(scratch, "curve.jsonl");
      await rm(curve, { force: true });
      const tracking = told.value.start({
        curve,
        run: `${c.recipe.name}${c.loaded.variant === undefined ? "" : `-${c.loaded.variant}`}-${basename(scratch).slice(0, 8)}`,
        project: c.recipe.name,
        folder: view(c, "tracking"),
        config: { ...hyper, seed: c.recipe.seed, family: c.family.name, samples: samples.length, held_out: heldOut },
        ...{ scratch, signal, emit, logFile },
      });
      const result = await runThroughKills(
        "train",
        {
          v: 1,
          base: { gguf: base.value.ggufPath, sha256: base.value.digest },
          ...(headStart === undefined ? {} : { head_start: { adapter: headStart.adapter, sha256: headStart.digest } }),
          family: c.family.name,
          ...backendSettings(backend),
          ...(c.family.thinking === null ? {} : { thinking: { ...c.family.thinking } }),
          rows,
          hyper: { ...hyper },
          seed: c.recipe.seed,
          output: outputs.adapter as string,
          checkpoints: join(scratch, "checkpoints"),
          ...(heldOut === 0
            ? {}
            : {
                evaluation: {
                  rows: held,
                  ...(train.eval_steps === undefined ? {} : { steps: train.eval_steps }),
                  ...(train.early_stopping_patience === undefined ? {} : { patience: train.early_stopping_patience }),
                },
              }),
          ...(train.gpus === undefined ? {} : { gpus: train.gpus }),
          ...(train.processes === undefined ? {} : { processes: train.processes }),
          ...(train.save_steps === undefined ? {} : { checkpoint_steps: train.save_steps }),
          ...(train.save_total_limit === undefined ? {} : { checkpoints_kept: train.save_total_limit }),
          gradient_checkpointing: { true: "on", false: "off", auto: "auto" }[String(train.gradient_checkpointing ?? "auto")] ?? "auto",
          curve,
          later_bytes: bytesAfterTraining(
            c.family,
            c.recipe.exports.map((e) => exportChoice(e).format),
            c.recipe.evaluation.baseline && c.recipe.evaluation.benchmark && c.baselineModel === undefined,
          ),
        },
        // In 4 bits: what a layer writes out and frees lies between what stays, and kept it takes more than the bits save (docs/measurements.md).
        { scratch, logFile, signal, onEvent: emit, python: (o) => ensureBackend(backend, o), keepsMemory: backend !== "qlora" },
      );
      await tracking.end(result.ok);
      if (!result.ok) return result;
      await copyFile(rows, outputs.rows as string);
      const learned = readCurve(await readFile(curve, "utf8"));
      await writeFile(outputs.curve as string, curveCsv(learned));
      await writeFile(
        outputs.training as string,
        `${JSON.stringify({ figures: result.value, hyperparameters: { ...c.hyperparameters, values: hyper }, head_start: headStart?.digest ?? null, curve: learned }, null, 2)}\n`,
      );
      return ok({ figures: result.value, summary: summaryOf(result.value) });
    },
  };
}

/** One line of a training's figures. */
function summaryOf(figures: JsonObject): string {
  const f = figures as Record<string, number | boolean | undefined>;
  const words = [
    `${f.steps} step${f.steps === 1 ? "" : "s"}`,
    `loss ${Number(f.final_loss).toFixed(3)}`,
    `${Number(f.examples_per_second).toFixed(2)} examples/s`,
  ];
  if (f.eval_loss !== undefined)
    words.splice(2, 0, `${Number(f.eval_loss).toFixed(3)} on held-out samples${f.best_step === undefined ? "" : ` after step ${f.best_step}`}`);
  const cut = [...(f.row_tokens === undefined ? [] : [`rows of ${f.row_tokens} tokens`]), ...(f.recomputed === true ? ["layers recomputed"] : [])];
  const kills = f.killed === undefined ? "" : `; killed ${f.killed === 1 ? "once" : `${f.killed} times`} by the system`;
  return `${words.join(", ")}${f.stopped_early === true ? "; stopped early" : ""}${kills}${cut.length === 0 ? "" : `; for want of memory in ${cut.join(", ")}`}`;
}

const whyInOneOrder = (tools: number, examples: number): string =>
  tools < 2 ? "there is one tool" : `${examples} examples fill no two optimiser steps, and every second one has an order of its own`;
