/**
 * The graph of a recipe: every stage and gate in order. Reads nothing but the recipe, the family file that it may name, and the program's
 * own data files, imports no domain code that runs, and so costs next to nothing on an unchanged apply.
 *
 *   inspect > generate (> decontaminate) > qa > train > export:f16 (> imatrix) > export:FORMAT > validate:FORMAT > benchmark:FORMAT > pack
 */
import { dirname, join, resolve } from "node:path";
import type { NodeDefinition } from "../engine/stage.ts";
import { backendOf } from "../models/backend.ts";
import { getSource } from "../models/family.ts";
import { familyOfModel } from "../models/family-file.ts";
import { headStartOf, trainingOf } from "../models/head-start.ts";
import { resolveHyperparameters } from "../models/hyperparameters.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { exportChoice, isModelFormat } from "../recipe/formats.ts";
import type { LoadedRecipe } from "../recipe/types.ts";
import { baselineStage } from "./baseline.ts";
import { benchmarkStage } from "./benchmark.ts";
import type { PipelineContext } from "./context.ts";
import { decontaminateStage } from "./decontaminate.ts";
import { exportF16Stage, exportLoraStage, imatrixStage, quantizeStage } from "./export.ts";
import { gate } from "./gates.ts";
import { generateStage } from "./generate.ts";
import { inspectStage } from "./inspect.ts";
import { packStage } from "./pack.ts";
import { qaStage } from "./qa.ts";
import { trainStage } from "./train.ts";
import { validateStage } from "./validate.ts";

export interface Pipeline {
  readonly nodes: readonly NodeDefinition[];
  /** Absolute path of NAME.lock, beside the recipe. */
  readonly lockfile: string;
  readonly projectRoot: string;
  readonly name: string;
  readonly variant?: string;
  /** Absolute path of the bundle that `pack` leaves. */
  readonly bundle: string;
  readonly context: PipelineContext;
  /** Stages that stand in for the recipe's own and take their results from files. */
  readonly given?: ReadonlySet<string>;
}

export interface PipelineOptions {
  /** Pack although gates refused, and say so in every file. */
  readonly unproven?: boolean;
  /** False: the training is somebody's folder, of which this recipe says nothing (`forge export --model`). Default true. */
  readonly trainedHere?: boolean;
  /** False: `export --skip-verify`. Default true. */
  readonly verifyExports?: boolean;
  /** A GGUF that the benchmark compares with, in place of the untuned base. */
  readonly baselineModel?: string;
}

/** Makes the graph of a loaded recipe; fails when the recipe asks for a base model that is not known. */
export function buildPipeline(loaded: LoadedRecipe, options: PipelineOptions = {}): Result<Pipeline> {
  const { recipe } = loaded;
  const family = familyOfModel(recipe.model, loaded.dir);
  if (!family.ok) return err({ place: loaded.placeOf(family.error.path), ...family.error.failure });
  const sourceName = recipe.model.source ?? "default";
  const source = getSource(family.value, sourceName);
  if (!source.ok) return err({ ...source.error, place: loaded.placeOf(["model", "source"]) });

  const headStart = headStartOf(family.value, recipe.model);
  const { overrides: onHeadStart } = trainingOf(family.value, headStart);
  const hyperparameters = resolveHyperparameters({
    profile: recipe.profile,
    table: recipe.profileTable,
    family: family.value,
    train: recipe.train,
    onHeadStart,
  });
  const context: PipelineContext = {
    loaded,
    recipe,
    family: family.value,
    source: source.value,
    sourceName,
    headStart,
    hyperparameters,
    backend: backendOf(family.value, recipe.train),
    unproven: options.unproven === true,
    verifyExports: options.verifyExports !== false,
    trainedHere: options.trainedHere !== false,
    ...(options.baselineModel === undefined ? {} : { baselineModel: resolve(options.baselineModel) }),
  };
  // The adapter alone is no model: it is made and packed, and what is measured is what holds it.
  const chosen = recipe.exports.map(exportChoice);
  const models = chosen.filter((e) => isModelFormat(e.format));
  const formats = models.map((e) => e.format);
  const lora = models.length < chosen.length;
  const nodes: NodeDefinition[] = [inspectStage(context), generateStage(context)];
  if (recipe.evaluation.cases !== undefined) nodes.push(decontaminateStage(context, recipe.evaluation.cases));
  nodes.push(qaStage(context), gate(context, "qa", "qa"), trainStage(context), exportF16Stage(context));
  if (models.some((e) => e.imatrix)) nodes.push(imatrixStage(context));
  for (const choice of models) if (choice.format !== "f16") nodes.push(quantizeStage(context, choice));
  if (lora) nodes.push(exportLoraStage(context));
  if (recipe.evaluation.baseline && recipe.evaluation.benchmark) nodes.push(baselineStage(context));
  for (const format of formats) {
    nodes.push(validateStage(context, format), gate(context, "validate", `validate:${format}`));
    if (recipe.evaluation.benchmark) nodes.push(benchmarkStage(context, format), gate(context, "benchmark", `benchmark:${format}`));
  }
  nodes.push(packStage(context, formats, lora));
  const file = loaded.file;
  return ok({
    nodes: context.unproven ? withoutGates(nodes) : nodes,
    lockfile: join(dirname(file), `${file.slice(dirname(file).length + 1).replace(/\.[^.]+$/, "")}.lock`),
    projectRoot: loaded.projectRoot,
    name: recipe.name,
    variant: loaded.variant,
    bundle: resolve(loaded.dir, recipe.bundle.output),
    context,
  });
}

/**
 * The graph with nothing to stop it: `pack --unproven` judges the figures itself and writes what they lack into every file. It is not the graph
 * that the recipe is locked by, so its run (`apart`) writes no lockfile.
 */
const withoutGates = (nodes: readonly NodeDefinition[]): NodeDefinition[] => nodes.filter((n) => n.kind !== "gate").map((n) => ({ ...n, after: [] }));
