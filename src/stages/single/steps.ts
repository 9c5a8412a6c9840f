/**
 * The single steps: what each command's flags mean as an ephemeral recipe, which stages are given, where the run
 * stops, and which outputs go where. Flags are checked before anything starts; every message names the flag that
 * mends it.
 */
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { StageDefinition } from "../../engine/stage.ts";
import { familyByHubId, isComplete } from "../../models/family.ts";
import { isFamilyFile, modelOfWord, projectFamilies } from "../../models/family-file.ts";
import { ggufText } from "../../models/gguf.ts";
import { quantizationOf } from "../../models/inspect-gguf.ts";
import { EXIT } from "../../platform/exit.ts";
import { outputTarget } from "../../platform/output-file.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { EXPORT_FORMATS, type ExportFormat, imatrixOf, isModelFormat, MODEL_FORMATS, type ModelFormat } from "../../recipe/formats.ts";
import { nameFrom, scaledScenarios } from "../../recipe/made.ts";
import type { Recipe, ScenarioName, ToolSource } from "../../recipe/types.ts";
import type { PipelineContext } from "../context.ts";
import { type Delivery, deliverable, inTheWay, sameFile } from "./deliver.ts";
import { givenCases, givenModel, givenReport, givenTools, givenTraining, givenTrainingFigures, TRAINED } from "./given.ts";
import { givenData } from "./given-data.ts";
import { givenShare, givenShares, sharesKnowFrames } from "./given-shares.ts";
import type { SingleOptions } from "./project.ts";
import { knowsFrames, lengthsFor, limitsWithCases, reportDeliveries as qaReports, strayOfShares } from "./qa-step.ts";
import { otherBase, readTrained, trainedText } from "./trained.ts";

export interface StepFlags {
  readonly server?: string;
  readonly stub?: string;
  readonly tools?: string;
  readonly execute?: string;
  readonly data?: string;
  readonly model?: string;
  readonly family?: string | undefined;
  readonly profile?: string;
  readonly seed?: number;
  readonly samples?: number;
  readonly minPerTool?: number;
  readonly noToolRatio?: number;
  readonly errorRatio?: number;
  readonly format?: readonly string[];
  readonly imatrix?: boolean;
  readonly output?: string;
  readonly report?: string;
  readonly fix?: boolean;
  readonly shard?: string;
  readonly merge?: readonly string[];
  readonly cases?: string;
  readonly records?: string;
  readonly validation?: string;
  readonly benchmark?: string;
  readonly training?: string;
  readonly baseline?: string;
  readonly name?: string;
  readonly skipVerify?: boolean;
  readonly unproven?: boolean;
  /** Thresholds by figure. */
  readonly thresholds?: Readonly<Record<string, number>>;
}

export interface PreparedStep {
  readonly single: SingleOptions;
  readonly until: string;
  readonly deliveries: readonly Delivery[];
  /** Texts to write beside the results of the model that the step was about: path → content. */
  readonly beside?: (base: Pick<PipelineContext, "family" | "sourceName">) => Readonly<Record<string, string>>;
  /** The node whose records are shown, a line a test. */
  readonly records?: { readonly stage: string; readonly output: string };
}

export type Step = "generate" | "qa" | "train" | "validate" | "benchmark" | "export" | "pack";
type Prepare = (flags: StepFlags, sources: readonly ToolSource[]) => Result<PreparedStep>;

const PROFILES = ["fast_dev", "balanced", "max_quality"] as const;

const usage = (message: string, hint: string): Result<never> => err({ code: "usage/missing-flag", message, hint, exit: EXIT.usage });

/** The sources that `--server`, `--stub` and `--tools` name; `words` are the server's command line, split. */
export function toolSources(flags: StepFlags, words: readonly string[] | undefined): Result<ToolSource[]> {
  if (flags.server !== undefined && flags.stub !== undefined) return usage("--server and --stub are both given", "name one of them");
  const execute = flags.execute === undefined ? undefined : policy(flags.execute);
  if (words !== undefined) {
    const [command = "", ...args] = words;
    return ok([{ mcp: { command, args }, execute: execute ?? "read_only" }]);
  }
  if (flags.stub !== undefined) return ok([{ stub: flags.stub, execute: execute ?? "all" } as ToolSource]);
  if (flags.tools !== undefined) return ok([{ file: flags.tools, execute: "none" }]);
  return ok([]);
}

