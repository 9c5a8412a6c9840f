/**
 * The normalised toolset and its hash. What a server or a file offers is foreign text: names,
 * schemas and sizes are checked here once, and everything behind this trusts them.
 *
 * Normalising: a missing description is empty; line ends become \n, other control characters are
 * removed and lone surrogates replaced; `$schema` at the top is dropped (it only names the dialect
 * and would be repeated in every prompt); a missing `type` becomes `object`. Order is kept.
 */
import { createHash } from "node:crypto";
import { canonicalJson, type JsonObject } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { compileSchema } from "./arguments.ts";
import { badToolName, badToolSchema, duplicateTool } from "./failures.ts";
import type { ToolDefinition, Toolset } from "./types.ts";

/** A tool as its source states it, before any check. */
export interface RawTool {
  readonly name: string;
  readonly description?: unknown;
  readonly input_schema?: unknown;
  /** Schema of the result, where the source states one. What cannot be used of it is left out. */
  readonly output_schema?: unknown;
  readonly annotations?: unknown;
}

/** Bounds on what one definition may hold: far above any real tool, far below what could hurt. */
const MAX_DESCRIPTION = 20_000;
const MAX_SCHEMA = 200_000;
const MAX_DEPTH = 100;
export const MAX_TOOLS = 1000;

/** The schema's pattern, and one thing more: a name of dots alone, or `__proto__`, is an accident waiting to happen. */
export const NAME = /^(?=.*[A-Za-z0-9])(?!__proto__$)[A-Za-z0-9_.:-]{1,128}$/;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;

/**
 * SHA-256 of the canonical JSON of `[{name, description, input_schema}, …]`, as `sha256:<hex>`. Order
 * counts: the prompt lists the tools in it. Where a tool comes from does not.
 */
export function toolsetHash(tools: readonly Pick<ToolDefinition, "name" | "description" | "input_schema">[]): string {
  const stated = tools.map(({ name, description, input_schema }) => ({ name, description, input_schema }));
  return `sha256:${createHash("sha256").update(canonicalJson(stated)).digest("hex")}`;
}

/** Puts checked definitions together as a toolset. Fails when a name comes twice. */
export function makeToolset(tools: readonly ToolDefinition[]): Result<Toolset> {
  const seen = new Map<string, string>();
  for (const tool of tools) {
    const first = seen.get(tool.name);
    if (first !== undefined) return err(duplicateTool(tool.name, first, tool.origin));
    seen.set(tool.name, tool.origin);
  }
  return ok({ version: 1, hash: toolsetHash(tools), tools: [...tools] });
}

/**
 * Checks and normalises what one source offers.
 * @param origin which source, in the words of the recipe: `stub:weather`, `mcp:npx server-filesystem`
 * @param wanted false for tools that are left out afterwards (select.ts): a schema of theirs that cannot be used stops nothing
 */
export async function normaliseTools(
  raw: readonly RawTool[],
  source: ToolDefinition["source"],
  origin: string,
  wanted: (name: string) => boolean = () => true,
): Promise<Result<ToolDefinition[]>> {
  const { compileSchema } = await import("./arguments.ts"); // ajv is loaded only where schemas are read
  const tools: ToolDefinition[] = [];
  const names = new Set<string>();
  for (const tool of raw) {
    if (typeof tool.name !== "string" || !NAME.test(tool.name)) return err(badToolName(origin, String(tool.name)));
    if (names.has(tool.name)) return err(duplicateTool(tool.name, origin, origin));
    names.add(tool.name);
    const read = normaliseSchema(tool.input_schema, compileSchema);
    if (typeof read === "string" && wanted(tool.name)) return err(badToolSchema(origin, tool.name, read));
    const schema = typeof read === "string" ? { type: "object", properties: {} } : read;
    const annotations = hints(tool.annotations);
    const output = tool.output_schema === undefined ? undefined : normaliseSchema(tool.output_schema, compileSchema);
    tools.push({
      name: tool.name,
      description: cleanText(typeof tool.description === "string" ? tool.description : "").slice(0, MAX_DESCRIPTION),
      input_schema: schema,
      ...(output === undefined || typeof output === "string" ? {} : { output_schema: output }),
      source,
      origin,
      ...(annotations === undefined ? {} : { annotations }),
    });
  }
  return ok(tools);
}

