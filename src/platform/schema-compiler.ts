/**
 * Compiles foreign JSON schemas with one compiler, where that is safe. Making a compiler of ajv takes ten times as long as compiling
 * the schema of a tool: it compiles the dialect's own schema first (30 ms against 3 ms).
 */
import type { ValidateFunction } from "ajv";

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