function policy(text: string): NonNullable<ToolSource["execute"]> {
  return text === "all" || text === "none" || text === "read_only" ? text : (text.split(",").map((n) => n.trim()) as NonNullable<ToolSource["execute"]>);
}

/** Everything that a step needs to run; a failure where flags are missing, wrong, or name files that are not there. */
export function prepareStep(step: Step, flags: StepFlags, sources: readonly ToolSource[]): Result<PreparedStep> {
  const problem = missingFile(flags) ?? outputProblem(step, flags);
  if (problem !== undefined) return err(problem);
  const made = STEPS[step](flags, sources);
  if (!made.ok) return made;
  const prepared = ok({ ...made.value, deliveries: made.value.deliveries.filter((d) => !besideStream(d, flags.output)) });
  const written = new Map<string, string>();
  for (const { to } of prepared.value.deliveries) {
    const other = written.get(resolve(to));
    if (other !== undefined)
      return err({
        code: "usage/output",
        message: `two results would be written to ${to}`,
        hint: to.endsWith(".md") ? "name the report with the ending .json (--output report.json): its Markdown goes beside it" : "give each a name of its own",
        exit: EXIT.usage,
      });
    written.set(resolve(to), to);
  }
  // Where nothing was said of where it goes, too: nothing that is there may be lost.
  const inputs = inputsOf(prepared.value.single);
  for (const { output, to } of prepared.value.deliveries) {
    const kind = output === "adapter" || output === "bundle" ? "folder" : "file";
    const blocked =
      deliverable(to, kind, to) ?? inTheWay(to, inputs, step === "qa" ? "--output, --report" : step === "generate" ? "--output, --cases" : "--output");
    if (blocked !== undefined) return err(blocked);
  }
  return prepared;
}

/** Whether an output would go beside one that is written to in place: nothing of ours lies in /dev, nor beside a FIFO. */
function besideStream({ to, implied }: Delivery, output: string | undefined): boolean {
  if (implied !== true || output === undefined || resolve(to) === resolve(output)) return false;
  return resolve(to).startsWith(resolve(sibling(output, ""))) && outputTarget(output).kind === "stream";
}

/** The files that a step reads. */
function inputsOf({ recipe, given, baselineModel }: SingleOptions): string[] {
  const tools = recipe.tools.flatMap(({ file, openai, stub }) => [file, openai, typeof stub === "object" ? stub.from : undefined]);
  return [...given.flatMap((stage) => Object.values(stage.files ?? {})), ...tools, baselineModel].filter((path) => path !== undefined);
}

