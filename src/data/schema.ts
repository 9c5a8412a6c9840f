/**
 * A tool's input schema, read defensively. It comes from outside: it may be huge, recursive, wrong,
 * or hold a pattern that hangs a backtracking engine. `readProperties` flattens what the teacher
 * needs; `compileArguments` makes a validator that cannot run away.
 */
import Ajv, { type ErrorObject, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { boundedRegExp } from "../platform/bounded-regexp.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { schemaCompiler } from "../platform/schema-compiler.ts";
import type { ToolDefinition } from "./types.ts";

/** Bounds on a foreign schema; beyond them only types, enums and required names are checked. */
const LIMITS = {
  bytes: 200_000,
  depth: 24,
  nodes: 4_000,
} as const;

/** One property of an object schema, resolved (`$ref` followed, first usable branch of anyOf/oneOf taken). */
export interface Property {
  readonly name: string;
  readonly required: boolean;
  readonly type: "string" | "integer" | "number" | "boolean" | "array" | "object" | "any";
  readonly nullable: boolean;
  readonly description: string;
  readonly schema: JsonObject;
  readonly enum?: readonly JsonValue[];
  readonly items?: Property;
  readonly properties?: readonly Property[];
}

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
const asObject = (v: unknown): JsonObject => (isObject(v) ? v : {});

/** The properties of a tool's arguments, in the schema's order. Names that would reach a prototype are left out. */
export function readProperties(tool: ToolDefinition): Property[] {
  const root = asObject(tool.input_schema);
  return propertiesOf(root, root, 0);
}

function propertiesOf(schema: JsonObject, root: JsonObject, depth: number): Property[] {
  const required = new Set(Array.isArray(schema.required) ? schema.required.filter((x): x is string => typeof x === "string") : []);
  return Object.entries(asObject(schema.properties))
    .filter(([name]) => name !== "__proto__" && name !== "constructor" && name !== "prototype")
    .slice(0, 64)
    .map(([name, s]) => property(name, required.has(name), asObject(s), root, depth + 1));
}

function property(name: string, required: boolean, raw: JsonObject, root: JsonObject, depth: number): Property {
  const outer = typeof raw.description === "string" ? raw.description : "";
  const { schema, nullable } = resolve(raw, root, depth);
  const description = outer || (typeof schema.description === "string" ? schema.description : "") || (typeof schema.title === "string" ? schema.title : "");
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((t): t is string => typeof t === "string");
  const values = Array.isArray(schema.enum) ? schema.enum : "const" in schema ? [schema.const as JsonValue] : undefined;
  const known =
    types.find((t) => t !== "null") ?? (values ? typeOfValue(values[0]) : isObject(schema.properties) ? "object" : isObject(schema.items) ? "array" : "any");
  const type = (["string", "integer", "number", "boolean", "array", "object"].includes(known) ? known : "any") as Property["type"];
  const deep = depth < 6;
  return {
    name,
    required,
    type,
    nullable: nullable || types.includes("null"),
    description,
    schema,
    ...(values ? { enum: values.filter((v) => v !== null) } : {}),
    ...(type === "array" && deep ? { items: property(name, true, asObject(schema.items), root, depth + 1) } : {}),
    ...(type === "object" && deep ? { properties: propertiesOf(schema, root, depth) } : {}),
  };
}

const typeOfValue = (v: unknown): string => (typeof v === "number" ? (Number.isInteger(v) ? "integer" : "number") : Array.isArray(v) ? "array" : typeof v);

/** Follows local references and takes the first branch that is not `null`; at most 8 steps. */
function resolve(raw: JsonObject, root: JsonObject, depth: number): { schema: JsonObject; nullable: boolean } {
  let schema = raw;
  let nullable = false;
  for (let i = 0; i < 8 && depth < 12; i++) {
    if (typeof schema.$ref === "string" && schema.$ref.startsWith("#/")) {
      let target: unknown = root;
      for (const part of schema.$ref.slice(2).split("/")) target = isObject(target) && Object.hasOwn(target, part) ? target[part] : undefined;
      const { $ref: _, ...rest } = schema;
      schema = { ...asObject(target), ...rest };
      continue;
    }
    const branches = [schema.anyOf, schema.oneOf, schema.allOf].find(Array.isArray) as readonly JsonValue[] | undefined;
    if (!branches) break;
    const objects = branches.filter(isObject);
    if (objects.some((b) => b.type === "null")) nullable = true;
    const chosen = objects.find((b) => b.type !== "null");
    if (!chosen) break;
    const { anyOf: _a, oneOf: _o, allOf: _l, ...rest } = schema;
    schema = { ...rest, ...chosen };
  }
  return { schema, nullable };
}

/** Why arguments do not fit: a JSON pointer and what was expected. */
export interface ArgumentProblem {
  readonly keyword: string;
  readonly path: string;
  readonly message: string;
}

/** Checks arguments; an empty list means that they fit. */
export type ArgumentCheck = (args: JsonValue) => ArgumentProblem[];

const cache = new WeakMap<object, ArgumentCheck>();

/** The validator of a tool's arguments. Never throws; a schema that cannot be compiled checks required names and plain types only. */
export function compileArguments(tool: ToolDefinition): ArgumentCheck {
  const key: object = tool.input_schema;
  const known = cache.get(key);
  if (known) return known;
  const check = build(tool);
  cache.set(key, check);
  return check;
}

function build(tool: ToolDefinition): ArgumentCheck {
  const counter = { nodes: 0 };
  const bounded = simplify(asObject(tool.input_schema), 0, counter);
  const small = counter.nodes <= LIMITS.nodes && JSON.stringify(bounded).length <= LIMITS.bytes;
  const compiled = small ? tryCompile(bounded) : null;
  if (!compiled) return (args) => plainCheck(tool, args);
  return (args) => (compiled(args) ? [] : (compiled.errors ?? []).slice(0, 20).map(problemOf));
}

const compile = schemaCompiler(() =>
  addFormats.default(
    new Ajv.default({
      strict: false,
      allErrors: false,
      validateFormats: true,
      unicodeRegExp: false,
      logger: false,
      // A definition that is referred to often would be written out as often.
      inlineRefs: false,
      code: { regExp: boundedRegExp },
    }),
    { mode: "fast" },
  ),
);

function tryCompile(schema: JsonObject): ValidateFunction | null {
  try {
    return compile(schema);
  } catch {
    return null; // a schema that ajv refuses; plainCheck still stands
  }
}

const problemOf = (e: ErrorObject): ArgumentProblem => ({
  keyword: e.keyword,
  path: e.keyword === "required" ? `${e.instancePath}/${String((e.params as { missingProperty?: string }).missingProperty ?? "")}` : e.instancePath,
  message: e.message ?? e.keyword,
});

/** Keywords whose value is a table of schemas by names that somebody chose: no name in it is a keyword. */
const TABLES = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]);

