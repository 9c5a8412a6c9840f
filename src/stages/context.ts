/**
 * What every stage is made from: the recipe, its base model's family, and where things lie. Built once
 * by pipeline.ts; a stage takes from it only what it then names in its `recipe` slice and `settings`.
 */
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";
import program from "../../package.json" with { type: "json" };
import { type Backend, backendSettings } from "../models/backend.ts";
import { type Family, type FamilySource, fileOf } from "../models/family.ts";
import type { HeadStart } from "../models/head-start.ts";
import { decisiveValues, type ResolvedHyperparameters } from "../models/hyperparameters.ts";
import { converterDigest } from "../models/llama-files.ts";
import { digestJson } from "../platform/digest.ts";
import type { JsonValue } from "../platform/json.ts";
import type { LoadedRecipe, ResolvedRecipe } from "../recipe/types.ts";
import { toldSource } from "../tools/told.ts";
import type { ToolSource } from "../tools/types.ts";

export interface PipelineContext {
  readonly loaded: LoadedRecipe;
  readonly recipe: ResolvedRecipe;
  readonly family: Family;
  /** Where the base model comes from, pinned. */
  readonly source: FamilySource;
  /** The recipe's word for it. */
  readonly sourceName: string;
  /** What training begins on top of; undefined: the base model as it is. */
  readonly headStart: HeadStart | undefined;
  readonly hyperparameters: ResolvedHyperparameters;
  /** What trains. */
  readonly backend: Backend;
  /** Pack although gates refused, and say so in every file. */
  readonly unproven: boolean;
  /** Whether exported files are compared with the trained model. False only where a command says so; then it is in the keys. */
  readonly verifyExports: boolean;
  /** Whether the recipe is the one that was trained by: false where a training is given in a folder. */
  readonly trainedHere: boolean;
  /** Absolute path of the GGUF that the benchmark compares with; the untuned base where there is none. */
  readonly baselineModel?: string;
}

/** Folder under `.mcp-forge/` of what belongs to a variant and to no run: what a teacher wrote. */
export const stateFolder = ({ loaded }: PipelineContext, ...parts: string[]): string =>
  join(loaded.projectRoot, ".mcp-forge", ...(loaded.variant === undefined ? [] : ["variants", loaded.variant]), ...parts);

/**
 * Path of a readable copy under `.mcp-forge/` (state for people; the store is the truth). Every recipe of a project has its own, or two
 * of them would write over each other's at each run: `forge.yaml` at the project's root right there, another in `recipes/ITS/PATH/`.
 */
export const view = (c: PipelineContext, ...parts: string[]): string => stateFolder(c, ...recipeFolder(c.loaded), ...parts);

function recipeFolder({ file, projectRoot }: Pick<LoadedRecipe, "file" | "projectRoot">): string[] {
  const path = relative(projectRoot, file).split(sep);
  if ((path.length === 1 && path[0] === "forge.yaml") || path[0] === "..") return [];
  // What `forge run` made of its flags lies in .mcp-forge itself.
  const own = path[0] === ".mcp-forge" ? path.slice(1) : path;
  return ["recipes", ...own.slice(0, -1), (own.at(-1) as string).replace(/\.ya?ml$/i, "")];
}

/**
 * The tool sources as the recipe's slice: `${secret:NAME}` stays a name, so no value can enter a key. A server that is started has the recipe's
 * folder as its own, where the same words may mean another server: in a folder of the project that counts too. So does what a toolset calls a
 * source (`told`), where that is not as the recipe's values have it: `${env:NAME}` by name, keys left out.
 */
export function toolSlice({ recipe, loaded }: PipelineContext, o: { execute: boolean }): JsonValue {
  const folder = relative(loaded.projectRoot, loaded.dir).split(sep).join("/");
  const inside = folder !== "" && !folder.startsWith("..") && !isAbsolute(folder);
  const started = (s: ToolSource): boolean => s.mcp?.command !== undefined;
  const told = (s: ToolSource, i: number): object => {
    const { mcp } = toldSource(recipe.statedTools[i] ?? s);
    return isDeepStrictEqual(mcp, s.mcp) ? {} : { told: mcp };
  };
  return plain(
    recipe.tools.map((s, i) => ({ ...s, ...(o.execute ? {} : { execute: undefined }), ...(inside && started(s) ? { folder } : {}), ...told(s, i) })),
  );
}

/** Files that the tool sources name, so that an edit of one is noticed. */
export function toolFiles(c: PipelineContext): Record<string, string> {
  const files: Record<string, string> = fakedFiles(c);
  for (const [i, { openai, file }] of c.recipe.tools.entries()) {
    const path = openai ?? file;
    if (path !== undefined) files[`tools_${i}`] = resolve(c.loaded.dir, path);
  }
  return files;
}

