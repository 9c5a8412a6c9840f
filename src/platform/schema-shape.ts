/**
 * Looks at a foreign schema before it is compiled: whether it can be checked at all, and within bounds. What is refused: references that lead
 * back to themselves without going into a value (JSON Schema Core 2020-12, 9.4.1: such a schema would never end), what is too large for a
 * compiler, and patterns that nobody can look for in bounded time. A schema that refers to itself inside a value, as that of a tree does, is fine.
 */
import { whyUnbounded } from "./bounded-regexp.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { References } from "./schema-references.ts";

/**
 * Bounds of what ajv compiles in a second or two and far from the end of its stack: subschemas that become one function (those between two
 * references), those of all functions, levels from the first to the last.
 */
const MOST = { together: 1_200, all: 5_000, levels: 400 } as const;

/** Keywords that hold schemas, by what is in them: one, a list, or a table of them by names; of the same value, or of what is in it. */
const SAME = { one: ["not", "if", "then", "else"], list: ["allOf", "anyOf", "oneOf"], table: ["dependentSchemas", "dependencies"] } as const;
const INSIDE = {
  one: ["additionalProperties", "unevaluatedProperties", "propertyNames", "items", "additionalItems", "contains", "unevaluatedItems"],
  list: ["prefixItems", "items"],
  table: ["properties", "patternProperties"],
} as const;

const isObject = (v: unknown): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);

/** What is told of a schema that can be compiled. */
export interface SchemaShape {
  /** How many subschemas are compiled. */
  readonly size: number;
  /** What one value may be held against, at most: subschemas, and names and choices in them. */
  readonly weight: number;
  /** How often references are followed for one value, at most; `Infinity` where a schema refers to itself inside a value. */
  readonly calls: number;
}

/** A schema's shape, or why it cannot be checked within bounds (one clause that names the place). */
export function readShape(schema: JsonObject): SchemaShape | string {
  try {
    const walk = new Walk(schema);
    walk.run(schema);
    return { size: walk.size, weight: walk.weight, calls: walk.calls(schema) };
  } catch (e) {
    if (e instanceof Refused) return e.message;
    throw e;
  }
}

class Refused extends Error {}

interface Piece {
  readonly node: JsonObject;
  readonly place: string;
  readonly level: number;
}

class Walk {
  size = 0;
  weight = 0;
  readonly #references: References;
  readonly #places = new Map<JsonObject, string>();
  /** Of each schema those that are asked about the same value. */
  readonly #same = new Map<JsonObject, JsonObject[]>();
  readonly #referred = new Map<JsonObject, readonly JsonObject[]>();
  readonly #calls = new Map<JsonObject, number>();
  #all = 0;

  constructor(root: JsonObject) {
    this.#references = new References(root);
  }

  run(root: JsonObject): void {
    const pieces: Piece[] = [{ node: root, place: "", level: 0 }];
    const known = new Set<JsonObject>([root]);
    for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop())
      for (const referred of this.#piece(piece))
        if (!known.has(referred.node)) {
          known.add(referred.node);
          pieces.push(referred);
        }
    this.#endless();
  }

