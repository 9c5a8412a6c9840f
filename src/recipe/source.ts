/**
 * Reads YAML into a tree that remembers where every key and value was written, so that any later
 * error can point at the text. Bounded in size, depth and expansion (aliases), so that a hostile
 * file costs milliseconds and an error, never memory or a stack overflow. Strict: one document, text
 * keys, no duplicate keys, no tags.
 */
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, Scalar, type Node as YamlNode } from "yaml";
import { EXIT } from "../platform/exit.ts";
import type { JsonPrimitive, JsonValue } from "../platform/json.ts";
import { err, type Failure, ok, type Place, type Result } from "../platform/result.ts";

/** Bytes that a recipe may have: some hundred times what one needs. */
export const MAX_BYTES = 256 * 1024;
/** Values in a recipe once its aliases are expanded. */
const MAX_NODES = 20_000;
const MAX_DEPTH = 48;
/** Indentation past which the YAML parser, which recurses, is not even asked. */
const MAX_INDENT = 200;

/** Character offsets in the file. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A value and where it was written. */
export type Tree = Leaf | ListTree | MapTree;
export interface Leaf {
  readonly kind: "leaf";
  readonly value: JsonPrimitive;
  readonly range: Range;
  /** Written without quotes, so that a substituted setting is read as YAML would read it. */
  readonly plain: boolean;
  /** Its value is not known (a setting that is not there): no further word about it. */
  readonly unknown?: boolean;
}
export interface ListTree {
  readonly kind: "list";
  readonly items: readonly Tree[];
  readonly range: Range;
}
export interface MapTree {
  readonly kind: "map";
  readonly members: ReadonlyMap<string, Member>;
  readonly range: Range;
}
export interface Member {
  /** Where the key was written. */
  readonly key: Range;
  readonly value: Tree;
}

/** A file's text, and places in it. */
export class Source {
  readonly #lines = new LineCounter();
  readonly file: string;
  readonly text: string;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.#lines.addNewLine(0);
    for (let i = text.indexOf("\n"); i !== -1; i = text.indexOf("\n", i + 1)) this.#lines.addNewLine(i + 1);
  }

  /** The place of a range: its first line, underlined to the range's end or the line's. */
  place(range: Range): Place {
    const start = Math.min(range.start, this.text.length);
    const { line, col } = this.#lines.linePos(start);
    const from = start - (col - 1);
    const newline = this.text.indexOf("\n", from);
    const source = this.text.slice(from, newline === -1 ? undefined : newline).replace(/\r$/, "");
    const length = Math.max(1, Math.min(range.end - start, source.length - (col - 1)));
    return { file: this.file, line, column: col, length, source };
  }

  failure(code: string, message: string, range: Range, hint?: string): Failure {
    return { code: `recipe/${code}`, message, ...(hint === undefined ? {} : { hint }), place: this.place(range), exit: EXIT.usage };
  }
}

/** Parses one YAML mapping. On failure every problem of the text, each with its place. */
export function parseTree(source: Source): Result<MapTree, Failure[]> {
  const early = beforeParsing(source);
  if (early) return err([early]);
  let document: Document.Parsed;
  try {
    document = parseDocument(source.text, { prettyErrors: false, uniqueKeys: false, version: "1.2", schema: "core", merge: false, logLevel: "error" });
  } catch (cause) {
    // The parser is not ours and the text is foreign: whatever it throws is a fault of the text.
    return err([
      source.failure("syntax", `the file is not readable as YAML: ${cause instanceof Error ? cause.message : "unknown reason"}`, { start: 0, end: 1 }),
    ]);
  }
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return err(distinct(faults.slice(0, 20).map((e) => syntaxFailure(source, e.code, e.message, { start: e.pos[0], end: e.pos[1] }))));
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return err([emptyFailure(source)]);
  const builder = new Builder(source);
  const tree = builder.build(document.contents as YamlNode, 0);
  if (builder.failures.length > 0) return err(builder.failures);
  if (tree.kind !== "map")
    return err([
      source.failure(
        "wrong-type",
        `a recipe is a mapping of keys and values; this is ${describeTree(tree)}`,
        tree.range,
        "begin with `version: 1`, or run `forge init` for a starter",
      ),
    ]);
  return ok(tree);
}

