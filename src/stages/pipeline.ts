/**
 * The graph of a recipe: every stage and gate in order. Reads nothing but the recipe, the family file that it may name, and the program's
 * own data files, imports no domain code that runs, and so costs next to nothing on an unchanged apply.
 *
 *   inspect > generate (> decontaminate) > qa > train > export:f16 (> imatrix) > export:FORMAT > validate:FORMAT > benchmark:FORMAT > pack
 */
import { resolve } from "node:path";
import type { NodeDefinition } from "../engine/stage.ts";
import { backendOf } from "../models/backend.ts";
import { getSource } from "../models/family.ts";
import { headStartOf, trainingOf } from "../models/head-start.ts";
import { resolveHyperparameters } from "../models/hyperparameters.ts";
import { type PinPlace, pinsOfRecipe } from "../models/pin.ts";
import type { Size } from "../models/registry.ts";
import { resolveModel } from "../models/resolve.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { type ExportChoice, exportChoice, isModelFormat, type ModelFormat } from "../recipe/formats.ts";
import type { LoadedRecipe } from "../recipe/types.ts";
import { cannotAddTokens } from "./added-tokens.ts";
import { baselineStage } from "./baseline.ts";
import { benchmarkStage } from "./benchmark.ts";
import type { PipelineContext } from "./context.ts";
import { decontaminateStage } from "./decontaminate.ts";
import { exportF16Stage, exportLoraStage, imatrixStage, quantizeStage } from "./export.ts";
import { exportBaseStage } from "./export-base.ts";
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
  /** The base model that the model hub has to be asked for before anything runs: no lockfile pins it, and the graph is good to look at only (pin.ts). */
  readonly unpinned?: Size;
  /** Where the recipe's base model is pinned. */
  readonly pins: PinPlace;
  /** What is to be told of the pin that is used. */
  readonly warnings?: readonly Failure[];
  /** The graph of the same recipe, made anew: from what its lockfile pins by now. */
  readonly again: () => Result<Pipeline>;
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
  /** Another lockfile that may pin the base model, where the recipe's own does not. */
  readonly pins?: PinPlace;
}

/** Makes the graph of a loaded recipe; fails when the recipe asks for a base model that is not known. */
export function buildPipeline(loaded: LoadedRecipe, options: PipelineOptions = {}): Result<Pipeline> {
  const { recipe } = loaded;
  const pins = pinsOfRecipe(loaded.file, loaded.variant);
  const model = resolveModel(recipe.model, loaded.dir, [pins, ...(options.pins === undefined ? [] : [options.pins])]);
  if (!model.ok) return err({ place: loaded.placeOf(model.error.path), ...model.error.failure });
  const { family, source: sourceName, unpinned, warnings } = model.value;
  const source = getSource(family, sourceName);
  if (!source.ok) return err({ ...source.error, place: loaded.placeOf(["model", "source"]) });

  const headStart = headStartOf(family, recipe.model);
  const { overrides: onHeadStart } = trainingOf(family, headStart);
  const hyperparameters = resolveHyperparameters({
    profile: recipe.profile,
    table: recipe.profileTable,
    family,
    train: recipe.train,
    onHeadStart,
  });
  const context: PipelineContext = {
    loaded,
    recipe,
    family,
    source: source.value,
    sourceName,
    headStart,
    hyperparameters,
    backend: backendOf(family, recipe.train),
    unproven: options.unproven === true,
    verifyExports: options.verifyExports !== false,
    trainedHere: options.trainedHere !== false,
    ...(options.baselineModel === undefined ? {} : { baselineModel: resolve(options.baselineModel) }),
  };
  // The adapter alone is no model: it is made and packed, and what is measured is what holds it.
  const chosen = recipe.exports.map(exportChoice);
  const models = chosen.filter((e): e is ExportChoice & { readonly format: ModelFormat } => isModelFormat(e.format));
  const formats = models.map((e) => e.format);
  const lora = models.length < chosen.length;
  const unable = cannotAddTokens(context);
  if (unable !== undefined) return err(unable);
  const nodes: NodeDefinition[] = [inspectStage(context), generateStage(context)];
  if (recipe.evaluation.cases !== undefined) nodes.push(decontaminateStage(context, recipe.evaluation.cases));
  nodes.push(qaStage(context), gate(context, "qa", "qa"), trainStage(context), exportF16Stage(context));
  if (models.some((e) => e.imatrix)) nodes.push(imatrixStage(context));
  for (const choice of models) if (choice.format !== "f16") nodes.push(quantizeStage(context, choice));
  if (lora) nodes.push(exportLoraStage(context));
  if (recipe.evaluation.baseline && recipe.evaluation.benchmark)
    for (const choice of models) {
      if (context.baselineModel === undefined) nodes.push(exportBaseStage(context, choice));
      nodes.push(baselineStage(context, choice.format));
    }
  for (const format of formats) {
    nodes.push(validateStage(context, format), gate(context, "validate", `validate:${format}`));
    if (recipe.evaluation.benchmark) nodes.push(benchmarkStage(context, format), gate(context, "benchmark", `benchmark:${format}`));
  }
  nodes.push(packStage(context, formats, lora));
  return ok({
    nodes: context.unproven ? withoutGates(nodes) : nodes,
    lockfile: pins.path,
    projectRoot: loaded.projectRoot,
    name: recipe.name,
    variant: loaded.variant,
    bundle: resolve(loaded.dir, recipe.bundle.output),
    context,
    ...(unpinned === undefined ? {} : { unpinned }),
    pins,
    ...(warnings === undefined ? {} : { warnings: warnings.map((warning) => ({ ...warning, place: loaded.placeOf(["model", "family"]) })) }),
    again: () => buildPipeline(loaded, options),
  });
}

/**
 * The graph with nothing to stop it: `pack --unproven` judges the figures itself and writes what they lack into every file. It is not the graph
 * that the recipe is locked by, so its run (`apart`) writes no lockfile.
 */
const withoutGates = (nodes: readonly NodeDefinition[]): NodeDefinition[] => nodes.filter((n) => n.kind !== "gate").map((n) => ({ ...n, after: [] }));