/** Copies a schema without what makes validation unbounded or remote: `$schema`, ids, foreign references, patterns that are none. */
function simplify(value: JsonValue, depth: number, counter: { nodes: number }): JsonObject {
  const walk = (v: JsonValue, d: number, isTable: boolean): JsonValue => {
    counter.nodes++;
    if (counter.nodes > LIMITS.nodes || d > LIMITS.depth) return {};
    if (Array.isArray(v)) return v.map((x) => walk(x, d + 1, false));
    if (!isObject(v)) return v;
    const out: Record<string, JsonValue> = {};
    for (const [k, x] of Object.entries(v)) {
      if (k === "__proto__") continue;
      if (isTable) {
        out[k] = walk(x, d + 1, false);
        continue;
      }
      if (k === "$schema" || k === "$id" || k === "id") continue;
      if (k === "$ref" && typeof x === "string" && !x.startsWith("#")) continue;
      if (k === "pattern" && typeof x === "string" && !isPattern(x)) continue;
      if (k === "patternProperties" && isObject(x) && !Object.keys(x).every(isPattern)) continue;
      out[k] = k === "enum" || k === "const" || k === "default" || k === "examples" ? x : walk(x, d + 1, TABLES.has(k));
    }
    return out;
  };
  return asObject(walk(value, depth, false));
}

function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
}

/** What is checked when a schema cannot be compiled: an object, required names present, plain types right. */
function plainCheck(tool: ToolDefinition, args: JsonValue): ArgumentProblem[] {
  if (!isObject(args)) return [{ keyword: "type", path: "", message: "must be object" }];
  const out: ArgumentProblem[] = [];
  for (const p of readProperties(tool)) {
    const present = Object.hasOwn(args, p.name);
    if (!present && p.required)
      out.push({
        keyword: "required",
        path: `/${p.name}`,
        message: `must have required property '${p.name}'`,
      });
    if (!present) continue;
    const t = typeOfValue(args[p.name]);
    const fits = p.type === "any" || t === p.type || (p.type === "number" && t === "integer") || (p.nullable && args[p.name] === null);
    if (!fits)
      out.push({
        keyword: "type",
        path: `/${p.name}`,
        message: `must be ${p.type}`,
      });
  }
  return out;
}
