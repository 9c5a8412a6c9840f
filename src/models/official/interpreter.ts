/**
 * Runs a chat template that somebody else wrote, within bounds: so many steps, values of so many characters, so many levels of nesting. The bounds are
 * numbers and never a time, so a template that is refused is refused on every machine.
 *
 * How: every operand is evaluated and weighed before the operation that takes it, and what the operation would make is reckoned before it is made. A
 * step pays for itself and for the characters that it looks at. The few words of Jinja that would get around that are not read (`{% filter %}`,
 * `{% call %}`, methods kept as values); no chat template that we know has them.
 *
 * Where `@huggingface/jinja` is otherwise than Jinja, as far as chat templates show it, Python's way is taken: `strip`, `lstrip` and `rstrip` with the
 * characters to take off.
 */
import { Interpreter, type Node, type Scope, type Value } from "./jinja.ts";
import { stripped } from "./python-text.ts";
import { isList, isMapping, isText, occurrences, type Sizes, type Text, TooLarge } from "./sizes.ts";

/** The parts of a node that are looked at here, by their names in the library's src/ast.ts. */
interface Parts {
  readonly left: Node;
  readonly right: Node;
  readonly operator: { readonly value: string };
  readonly operand: Node;
  readonly filter: Full;
  readonly callee: Full;
  readonly args: readonly Full[];
  readonly argument: Node;
  readonly object: Node;
  readonly property: Node & { readonly value: string };
  readonly computed: boolean;
  readonly iterable: Node & { readonly lhs: Node };
  readonly key: { readonly value: string };
  /** Of a block that is kept there is none. */
  readonly value: Node | null | undefined;
  readonly assignee: Node;
}
interface Full extends Node, Parts {}

/** Nested expressions, blocks and macros; each takes a few frames of the stack. */
const MOST_DEPTH = 400;
/** Characters that a step may look at for the price of another step. */
const CHARS_PER_STEP = 64;
/** Steps that a turn of a loop costs by itself. */
const LOOP_STEPS = 8;
const MOST_INDENT = 64;
const METHODS_THAT_STRIP: readonly string[] = ["strip", "lstrip", "rstrip"];
const LITERALS: readonly string[] = ["IntegerLiteral", "FloatLiteral", "StringLiteral"];

/** A template took more steps, or went deeper, than it may; or it is made of what is not read here. */
export class OutOfBounds extends Error {}

/** A value in the place of the expression that gave it. */
class Given implements Node {
  readonly type = "Given";
  readonly value: Value;
  constructor(value: Value) {
    this.value = value;
  }
}

export interface Bounds {
  readonly steps: number;
  readonly sizes: Sizes;
}

export class BoundedInterpreter extends Interpreter {
  #left: number;
  #depth = 0;
  readonly #sizes: Sizes;
  readonly #extent = new WeakMap<object, number>();

  constructor(environment: Scope, bounds: Bounds) {
    super(environment);
    this.#left = bounds.steps;
    this.#sizes = bounds.sizes;
  }

