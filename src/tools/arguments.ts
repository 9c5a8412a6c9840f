/**
 * Checks a call's arguments against a tool's input schema. The schema is foreign: it is compiled
 * without loading anything it refers to, unknown formats and keywords are ignored, it is held to bounds
 * (platform/schema-compiler.ts), and it is read as JSON Schema 2020-12 (MCP's default) unless it only makes sense as draft-07.
 */
import { Ajv, type ErrorObject } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { JsonObject } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { type CompiledSchema, FOREIGN_SCHEMAS, type SchemaCompiler, schemaCompiler, valuesIn } from "../platform/schema-compiler.ts";
import type { ToolDefinition } from "./types.ts";

/** Says whether arguments are valid; when not, one short line for each problem. */
export type ArgumentCheck = (args: unknown) => { readonly valid: boolean; readonly problems: readonly string[] };

/** Problems that are told of one call. */
const MOST_PROBLEMS = 20;
/** Beyond so many comparisons there may be as many problems: then the first one is looked for alone. */
const MOST_COMPARED = 200_000;

/** Compilers of one dialect: a check that finds all problems, and one that ends at the first. */
const dialect = (make: (options: typeof FOREIGN_SCHEMAS & { allErrors: boolean }) => SchemaCompiler) => ({
  all: schemaCompiler(() => make({ ...FOREIGN_SCHEMAS, allErrors: true })),
  first: schemaCompiler(() => make({ ...FOREIGN_SCHEMAS, allErrors: false })),
});

const draft7 = dialect((options) => addFormats.default(new Ajv(options)));
const draft2020 = dialect((options) => addFormats.default(new Ajv2020(options)));

/**
 * Compiles a schema of arguments.
 * @param dialect the schema's own `$schema`, when it had one
 * @returns the check, or why the schema cannot be compiled (one clause, no full stop)
 */
export function compileSchema(schema: JsonObject, dialect?: string): Result<ArgumentCheck, string> {
  const order = dialect?.includes("draft-07") || dialect?.includes("draft-06") ? [draft7, draft2020] : [draft2020, draft7];
  const { $schema: _, ...body } = schema;
  let why = "";
  for (const compile of order) {
    try {
      const all = compile.all(body);
      let first: CompiledSchema | undefined;
      return ok((args) => {
        const many = (all.weight ?? 1) * valuesIn(args) > MOST_COMPARED;
        if (many) first ??= compile.first(body);
        const check = many && first !== undefined ? first : all;
        return { valid: check(args), problems: (check.errors ?? []).slice(0, MOST_PROBLEMS).map(describe) };
      });
    } catch (e) {
      why ||= (e as Error).message.replaceAll(/\s+/g, " ").slice(0, 300);
    }
  }
  return err(why);
}

/** The check for each tool of a toolset, by name. The toolset is a checked one: that its schemas compile is known. */
export function argumentChecks(tools: readonly Pick<ToolDefinition, "name" | "input_schema">[]): ReadonlyMap<string, ArgumentCheck> {
  const checks = new Map<string, ArgumentCheck>();
  for (const tool of tools) {
    const check = compileSchema(tool.input_schema as JsonObject);
    if (!check.ok) throw new Error(`schema of ${tool.name} does not compile: ${check.error}`);
    checks.set(tool.name, check.value);
  }
  return checks;
}

const describe = (e: ErrorObject): string =>
  `${e.instancePath === "" ? "arguments" : e.instancePath.slice(1).replaceAll("/", ".")} ${e.message ?? "is not valid"}`;
