/** A toolset for people. Names and descriptions are foreign text: they pass through `safe` before anything else. */
import type { Toolset } from "../../schemas/generated/toolset.ts";
import type { Terminal } from "../terminal.ts";
import { oneLine, plural, table } from "../words.ts";

/** One paragraph a tool: its name, its description, a line for each parameter (`*` is required). */
export function describeTools(toolset: Toolset, terminal: Pick<Terminal, "paint" | "columns">, safe: (text: string) => string): string[] {
  const { paint } = terminal;
  const width = Math.max(40, Math.min(terminal.columns, 110));
  const lines: string[] = [];
  for (const tool of toolset.tools) {
    lines.push(paint("bold", safe(tool.name)) + (tool.annotations?.readOnlyHint === true ? paint("dim", "  reads only") : ""));
    for (const line of wrap(oneLine(safe(tool.description)), width - 2)) lines.push(`  ${line}`);
    const rows = parameters(tool.input_schema, safe);
    if (rows.length === 0) lines.push(paint("dim", "  (no parameters)"));
    const aligned = table(
      rows.map((r) => [r.name, r.type]),
      { left: [1] },
    );
    for (const [i, row] of rows.entries()) {
      lines.push(`  ${aligned[i]}`);
      for (const line of wrap(row.text, width - 6)) lines.push(paint("dim", `      ${line}`));
    }
    lines.push("");
  }
  lines.push(`${plural(toolset.tools.length, "tool")}, ${toolset.hash}`);
  if (toolset.tools.length > 0) lines.push(paint("dim", "* required"));
  return lines;
}

function parameters(schema: unknown, safe: (text: string) => string): { name: string; type: string; text: string }[] {
  const { properties, required } = asObject(schema);
  const due = new Set(Array.isArray(required) ? required : []);
  return Object.entries(asObject(properties)).map(([name, raw]) => {
    const property = asObject(raw);
    return {
      name: `${safe(name)}${due.has(name) ? "*" : ""}`,
      type: oneLine(safe(typeOf(property))),
      text: typeof property.description === "string" ? oneLine(safe(property.description)) : "",
    };
  });
}

function typeOf(property: Record<string, unknown>): string {
  const { type, items, minimum, maximum } = property;
  if (Array.isArray(property.enum)) return `one of ${property.enum.map((v) => JSON.stringify(v)).join(", ")}`;
  if ("const" in property) return JSON.stringify(property.const);
  let text = Array.isArray(type) ? type.join(" or ") : typeof type === "string" ? type : "any";
  if (text === "array" && items !== undefined) text = `array of ${typeOf(asObject(items))}`;
  if (typeof minimum === "number" || typeof maximum === "number") text += ` ${minimum ?? ""}..${maximum ?? ""}`;
  if (property.default !== undefined) text += `, default ${JSON.stringify(property.default)}`;
  return text;
}

const asObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines;
}