const STEPS: Readonly<Record<Step, Prepare>> = {
  generate(flags, sources) {
    if (sources.length === 0)
      return usage("`generate` needs tools", 'say which: --server "COMMAND", --stub NAME or --tools FILE; or name a recipe: forge generate forge.yaml');
    const weights = scenarioWeights(flags);
    if (!weights.ok) return weights;
    const output = flags.output ?? "train.jsonl";
    const recipe = recipeFor(flags, sources, output, {
      data: { ...countsOf(flags), ...weights.value },
      ...(flags.cases === undefined ? { evaluation: { samples: 1 } } : {}),
    });
    return recipe.ok
      ? ok({
          single: { recipe: recipe.value, given: [] },
          until: "generate",
          deliveries: [
            { stage: "generate", output: "train", to: output, ...impliedUnless(flags.output) },
            ...neighbour("inspect", "toolset", toolsBeside(output), flags.tools),
            ...optional("generate", "heldout", flags.cases),
          ],
        })
      : recipe;
  },

  qa(flags, sources) {
    const stray = strayOfShares(flags);
    if (stray !== undefined) return err(stray);
    const data = flags.data ?? flags.merge?.[0];
    if (data === undefined) return usage("`qa` of a file needs --data", "name the samples: --data train.jsonl; or name a recipe: forge qa forge.yaml");
    const tools = toolsFor(flags, sources, data);
    if (!tools.ok) return tools;
    const frames = (): boolean => (flags.merge === undefined ? knowsFrames(data) : sharesKnowFrames(flags.merge));
    const recipe = recipeFor(flags, tools.value, data, { gates: { qa: { ...limitsWithCases(frames, flags.cases), ...flags.thresholds } } });
    if (!recipe.ok) return recipe;
    const lengths = lengthsFor(flags);
    if (!lengths.ok) return lengths;
    const sharing = { ...(flags.cases === undefined ? {} : { cases: flags.cases }), ...(lengths.value === undefined ? {} : { lengths: lengths.value }) };
    if (flags.shard !== undefined) {
      const given = givenShare(data, { ...sharing, frames: frames() });
      return ok({ single: { recipe: recipe.value, given }, until: "share", deliveries: [{ stage: "share", output: "shard", to: flags.shard }] });
    }
    if (flags.merge !== undefined)
      return ok({
        single: { recipe: recipe.value, given: givenShares(flags.merge, sharing) },
        until: "gate:qa",
        deliveries: qaReports(flags.report, sibling(data, "qa")),
      });
    const cleaned = flags.fix === true ? (flags.output ?? sibling(data, "clean.jsonl")) : undefined;
    const given = givenData(data, { fix: flags.fix === true, ...sharing });
    return ok({
      single: { recipe: recipe.value, given },
      until: "gate:qa",
      deliveries: [
        ...optional("generate", "train", cleaned).map((d) => ({ ...d, ...impliedUnless(flags.output) })),
        ...(cleaned === undefined ? [] : [{ stage: "generate", output: "repairs", to: sibling(cleaned, "repairs.jsonl"), implied: true as const }]),
        ...qaReports(flags.report, sibling(data, "qa")),
      ],
    });
  },

  train(flags, sources) {
    if (flags.data === undefined)
      return usage("`train` on a file needs --data", "name the samples: --data train.jsonl --model smollm2; or name a recipe: forge train forge.yaml");
    if (flags.model === undefined) return usage("`train --data` needs --model", "name the base model's family: --model smollm2");
    const tools = toolsFor(flags, sources, flags.data);
    if (!tools.ok) return tools;
    const family = flags.model;
    const recipe = recipeFor({ ...flags, family }, tools.value, flags.output ?? "adapter", {});
    if (!recipe.ok) return recipe;
    const folder = flags.output ?? "adapter";
    const blocked = deliverable(folder, "folder", folder);
    if (blocked !== undefined) return err(blocked);
    const to = (name: string): string => join(folder, name);
    return ok({
      single: { recipe: recipe.value, given: givenData(flags.data, { fix: false }), without: ["gate:qa"], resumable: `train ${resolve(folder)}` },
      until: "train",
      deliveries: [
        { stage: "train", output: "adapter", to: to(TRAINED.adapter) },
        { stage: "train", output: "rows", to: to(TRAINED.rows) },
        { stage: "train", output: "training", to: to(TRAINED.training) },
        { stage: "inspect", output: "toolset", to: to(TRAINED.tools) },
      ],
      beside: (base) => ({
        [to(TRAINED.about)]: trainedText({ family: isFamilyFile(family) ? pathFrom(folder, family) : family, name: recipe.value.name }, base),
      }),
    });
  },

  export(flags, sources) {
    if (flags.model === undefined)
      return usage(
        "`export` of a trained model needs --model",
        "name the folder that `forge train --output` wrote: --model adapter --output model.gguf; or name a recipe",
      );
    const missing = Object.values(TRAINED).filter((name) => name !== TRAINED.tools && !existsSync(join(flags.model as string, name)));
    if (missing.length > 0)
      return usage(
        `\`${flags.model}\` is no trained model: it lacks ${missing.join(", ")}`,
        "name the folder that `forge train --data F --model FAMILY --output FOLDER` wrote",
      );
    const about = readTrained(join(flags.model, TRAINED.about));
    if (!about.ok) return about;
    const tools = toolsFor(flags, sources, join(flags.model, TRAINED.rows));
    if (!tools.ok) return tools;
    const formats = formatsOf(flags);
    if (!formats.ok) return formats;
    const output = flags.output ?? "model.gguf";
    const own = about.value.family;
    const family = isFamilyFile(own) ? pathFrom(process.cwd(), join(flags.model, own)) : own;
    const other = otherBase(flags.model, about.value, family);
    if (other !== undefined) return err(other);
    const stated = statedExports(formats.value, flags.imatrix === true);
    if (!stated.ok) return stated;
    const recipe = recipeFor({ ...flags, family, name: flags.name ?? about.value.name }, tools.value, output, { exports: stated.value });
    if (!recipe.ok) return recipe;
    const [only] = formats.value;
    return ok({
      single: { recipe: recipe.value, given: [givenTraining(flags.model)], verifyExports: flags.skipVerify !== true, trainedHere: false },
      until: "export",
      deliveries: formats.value.map((format) => ({
        stage: `export:${format}`,
        output: "model",
        to: format === only ? output : sibling(output, `${format}.gguf`),
        ...impliedUnless(format === only ? flags.output : undefined),
      })),
    });
  },

  validate(flags, sources) {
    const measured = measuring("validate", flags, sources);
    if (!measured.ok) return measured;
    const { recipe, given, format } = measured.value;
    return ok({
      single: { recipe, given },
      until: `gate:validate:${format}`,
      deliveries: flags.output === undefined ? [] : reportDeliveries("validate", format, flags.output, flags.cases),
      records: { stage: `validate:${format}`, output: "records" },
    });
  },

  benchmark(flags, sources) {
    const measured = measuring("benchmark", flags, sources);
    if (!measured.ok) return measured;
    const { recipe, given, format } = measured.value;
    return ok({
      single: { recipe, given, ...(flags.baseline === undefined ? {} : { baselineModel: flags.baseline }) },
      until: `gate:benchmark:${format}`,
      deliveries: flags.output === undefined ? [] : reportDeliveries("benchmark", format, flags.output),
      records: { stage: `benchmark:${format}`, output: "markdown" },
    });
  },

  pack(flags, sources) {
    const { model, validation } = flags;
    if (model === undefined)
      return usage(
        "`pack` of files needs --model",
        "name the GGUF: --model model.gguf --tools tools.json --validation validation.json --output dist/NAME; or name a recipe",
      );
    if (validation === undefined)
      return usage(
        "`pack --model` needs --validation",
        "measure the model first: forge validate --model model.gguf --tools tools.json --output validation.json",
      );
    const unproven = flags.unproven === true;
    const records = flags.records ?? sibling(validation, "records.jsonl");
    const cases = flags.cases ?? sibling(validation, "cases.jsonl");
    for (const [flag, path] of [
      ["--records", records],
      ["--cases", cases],
    ] as const)
      if (!existsSync(path))
        return usage(
          `there is no file \`${path}\`, which the bundle's smoke tests are made of`,
          `\`forge validate --output\` writes it beside its report; or name it: ${flag} FILE`,
        );
    const adapter = adapterAlone(model);
    if (adapter !== undefined) return err(adapter);
    const tools = toolsFor(flags, sources, model);
    if (!tools.ok) return tools;
    const format = formatOf(model);
    const output = flags.output ?? join("dist", nameFrom(flags.name ?? "model", "model"));
    const family = familyOf(flags, model);
    if (!family.ok) return family;
    const recipe = recipeFor({ ...flags, family: family.value }, tools.value, output, {
      exports: [format],
      evaluation: { benchmark: flags.benchmark !== undefined },
      // Without the samples there is nothing to say of them.
      ...(flags.data === undefined ? { gates: { qa: { schema_pass_rate: 0, min_samples_per_tool: 0 } } } : {}),
    });
    if (!recipe.ok) return recipe;
    const given = [
      ...(flags.data === undefined ? [givenCases(cases)] : givenData(flags.data, { fix: false, cases })),
      givenTrainingFigures(flags.training),
      givenModel(model, format),
      givenReport("validate", format, { path: validation, records, model, unproven }),
      ...(flags.benchmark === undefined ? [] : [givenReport("benchmark", format, { path: flags.benchmark, model, unproven })]),
      ...(flags.tools !== undefined && sources.some((s) => s.file === undefined) ? [givenTools(flags.tools)] : []),
    ];
    return ok({
      single: { recipe: recipe.value, given, without: flags.data === undefined ? ["gate:qa"] : [], unproven },
      until: "pack",
      deliveries: [{ stage: "pack", output: "bundle", to: output }],
    });
  },
};

