/**
 * Writes the GBNF grammar of a toolset's calls: what may follow `<tool_call>` and a line break, in the
 * form of training (no white space, or one space after each colon and comma where the model's own chat template writes it so; keys in the schema's
 * order, optional keys absent or there).
 * node-llama-cpp's own JSON-schema grammar makes every key required; ours does not.
 *
 * Guarantees: every object that is valid under a tool's schema, written by JSON.stringify (or so spaced) with keys in
 * the schema's order, is accepted (whole numbers up to 22 digits). The reverse does not hold: lengths,
 * patterns, wide ranges and unusual keywords are not expressed; what is not understood is any JSON. An
 * object with `properties` takes no other keys unless `additionalProperties` is written out.
 *
 * Format: llama.cpp, grammars/README.md.
 */
import { CALL_CLOSE, CALL_OPEN, type CallSpacing, spacedJson } from "../models/prompt.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";

/** Widest range of whole numbers that is written out number by number. */
const LISTED_RANGE = 128;
/** Longest text or list whose length is counted; repetitions are expanded, so counting is dear. */
const COUNTED = 48;
/** A grammar larger than this is given up for one that leaves arguments free. */
const LARGEST = 200_000;
/** Calls in one output. */
const MOST_CALLS = 8;

/** Literals of what separates members, and a key from its value. */
interface Separators {
  readonly comma: string;
  readonly colon: string;
}
const SEPARATORS: Readonly<Record<CallSpacing, Separators>> = { compact: { comma: '","', colon: '":"' }, python: { comma: '", "', colon: '": "' } };

const jsonRules = ({ comma, colon }: Separators): string => `any ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (pair (${comma} pair)*)? "}"
pair ::= string ${colon} any
array ::= "[" (any (${comma} any)*)? "]"
string ::= "\\"" char* "\\""
char ::= [^"\\\\\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])
digits ::= "0" | [1-9] [0-9]{0,21}
integer ::= "-"? digits
fraction ::= ("." [0-9]{1,24})? ([eE] [-+]? [0-9]{1,3})?
number ::= "-"? digits fraction
`;

/** The grammar of one or more calls, from after the first opening to after the last closing. */
export function toolCallGrammar(toolset: Pick<Toolset, "tools">, spacing: CallSpacing = "compact"): string {
  const exact = write(toolset, spacing, false);
  return exact.length <= LARGEST ? exact : write(toolset, spacing, true);
}

