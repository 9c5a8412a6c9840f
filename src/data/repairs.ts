/**
 * What a repair changed, place by place, so that somebody can look at it and take it back: `forge qa --fix` writes a line of JSON for each (NAME.repairs.jsonl).
 * `undoRepairs` is the proof that nothing is lost: it makes the sample that was read out of the one that was written (tests/data/repairs.test.ts).
 */
import type { JsonValue } from "../platform/json.ts";
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

const ARGUMENTS = /^\/messages\/(\d+)\/tool_calls\/(\d+)\/function\/(name|arguments)(\/|$)/;
const CONTENT = /^\/messages\/(\d+)\/content$/;

/** The sample as it was before its repairs, given all of them in their order. Those of the line (path "") lie before the sample: their `before` is the line. */
export function undoRepairs(sample: Sample, repairs: readonly Repair[]): Sample {
  const messages = structuredClone(sample.messages) as Message[];
  for (const { path, before, text } of [...repairs].reverse()) {
    const content = CONTENT.exec(path);
    if (content !== null) (messages[Number(content[1])] as { content: JsonValue | undefined }).content = before;
    const [, at, call, what, inside] = ARGUMENTS.exec(path) ?? [];
    if (at === undefined) continue;
    const message = messages[Number(at)] as Message;
    const called = message.role === "assistant" ? message.tool_calls?.[Number(call)]?.function : undefined;
    if (called === undefined) continue;
    if (what === "name") called.name = before as string;
    // Of several values inside, the first holds the text before all of them.
    else if (inside === "/") called.arguments = text ?? called.arguments;
    else called.arguments = before as string;
  }
  return { ...sample, messages: messages as Sample["messages"] };
}