/** Samples that hold what a matrix is found on (TOKENS of python/forge_steps/imatrix.py), however short they are. */
const MATRIX_SAMPLES = 100;

interface Measured {
  readonly recipe: Recipe;
  readonly given: readonly StageDefinition[];
  readonly format: ModelFormat;
}

/** What `validate` and `benchmark` of a model file share. */
function measuring(step: "validate" | "benchmark", flags: StepFlags, sources: readonly ToolSource[]): Result<Measured> {
  if (flags.model === undefined)
    return usage(`\`${step}\` of a model file needs --model`, `name the GGUF: --model model.gguf; or name a recipe: forge ${step} forge.yaml`);
  const model = statSync(flags.model).isDirectory() ? join(flags.model, "model.gguf") : flags.model;
  if (!existsSync(model)) return usage(`there is no model.gguf in \`${flags.model}\``, "name a GGUF, or the folder of a bundle");
  const adapter = adapterAlone(model);
  if (adapter !== undefined) return err(adapter);
  const tools = toolsFor(flags, sources, model);
  if (!tools.ok) return tools;
  const format = formatOf(model);
  const family = familyOf(flags, model);
  if (!family.ok) return family;
  const recipe = recipeFor({ ...flags, family: family.value }, tools.value, model, {
    // Samples to train on are not wanted: as few as there can be, but where the base needs a matrix, which takes some tokens to find.
    data: { samples: step === "benchmark" && imatrixOf(format) === "needed" ? MATRIX_SAMPLES : 1, min_per_tool: 0 },
    evaluation: { samples: flags.samples ?? 20, baseline: step === "benchmark" },
    exports: [format],
    ...thresholdsOf(flags),
  });
  if (!recipe.ok) return recipe;
  const given = [
    givenModel(model, format),
    ...(flags.cases === undefined ? [] : [givenCases(flags.cases)]),
    ...(flags.tools !== undefined && sources.some((s) => s.file === undefined) ? [givenTools(flags.tools)] : []),
  ];
  return ok({ recipe: recipe.value, given, format });
}

