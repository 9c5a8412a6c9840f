/**
 * Keeps the functions that ajv writes from running away. ajv makes a function of each schema that is referred to; where these call one another,
 * a schema of two kilobytes can have a value looked at 2³⁰ times, or a deep value can end the stack. Here each function remembers what it said of a
 * value, once a check has become a long one, and the calls within one another are counted. The verdict is the one that ajv alone would come to.
 */
import type { ErrorObject } from "ajv";
import { Unbounded } from "./checking.ts";

/** Calls in one check before results are remembered: an ordinary call of a tool has fewer, and remembering costs more than a quick function. */
const QUICK_CALLS = 64;
/** Calls in one check; with what is remembered, a hundred megabytes. */
const MOST_CALLS = 500_000;
/** Words on the stack: a function's variables, and what a call takes itself. A third of Node's stack. */
const MOST_STACK = 40_000;
const CALL = 30;
/** Errors that are kept of one function; alternatives of alternatives have as many as there are ways. */
const MOST_ERRORS = 20;

/** What ajv hands on to a function that it calls, as far as it is of use here. */
interface Context {
  readonly instancePath?: string;
  readonly dynamicAnchors?: object;
}

/** Names or places that a schema has looked at, of which `unevaluatedProperties` and `unevaluatedItems` ask. */
interface Evaluated {
  props?: true | Record<string, true>;
  items?: true | number;
}

/** A function of ajv's. */
interface Validate {
  (data: unknown, context?: Context): boolean;
  errors?: ErrorObject[] | null;
  evaluated?: Evaluated;
}

interface Outcome {
  readonly valid: boolean;
  readonly errors: readonly ErrorObject[] | null;
  readonly evaluated?: Evaluated;
  /** How many dynamic anchors were set: what such a reference leads to depends on them. */
  readonly anchors: number;
}

let calls = 0;
let stack = 0;
const remembered = new Map<Validate, Map<unknown, Outcome>>();

/** Forgets what a check left. */
export function resetGuard(): void {
  calls = 0;
  stack = 0;
  if (remembered.size > 0) remembered.clear();
}

/**
 * A function of ajv's that is guarded.
 * @param variables how many it has
 */
export function guard(variables: number, run: Validate): Validate {
  const weight = variables + CALL;
  const guarded: Validate = (data, context) => {
    const before = stack;
    stack += weight;
    if (stack > MOST_STACK) throw new Unbounded("the arguments are nested too deeply");
    if (++calls > QUICK_CALLS) {
      const known = recall(guarded, data, context);
      stack = before;
      if (known !== undefined) return known;
      stack += weight;
      if (calls > MOST_CALLS) throw new Unbounded("it takes too many steps to check these arguments");
      const anchors = anchorsOf(context);
      const valid = run(data, context);
      if (!valid) guarded.errors = (guarded.errors ?? []).slice(0, MOST_ERRORS);
      if (anchors === anchorsOf(context)) remember(guarded, data, valid, anchors);
      stack = before;
      return valid;
    }
    const valid = run(data, context);
    stack = before;
    return valid;
  };
  return guarded;
}

const anchorsOf = (context: Context | undefined): number => (context?.dynamicAnchors === undefined ? 0 : Object.keys(context.dynamicAnchors).length);

function recall(validate: Validate, data: unknown, context: Context | undefined): boolean | undefined {
  const known = remembered.get(validate)?.get(data);
  if (known === undefined || known.anchors !== anchorsOf(context)) return undefined;
  // Objects are the same only at the same place; of a plain value, equal ones may be anywhere, and all it has of errors is about itself.
  const moved = typeof data === "object" && data !== null ? {} : { instancePath: context?.instancePath ?? "" };
  validate.errors = known.errors === null ? null : known.errors.map((e) => ({ ...e, ...moved }));
  if (known.evaluated !== undefined && validate.evaluated !== undefined) Object.assign(validate.evaluated, copied(known.evaluated));
  return known.valid;
}

function remember(validate: Validate, data: unknown, valid: boolean, anchors: number): void {
  const of = remembered.get(validate) ?? new Map<unknown, Outcome>();
  remembered.set(validate, of);
  const { errors, evaluated } = validate;
  of.set(data, { valid, errors: valid ? null : [...(errors ?? [])], anchors, ...(evaluated === undefined ? {} : { evaluated: copied(evaluated) }) });
}

/** ajv writes into what it is handed. */
const copied = ({ props, items }: Evaluated): Evaluated => ({ props: typeof props === "object" ? { ...props } : props, items });

/** What ajv writes into a call of another of its functions, and into nothing else. */
const CALLS = /, ?\{instancePath[:,]/;
const FUNCTION = /return function (validate\d+)\(/;

/**
 * Puts the guard around a function's code (ajv's option `code.process`): only where it calls others, or itself. Expects the guard as
 * ajv's option `guard`.
 */
export function guardedCode(source: string, schema?: { readonly meta?: boolean }): string {
  const begins = FUNCTION.exec(source);
  if (schema?.meta === true || begins === null || !CALLS.test(source)) return source;
  const [start, name] = begins;
  const variables = source.match(/\b(?:let|const|var) /g)?.length ?? 0;
  const code = source.slice(begins.index + start.length).replace(/;\s*$/, "");
  // Without a name of its own: where it calls itself, the guard is to be called.
  return `${source.slice(0, begins.index)}const ${name} = self.opts.guard(${variables}, function (${code});return ${name};`;
}