/** Line ends as \n, no other control characters but tabs, well-formed Unicode, no white space around. */
export function cleanText(text: string): string {
  return (
    text
      .replace(LONE_SURROGATE, "\ufffd")
      .replace(/\r\n?/g, "\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
      .trim()
  );
}

/** The normalised schema, or why it cannot be used. */
function normaliseSchema(stated: unknown, compile: typeof compileSchema): ToolDefinition["input_schema"] | string {
  if (stated === undefined) return { type: "object", properties: {} };
  if (stated === null || typeof stated !== "object" || Array.isArray(stated)) return "it is not a JSON object";
  if (depthOf(stated, MAX_DEPTH) < 0) return `it is nested more than ${MAX_DEPTH} levels deep`;
  const text = JSON.stringify(stated);
  if (text.length > MAX_SCHEMA) return `it is longer than ${MAX_SCHEMA} characters`;
  const { $schema: dialect, ...schema } = JSON.parse(text) as { $schema?: unknown } & Record<string, unknown>;
  if (schema.type === undefined) schema.type = "object";
  if (schema.type !== "object") return 'its type is not "object"';
  const normalised = mendChoices({ ...schema, properties: schema.properties ?? {} }) as Record<string, unknown>;
  const compiled = compile(normalised as JsonObject, typeof dialect === "string" ? dialect : undefined);
  return compiled.ok ? normalised : compiled.error;
}

/** Keywords whose value is a table by names that somebody chose, and those whose value is no schema. */
const TABLES = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired", "dependencies"]);
const VALUES = new Set(["enum", "const", "default", "examples", "required"]);

/**
 * A schema whose choices can be made: an `enum` that no value of its `type` is in is a slip of its author, and common where schemas are
 * made from code. Of a list it is taken for its items', else its values tell the type.
 */
function mendChoices(node: unknown, isTable = false): unknown {
  if (Array.isArray(node)) return node.map((x) => mendChoices(x));
  if (node === null || typeof node !== "object") return node;
  const out = Object.fromEntries(Object.entries(node).map(([k, v]) => [k, !isTable && VALUES.has(k) ? v : mendChoices(v, !isTable && TABLES.has(k))]));
  if (!isTable) mendWords(out);
  const { enum: choices, type, items } = out;
  if (isTable || !Array.isArray(choices) || choices.length === 0 || typeof type !== "string" || choices.some((c) => isOfType(c, type))) return out;
  const types = new Set(choices.map((c) => typeof c));
  const [only] = types;
  if (types.size !== 1 || (only !== "string" && only !== "number")) return out;
  if (type !== "array") return { ...out, type: only };
  if (items !== undefined && (items === null || typeof items !== "object" || Array.isArray(items) || "enum" in items || "$ref" in items)) return out;
  const { enum: _, ...list } = out;
  return { ...list, items: mendChoices({ type: only, ...items, enum: choices }) };
}

/** Takes out words that make ajv refuse a schema which everybody else reads: OpenAPI's `nullable` beside no type, texts that are none. */
function mendWords(schema: Record<string, unknown>): void {
  if ("nullable" in schema && (schema.type === undefined || typeof schema.nullable !== "boolean")) {
    // What it says beside an `enum` is that null is one of the choices.
    if (schema.nullable === true && Array.isArray(schema.enum) && !schema.enum.includes(null)) schema.enum = [...schema.enum, null];
    delete schema.nullable;
  }
  for (const word of ["title", "description", "$comment"]) if (word in schema && typeof schema[word] !== "string") delete schema[word];
}

const isOfType = (value: unknown, type: string): boolean =>
  type === "array"
    ? Array.isArray(value)
    : type === "integer"
      ? Number.isInteger(value)
      : type === "null"
        ? value === null
        : type === "object"
          ? typeof value === "object" && value !== null && !Array.isArray(value)
          : typeof value === type || !["string", "number", "boolean"].includes(type);

/** Levels left under `limit`, negative when the value is deeper. */
function depthOf(value: unknown, limit: number): number {
  if (limit < 0 || value === null || typeof value !== "object") return limit;
  let least = limit;
  for (const child of Object.values(value)) least = Math.min(least, depthOf(child, limit - 1));
  return least;
}

/** Of a server's annotations only the hints that we know, and only as what they must be. */
function hints(annotations: unknown): NonNullable<ToolDefinition["annotations"]> | undefined {
  if (annotations === null || typeof annotations !== "object") return undefined;
  const kept: Partial<Record<(typeof HINTS)[number], boolean>> = {};
  for (const hint of HINTS) {
    const value: unknown = Reflect.get(annotations, hint);
    if (typeof value === "boolean") kept[hint] = value;
  }
  return Object.keys(kept).length === 0 ? undefined : kept;
}