/** The tools by flag; else `tools.json` where a step of ours leaves it, beside the file at hand. */
function toolsFor(flags: StepFlags, sources: readonly ToolSource[], beside: string): Result<readonly ToolSource[]> {
  if (sources.length > 0) return ok(sources);
  const found = [toolsBeside(beside), join(dirname(beside), "tools.json")].find((path) => existsSync(path));
  if (found !== undefined) return ok([{ file: found, execute: "none" }]);
  return usage(
    flags.data === undefined ? "the tools are not named" : `the tools of \`${flags.data}\` are not named`,
    "say which: --tools FILE (`forge tools inspect --server COMMAND --output tools.json` writes one), --server COMMAND or --stub NAME",
  );
}

function recipeFor(flags: StepFlags, sources: readonly ToolSource[], nameSource: string, rest: Partial<Recipe>): Result<Recipe> {
  const { profile } = flags;
  if (profile !== undefined && !PROFILES.some((p) => p === profile))
    return err({ code: "usage/bad-value", message: `there is no profile \`${profile}\``, hint: `choose one of ${PROFILES.join(", ")}`, exit: EXIT.usage });
  const last =
    nameSource
      .replace(/[/\\]+$/, "")
      .split(/[/\\]/)
      .at(-1) ?? "";
  return ok({
    version: 1,
    name: flags.name ?? nameFrom(last.replace(/\.[a-z0-9]+$/i, ""), "model"),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    tools: [...sources] as Recipe["tools"],
    ...(flags.family === undefined ? {} : { model: modelOfWord(flags.family) as Recipe["model"] }),
    ...(profile === undefined ? {} : { profile: profile as Recipe["profile"] }),
    ...rest,
  });
}

/** How many conversations, as far as flags say. */
export const countsOf = (flags: Pick<StepFlags, "samples" | "minPerTool">): NonNullable<Recipe["data"]> => ({
  ...(flags.samples === undefined ? {} : { samples: flags.samples }),
  ...(flags.minPerTool === undefined ? {} : { min_per_tool: flags.minPerTool }),
});

/** `{scenarios}` where a ratio was given, the others scaled; `{}` where none was. */
export function scenarioWeights(flags: Pick<StepFlags, "noToolRatio" | "errorRatio">): Result<{ scenarios?: Record<string, number> }> {
  const set: Partial<Record<ScenarioName, number>> = {
    ...(flags.noToolRatio === undefined ? {} : { no_tool: flags.noToolRatio }),
    ...(flags.errorRatio === undefined ? {} : { error: flags.errorRatio }),
  };
  if (Object.keys(set).length === 0) return ok({});
  const scenarios = scaledScenarios(set);
  if (scenarios !== undefined) return ok({ scenarios });
  return err({
    code: "usage/bad-value",
    message: "--no-tool-ratio and --error-ratio are shares from 0 to 1 and together at most 1",
    hint: "for example --no-tool-ratio 0.15 --error-ratio 0.10",
    exit: EXIT.usage,
  });
}

