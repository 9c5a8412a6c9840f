/**
 * A tool's input schema, read defensively. It comes from outside: it may be huge, recursive, wrong,
 * or hold a pattern that hangs a backtracking engine. `readProperties` flattens what the teacher
 * needs; `compileArguments` makes a validator that cannot run away (platform/schema-compiler.ts).
 */
import Ajv, { type ErrorObject } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { isPattern } from "../platform/bounded-regexp.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { type CompiledSchema, FOREIGN_SCHEMAS, schemaCompiler } from "../platform/schema-compiler.ts";
import type { ToolDefinition } from "./types.ts";

/** Levels of a foreign schema that are read; the tools' reader allows no more. */
const MOST_LEVELS = 100;

/** What all properties of one tool may be made of: schemas looked at, and words put together. Beyond it the innermost levels are left out. */
const MOST_PROPERTIES = 20_000;
const MOST_WORDS = 1_000_000;

/** One property of an object schema, resolved (`$ref` followed, `allOf` put together, constants of anyOf/oneOf made one enum, else its first usable branch taken). */
export interface Property {
  readonly name: string;
  /** A call has to hold it, and somebody has to say it. */
  readonly required: boolean;
  /** A call has to hold it, and null where nobody said it (OpenAI's strict schemas write what is optional so). */
  readonly nullWhenUnsaid?: true;
  readonly type: "string" | "integer" | "number" | "boolean" | "array" | "object" | "any";
  readonly nullable: boolean;
  readonly description: string;
  readonly schema: JsonObject;
  readonly enum?: readonly JsonValue[];
  readonly items?: Property;
  /** Of a list whose places differ: each place. */
  readonly places?: readonly Property[];
  readonly properties?: readonly Property[];
  /** Of an object whose names are the caller's: what stands under each. */
  readonly values?: Property;
}

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
const asObject = (v: unknown): JsonObject => (isObject(v) ? v : {});

const read = new WeakMap<object, readonly Property[]>();

/**
 * The properties of a tool's arguments, in the schema's order, then those that it only requires. A name that would reach a prototype is left out.
 * Of schemas that refer to one another so often that their properties have no end, as many levels are read as have a bounded number of them.
 */
export function readProperties(tool: ToolDefinition): Property[] {
  const root = asObject(tool.input_schema);
  let properties = read.get(root);
  for (let levels = MOST_NESTED; properties === undefined; levels--) properties = new Reading(root, levels).read();
  read.set(root, properties);
  return [...properties];
}

/** Levels of properties within properties. */
const MOST_NESTED = 6;

class TooMuch extends Error {}

/** One reading of a schema, to a depth. */
class Reading {
  readonly root: JsonObject;
  readonly levels: number;
  #properties = 0;
  #words = 0;

  constructor(root: JsonObject, levels: number) {
    this.root = root;
    this.levels = levels;
  }

  /** Undefined where there is too much at this depth. */
  read(): Property[] | undefined {
    try {
      return propertiesOf(resolve(this.root, this, 0).schema, this, 0);
    } catch (e) {
      if (e instanceof TooMuch) return undefined;
      throw e;
    }
  }

