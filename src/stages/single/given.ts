/**
 * Stages whose outputs somebody brings in a file: each takes the place of the stage of that name in the real graph,
 * with the same outputs, so that everything after it is the real code. What a file holds is checked here, once. Samples are in given-data.ts.
 */
import { cp, readFile, stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { StageDefinition } from "../../engine/stage.ts";
import { parseCases, strayArguments } from "../../evaluation/cases.ts";
import { truncatedGguf } from "../../models/gguf.ts";
import { EXIT } from "../../platform/exit.ts";
import { cloneTree, errorCode } from "../../platform/fs.ts";
import type { JsonObject } from "../../platform/json.ts";
import { toJsonLines } from "../../platform/json.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { EvaluationReport } from "../../schemas/generated/evaluation-report.ts";
import { validate as isEvaluationReport } from "../../schemas/generated/evaluation-report.validate.js";
import type { Toolset } from "../../schemas/generated/toolset.ts";
import { gateFigures } from "../figures.ts";

type Outputs = StageDefinition["outputs"];

/** A file of the user's as text; a failure that names it. */
export async function readGiven(path: string, what: string): Promise<Result<string>> {
  try {
    return ok(await readFile(path, "utf8"));
  } catch (e) {
    return err(cannotRead(path, what, e));
  }
}

export const cannotRead = (path: string, what: string, e: unknown): Failure => {
  const code = errorCode(e);
  const why = code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a folder, not a file" : `cannot be read (${code || "unknown reason"})`;
  return {
    code: "files/unreadable",
    message: `${what} \`${path}\` ${why}`,
    hint: "check the path; it is relative to the folder that you stand in",
    exit: EXIT.usage,
  };
};

/** A stage that is given: no part of it comes from a recipe. */
export const stage = (id: string, title: string, outputs: Outputs, rest: Pick<StageDefinition, "run"> & Partial<StageDefinition>): StageDefinition => ({
  kind: "stage",
  id,
  title,
  version: 1,
  recipe: {},
  inputs: {},
  outputs,
  ...rest,
});

/** `generate` with nothing but evaluation cases, for a model that is only measured. */
export function givenCases(path: string): StageDefinition {
  return stage(
    "generate",
    "Read the cases",
    { train: "file", heldout: "file", plan: "file", statistics: "file" },
    {
      inputs: { toolset: { stage: "inspect", output: "toolset" } },
      files: { cases: resolve(path) },
      async run({ inputs, outputs, emit }) {
        const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
        const cases = parseCases(await readFile(inputs.cases as string, "utf8"), path, toolset);
        if (!cases.ok) return cases;
        for (const message of strayArguments(cases.value, toolset)) emit({ type: "log", level: "warning", message });
        await writeFile(outputs.heldout as string, toJsonLines(cases.value));
        for (const name of ["train", "plan", "statistics"]) await writeFile(outputs[name] as string, name === "train" ? "" : "null\n");
        return ok({ figures: { cases: cases.value.length }, summary: `${cases.value.length} cases` });
      },
    },
  );
}

/** `export:FORMAT` from a GGUF. */
export function givenModel(path: string, format: string): StageDefinition {
  return stage(
    `export:${format}`,
    "Take the model",
    { model: "file", report: "file" },
    {
      files: { model: resolve(path) },
      async run({ inputs, outputs }) {
        const head = await firstBytes(inputs.model as string);
        if (head !== "GGUF")
          return err({
            code: "models/not-gguf",
            message: `${path} is no GGUF file`,
            hint: "name a model that `forge export` wrote, or one inside a bundle (dist/NAME/model.gguf)",
            exit: EXIT.usage,
          });
        const truncated = truncatedGguf(inputs.model as string);
        if (truncated !== undefined)
          return err({
            code: "models/truncated",
            message: `${path} is not whole: ${truncated}`,
            hint: "copy or download it again, or export it anew: forge export --model FOLDER --output model.gguf",
            exit: EXIT.usage,
          });
        await cloneTree(inputs.model as string, outputs.model as string);
        const { size } = await stat(outputs.model as string);
        await writeFile(outputs.report as string, `${JSON.stringify({ bytes: size })}\n`);
        return ok({ figures: { bytes: size }, summary: `${(size / 1e6).toFixed(0)} MB` });
      },
    },
  );
}

async function firstBytes(path: string): Promise<string> {
  const { open } = await import("node:fs/promises");
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead).toString("latin1");
  } finally {
    await file.close();
  }
}

/** `inspect` from a toolset that was saved, so that definitions stay what they were while a stub or server executes. */
export function givenTools(path: string): StageDefinition {
  return stage(
    "inspect",
    "Read the tools",
    { toolset: "file" },
    {
      files: { tools: resolve(path) },
      async run({ outputs, signal }) {
        const { openTools } = await import("../../tools/open.ts");
        const opened = await openTools([{ file: path, execute: "none" }], { dir: process.cwd(), signal });
        if (!opened.ok) return opened;
        await writeFile(outputs.toolset as string, `${JSON.stringify(opened.value.toolset, null, 2)}\n`);
        const names = opened.value.toolset.tools.map((t) => t.name);
        await opened.value.close();
        return ok({ figures: { tools: names.length, toolset_hash: opened.value.toolset.hash }, summary: `${names.length} tools` });
      },
    },
  );
}

/** What `forge train --output` leaves in its folder, beside `tools.json`. */
export const TRAINED = { adapter: "adapter", rows: "rows.jsonl", training: "training.json", about: "model.json", tools: "tools.json" } as const;

