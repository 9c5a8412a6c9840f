/**
 * The sub-kinds of every scenario (REFERENCE, "Data"): which exist, how often, and which tools each
 * can be about. A new kind is a row here and a recipe in the teacher.
 */
import { readProperties } from "./schema.ts";
import { canBePaired, roleOf } from "./teacher/builtin/roles.ts";
import type { Scenario, ToolDefinition, Toolset } from "./types.ts";

export interface Kind {
  readonly scenario: Scenario;
  readonly kind: string;
  /** Share inside its scenario; any positive scale. */
  readonly weight: number;
  /** Names of the tools it can be about; null: it is about none. */
  readonly tools: readonly string[] | null;
}

interface Rule {
  readonly scenario: Scenario;
  readonly kind: string;
  readonly weight: number;
  readonly applies: ((tool: ToolDefinition, toolset: Toolset) => boolean) | null;
}

const has = (tool: ToolDefinition, f: (p: ReturnType<typeof readProperties>[number]) => boolean) => readProperties(tool).some(f);
const bounded = (schema: object) =>
  "minimum" in schema || "maximum" in schema || "exclusiveMinimum" in schema || "exclusiveMaximum" in schema || "enum" in schema;

const RULES: readonly Rule[] = [
  { scenario: "standard", kind: "plain", weight: 5, applies: () => true },
  {
    scenario: "standard",
    kind: "detailed",
    weight: 3,
    applies: (t) => has(t, (p) => !p.required) || readProperties(t).length > 1,
  },
  {
    scenario: "standard",
    kind: "follow_up",
    weight: 2,
    applies: (t) => readProperties(t).length > 0,
  },
  { scenario: "no_tool", kind: "general", weight: 4, applies: null },
  { scenario: "no_tool", kind: "out_of_scope", weight: 4, applies: null },
  {
    scenario: "no_tool",
    kind: "missing_required",
    weight: 5,
    applies: (t) => has(t, (p) => p.required),
  },
  // A request that a tool served, then words that want no call.
  { scenario: "no_tool", kind: "after_call", weight: 3, applies: null },
  { scenario: "error", kind: "error", weight: 1, applies: () => true },
  { scenario: "error", kind: "empty", weight: 1, applies: () => true },
  { scenario: "error", kind: "timeout", weight: 1, applies: () => true },
  {
    scenario: "ambiguous",
    kind: "several_apply",
    weight: 1,
    applies: (t, set) => rivalsOf(t, set).length > 0,
  },
  { scenario: "ambiguous", kind: "vague", weight: 1, applies: () => true },
  {
    scenario: "edge",
    kind: "boundary",
    weight: 1,
    applies: (t) => has(t, (p) => bounded(p.schema)),
  },
  {
    scenario: "edge",
    kind: "missing_optional",
    weight: 1,
    applies: (t) => has(t, (p) => !p.required),
  },
  { scenario: "edge", kind: "unusual_input", weight: 1, applies: () => true },
  // "In Oslo and Bergen", or two things of two tools; "…, and then …".
  {
    scenario: "chain",
    kind: "parallel",
    weight: 1,
    applies: (t, set) => set.tools.length > 1 || (!changes(t) && has(t, (property) => canBePaired({ property, role: roleOf(property, "") }))),
  },
  { scenario: "chain", kind: "in_turn", weight: 1, applies: (_, set) => set.tools.length > 1 },
];

/** The kinds that this toolset allows. */
export function kindsOf(toolset: Toolset): Kind[] {
  return RULES.map((r) => ({
    scenario: r.scenario,
    kind: r.kind,
    weight: r.weight,
    tools: r.applies === null ? null : toolset.tools.filter((t) => r.applies?.(t, toolset)).map((t) => t.name),
  })).filter((k) => k.tools === null || k.tools.length > 0);
}

/**
 * Tools that could serve the same request: they read rather than change things, and ask for the same
 * required arguments (at least one). For these an ambiguous request has several right calls.
 */
export function rivalsOf(tool: ToolDefinition, toolset: Toolset): ToolDefinition[] {
  const mine = requiredNames(tool);
  if (mine === "" || changes(tool)) return [];
  return toolset.tools.filter((t) => t.name !== tool.name && !changes(t) && requiredNames(t) === mine);
}

const requiredNames = (tool: ToolDefinition) =>
  readProperties(tool)
    .filter((p) => p.required)
    .map((p) => `${p.name}:${p.type}`)
    .sort()
    .join(",");

const CHANGING =
  /^(create|add|make|new|register|update|edit|modify|set|change|rename|delete|remove|clear|move|copy|write|append|save|send|post|publish|reply|book|reserve|buy|order|pay|transfer|cancel|start|stop|run|execute|open|close|connect|upload|insert|put|assign|enable|disable|play|schedule)/i;
const READING = /(^|[_.-]|(?<=[a-z]))(get|list|search|find|read|fetch|show|view|check|lookup|query|describe|inspect)/i;

/** Whether the tool changes something: by its own hint, else by its name, else by its description's first word. */
export function changes(tool: ToolDefinition): boolean {
  if (tool.annotations?.readOnlyHint === true) return false;
  if (tool.annotations?.readOnlyHint === false) return true;
  if (READING.test(tool.name)) return false;
  const words = tool.name.split(/[_.-]|(?<=[a-z])(?=[A-Z])/);
  return words.some((w) => CHANGING.test(w)) || CHANGING.test(tool.description.trim());
}
