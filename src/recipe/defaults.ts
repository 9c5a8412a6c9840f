/**
 * Applies every default. The numbers are those that schemas/forge.schema.json announces to editors
 * (a test compares the two) and that the reference promises.
 */
import { PROFILES } from "./profiles.ts";
import type { McpServer, Recipe, ResolvedRecipe, ToolSource } from "./types.ts";

/** Of the reference's 500 samples a hosted teacher writes 100. */
const HOSTED_FACTOR = 5;

export const DEFAULT_SCENARIOS = { standard: 0.6, no_tool: 0.15, error: 0.1, ambiguous: 0.1, edge: 0.05 } as const;
const NO_SCENARIOS = { standard: 0, no_tool: 0, error: 0, ambiguous: 0, edge: 0 } as const;

/** The recipe with nothing left out but what only its text can tell. It must have passed the schema and the checks. */
export function withDefaults(recipe: Recipe): Omit<ResolvedRecipe, "statedTools"> {
  const profile = recipe.profile ?? "balanced";
  const { data = {}, evaluation = {}, gates = {} } = recipe;
  const minPerTool = data.min_per_tool ?? 10;
  return {
    version: 1,
    name: recipe.name,
    seed: recipe.seed ?? 7,
    tools: recipe.tools.map(toolSource),
    model: recipe.model?.hf_id === undefined ? { family: "smollm2", source: "default", head_start: true, ...recipe.model } : { ...recipe.model },
    profile,
    train: { ...recipe.train },
    profileTable: PROFILES[profile],
    data: {
      samples: data.samples ?? 500,
      min_per_tool: minPerTool,
      calls_per_server: data.calls_per_server ?? 2000,
      teacher: { provider: "builtin", ...data.teacher },
      augment: {
        factor: data.augment?.factor ?? (isHosted(data) ? HOSTED_FACTOR : 1),
        by: data.augment?.by ?? "builtin",
        ...(data.augment?.languages && { languages: data.augment.languages }),
      },
      scenarios: data.scenarios === undefined ? { ...DEFAULT_SCENARIOS } : { ...NO_SCENARIOS, ...data.scenarios },
    },
    evaluation: { samples: 100, constrained: true, baseline: true, benchmark: true, ...evaluation },
    gates: {
      qa: {
        schema_pass_rate: 0.98,
        min_samples_per_tool: Math.min(10, minPerTool),
        plan_met: 0.9,
        scenarios_covered: 1,
        max_self_similarity: 0.85,
        max_too_long: 0,
        max_shared_frames: 0,
        max_shared_prompts: 0,
        max_near_prompts: 0,
        // Frames of a hosted teacher nobody knows: its wordings are kept apart by what they say.
        ...(isHosted(data) && { max_near_wordings: 0 }),
        ...gates.qa,
      },
      validate: {
        tool_call_parse_rate: 0.98,
        schema_conformance_rate: 0.95,
        tool_selection_accuracy: 0.9,
        loop_completion_rate: 0.95,
        error_handling_rate: 0.8,
        ...gates.validate,
      },
      benchmark: { no_tool_correctness: 0.85, ...gates.benchmark },
      decoding: gates.decoding ?? "free",
    },
    exports: recipe.exports ?? ["q8_0"],
    bundle: { output: recipe.bundle?.output ?? `dist/${recipe.name}` },
  };
}

const isHosted = ({ teacher }: NonNullable<Recipe["data"]>): boolean => /^openai/.test(teacher?.provider ?? "builtin");

/** A stub may run everything, a server what it annotates as reading only, a file nothing (it only defines tools). */
function toolSource(written: ToolSource): ToolSource {
  const execute = written.stub !== undefined ? "all" : written.mcp !== undefined ? "read_only" : "none";
  return { execute, ...written, ...(written.mcp === undefined ? {} : { mcp: server(written.mcp) }) };
}

const server = (mcp: McpServer): McpServer => ({ timeout: 30, ...(mcp.command === undefined ? {} : { args: [] }), ...mcp });
