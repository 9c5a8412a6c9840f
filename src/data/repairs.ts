/**
 * What a repair changed, place by place, so that somebody can look at it and take it back: `forge qa --fix` writes a line of JSON for each (NAME.repairs.jsonl).
 * `undoRepairs` is the proof that nothing is lost: it makes the sample that was read out of the one that was written (tests/data/repairs.test.ts).
 */
import { canonicalJson, type JsonValue } from "../platform/json.ts";
import type { Message, Sample } from "./types.ts";

/** Kinds of repair, as reports count them. */
export type RepairKind = "encoding" | "whitespace" | "truncation" | "schema" | "default";

export interface Repair {
  readonly check: RepairKind;
  /**
   * Where, as a JSON pointer (RFC 6901) into the sample; the arguments of a call, which are a text, are gone into as if they were the object that they say.
   * Of a repair of the whole line, before it could be read: "".
   */
  readonly path: string;
  /** What stood there; undefined where nothing did. Of a line that was no UTF-8, and of what it was read as: the name of the encoding. */
  readonly before?: JsonValue;
  readonly after: JsonValue;
  /** Where the first value inside a call's arguments was repaired: their whole text as it was, to the byte (it is written anew). */
  readonly text?: string;
}

/** A repair of a sample in a file: a line of the repairs' file. */
export interface SampleRepair extends Repair {
  /** In the file that was brought, from 1. */
  readonly line: number;
  readonly sample: string;
}

/** Collects what is repaired in one sample. */
export class RepairLog {
  readonly kinds = new Set<string>();
  readonly repairs: Repair[] = [];

  add(repair: Repair): void {
    this.kinds.add(repair.check);
    this.repairs.push(repair);
  }
}

/** A sample that is not as its repairs left it: they were taken back already, it was edited since, or they are another's. */
export class NotAsRepairedError extends Error {}

const CALLED = /^\/messages\/(\d+)\/tool_calls\/(\d+)\/function\/(name|arguments)(\/.*)?$/s;
const CONTENT = /^\/messages\/(\d+)\/content$/;

/**
 * The sample as it was before its repairs, given all of them in their order. Those of the line (path "") lie before the sample: their `before` is the line.
 * Throws NotAsRepairedError where what a repair left is not there.
 */
export function undoRepairs(sample: Sample, repairs: readonly Repair[]): Sample {
  const messages = structuredClone(sample.messages) as Message[];
  const inside = new Map<Called, JsonValue>();
  for (const repair of [...repairs].reverse()) {
    const { path, before, after } = repair;
    if (path === "") continue;
    const content = CONTENT.exec(path);
    const [, at, call, what, pointer] = CALLED.exec(path) ?? [];
    if (content !== null) {
      const message = messages[Number(content[1])] as { content?: JsonValue | undefined } | undefined;
      if (message === undefined) throw new NotAsRepairedError(`has no message at ${path}`);
      message.content = takenBack(path, message.content, after, before);
      continue;
    }
    const message = messages[Number(at)];
    const called = message?.role === "assistant" ? message.tool_calls?.[Number(call)]?.function : undefined;
    if (called === undefined) throw new NotAsRepairedError(`has nothing at ${path}`);
    if (what === "name") called.name = String(takenBack(path, called.name, after, before));
    else if (pointer === undefined) called.arguments = String(takenBack(path, called.arguments, after, before));
    else undoInside(called, pointer, repair, inside);
  }
  if (inside.size > 0) throw new NotAsRepairedError("has repairs of a call's arguments without the first of them, which holds their text");
  return { ...sample, messages: messages as Sample["messages"] };
}

type Called = { name: string; arguments: string };

function takenBack(path: string, now: JsonValue | undefined, after: JsonValue, before: JsonValue | undefined): JsonValue | undefined {
  if (!same(now, after)) throw new NotAsRepairedError(`is at ${path} not as its repair left it`);
  return before;
}

const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);

/** Of several values inside a call's arguments, the first that was repaired holds the text before all of them. */
function undoInside(called: Called, pointer: string, { path, before, after, text }: Repair, inside: Map<Called, JsonValue>): void {
  const tree = inside.get(called) ?? parsed(called.arguments, path);
  inside.set(called, tree);
  const keys = pointer
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = keys.pop() as string;
  let holder: JsonValue | undefined = tree;
  for (const key of keys) holder = valueIn(holder, key);
  takenBack(path, valueIn(holder, last), after, before);
  // Not by assignment: a key may be `__proto__`.
  if (before === undefined) delete (holder as Record<string, JsonValue>)[last];
  else Object.defineProperty(holder, last, { value: before, enumerable: true, configurable: true, writable: true });
  if (text === undefined) return;
  called.arguments = text;
  inside.delete(called);
}

function parsed(text: string, path: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new NotAsRepairedError(`is at ${path} not as its repair left it: the arguments are no JSON`);
  }
}

const valueIn = (holder: JsonValue | undefined, key: string): JsonValue | undefined =>
  typeof holder === "object" && holder !== null && Object.hasOwn(holder, key) ? (holder as Record<string, JsonValue>)[key] : undefined;