const VALIDATE = ["tool_call_parse_rate", "schema_conformance_rate", "tool_selection_accuracy", "loop_completion_rate", "error_handling_rate"] as const;

function thresholdsOf(flags: StepFlags): Pick<Recipe, "gates"> {
  const entries = Object.entries(flags.thresholds ?? {});
  const of = (validate: boolean) => Object.fromEntries(entries.filter(([name]) => VALIDATE.some((v) => v === name) === validate));
  return entries.length === 0 ? {} : { gates: { validate: of(true), benchmark: of(false) } };
}

export function formatsOf(flags: Pick<StepFlags, "format">): Result<[ExportFormat, ...ExportFormat[]]> {
  const wanted = [...new Set((flags.format ?? ["q8_0"]).flatMap((f) => f.split(",")).map((f) => f.trim().toLowerCase()))];
  const unknown = wanted.find((f) => !EXPORT_FORMATS.some((known) => known === f));
  if (unknown === undefined && wanted.length > 0) return ok(wanted as [ExportFormat, ...ExportFormat[]]);
  return err({
    code: "usage/bad-value",
    message: `there is no format \`${unknown ?? ""}\``,
    hint: `choose among ${EXPORT_FORMATS.join(", ")}`,
    exit: EXIT.usage,
  });
}

/** What a recipe says of these formats; with `imatrix` every one that a matrix changes is made with it. */
function statedExports(formats: readonly ExportFormat[], imatrix: boolean): Result<NonNullable<Recipe["exports"]>> {
  if (imatrix && !formats.some((f) => imatrixOf(f) !== "never"))
    return usage(`no importance matrix changes ${formats.join(", ")}`, "leave --imatrix out, or name a smaller format: --format q4_k_m");
  const stated = formats.map((format) => (imatrix && imatrixOf(format) !== "never" ? { format, imatrix } : format));
  // The adapter is compared with the merged model, which is made in any case.
  return ok(formats.some(isModelFormat) ? stated : ["f16", ...stated]);
}

/** Why a GGUF cannot be measured or packed by itself, where it holds an adapter alone. */
function adapterAlone(model: string): Failure | undefined {
  if (ggufText(model, "general.type") !== "adapter") return undefined;
  return {
    code: "models/adapter",
    message: `\`${model}\` is a LoRA adapter: what is laid over a base model, and no model by itself`,
    hint: "name a model that holds it merged in: forge export --model FOLDER --output model.gguf --format q8_0",
    exit: EXIT.usage,
  };
}

/** The format that a file says it is in, which is what the untuned base is put into beside it; else what its name tells, and q8_0 where that tells none. */
function formatOf(path: string): ModelFormat {
  const stated = quantizationOf(path);
  return MODEL_FORMATS.find((f) => f === stated) ?? LONGEST_FIRST.find((f) => path.toLowerCase().split(/[/\\]/).at(-1)?.includes(f)) ?? "q8_0";
}
/** `bf16` holds `f16`, and `q2_k_s` `q2_k`. */
const LONGEST_FIRST = [...MODEL_FORMATS].sort((a, b) => b.length - a.length);

/**
 * The family of a model file: by flag, else the one that the file says it was made of, among those that come with forge and the project's own, which go before the sizes of a family;
 * undefined where it says nothing.
 */
function familyOf(flags: StepFlags, model: string): Result<string | undefined> {
  if (flags.family !== undefined) return ok(flags.family);
  const base = ggufText(model, "mcp_forge.base_model");
  if (base === undefined) return ok(undefined);
  const files = projectFamilies(base, process.cwd());
  const own = familyByHubId(base);
  // A size of a family is what a lockfile says it is, if one does: a file of the project's for that very model is what was meant.
  const counts = own !== undefined && (files.length === 0 || isComplete(own));
  const [found, ...more] = [...(counts ? [own] : []), ...files];
  if (found === undefined)
    return usage(
      `the model was made of \`${base.slice(0, 100)}\`, which is no family that comes with forge`,
      "name its family file: --family models/NAME.json",
    );
  if (more.length > 0)
    return usage(`the model was made of \`${base.slice(0, 100)}\`, which several families are: ${[found, ...more].join(", ")}`, `name one: --family ${found}`);
  return ok(found);
}

