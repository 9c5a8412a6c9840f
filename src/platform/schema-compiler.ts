/**
 * Compiles foreign JSON schemas with one compiler, where that is safe. Making a compiler of ajv takes ten times as long as compiling
 * the schema of a tool: it compiles the dialect's own schema first (30 ms against 3 ms).
 */
import type { ValidateFunction } from "ajv";
import { boundedRegExp } from "./bounded-regexp.ts";

/** How schemas of strangers are read: what nobody knows is ignored, patterns get a limited time, and `0.07` is a multiple of `0.01`. */
export const FOREIGN_SCHEMAS = {
  strict: false,
  logger: false,
  // A definition that is referred to often would be written out as often: a small schema takes all memory.
  inlineRefs: false,
  multipleOfPrecision: 6,
  // A parameter may be called `constructor`.
  ownProperties: true,
  code: { regExp: boundedRegExp },
} as const;

export interface SchemaCompiler {
  compile(schema: object): ValidateFunction;
  removeSchema(schema: object): unknown;
}

/** A function that compiles like `make().compile`, and throws what that throws. Schemas do not see each other. */
export function schemaCompiler(make: () => SchemaCompiler): (schema: object) => ValidateFunction {
  let kept: SchemaCompiler | undefined;
  return (schema) => {
    // Words of `$` (`$id`, `$ref`, `$anchor`) can name schemas: those of strangers may clash.
    if (JSON.stringify(schema).includes('"$')) return make().compile(schema);
    kept ??= make();
    try {
      return kept.compile(schema);
    } finally {
      kept.removeSchema(schema); // It would remember every schema that it ever saw.
    }
  };
}