/** Files whose tools are faked: also what their schemas say of results decides what a call gives back. */
export function fakedFiles(c: PipelineContext): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [i, { stub }] of c.recipe.tools.entries()) if (typeof stub === "object") files[`tools_${i}`] = resolve(c.loaded.dir, stub.from);
  return files;
}

/** What stages that run the tools must not do at the same time: calls that change something on a real server would disturb each other's. */
export const toolsInUse = ({ recipe }: PipelineContext): string[] =>
  recipe.tools.some(({ mcp, execute }) => mcp !== undefined && (execute === "all" || Array.isArray(execute))) ? ["tools"] : [];

/**
 * What pins the base model, the same on every machine. Of a family of the project's own also what its data file says: that of a family that
 * comes with forge is part of the program. Where its folder lies says nothing of what is in it.
 */
export function baseSettings({ family, source }: PipelineContext): Record<string, JsonValue> {
  if (fileOf(family) === undefined) return { base: plain(source) };
  const { template, architecture, tokenizer, special_tokens, context_tokens, thinking, plain_answers, chat } = family;
  return {
    base: plain({ ...source, folder: undefined }),
    family: plain({
      template,
      ...officialSettings(chat),
      architecture,
      tokenizer,
      special_tokens: digestJson(special_tokens),
      context_tokens,
      thinking,
      plain_answers,
    }),
  };
}

/** The model's own template by its bytes, where it is that which renders; what its file is called, and what was said of it, changes nothing. */
function officialSettings(chat: Family["chat"]): { readonly official?: JsonValue } {
  if (chat?.template !== "official") return {};
  const { sha256, rewrites, spacing, bos_token, eos_token } = chat;
  return { official: plain({ sha256, rewrites, spacing, bos_token, eos_token }) };
}

/**
 * Digest of how the recipe has the model trained: every hyperparameter that decides the adapter, and the seed. The bundle (`training.config_hash`) and the GGUF
 * (`mcp_forge.recipe_hash`) name it, so that the two can be told to be of one training.
 */
export const configHash = ({ hyperparameters, backend, recipe: { seed, train } }: PipelineContext): string => {
  const { eval_fraction, eval_steps, early_stopping_patience } = train;
  return digestJson({
    hyperparameters: plain(decisiveValues(hyperparameters.values)),
    seed,
    ...backendSettings(backend),
    // What is held out is not learned, and where training stops decides the adapter.
    ...(eval_fraction !== undefined && { evaluation: plain({ eval_fraction, eval_steps, early_stopping_patience }) }),
  });
};

/** What stages write down of a project's own family, beside what `baseSettings` names. */
export function familyWords({ family }: PipelineContext): Record<string, JsonValue> {
  if (fileOf(family) === undefined) return {};
  const { title, hub_id, licence, stop_tokens } = family;
  return { family_words: plain({ title, hub_id, licence, stop_tokens }) };
}

/** The recipe's words for its base model. What training begins on top of is for `train` alone to say. */
export const modelSlice = (c: PipelineContext): Record<string, JsonValue> => ({ model: plain({ ...(modelWords(c) as object), head_start: undefined }) });

/** A family of the project's own goes by its name: what its file is called, and whether `hf_id` led to it, changes nothing. */
export const modelWords = ({ recipe, family, sourceName }: PipelineContext): JsonValue =>
  fileOf(family) === undefined ? plain(recipe.model) : { family: family.name, source: sourceName };

/** Where the training samples come from: `generate`, or the node that filters the user's cases out of them. */
export const sampleSource = (c: PipelineContext): { readonly stage: string; readonly output: string } =>
  c.recipe.evaluation.cases === undefined ? { stage: "generate", output: "train" } : { stage: "decontaminate", output: "train" };

/** The same value as plain JSON: no undefined members, nothing readonly. */
export const plain = (value: unknown): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue;

/** The llama.cpp that evaluates on this machine: its version can change a token. */
export const llamaRuntime = (): { readonly [key: string]: JsonValue } => ({ "llama.cpp": program.optionalDependencies["@node-llama-cpp/linux-x64"] });

/** The llama.cpp whose converter writes the f16: what is in the checkout that the environment names, else nothing (ours is pinned with the program). */
export const converterRuntime = (): { readonly [key: string]: JsonValue } => {
  const named = process.env.MCP_FORGE_LLAMA_CPP;
  return named ? { converter: converterDigest(resolve(named)) } : {};
};