/** The plain value of a tree. Objects have no prototype tricks: `__proto__` never gets this far. */
export function toJson(tree: Tree): JsonValue {
  if (tree.kind === "leaf") return tree.value;
  if (tree.kind === "list") return tree.items.map(toJson);
  return Object.fromEntries([...tree.members].map(([key, member]) => [key, toJson(member.value)]));
}

/** Words for a value in a message: "text `abc`", "the number 3", "a list". */
export function describeTree(tree: Tree): string {
  if (tree.kind === "list") return "a list";
  if (tree.kind === "map") return "a mapping";
  const { value } = tree;
  if (value === null) return "empty";
  if (typeof value === "string") return value === "" ? "empty text" : `text \`${value.length > 40 ? `${value.slice(0, 40)}…` : value}\``;
  return typeof value === "number" ? `the number ${value}` : `${value}`;
}

/** What must be refused before a recursive parser sees it. */
function beforeParsing(source: Source): Failure | undefined {
  const { text } = source;
  if (text.trim() === "") return emptyFailure(source);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text);
  if (control) {
    const code = control[0].charCodeAt(0);
    const name = code === 0 ? "a NUL byte" : `the control character U+${code.toString(16).padStart(4, "0").toUpperCase()}`;
    return source.failure(
      "syntax",
      `the file holds ${name}, which YAML does not allow`,
      { start: control.index, end: control.index + 1 },
      "save the file as plain UTF-8 text",
    );
  }
  let open = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "[" || c === "{") open++;
    else if (c === "]" || c === "}") open = Math.max(0, open - 1);
    if (open > MAX_DEPTH * 2) return tooDeep(source, { start: i, end: i + 1 });
  }
  const indented = new RegExp(`^[ \\t?:-]{${MAX_INDENT},}`, "m").exec(text);
  return indented ? tooDeep(source, { start: indented.index + MAX_INDENT, end: indented.index + MAX_INDENT + 1 }) : undefined;
}

const tooDeep = (source: Source, range: Range): Failure =>
  source.failure("too-deep", `values are nested more than ${MAX_DEPTH} levels deep`, range, "a recipe never needs more than six");

const emptyFailure = (source: Source): Failure =>
  source.failure("empty", "the recipe is empty", { start: 0, end: 1 }, "run `forge init` in an empty folder for a starter, or begin with `version: 1`");

/** The parser's complaint in our words where the fix is known. */
function syntaxFailure(source: Source, code: string, message: string, range: Range): Failure {
  switch (code) {
    case "TAB_AS_INDENT":
      return source.failure("tab", "a tab is used for indentation, which YAML does not allow", range, "indent with spaces (two a level)");
    case "MULTIPLE_DOCS":
      return source.failure(
        "several-documents",
        "the file holds more than one YAML document (`---`)",
        range,
        "keep one recipe a file; use `variants` for variations",
      );
    case "TAG_RESOLVE_FAILED":
      return source.failure("tag", "YAML tags (`!…`) have no meaning in a recipe", range, "write the value without its tag");
    case "RESOURCE_EXHAUSTION":
      return tooDeep(source, range);
    case "BAD_ALIAS":
      return source.failure("alias", message, range);
    default:
      return source.failure("syntax", `the file is not valid YAML: ${message.slice(0, 300)}`, range, hintFor(code));
  }
}

function hintFor(code: string): string | undefined {
  if (code === "BLOCK_AS_IMPLICIT_KEY") return "put quotes around text that holds `: `";
  if (code === "BAD_INDENT" || code === "UNEXPECTED_TOKEN")
    return "check the indentation and the brackets above this line; `${…}` inside [ ] or { } needs quotes";
  if (code === "MISSING_CHAR") return "close the quote or the bracket, or put a space after the colon";
  if (code === "BAD_SCALAR_START") return "put quotes around this text";
  return undefined;
}