  /** Counts what becomes one function; what it refers to. */
  #piece({ node, place, level }: Piece): Piece[] {
    const referred: Piece[] = [];
    let together = 0;
    const weigh = (at: JsonObject, where: string, depth: number): number => {
      if (++together > MOST.together)
        throw new Refused(`${named(place)} holds more than ${MOST.together} subschemas in one piece; definitions of their own (\`$defs\`) may hold more`);
      if (++this.#all > MOST.all) throw new Refused(`it holds more than ${MOST.all} subschemas`);
      if (depth > MOST.levels) throw new Refused(`${named(where)} is reached through more than ${MOST.levels} levels of subschemas and references`);
      const same: JsonObject[] = [];
      for (const { word, target } of this.#targets(at)) {
        same.push(target);
        referred.push({ node: target, place: word, level: depth + 2 });
      }
      let weight = ownWeight(at);
      for (const [path, child] of children(at, SAME)) {
        same.push(child);
        weight += weigh(child, `${where}/${path}`, depth + 1);
      }
      // A value has one name: of all properties at most one is about it.
      let property = 0;
      for (const [path, child] of children(at, INSIDE)) {
        const inside = weigh(child, `${where}/${path}`, depth + 1);
        if (path.startsWith("properties/")) property = Math.max(property, inside);
        else weight += inside;
      }
      if (!this.#same.has(at)) {
        this.#same.set(at, same);
        this.#places.set(at, where);
        this.#judgePatterns(at, where);
      }
      return weight + property;
    };
    this.weight += weigh(node, place, level);
    this.size += together;
    this.#referred.set(
      node,
      referred.map((r) => r.node),
    );
    return referred;
  }

  /** After `run`. */
  calls(node: JsonObject, depth = 0): number {
    const known = depth > MOST.levels ? Number.POSITIVE_INFINITY : this.#calls.get(node);
    if (known !== undefined) return known;
    this.#calls.set(node, Number.POSITIVE_INFINITY); // It stays so for whatever leads back to it.
    const calls = (this.#referred.get(node) ?? []).reduce((sum, target) => sum + 1 + this.calls(target, depth + 1), 0);
    this.#calls.set(node, calls);
    return calls;
  }

  *#targets(node: JsonObject): Generator<{ word: string; target: JsonObject }> {
    if (typeof node.$ref === "string") {
      const target = this.#references.target(node, node.$ref);
      if (target !== undefined) yield { word: node.$ref, target };
    }
    if (typeof node.$dynamicRef === "string")
      for (const target of this.#references.dynamicTargets(node.$dynamicRef.slice(1))) yield { word: node.$dynamicRef, target };
  }

  #judgePatterns(node: JsonObject, place: string): void {
    const patterns = [
      ...(typeof node.pattern === "string" ? [node.pattern] : []),
      ...(isObject(node.patternProperties) ? Object.keys(node.patternProperties) : []),
    ];
    for (const pattern of patterns) {
      const why = whyUnbounded(pattern);
      if (why !== undefined) throw new Refused(`the pattern ${JSON.stringify(shortened(pattern))} at ${named(place)} ${why}`);
    }
  }

  /** Takes away whatever leads to nothing that is left: what remains leads back to itself. */
  #endless(): void {
    const leading = new Map<JsonObject, JsonObject[]>();
    const open = new Map<JsonObject, number>();
    for (const [node, same] of this.#same) {
      open.set(node, same.length);
      for (const other of same) leading.set(other, [...(leading.get(other) ?? []), node]);
    }
    const done = [...open].filter(([, n]) => n === 0).map(([node]) => node);
    for (let node = done.pop(); node !== undefined; node = done.pop()) {
      open.delete(node);
      for (const other of leading.get(node) ?? []) {
        const left = (open.get(other) ?? 0) - 1;
        open.set(other, left);
        if (left === 0) done.push(other);
      }
    }
    let [node] = open.keys();
    if (node === undefined) return;
    for (const passed = new Set<JsonObject>(); node !== undefined && !passed.has(node); node = this.#same.get(node)?.find((other) => open.has(other)))
      passed.add(node);
    const place = this.#places.get(node as JsonObject) ?? "";
    throw new Refused(`${named(place)} refers to itself without going into a value, so that checking it would never end`);
  }
}

/** Many choices are looked up, few are compared one by one. */
const ownWeight = ({ enum: choices, required, properties }: JsonObject): number =>
  1 +
  (Array.isArray(choices) ? Math.min(choices.length, 200) : 0) +
  (Array.isArray(required) ? required.length : 0) +
  (isObject(properties) ? Object.keys(properties).length : 0);

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);
const named = (place: string): string => (place === "" || place === "#" ? "the schema as a whole" : `\`${shortened(place.replace(/^#/, ""))}\``);

function* children(node: JsonObject, words: typeof SAME | typeof INSIDE): Generator<[path: string, child: JsonObject]> {
  const tables = words.table
    .filter((word) => isObject(node[word]))
    .flatMap((word) => Object.entries(node[word] as JsonObject).map(([name, c]) => [`${word}/${name}`, c] as const));
  const lists = words.list
    .filter((word) => Array.isArray(node[word]))
    .flatMap((word) => (node[word] as JsonValue[]).map((c, i) => [`${word}/${i}`, c] as const));
  const single = words.one.map((word) => [word, node[word]] as const);
  for (const [path, child] of [...single, ...lists, ...tables]) if (isObject(child)) yield [path, child];
}
