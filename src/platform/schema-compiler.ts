/**
 * Compiles foreign JSON schemas: within bounds (schema-shape.ts says which are refused, schema-guard.ts and checking.ts keep checks from running
 * away), and with one compiler where that is safe. Making a compiler of ajv takes ten times as long as compiling the schema of a tool: it compiles
 * the dialect's own schema first (30 ms against 3 ms).
 */
import type { ErrorObject } from "ajv";
import { boundedRegExp } from "./bounded-regexp.ts";
import { countPatterns, Unbounded, uncountPatterns } from "./checking.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { withEquality } from "./schema-equality.ts";
import { guard, guardedCode, resetGuard } from "./schema-guard.ts";
import { withPlainReferences } from "./schema-references.ts";
import { readShape } from "./schema-shape.ts";

/** How schemas of strangers are read: what nobody knows is ignored, patterns and references are bounded, and `0.07` is a multiple of `0.01`. */
export const FOREIGN_SCHEMAS = {
  strict: false,
  logger: false,
  // A definition that is referred to often would be written out as often: a small schema takes all memory.
  inlineRefs: false,
  multipleOfPrecision: 6,
  // A parameter may be called `constructor`.
  ownProperties: true,
  code: { regExp: boundedRegExp },
  guard,
} as const;

/** Subschemas from which on ajv does not look for shorter code: that takes the square of their number. */
const LARGE = 300;
/** References that are followed for one value without being watched. */
const FEW_CALLS = 64;
/** What a value may be held against (`SchemaShape.weight`) before the arguments are measured too. */
const HEAVY = 100;
/** Times that a value may be held against something, in one check: a microsecond each. */
const MOST_WORK = 20_000_000;
/** Characters of a text that count as a value: its length is counted as often as it is asked for. */
const TEXT = 256;

interface CodeOptions {
  optimize?: number | boolean;
  process?: (code: string, schema?: never) => string;
}

export interface SchemaCompiler {
  compile(schema: object): CompiledSchema;
  removeSchema(schema: object): unknown;
  getKeyword(keyword: string): boolean | object;
  readonly opts: { readonly code: CodeOptions };
}

/** Whether a value is valid; `errors` are those of the last one. */
export interface CompiledSchema {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
  /** What one value may be held against, at most. */
  weight?: number;
}

/** A function that compiles like `make().compile`, and throws what that throws, or why a schema cannot be checked within bounds. Schemas do not see each other. */
export function schemaCompiler(make: () => SchemaCompiler): (schema: object) => CompiledSchema {
  let kept: SchemaCompiler | undefined;
  return (stated) => {
    const text = JSON.stringify(stated);
    const schema = /"\$(?:dynamicRef|anchor|dynamicAnchor)"/.test(text) ? withPlainReferences(stated as JsonObject) : stated;
    const shape = readShape(schema as JsonObject);
    if (typeof shape === "string") throw new Error(shape);
    const isWatched = shape.calls > FEW_CALLS;
    const compiled = compile(schema, text.includes('"$'), { ...(shape.size > LARGE && { optimize: false }), ...(isWatched && { process: guardedCode }) });
    const isPlain = !isWatched && shape.weight <= HEAVY && !/"(?:pattern|patternProperties|uniqueItems)"/.test(text);
    return Object.assign(isPlain ? compiled : bounded(compiled, shape.weight), { weight: shape.weight });
  };

  function compile(schema: object, isNamed: boolean, options: CodeOptions): CompiledSchema {
    // Words of `$` (`$id`, `$ref`, `$anchor`) can name schemas: those of strangers may clash.
    const compiler = isNamed || kept === undefined ? withEquality(make()) : kept;
    if (!isNamed) kept = compiler;
    const { code } = compiler.opts;
    const usual = { optimize: code.optimize, process: code.process };
    try {
      Object.assign(code, options);
      return compiler.compile(schema);
    } catch (e) {
      throw e instanceof RangeError ? new Error("it is too large to be compiled") : e;
    } finally {
      Object.assign(code, usual);
      compiler.removeSchema(schema); // It would remember every schema that it ever saw.
    }
  }
}

/** The same check, broken off where it would not end in time; such a value counts as invalid. */
function bounded(validate: CompiledSchema, weight: number): CompiledSchema {
  const check: CompiledSchema = (value) => {
    try {
      if (weight > HEAVY && weight * valuesIn(value) > MOST_WORK) throw new Unbounded("it takes too many steps to check these arguments");
      countPatterns();
      const valid = validate(value);
      check.errors = validate.errors;
      return valid;
    } catch (e) {
      // The stack is the machine's: the bounds are meant to be reached long before its end.
      if (!(e instanceof Unbounded || e instanceof RangeError)) throw e;
      check.errors = [unchecked(e instanceof Unbounded ? e.message : "the arguments are nested too deeply")];
      return false;
    } finally {
      resetGuard();
      uncountPatterns();
    }
  };
  return check;
}

const unchecked = (why: string): ErrorObject => ({
  keyword: "bounds",
  instancePath: "",
  schemaPath: "#",
  params: {},
  message: `cannot be checked: ${why}`,
});

/** How many values there are in one, itself included; of long texts each part counts. */
export function valuesIn(value: unknown): number {
  const open = [value as JsonValue];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    count += typeof next === "string" ? 1 + next.length / TEXT : 1;
    if (typeof next === "object" && next !== null) for (const child of Object.values(next)) open.push(child);
  }
  return count;
}
