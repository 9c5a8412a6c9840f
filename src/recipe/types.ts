/**
 * The recipe as the rest of the program sees it: validated, its variant laid over it, every default
 * applied. Made from the types that are generated from schemas/forge.schema.json, so that no key is
 * declared twice.
 */
import type { Failure, Place } from "../platform/result.ts";
import type {
  BenchmarkGate,
  Data,
  Evaluation,
  Gates,
  McpServer,
  Model,
  QaGate,
  Recipe,
  Scenarios,
  Teacher,
  ToolSource,
  Train,
  ValidateGate,
} from "../schemas/generated/forge.ts";
import type { ProfileName, ProfileTable } from "./profiles.ts";

export type { ExportChoice, ExportFormat } from "./formats.ts";
export type { McpServer, Model, Recipe, Teacher, ToolSource, Train };

export type ScenarioName = keyof Scenarios;
/** The shares of the scenarios; `chain` only where the recipe asks for it. */
export type ScenarioShares = Readonly<Record<Exclude<ScenarioName, "chain">, number> & { chain?: number }>;

/** What a recipe says once nothing is left out. Secrets stand in it as their literal `${secret:NAME}`. */
export interface ResolvedRecipe {
  readonly version: 1;
  readonly name: string;
  readonly seed: number;
  /** As written, with `execute`, and a server's `args` and `timeout` (seconds), filled in. Exactly one kind of source each. */
  readonly tools: readonly ToolSource[];
  /** The same with settings by name (`${env:NAME}`): what may be said of a source in a toolset, a bundle or a message. */
  readonly statedTools: readonly ToolSource[];
  /** A family with its source, or `hf_id` without a family. */
  readonly model: Model;
  readonly profile: ProfileName;
  /** The hyperparameters that the user set, and no others. They win over the family's and the profile's. */
  readonly train: Train;
  /** The profile's own numbers, before the family and the user. */
  readonly profileTable: ProfileTable;
  readonly data: Required<Pick<Data, "samples" | "min_per_tool" | "calls_per_server">> & {
    readonly teacher: Teacher & Required<Pick<Teacher, "provider">>;
    readonly augment: { readonly factor: number; readonly by: "builtin" | "teacher" | "synthetic-data-kit"; readonly languages?: readonly string[] };
    readonly scenarios: ScenarioShares;
  };
  readonly evaluation: Required<Omit<Evaluation, "cases">> & Pick<Evaluation, "cases">;
  readonly gates: {
    readonly qa: Required<Omit<QaGate, `distinct_${1 | 2 | 3}` | "max_near_wordings" | "max_shared_values">> & QaGate;
    readonly validate: Required<ValidateGate>;
    readonly benchmark: BenchmarkGate & Required<Pick<BenchmarkGate, "no_tool_correctness">>;
    readonly decoding: NonNullable<Gates["decoding"]>;
  };
  /** As written, each format once; `exportChoice` says what an entry means. */
  readonly exports: NonNullable<Recipe["exports"]>;
  /** Relative to the recipe's folder. */
  readonly bundle: { readonly output: string };
}

/** Keys and list positions from the root of the recipe to a value: `["tools", 0, "mcp", "command"]`. */
export type RecipePath = readonly (string | number)[];

/** A recipe that was read and found good. */
export interface LoadedRecipe {
  readonly recipe: ResolvedRecipe;
  /** Absolute path of the recipe. */
  readonly file: string;
  /** Absolute path of its folder; the recipe's own paths are relative to it. */
  readonly dir: string;
  /** Absolute path of the project's root, where `.mcp-forge` is: the nearest folder above with `.mcp-forge` or `.git`, else `dir`. */
  readonly projectRoot: string;
  readonly name: string;
  /** The variant that was laid over the recipe. */
  readonly variant?: string;
  /** What is allowed but worth a word. */
  readonly warnings: readonly Failure[];
  /** Where the user wrote a value (in the variant, if it says it; else the nearest key above it that is written). For located failures of later layers. */
  placeOf(path: RecipePath): Place;
}