function write(toolset: Pick<Toolset, "tools">, spacing: CallSpacing, freeArguments: boolean): string {
  const { comma, colon } = SEPARATORS[spacing];
  const [after, between] = [colon.slice(1, -1), comma.slice(1, -1)];
  const rules: string[] = [];
  const calls = toolset.tools.map((tool, i) => {
    const args = freeArguments ? "object" : new SchemaWriter(`t${i}`, tool.input_schema as JsonObject, rules, spacing).arguments();
    rules.push(`t${i} ::= ${literal(`{"name"${after}${JSON.stringify(tool.name)}${between}"arguments"${after}`)} ${args} "}"`);
    return `t${i}`;
  });
  const close = literal(CALL_CLOSE);
  return `root ::= call ${close} (${literal(`\n${CALL_OPEN}`)} call ${close}){0,${MOST_CALLS - 1}}\ncall ::= ${calls.join(" | ")}\n${rules.join("\n")}\n${jsonRules(SEPARATORS[spacing])}`;
}

/** Keywords under which a key may be valid that `properties` does not name. */
const OPENS_KEYS = ["patternProperties", "if", "dependentSchemas", "dependencies"];

/** Writes the rules of one tool's schema. */
class SchemaWriter {
  readonly #prefix: string;
  readonly #root: JsonObject;
  readonly #rules: string[];
  readonly #spacing: CallSpacing;
  readonly #refs = new Map<string, string>();
  #made = 0;

  constructor(prefix: string, root: JsonObject, rules: string[], spacing: CallSpacing) {
    this.#prefix = prefix;
    this.#root = root;
    this.#rules = rules;
    this.#spacing = spacing;
  }

  arguments(): string {
    const expression = this.#schema(this.#root, new Set());
    // Arguments are an object whatever else the schema would allow.
    return expression === "any" ? "object" : expression;
  }

  #rule(expression: string): string {
    const name = `${this.#prefix}-${this.#made++}`;
    this.#rules.push(`${name} ::= ${expression}`);
    return name;
  }

  /** @param open references being written with nothing read since: meeting one again would be left recursion */
  #schema(schema: JsonValue | undefined, open: ReadonlySet<string>): string {
    if (!isObject(schema)) return "any";
    if (typeof schema.$ref === "string") return this.#reference(schema.$ref, open);
    if (schema.const !== undefined) return literal(spacedJson(schema.const, this.#spacing));
    if (Array.isArray(schema.enum) && schema.enum.length > 0)
      return this.#rule((schema.enum as readonly JsonValue[]).map((v) => literal(spacedJson(v, this.#spacing))).join(" | "));
    const either = schema.anyOf ?? schema.oneOf;
    if (Array.isArray(either) && either.length > 0 && !isObject(schema.properties)) {
      return this.#rule((either as readonly JsonValue[]).map((s) => this.#schema(s, open)).join(" | "));
    }
    if (Array.isArray(schema.allOf) && schema.allOf.length === 1 && !isObject(schema.properties) && schema.type === undefined)
      return this.#schema(schema.allOf[0] as JsonValue, open);
    const types = Array.isArray(schema.type) ? (schema.type as readonly JsonValue[]) : [schema.type ?? (isObject(schema.properties) ? "object" : undefined)];
    const written = types.map((type) => this.#type(type, schema));
    if (schema.nullable === true) written.push('"null"');
    return written.length === 1 ? (written[0] as string) : this.#rule(written.join(" | "));
  }

  #type(type: JsonValue | undefined, schema: JsonObject): string {
    if (type === "object") return this.#object(schema);
    if (type === "array") return this.#array(schema);
    if (type === "string") return this.#string(schema);
    if (type === "integer" || type === "number") return this.#number(type, schema);
    if (type === "boolean") return '("true" | "false")';
    if (type === "null") return '"null"';
    return "any";
  }

  #reference(ref: string, open: ReadonlySet<string>): string {
    if (open.has(ref)) return "any";
    const known = this.#refs.get(ref);
    if (known !== undefined) return known;
    const target = pointed(this.#root, ref);
    if (target === undefined) return "any";
    const name = `${this.#prefix}-r${this.#refs.size}`;
    this.#refs.set(ref, name);
    this.#rules.push(`${name} ::= ${this.#schema(target, new Set([...open, ref]))}`);
    return name;
  }

  #object(schema: JsonObject): string {
    const { properties, required, additionalProperties: more } = schema;
    if (!isObject(properties) || OPENS_KEYS.some((k) => schema[k] !== undefined) || hasForeignKeys(schema, properties)) return "object";
    const { comma, colon } = SEPARATORS[this.#spacing];
    const after = colon.slice(1, -1);
    const needed = new Set(Array.isArray(required) ? (required as readonly JsonValue[]) : []);
    if ([...needed].some((k) => typeof k !== "string" || !Object.hasOwn(properties, k))) return "object";
    const keys = Object.entries(properties)
      .filter(([, s]) => s !== false)
      .map(([key, s]) => ({ needed: needed.has(key), rule: this.#rule(`${literal(`${JSON.stringify(key)}${after}`)} ${this.#schema(s, new Set())}`) }));
    const pair = more === true || isObject(more) ? this.#rule(`string ${colon} ${this.#schema(more === true ? undefined : more, new Set())}`) : undefined;

    // rest[i]: what may follow once a key has been written and the keys before i are decided.
    let rest = pair === undefined ? '""' : this.#rule(`(${comma} ${pair})*`);
    const starts: string[] = pair === undefined ? ['""'] : [`(${pair} ${rest})?`];
    for (const { needed: must, rule } of keys.toReversed()) {
      // Before a needed key nothing may be left out: whatever started after it no longer counts.
      if (must) starts.length = 0;
      starts.unshift(`${rule} ${rest}`);
      rest = this.#rule(must ? `${comma} ${rule} ${rest}` : `(${comma} ${rule})? ${rest}`);
    }
    return this.#rule(`"{" (${starts.join(" | ")}) "}"`);
  }

  #array(schema: JsonObject): string {
    if (schema.prefixItems !== undefined || Array.isArray(schema.items)) return "array";
    const item = this.#rule(this.#schema(schema.items, new Set()));
    const min = typeof schema.minItems === "number" ? schema.minItems : 0;
    const max = typeof schema.maxItems === "number" && schema.maxItems <= COUNTED ? schema.maxItems : undefined;
    if (max === 0) return '"[]"';
    const list = `${item} (${SEPARATORS[this.#spacing].comma} ${item}){${Math.max(0, Math.min(min, COUNTED) - 1)},${max === undefined ? "" : max - 1}}`;
    return this.#rule(min > 0 ? `"[" ${list} "]"` : `"[" (${list})? "]"`);
  }

  #string(schema: JsonObject): string {
    const min = typeof schema.minLength === "number" ? Math.min(schema.minLength, COUNTED) : 0;
    const max = typeof schema.maxLength === "number" && schema.maxLength <= COUNTED ? schema.maxLength : undefined;
    if (min <= 0 && max === undefined) return "string";
    return this.#rule(`"\\"" char{${min},${max ?? ""}} "\\""`);
  }

  #number(type: "integer" | "number", schema: JsonObject): string {
    const [low, high] = bounds(schema);
    if (type === "number") return low !== undefined && low >= 0 ? "(digits fraction)" : "number";
    const from = low === undefined ? undefined : Math.ceil(low);
    const to = high === undefined ? undefined : Math.floor(high);
    if (from !== undefined && to !== undefined && to >= from && to - from < LISTED_RANGE) {
      return this.#rule(Array.from({ length: to - from + 1 }, (_, i) => literal(String(from + i))).join(" | "));
    }
    return from !== undefined && from >= 0 ? "digits" : "integer";
  }
}

/** Whether a combination inside an object schema names keys that `properties` does not. */
function hasForeignKeys(schema: JsonObject, properties: JsonObject): boolean {
  const parts = ["anyOf", "oneOf", "allOf"].flatMap((k) => (Array.isArray(schema[k]) ? (schema[k] as readonly JsonValue[]) : []));
  return parts.some(
    (p) =>
      !isObject(p) ||
      p.$ref !== undefined ||
      OPENS_KEYS.some((k) => p[k] !== undefined) ||
      (isObject(p.properties) && Object.keys(p.properties).some((k) => !Object.hasOwn(properties, k))),
  );
}

/** The schema's smallest and largest number, where it names them. */
function bounds(schema: JsonObject): [low: number | undefined, high: number | undefined] {
  const lows = [
    schema.minimum,
    typeof schema.exclusiveMinimum === "number" && schema.type === "integer" ? Math.floor(schema.exclusiveMinimum) + 1 : schema.exclusiveMinimum,
  ];
  const highs = [
    schema.maximum,
    typeof schema.exclusiveMaximum === "number" && schema.type === "integer" ? Math.ceil(schema.exclusiveMaximum) - 1 : schema.exclusiveMaximum,
  ];
  const numbers = (values: readonly (JsonValue | undefined)[]): number[] => values.filter((v) => typeof v === "number");
  const [low, high] = [numbers(lows), numbers(highs)];
  return [low.length === 0 ? undefined : Math.max(...low), high.length === 0 ? undefined : Math.min(...high)];
}

/** The schema at a local JSON pointer (`#/$defs/Place`); undefined where there is none. */
function pointed(root: JsonObject, ref: string): JsonValue | undefined {
  if (!ref.startsWith("#")) return undefined;
  let at: JsonValue | undefined = root;
  for (const part of ref.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(at)) at = (at as readonly JsonValue[])[Number(key)];
    else at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

/** Text as a GBNF literal. */
function literal(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
  return `"${escaped}"`;
}

const isObject = (v: JsonValue | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