  /** Counts a property. Of the outermost level all are read. */
  property(): void {
    if (++this.#properties > MOST_PROPERTIES && this.levels > 1) throw new TooMuch();
  }

  /** Counts words of schemas that are put together; false where nothing more is to be, at the outermost level. */
  words(...schemas: readonly JsonObject[]): boolean {
    for (const schema of schemas) this.#words += 1 + Object.keys(schema).length + Object.keys(asObject(schema.properties)).length;
    if (this.#words > MOST_WORDS && this.levels > 1) throw new TooMuch();
    return this.#words <= MOST_WORDS;
  }
}

function propertiesOf(schema: JsonObject, reading: Reading, depth: number): Property[] {
  const required = new Set(Array.isArray(schema.required) ? schema.required.filter((x): x is string => typeof x === "string") : []);
  const stated = asObject(schema.properties);
  const unstated = [...required].filter((name) => !Object.hasOwn(stated, name)).map((name): [string, JsonValue] => [name, {}]);
  return [...Object.entries(stated), ...unstated]
    .filter(([name]) => name !== "__proto__")
    .slice(0, 64)
    .map(([name, s]) => {
      const read = property(name, required.has(name), asObject(s), reading, depth + 1);
      return read.required && read.nullable ? { ...read, required: false, nullWhenUnsaid: true as const } : read;
    });
}

function property(name: string, required: boolean, raw: JsonObject, reading: Reading, depth: number): Property {
  reading.property();
  const outer = typeof raw.description === "string" ? raw.description : "";
  const { schema, nullable } = resolve(raw, reading, depth);
  const description = outer || (typeof schema.description === "string" ? schema.description : "") || (typeof schema.title === "string" ? schema.title : "");
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((t): t is string => typeof t === "string");
  const values = Array.isArray(schema.enum) ? schema.enum : "const" in schema ? [schema.const as JsonValue] : undefined;
  const known =
    types.find((t) => t !== "null") ?? (values ? typeOfValue(values[0]) : isObject(schema.properties) ? "object" : isObject(schema.items) ? "array" : "any");
  const type = (["string", "integer", "number", "boolean", "array", "object"].includes(known) ? known : "any") as Property["type"];
  const deep = depth < reading.levels;
  const places = [schema.prefixItems, schema.items].find(Array.isArray) as readonly JsonValue[] | undefined;
  const entries = asObject(schema.additionalProperties);
  return {
    name,
    required,
    type,
    nullable: nullable || types.includes("null") || (values?.includes(null) ?? false) || schema.nullable === true,
    description,
    schema,
    ...(values ? { enum: values.filter((v) => v !== null) } : {}),
    ...(type === "array" && deep ? { items: property(name, true, asObject(schema.items), reading, depth + 1) } : {}),
    ...(type === "array" && deep && places !== undefined
      ? { places: places.slice(0, 16).map((place) => property(name, true, asObject(place), reading, depth + 1)) }
      : {}),
    ...(type === "object" && deep ? { properties: propertiesOf(schema, reading, depth) } : {}),
    ...(type === "object" && deep && Object.keys(entries).length > 0 ? { values: property("value", true, entries, reading, depth + 1) } : {}),
  };
}

const typeOfValue = (v: unknown): string => (typeof v === "number" ? (Number.isInteger(v) ? "integer" : "number") : Array.isArray(v) ? "array" : typeof v);

/** Rounds of one whole resolution, its branches included: a schema may refer to itself in many places. */
const MOST_ROUNDS = 60;

/** Follows local references, puts `allOf` together and takes of a choice the constants, or the first branch that is not `null`. */
function resolve(raw: JsonObject, reading: Reading, depth: number, budget = { rounds: MOST_ROUNDS }): { schema: JsonObject; nullable: boolean } {
  let schema = raw;
  let nullable = false;
  for (let i = 0; i < 8 && depth < 12 && budget.rounds-- > 0 && reading.words(schema); i++) {
    if (typeof schema.$ref === "string" && schema.$ref.startsWith("#")) {
      const { $ref, ...rest } = schema;
      schema = { ...lookUp($ref, reading.root), ...rest };
      continue;
    }
    if (Array.isArray(schema.allOf)) {
      const { allOf, ...rest } = schema;
      const branches = (allOf as readonly JsonValue[]).filter(isObject).map((branch) => resolve(branch, reading, depth + 1, budget));
      // Null has to be right for each.
      nullable ||= branches.length > 0 && branches.every((b) => b.nullable);
      const all = [rest, ...branches.map((b) => b.schema)];
      if (!reading.words(...all)) break;
      schema = together(...all);
      continue;
    }
    const branches = [schema.anyOf, schema.oneOf].find(Array.isArray) as readonly JsonValue[] | undefined;
    if (!branches) break;
    const objects = branches.filter(isObject);
    if (objects.some((b) => b.type === "null" || b.const === null)) nullable = true;
    const usable = objects.filter((b) => b.type !== "null" && b.const !== null);
    const [chosen] = usable;
    if (!chosen) break;
    const { anyOf: _a, oneOf: _o, ...rest } = schema;
    const choices = usable.map((b) => (Array.isArray(b.enum) ? (b.enum as readonly JsonValue[]) : "const" in b ? [b.const as JsonValue] : undefined));
    // Generators write an enum as a choice of constants.
    if (usable.length > 1 && choices.every((c) => c !== undefined)) {
      const { const: _, ...first } = chosen;
      schema = { ...rest, ...(first.type === undefined ? {} : { type: first.type }), enum: [...new Set(choices.flat())] };
      continue;
    }
    schema = together(rest, chosen);
  }
  return { schema, nullable };
}

/** Schemas that all hold: members and required names of all, of any other word the last one's. */
function together(...schemas: readonly JsonObject[]): JsonObject {
  const [words, properties, required] = [new Map<string, JsonValue>(), new Map<string, JsonValue>(), new Set<JsonValue>()];
  for (const schema of schemas) {
    for (const [word, value] of Object.entries(schema)) words.set(word, value);
    for (const [name, value] of Object.entries(asObject(schema.properties))) properties.set(name, value);
    if (Array.isArray(schema.required)) for (const name of schema.required as readonly JsonValue[]) required.add(name);
  }
  if (schemas.some((s) => isObject(s.properties))) words.set("properties", Object.fromEntries(properties));
  if (required.size > 0) words.set("required", [...required]);
  return Object.fromEntries(words);
}

/** What a local JSON pointer (RFC 6901) leads to; an empty schema where it leads nowhere. */
function lookUp(ref: string, root: JsonObject): JsonObject {
  let at: unknown = root;
  for (const part of ref.slice(1).split("/").slice(1)) {
    const key = unescaped(part).replaceAll("~1", "/").replaceAll("~0", "~");
    at = typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as Readonly<Record<string, unknown>>)[key] : undefined;
  }
  return asObject(at);
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A percent sign that escapes nothing.
  }
}

