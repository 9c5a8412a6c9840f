/** What differs between two readings of the same tools, in words. Pure. */
import { canonicalJson, type JsonValue } from "../platform/json.ts";
import type { ToolDefinition, Toolset } from "./types.ts";

/** Each difference, named like a path: "tools/get_alerts: description changed". Empty exactly when the hashes agree. */
export function toolDifferences(before: Toolset, now: Toolset): string[] {
  if (before.hash === now.hash) return [];
  const [old, fresh] = [byName(before), byName(now)];
  const found = [
    ...[...old.keys()].filter((name) => !fresh.has(name)).map((name) => `tools/${name}: gone`),
    ...[...fresh.keys()].filter((name) => !old.has(name)).map((name) => `tools/${name}: new`),
    ...[...fresh].flatMap(([name, tool]) => {
      const earlier = old.get(name);
      const parts = earlier === undefined ? [] : changed(earlier, tool);
      return parts.length === 0 ? [] : [`tools/${name}: ${parts.join(" and ")} changed`];
    }),
  ];
  return found.length === 0 ? ["tools: their order changed"] : found;
}

const byName = (toolset: Toolset): Map<string, ToolDefinition> => new Map(toolset.tools.map((tool) => [tool.name, tool]));

function changed(a: ToolDefinition, b: ToolDefinition): string[] {
  const parts = a.description === b.description ? [] : ["description"];
  if (canonicalJson(a.input_schema as JsonValue) !== canonicalJson(b.input_schema as JsonValue)) parts.push("parameters");
  return parts;
}
