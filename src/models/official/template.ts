/**
 * A chat template of somebody else's, ready to be rendered: read once, bounded each time. What it sees is what transformers and llama.cpp show it:
 * messages, tools, the names of the begin and end tokens; the clock stands still (python-text.ts), and there is no chance.
 */
import { EXIT } from "../../platform/exit.ts";
import { err, FailureError, ok, type Result } from "../../platform/result.ts";
import { BoundedInterpreter, OutOfBounds } from "./interpreter.ts";
import { Environment, type Node, parse, type Scope, tokenize } from "./jinja.ts";
import { strftimeNow } from "./python-text.ts";
import { Sizes, TooLarge } from "./sizes.ts";

/** Characters of a template: the longest of well-known models has some 30,000. */
export const MOST_TEMPLATE = 128 << 10;
/** What a rendering may take, and so many more for each character that it is given. */
const STEPS = 200_000;
const STEPS_PER_CHAR = 20;
/** Characters of a value and of the text that comes out, alike. */
const CHARS = 1_000_000;
const CHARS_PER_CHAR = 16;
const MOST_RANGE = 10_000;
const MOST_REASON = 200;

/** A model's own chat template, with what it needs to be rendered. */
export interface OfficialTemplate {
  readonly text: string;
  /** Texts of the tokens that it may write by name. */
  readonly bos_token?: string;
  readonly eos_token?: string;
}

/** A rendering that did not come about. */
export class TemplateError extends FailureError {
  /** Completes "the model's own chat template ". */
  readonly reason: string;
  /** What the template says itself, where it is that which refuses. */
  readonly refusal: string | undefined;
  constructor(reason: string, refusal?: string) {
    super({
      code: "models/official-template",
      message: `the model's own chat template ${reason}`,
      hint: "Take what it refuses out of the data, or pin the model anew with forge's template: forge models add … --template ours --force",
      exit: EXIT.failed,
    });
    this.reason = reason;
    this.refusal = refusal;
  }
}

export interface CompiledTemplate {
  /** It asks what day it is. */
  readonly readsClock: boolean;
  /** Throws TemplateError. */
  readonly render: (items: Readonly<Record<string, unknown>>) => string;
}

/** A template that can be rendered, or why it is none: completes "the model's own chat template ". */
export function compileOfficial({ text, bos_token = "", eos_token = "" }: OfficialTemplate): Result<CompiledTemplate, string> {
  if (text.trim() === "") return err("is empty");
  if (text.length > MOST_TEMPLATE) return err(`has ${text.length} characters, and may have ${MOST_TEMPLATE}`);
  // Python's readers would make line feeds of them, and the text that is shipped be another.
  if (text.includes("\r")) return err("has carriage returns in it");
  let program: Node;
  try {
    program = parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }));
  } catch (e) {
    return err(`cannot be read: ${reasonOf(e)}`);
  }
  return ok({
    readsClock: text.includes("strftime_now"),
    render(items) {
      const given = JSON.stringify(items).length;
      const environment = environmentOf({ ...items, bos_token, eos_token });
      const sizes = new Sizes(CHARS + CHARS_PER_CHAR * given);
      let out: unknown;
      try {
        out = new BoundedInterpreter(environment, { steps: STEPS + STEPS_PER_CHAR * given, sizes }).run(program).value;
        if (typeof out !== "string") throw new OutOfBounds("it gives no text");
        sizes.allow(out.length);
      } catch (e) {
        throw new TemplateError(whyNot(e), e instanceof Refusal ? reasonOf(e) : undefined);
      }
      return out;
    },
  });
}

/** The global names of transformers' environment (utils/chat_template_utils.py). */
function environmentOf(items: Readonly<Record<string, unknown>>): Scope {
  const environment = new Environment();
  const globals = {
    ...{ true: true, True: true, false: false, False: false, none: null, None: null },
    range: boundedRange,
    strftime_now: strftimeNow,
    raise_exception: (message: unknown): never => {
      throw new Refusal(typeof message === "string" ? message : "no reason");
    },
  };
  for (const [name, value] of Object.entries({ ...globals, ...items })) environment.set(name, value);
  return environment;
}

/** The template refused by itself. */
class Refusal extends Error {}

function boundedRange(first: unknown, stop?: unknown, step: unknown = 1): number[] {
  const [from, to] = stop === undefined ? [0, first] : [first, stop];
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || !Number.isSafeInteger(step) || step === 0) throw new Error("range() takes whole numbers");
  const count = Math.max(0, Math.ceil(((to as number) - (from as number)) / (step as number)));
  if (count > MOST_RANGE) throw new TooLarge(`a range of more than ${MOST_RANGE} numbers`);
  return Array.from({ length: count }, (_, i) => (from as number) + i * (step as number));
}

function whyNot(e: unknown): string {
  if (e instanceof Refusal) return `refuses the conversation (“${reasonOf(e)}”)`;
  if (e instanceof OutOfBounds) return `is not used: ${e.message}`;
  if (e instanceof TooLarge) return `is not used: it makes ${e.message}`;
  // The engine's own end of a text or of the stack, before ours was reached.
  if (e instanceof RangeError) return "is not used: it makes something too large";
  return `cannot be rendered: ${reasonOf(e)}`;
}

/** The first line of what went wrong, cut; nothing in it can steer a terminal. */
const reasonOf = (e: unknown): string =>
  (e instanceof Error ? e.message : String(e))
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .slice(0, MOST_REASON);