/** The way from a folder to a file, as it is written everywhere. */
const pathFrom = (folder: string, file: string): string => relative(resolve(folder), resolve(file)).split(sep).join("/");

const impliedUnless = (named: string | undefined): { readonly implied?: true } => (named === undefined ? { implied: true } : {});

/** An output that goes beside what was named; nothing where it was read from right there. */
const neighbour = (stage: string, output: string, to: string, read: string | undefined): Delivery[] =>
  read !== undefined && sameFile(read, to) ? [] : [{ stage, output, to, implied: true }];

const optional = (stage: string, output: string, to: string | undefined): Delivery[] => (to === undefined ? [] : [{ stage, output, to }]);

/** `a/train.jsonl` and `qa` give `a/train.qa`. */
const sibling = (path: string, suffix: string): string => join(dirname(path), `${(path.split(/[/\\]/).at(-1) ?? "").replace(/\.[a-z0-9]+$/i, "")}.${suffix}`);

/** Where `generate` leaves the tools of its samples. */
const toolsBeside = (path: string): string => sibling(path, "tools.json");

/** @param cases the file of cases that was given, if one was */
function reportDeliveries(kind: "validate" | "benchmark", format: string, output: string, cases?: string): Delivery[] {
  const stage = `${kind}:${format}`;
  const own: Delivery[] = [
    { stage, output: "report", to: output },
    { stage, output: "markdown", to: sibling(output, "md"), implied: true },
  ];
  return kind === "benchmark"
    ? own
    : [
        ...own,
        { stage, output: "records", to: sibling(output, "records.jsonl"), implied: true },
        ...neighbour("generate", "heldout", sibling(output, "cases.jsonl"), cases),
      ];
}

const READ: readonly (readonly [flag: keyof StepFlags, shown: string, what: string])[] = [
  ["tools", "--tools", "the file of tools"],
  ["data", "--data", "the file of samples"],
  ["records", "--records", "the file of records"],
  ["validation", "--validation", "the validation's report"],
  ["benchmark", "--benchmark", "the benchmark's report"],
  ["training", "--training", "the training's figures"],
  ["baseline", "--baseline", "the model to compare with"],
];

function missingFile(flags: StepFlags): Failure | undefined {
  const named = READ.map(([flag, shown, what]) => [flags[flag], shown, what] as const);
  const shares = (flags.merge ?? []).map((path) => [path, "--merge", "the share"] as const);
  for (const [path, shown, what] of [...named, ...shares]) {
    if (typeof path !== "string" || statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    return {
      code: "usage/missing-file",
      message: existsSync(path) ? `\`${path}\` (${shown}) is not a file` : `${what} \`${path}\` (${shown}) does not exist`,
      hint: "check the path; it is relative to the folder that you stand in",
      exit: EXIT.usage,
    };
  }
  return undefined;
}

function outputProblem(step: Step, flags: StepFlags): Failure | undefined {
  const { output, model, cases, report } = flags;
  if (step === "qa" && report !== undefined && outputTarget(report).kind === "stream")
    return {
      code: "usage/output",
      message: `--report ${report} is no file`,
      hint: "the report is several files, NAME.json, NAME.md and so on: name what they have in common, or leave it out",
      exit: EXIT.usage,
    };
  if (step !== "train" && model !== undefined && !existsSync(model))
    return {
      code: "usage/missing-file",
      message: `the model \`${model}\` (--model) does not exist`,
      hint: "check the path; it is relative to the folder that you stand in",
      exit: EXIT.usage,
    };
  if (step !== "generate" && cases !== undefined && !existsSync(cases))
    return {
      code: "usage/missing-file",
      message: `the file of cases \`${cases}\` (--cases) does not exist`,
      hint: "check the path; it is relative to the folder that you stand in",
      exit: EXIT.usage,
    };
  return output === undefined ? undefined : deliverable(output, step === "train" || step === "pack" ? "folder" : "file");
}