  override evaluate(node: Node | undefined, environment: Scope): Value {
    if (node instanceof Given) return node.value;
    if (node === undefined) return super.evaluate(node, environment);
    this.#spend(1);
    if (++this.#depth > MOST_DEPTH) throw new OutOfBounds(`it nests more than ${MOST_DEPTH} levels deep`);
    try {
      const prepared = this.#prepared(node as Full, environment);
      const value = prepared instanceof Given ? prepared.value : super.evaluate(prepared, environment);
      if (value.type === "FunctionValue" && node.type === "MemberExpression") throw new OutOfBounds("it keeps a method as a value, which forge does not read");
      this.#weigh(value);
      return value;
    } finally {
      this.#depth--;
    }
  }

  /** A node with its operands in the place of their expressions, once it is known that what it makes is small enough. */
  #prepared(node: Full, environment: Scope): Node {
    switch (node.type) {
      case "BinaryExpression":
        return this.#binary(node, environment);
      case "FilterExpression":
        return this.#filter(node, environment);
      case "CallExpression":
        return this.#call(node, environment);
      case "MemberExpression": {
        const object = this.#operand(node.object, environment);
        if (node.computed && node.property.type === "SliceExpression") this.#spend(this.#cost(object));
        return changed(node, { object: given(object) });
      }
      case "TestExpression":
        return changed(node, { operand: given(this.#operand(node.operand, environment)) });
      case "For":
        return this.#loop(node, environment);
      case "Set": {
        if (node.value === undefined || node.value === null || node.assignee.type !== "MemberExpression") return node;
        const value = this.evaluate(node.value, environment);
        if (value.type === "NamespaceValue") throw new TooLarge("a namespace inside another value");
        return changed(node, { value: given(value) });
      }
      case "Macro":
        // Its body is gone through for the names in it each time that it is defined.
        this.#spend(this.#nodesOf(node));
        return node;
      case "FilterStatement":
      case "CallStatement":
        throw new OutOfBounds(`it has a block {% ${node.type === "CallStatement" ? "call" : "filter"} %}, which forge does not read`);
      default:
        return node;
    }
  }

  #binary(node: Full, environment: Scope): Node {
    const { value: operator } = node.operator;
    if (operator === "and" || operator === "or") return node;
    const left = this.#operand(node.left, environment);
    const right = this.#operand(node.right, environment);
    if (operator === "+" || operator === "~") this.#sizes.allow(this.#sizes.of(left) + this.#sizes.of(right));
    return changed(node, { left: given(left), right: given(right) });
  }

  #filter(node: Full, environment: Scope): Node {
    const operand = this.#operand(node.operand, environment);
    const called = node.filter.type === "CallExpression";
    const name = called ? nameOf(node.filter.callee) : nameOf(node.filter);
    const args = called ? this.#arguments(node.filter.args, environment) : [];
    this.#allowGrowth(name, operand, args);
    const filter = called ? changed(node.filter, { args: args.map((a) => a.node) }) : node.filter;
    return changed(node, { operand: given(operand), filter });
  }

  #call(node: Full, environment: Scope): Node {
    const args = this.#arguments(node.args, environment);
    if (node.callee.type !== "MemberExpression") return changed(node, { args: args.map((a) => a.node) });
    const object = this.#operand(node.callee.object, environment);
    const property = node.callee.computed ? this.evaluate(node.callee.property, environment) : undefined;
    const name = property === undefined ? node.callee.property.value : isText(property) ? property.value : "";
    if (isText(object) && METHODS_THAT_STRIP.includes(name)) return given(this.#strip(object, name, args));
    this.#allowGrowth(name, object, args);
    // Not by `this.evaluate`, which lets no method be a value.
    const callee = super.evaluate(
      changed(node.callee, { object: given(object), ...(property === undefined ? {} : { property: given(property) }) }),
      environment,
    );
    return changed(node, { callee: given(callee), args: args.map((a) => a.node) });
  }

  /** @param args the first, where there is one: the characters to take off */
  #strip(object: Text, name: string, args: readonly Argument[]): Value {
    const [set] = args;
    if (args.length > 1 || (set !== undefined && (set.name !== undefined || !(isText(set.value) || set.value.type === "NullValue"))))
      throw new Error(`${name}() takes the characters to take off, or nothing`);
    const characters = set !== undefined && isText(set.value) ? set.value.value : undefined;
    return textLike(object, stripped(object.value, characters, name));
  }

