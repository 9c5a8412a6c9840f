/**
 * How ajv compares values for `uniqueItems`, `enum` and `const`: by a text that equal values share. Its own way takes the square of a list's
 * length, and trips over members named `valueOf` or `constructor`.
 */
import { _, type AnySchemaObject, type CodeKeywordDefinition, type KeywordCxt } from "ajv";
import { Unbounded } from "./checking.ts";

/** Values that are compared one by one, as ajv writes it: quicker where there are few. */
const FEW = 200;
/** Levels of a value that is compared. */
const MOST_LEVELS = 500;

/** Puts our comparisons into a compiler. */
export function withEquality<T extends { getKeyword(keyword: string): boolean | object }>(ajv: T): T {
  const {
    uniqueItems,
    enum: choices,
    const: constant,
  } = Object.fromEntries(["uniqueItems", "enum", "const"].map((word) => [word, ajv.getKeyword(word) as CodeKeywordDefinition]));
  if (uniqueItems !== undefined) uniqueItems.code = codeOfUnique;
  for (const word of [choices, constant]) {
    if (word === undefined) continue;
    const usual = word.code;
    word.code = (cxt, rule) =>
      comparesPlainly(cxt) ? usual(cxt, rule) : cxt.pass(_`${cxt.gen.scopeValue("func", { ref: isOneOf(valuesOf(cxt)) })}(${cxt.data})`);
  }
  return ajv;
}

const valuesOf = ({ keyword, schema }: KeywordCxt): readonly unknown[] => (keyword === "const" ? [schema] : (schema as AnySchemaObject[]));
const isPlain = (value: unknown): boolean => typeof value !== "object" || value === null;

function comparesPlainly(cxt: KeywordCxt): boolean {
  const values = valuesOf(cxt);
  return !Array.isArray(values) || (values.length <= FEW && values.every(isPlain));
}

function codeOfUnique(cxt: KeywordCxt): void {
  if (cxt.schema !== true) return;
  const { gen, data } = cxt;
  const pair = gen.const("pair", _`${gen.scopeValue("func", { ref: equalItems })}(${data})`);
  cxt.setParams({ i: _`${pair}[0]`, j: _`${pair}[1]` });
  cxt.fail(_`${pair} !== null`);
}

/** The last item that equals one before it, and the nearest such one, as ajv names them; null where all differ. */
function equalItems(items: readonly unknown[]): readonly [i: number, j: number] | null {
  if (items.length < 2) return null;
  const seen = new Map<unknown, number>();
  let found: [number, number] | null = null;
  for (const [i, item] of items.entries()) {
    // Texts of lists and objects begin with a bracket: a string is told from them by its quotation mark.
    const at = typeof item === "string" ? `"${item}` : isPlain(item) ? item : textOf(item);
    const before = seen.get(at);
    if (before !== undefined) found = [i, before];
    seen.set(at, i);
  }
  return found;
}

/** Whether a value equals one of these. */
function isOneOf(values: readonly unknown[]): (value: unknown) => boolean {
  const plain = new Set(values.filter(isPlain));
  const texts = new Set(values.filter((v) => !isPlain(v)).map((v) => textOf(v)));
  const longest = Math.max(0, ...[...texts].map((t) => t.length));
  return (value) => {
    if (isPlain(value)) return plain.has(value);
    if (texts.size === 0) return false;
    const text = textOf(value, longest);
    return text !== "" && texts.has(text);
  };
}

/** A text that equal values of JSON share and no others; the empty one where it would be longer than `most`. */
function textOf(value: unknown, most = Number.POSITIVE_INFINITY): string {
  const parts: string[] = [];
  let length = 0;
  const write = (part: string): boolean => {
    parts.push(part);
    length += part.length;
    return length <= most;
  };
  /** False once there is too much of it. */
  const add = (v: unknown, level: number): boolean => {
    if (level > MOST_LEVELS) {
      if (most < Number.POSITIVE_INFINITY) return false; // No choice of a schema is so deep.
      throw new Unbounded("the arguments are nested too deeply");
    }
    if (typeof v !== "object" || v === null) return write(`${JSON.stringify(v)},`);
    if (Array.isArray(v)) return write("[") && v.every((item) => add(item, level + 1)) && write("]");
    return (
      write("{") &&
      Object.keys(v)
        .sort()
        .every((key) => write(JSON.stringify(key)) && add((v as Record<string, unknown>)[key], level + 1)) &&
      write("}")
    );
  };
  return add(value, 0) ? parts.join("") : "";
}