/** `train` from a folder that `forge train --output` wrote. */
export function givenTraining(folder: string): StageDefinition {
  return stage(
    "train",
    "Take the trained adapter",
    { adapter: "folder", rows: "file", training: "file" },
    {
      files: { adapter: resolve(folder, TRAINED.adapter), rows: resolve(folder, TRAINED.rows), training: resolve(folder, TRAINED.training) },
      async run({ inputs, outputs }) {
        await cp(inputs.adapter as string, outputs.adapter as string, { recursive: true, dereference: true });
        for (const name of ["rows", "training"]) await cloneTree(inputs[name] as string, outputs[name] as string);
        const { figures = {} } = JSON.parse(await readFile(inputs.training as string, "utf8")) as { figures?: JsonObject };
        return ok({ figures, summary: "from its folder" });
      },
    },
  );
}

/** `train` as far as `pack` asks: the figures of a `training.json`, or none. */
export function givenTrainingFigures(path: string | undefined): StageDefinition {
  return stage(
    "train",
    "Take the training's figures",
    { adapter: "folder", rows: "file", training: "file" },
    {
      ...(path === undefined ? {} : { files: { training: resolve(path) } }),
      async run({ inputs, outputs }) {
        const { mkdir } = await import("node:fs/promises");
        await mkdir(outputs.adapter as string);
        await writeFile(outputs.rows as string, "");
        if (inputs.training === undefined) await writeFile(outputs.training as string, `${JSON.stringify({ figures: {} })}\n`);
        else await cloneTree(inputs.training, outputs.training as string);
        return ok({ figures: {}, summary: path === undefined ? "none given" : "from their file" });
      },
    },
  );
}

export interface GivenReport {
  readonly path: string;
  /** The model that is packed, as the user wrote it. */
  readonly model: string;
  /** Of a validation: what the smoke tests are made of. */
  readonly records?: string;
  /** Take a report that does not say what it measured. */
  readonly unproven: boolean;
}

/** `validate:FORMAT` or `benchmark:FORMAT` from a report that forge wrote about this model with these tools; for a validation also its records. */
export function givenReport(kind: "validate" | "benchmark", format: string, { path, model, records, unproven }: GivenReport): StageDefinition {
  const outputs: Outputs = { report: "file", markdown: "file", ...(kind === "validate" ? { records: "file" } : { constrained: "file" }) };
  return stage(`${kind}:${format}`, `Take the ${kind === "validate" ? "validation" : "benchmark"}`, outputs, {
    inputs: { model: { stage: `export:${format}`, output: "model" }, toolset: { stage: "inspect", output: "toolset" } },
    files: { report: resolve(path), ...(records === undefined ? {} : { records: resolve(records) }) },
    async run({ inputs, outputs: to }) {
      const report = parseReport(await readFile(inputs.report as string, "utf8"), path, kind);
      if (!report.ok) return report;
      const [{ isOf, reportMarkdown }, { digestFile, hexOf }] = await Promise.all([import("../../evaluation/report.ts"), import("../../platform/hash.ts")]);
      const toolset = JSON.parse(await readFile(inputs.toolset as string, "utf8")) as Toolset;
      const of = isOf(report.value, { model: hexOf(await digestFile(inputs.model as string)), toolset: toolset.hash });
      if (of !== "same" && !(of === "unsaid" && unproven)) return err(ofAnother(kind, of, path, model));
      await writeFile(to.report as string, `${JSON.stringify(report.value, null, 2)}\n`);
      await writeFile(to.markdown as string, reportMarkdown(report.value));
      if (kind === "benchmark") await writeFile(to.constrained as string, "");
      else await cloneTree(inputs.records as string, to.records as string);
      return ok({ figures: gateFigures(report.value), summary: `${report.value.cases} cases` });
    },
  });
}

const OF_ANOTHER = {
  "other-model": (path: string, model: string) => `${path} is not about ${model}: it measured a model of another SHA-256`,
  "other-tools": (path: string) => `${path} measured the model with other tools than these`,
  unsaid: (path: string) => `${path} does not say which model and tools it measured: an earlier version wrote it`,
} as const;

/** What a bundle says of its model must have been measured on that model, with those tools. */
const ofAnother = (kind: "validate" | "benchmark", of: keyof typeof OF_ANOTHER, path: string, model: string): Failure => ({
  code: `files/${of === "unsaid" ? "unnamed-model" : of}`,
  message: OF_ANOTHER[of](path, model),
  hint: `measure what is packed: forge ${kind} --model ${model} … --output FILE${of === "unsaid" ? "; or pack it with --unproven, which every file of the bundle then says" : ""}`,
  exit: EXIT.usage,
});

function parseReport(text: string, path: string, kind: "validate" | "benchmark"): Result<EvaluationReport> {
  const wrong = (why: string): Result<never> =>
    err({
      code: "files/no-report",
      message: `${path} is no report of a ${kind === "validate" ? "validation" : "benchmark"}: ${why}`,
      hint: `make one: forge ${kind} --model FILE … --output ${path}`,
      exit: EXIT.usage,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return wrong("it is not JSON");
  }
  if (!isEvaluationReport(value))
    return wrong(`${isEvaluationReport.errors?.[0]?.instancePath || "it"} ${isEvaluationReport.errors?.[0]?.message ?? ""}`.trim());
  const report = value as EvaluationReport;
  return report.kind === kind ? ok(report) : wrong(`it is one of a ${report.kind === "validate" ? "validation" : "benchmark"}`);
}
