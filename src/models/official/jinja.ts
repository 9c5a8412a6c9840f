/**
 * The parts of `@huggingface/jinja` that are built on here, with their types: those that the package carries name files in a way that TypeScript
 * resolves for bundlers only. Restated from its src/runtime.ts and src/ast.ts, release 0.5.11; the tests of this folder notice a change.
 */
import * as jinja from "@huggingface/jinja";

/** A part of a parsed template; `type` is the name of its kind. */
export interface Node {
  readonly type: string;
}

/** A value at run time; `type` is the name of its kind (`StringValue`, `ArrayValue`, …). */
export interface Value {
  readonly type: string;
  readonly value: unknown;
}

/** The variables of a template. */
export interface Scope {
  set(name: string, value: unknown): Value;
}

/** What evaluates a template, node by node: every part of one goes through `evaluate`. */
export interface Evaluator {
  run(program: Node): Value;
  evaluate(node: Node | undefined, environment: Scope): Value;
}

export const { Environment, Interpreter, tokenize, parse } = jinja as unknown as {
  readonly Environment: new () => Scope;
  readonly Interpreter: new (environment: Scope) => Evaluator;
  readonly tokenize: (text: string, o: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean }) => unknown;
  readonly parse: (tokens: unknown) => Node;
};
