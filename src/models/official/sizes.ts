/**
 * How large a value of a template is, and how large what an operation makes of it would be: asked before the operation, so that nothing is ever
 * made that is too large. Sizes are characters of the value written as JSON, but for escapes, which make six of one at most.
 */
import type { Value } from "./jinja.ts";

export interface Text extends Value {
  readonly value: string;
}
export interface List extends Value {
  readonly value: readonly Value[];
}
export interface Mapping extends Value {
  readonly value: ReadonlyMap<string, Value>;
}

export const isText = (v: Value): v is Text => v.type === "StringValue";
export const isList = (v: Value): v is List => v.type === "ArrayValue" || v.type === "TupleValue";
export const isMapping = (v: Value): v is Mapping => v.type === "ObjectValue" || v.type === "KeywordArgumentsValue";
const isNamespace = (v: Value): v is Mapping => v.type === "NamespaceValue";

/** A value is larger or deeper than a template may make. */
export class TooLarge extends Error {}

/** Levels of lists and mappings: tools' schemas have at most 100, in a list of tools, in a message. */
const MOST_LEVELS = 256;
/** Characters of a number, true, false or none, and of the commas and quotes around a value. */
const SCALAR = 24;
const AROUND = 4;

interface Measured {
  readonly size: number;
  readonly levels: number;
}

/** Measures values; what was measured once is not gone through again, since lists and mappings never change. A namespace does, so nothing may hold one. */
export class Sizes {
  readonly #known = new WeakMap<object, Measured>();
  readonly #most: number;

  /** @param most the largest size of a value */
  constructor(most: number) {
    this.#most = most;
  }

  /** Throws TooLarge where that is too much. */
  allow(size: number): number {
    if (size > this.#most) throw new TooLarge(`a value of more than ${this.#most} characters`);
    return size;
  }

  of(value: Value): number {
    return this.allow(this.#measure(value).size);
  }

  /** Whether a value is one that was looked at before. */
  knows(value: Value): boolean {
    return this.#known.has(value);
  }

  #measure(value: Value): Measured {
    if (isText(value)) return { size: value.value.length, levels: 0 };
    if (isNamespace(value)) return this.#sum(value.value.values(), value.value.keys());
    if (!isList(value) && !isMapping(value)) return { size: SCALAR, levels: 0 };
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const measured = isList(value) ? this.#sum(value.value, []) : this.#sum(value.value.values(), value.value.keys());
    if (measured.levels > MOST_LEVELS) throw new TooLarge(`a value of more than ${MOST_LEVELS} levels`);
    this.#known.set(value, measured);
    return measured;
  }

  #sum(values: Iterable<Value>, keys: Iterable<string>): Measured {
    let size = AROUND;
    let levels = 0;
    for (const key of keys) size += key.length + AROUND;
    for (const inner of values) {
      if (isNamespace(inner)) throw new TooLarge("a namespace inside another value");
      const found = this.#measure(inner);
      size += found.size + AROUND;
      levels = Math.max(levels, found.levels);
    }
    return { size: this.allow(size), levels: levels + 1 };
  }

  /** Characters that a value has as JSON with this indentation. */
  asJson(value: Value, indent: number): number {
    const { size, levels } = this.#measure(value);
    // Each value begins at most one line, and has four characters of its size for itself.
    return size + Math.ceil(size / AROUND) * indent * levels;
  }
}

/** How often a text is in another, not overlapping. */
export const occurrences = (text: string, part: string): number => (part === "" ? text.length + 1 : text.split(part).length - 1);