/** One failure a line and code: a parser that has lost its way repeats itself. */
function distinct(failures: Failure[]): Failure[] {
  const seen = new Set<string>();
  return failures.filter((f) => {
    const key = `${f.code}:${f.place?.line}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Turns the parser's nodes into our tree, expanding aliases within a budget. */
class Builder {
  readonly failures: Failure[] = [];
  readonly #source: Source;
  readonly #anchors = new Map<string, YamlNode>();
  readonly #expanding = new Set<YamlNode>();
  #nodes = 0;
  /** The alias in the text whose expansion is going on. */
  #expandedAt: Range | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  build(node: YamlNode | null, depth: number, at?: Range): Tree {
    const range = node ? rangeOf(node) : (at ?? { start: 0, end: 1 });
    const stop: Leaf = { kind: "leaf", value: null, range, plain: true, unknown: true };
    if (++this.#nodes > MAX_NODES) {
      if (this.#nodes === MAX_NODES + 1)
        this.#fail(
          "too-large",
          `the recipe holds more than ${MAX_NODES} values once its aliases are expanded`,
          this.#expandedAt ?? range,
          "write out what is needed instead of aliasing aliases",
        );
      return stop;
    }
    if (depth > MAX_DEPTH) {
      this.failures.push(tooDeep(this.#source, range));
      return stop;
    }
    if (node === null) return { kind: "leaf", value: null, range, plain: true };
    if (isAlias(node)) return this.#alias(node, depth, range, stop);
    if (node.tag !== undefined) this.#fail("tag", "YAML tags (`!…`) have no meaning in a recipe", range, "write the value without its tag");
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#map(node, depth, range);
    if (isSeq(node)) return { kind: "list", range, items: node.items.map((item) => this.build(item as YamlNode | null, depth + 1, range)) };
    if (isScalar(node)) return this.#scalar(node, range, stop);
    return stop;
  }

  #map(node: { items: { key: unknown; value: unknown }[] }, depth: number, range: Range): Tree {
    const members = new Map<string, Member>();
    for (const pair of node.items) {
      const keyNode = pair.key as YamlNode | null;
      const key = keyNode ? rangeOf(keyNode) : range;
      const name = isScalar(keyNode) ? keyNode.value : undefined;
      if (typeof name !== "string") {
        const merge = "write the keys out, or use `variants`";
        this.#fail(
          "key",
          `a key must be a word; this is ${isAlias(keyNode) ? "an alias" : isScalar(keyNode) ? String(keyNode.value) : "a collection"}`,
          key,
          isAlias(keyNode) ? merge : "put quotes around it if it is meant as text",
        );
        continue;
      }
      if (name === "__proto__") {
        this.#fail("unknown-key", "`__proto__` is no key of a recipe", key);
        continue;
      }
      if (name === "<<") {
        this.#fail("key", "YAML merge keys (`<<`) are not supported", key, "write the keys out, or use `variants`");
        continue;
      }
      if (members.has(name)) {
        const first = this.#source.place(members.get(name)?.key ?? key).line;
        this.#fail("duplicate-key", `the key \`${name}\` is given twice; it already stands on line ${first}`, key, "keep one of the two");
        continue;
      }
      members.set(name, { key, value: this.build((pair.value ?? null) as YamlNode | null, depth + 1, key) });
    }
    return { kind: "map", members, range };
  }

  #alias(node: Alias, depth: number, range: Range, stop: Leaf): Tree {
    const target = this.#anchors.get(node.source);
    if (!target) {
      this.#fail("alias", `the alias \`*${node.source}\` refers to no anchor above it`, range, `mark the value that is meant with \`&${node.source}\``);
      return stop;
    }
    if (this.#expanding.has(target) || rangeOf(target).end > range.start) {
      this.#fail("alias", `the alias \`*${node.source}\` contains itself`, range);
      return stop;
    }
    const outermost = this.#expandedAt === undefined;
    if (outermost) this.#expandedAt = range;
    this.#expanding.add(target);
    const tree = this.build(target, depth + 1);
    this.#expanding.delete(target);
    if (outermost) this.#expandedAt = undefined;
    return tree;
  }

  #scalar(node: Scalar, range: Range, stop: Leaf): Tree {
    const plain = node.type === Scalar.PLAIN;
    const { value } = node;
    if (value === null || typeof value === "string" || typeof value === "boolean") return { kind: "leaf", value, range, plain };
    if (typeof value === "number" && Number.isFinite(value)) return { kind: "leaf", value, range, plain };
    this.#fail("wrong-type", "only text, finite numbers, true, false, lists and mappings are allowed", range);
    return stop;
  }

  #fail(code: string, message: string, range: Range, hint?: string): void {
    if (this.failures.length < 50) this.failures.push(this.#source.failure(code, message, range, hint));
  }
}

function rangeOf(node: YamlNode): Range {
  const range = node.range;
  return range ? { start: range[0], end: Math.max(range[1], range[0] + 1) } : { start: 0, end: 1 };
}