/** Why arguments do not fit: a JSON pointer and what was expected. */
export interface ArgumentProblem {
  readonly keyword: string;
  readonly path: string;
  readonly message: string;
}

/** Checks arguments; an empty list means that they fit. Arguments that cannot be checked within bounds do not (keyword `bounds`). */
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
  const compiled = tryCompile(simplify(asObject(tool.input_schema)));
  if (!compiled) return (args) => plainCheck(tool, args);
  return (args) => (compiled(args) ? [] : (compiled.errors ?? []).slice(0, 20).map(problemOf));
}

/** In the order of tools/arguments.ts, so that data and models are held to the same. */
const DIALECTS = [
  schemaCompiler(() => addFormats.default(new Ajv2020(FOREIGN_SCHEMAS), { mode: "fast" })),
  schemaCompiler(() => addFormats.default(new Ajv.default(FOREIGN_SCHEMAS), { mode: "fast" })),
];

function tryCompile(schema: JsonObject): CompiledSchema | null {
  for (const compile of DIALECTS)
    try {
      return compile(schema);
    } catch {
      // The other dialect may read it; else plainCheck still stands.
    }
  return null;
}

const problemOf = (e: ErrorObject): ArgumentProblem => ({
  keyword: e.keyword,
  path: e.keyword === "required" ? `${e.instancePath}/${String((e.params as { missingProperty?: string }).missingProperty ?? "")}` : e.instancePath,
  message: e.message ?? e.keyword,
});

/** Keywords whose value is a table of schemas by names that somebody chose: no name in it is a keyword. */
const TABLES = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired", "dependencies"]);

/** Copies a schema without what is of other documents, or none of a schema: `$schema`, ids, foreign references, patterns that are none. */
function simplify(schema: JsonObject): JsonObject {
  const walk = (v: JsonValue, d: number, isTable: boolean): JsonValue => {
    if (d > MOST_LEVELS) return {};
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
  return asObject(walk(schema, 0, false));
}

/** What is checked when a schema cannot be compiled: an object, required names present, plain types right. */
function plainCheck(tool: ToolDefinition, args: JsonValue): ArgumentProblem[] {
  if (!isObject(args)) return [{ keyword: "type", path: "", message: "must be object" }];
  const out: ArgumentProblem[] = [];
  for (const p of readProperties(tool)) {
    const present = Object.hasOwn(args, p.name);
    if (!present && (p.required || p.nullWhenUnsaid))
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