  #loop(node: Full, environment: Scope): Node {
    const selected = node.iterable.type === "SelectExpression";
    const iterable = this.#operand(selected ? node.iterable.lhs : node.iterable, environment);
    const turns = isList(iterable) ? iterable.value.length : isMapping(iterable) ? iterable.value.size : 0;
    this.#spend(turns * LOOP_STEPS);
    return changed(node, { iterable: selected ? changed(node.iterable, { lhs: given(iterable) }) : given(iterable) });
  }

  #operand(node: Node, environment: Scope): Value {
    const value = this.evaluate(node, environment);
    this.#spend(this.#cost(value));
    return value;
  }

  #arguments(args: readonly Full[], environment: Scope): Argument[] {
    return args.map((arg): Argument => {
      // `selectattr` wants to see that its arguments are texts.
      if (LITERALS.includes(arg.type)) return { node: arg, value: this.evaluate(arg, environment) };
      if (arg.type === "KeywordArgumentExpression") {
        const value = this.#operand(arg.value as Node, environment);
        return { node: changed(arg, { value: given(value) }), value, name: arg.key.value };
      }
      if (arg.type === "SpreadExpression" || arg.type === "KeywordSpreadExpression")
        throw new OutOfBounds("it hands over arguments by * or **, which forge does not read");
      const value = this.#operand(arg, environment);
      return { node: given(value), value };
    });
  }

  /** Throws where a filter or method would make a value that is too large. */
  #allowGrowth(name: string, operand: Value, args: readonly Argument[]): void {
    const argument = (at: number, keyword: string): Value | undefined =>
      (args.find((a) => a.name === keyword) ?? args.filter((a) => a.name === undefined)[at])?.value;
    const size = this.#sizes.of(operand);
    if (name === "replace" && isText(operand)) {
      const [old, by] = [argument(0, "old"), argument(1, "new")];
      if (old === undefined || by === undefined || !isText(old) || !isText(by)) return;
      this.#spend(this.#cost(operand));
      this.#pay(this.#sizes.allow(size + occurrences(operand.value, old.value) * by.value.length));
    } else if (name === "join") {
      const separator = argument(0, "separator");
      const parts = isList(operand) || isText(operand) ? operand.value.length : 0;
      this.#pay(this.#sizes.allow(size + (separator === undefined || !isText(separator) ? 0 : parts * separator.value.length)));
    } else if (name === "indent" && isText(operand)) {
      const width = indentOf(argument(0, "width"), 4);
      this.#pay(this.#sizes.allow(size + (occurrences(operand.value, "\n") + 1) * width));
    } else if (name === "tojson") {
      const [indent, separators] = [argument(0, "indent"), argument(0, "separators")];
      if (separators !== undefined && this.#sizes.of(separators) > MOST_INDENT) throw new TooLarge("separators of JSON that are no separators");
      this.#pay(this.#sizes.allow(this.#sizes.asJson(operand, indentOf(indent, 0))));
    } else if (name === "split" || name === "sort" || name === "dictsort" || name === "unique" || name === "list") this.#pay(8 * size);
  }

  /** A step for so many characters. */
  #pay(characters: number): void {
    this.#spend(Math.floor(characters / CHARS_PER_STEP));
  }

  #cost(value: Value): number {
    return Math.floor(this.#sizes.of(value) / CHARS_PER_STEP);
  }

  /** Weighs what a step gave, and pays for it where it is new. */
  #weigh(value: Value): void {
    if (isText(value)) this.#sizes.allow(value.value.length);
    else if (isList(value) || isMapping(value)) {
      const known = this.#sizes.knows(value);
      const size = this.#sizes.of(value);
      if (!known) this.#pay(size);
    } else if (value.type === "NamespaceValue") this.#sizes.of(value);
  }

  #spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new OutOfBounds("it takes more steps than a chat template needs");
  }

  /** Nodes of a part of the template. */
  #nodesOf(node: object): number {
    const known = this.#extent.get(node);
    if (known !== undefined) return known;
    let count = 1;
    for (const part of node instanceof Map ? [...node].flat() : Object.values(node))
      if (typeof part === "object" && part !== null) count += this.#nodesOf(part);
    this.#extent.set(node, count);
    return count;
  }
}

interface Argument {
  readonly node: Node;
  readonly value: Value;
  /** Of a keyword argument. */
  readonly name?: string;
}

const given = (value: Value): Node => new Given(value);
/** A copy of a node with other parts. What it is, it says by `type`. */
const changed = (node: Node, parts: Readonly<Record<string, unknown>>): Node => ({ ...node, ...parts }) as Node;
const nameOf = (node: Node): string => (node.type === "Identifier" ? (node as unknown as { value: string }).value : "");

/** Spaces that a filter indents by. */
function indentOf(value: Value | undefined, otherwise: number): number {
  if (value === undefined || value.type === "NullValue") return otherwise;
  if (value.type !== "IntegerValue" || !((value.value as number) >= 0 && (value.value as number) <= MOST_INDENT))
    throw new TooLarge(`an indentation that is not between 0 and ${MOST_INDENT}`);
  return value.value as number;
}

/** A text of the library's own class, which it does not export. */
const textLike = (other: Text, text: string): Value => new (other.constructor as new (text: string) => Value)(text);
