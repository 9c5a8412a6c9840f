/**
 * Brings a file of conversations into another form, a line at a time: memory does not grow with the file. A line that is no conversation, or
 * whose numbers the form cannot hold, is left out and named; the output appears whole, or not at all.
 */
import { LineSplitter } from "../platform/lines.ts";
import { writeOutput } from "../platform/output-file.ts";
import { type Format, LOSSES, type Loss, lossesOf, toolsBeside } from "./formats/format.ts";
import { decodeLine, LONGEST_LINE, readLine, type Unreadable } from "./import.ts";
import { LostNumber } from "./numbers.ts";
import { otherFields } from "./other-fields.ts";
import { chunksOf, inUtf8 } from "./source-lines.ts";
import type { ToolDefinition } from "./types.ts";

export interface Conversion {
  /** Lines with something on them. */
  readonly lines: number;
  readonly written: number;
  /** How many lines were left out, and the first of them. */
  readonly left: number;
  readonly unreadable: readonly Unreadable[];
  /** How many lines were no UTF-8 and were read as Windows-1252, and the first of them. */
  readonly foreign: { readonly count: number; readonly lines: readonly number[] };
  /** What the form has no place for, in words: how many lines had it, and the first of them. */
  readonly lost: readonly { readonly what: string; readonly count: number; readonly lines: readonly number[] }[];
}

/** Lines that are named. */
const NAMED = 20;

/** Other fields that are named. */
const FIELDS = 5;

/**
 * `tools` empty: those that stand beside a line's messages. Throws the file system's error, that of the output as an OutputError (output-file.ts). Nothing is
 * written where no line is a conversation.
 */
export async function convertFile(from: string, to: string, format: Format, tools: readonly ToolDefinition[]): Promise<Conversion> {
  const unreadable: Unreadable[] = [];
  const foreign: number[] = [];
  let foreignCount = 0;
  let lines = 0;
  let written = 0;
  let left = 0;
  let number = 0;
  const refused = (what: string, reason: Unreadable["reason"] = "shape"): Unreadable => ({ line: number, reason, message: `line ${number} ${what}` });
  const lost = new Map<Loss | "fields", { what: string; count: number; lines: number[]; names: Set<string> }>();
  const lose = (loss: Loss | "fields", what: string, names: readonly string[] = []): void => {
    const entry = lost.get(loss) ?? { what, count: 0, lines: [], names: new Set() };
    lost.set(loss, entry);
    if (entry.count++ < NAMED) entry.lines.push(number);
    for (const name of names) if (entry.names.size < FIELDS) entry.names.add(name);
  };
  /** The line in the other form, with the tools that were given or its own. */
  const asLine = (source: string): string | Unreadable => {
    const read = readLine(source, number, false);
    if ("reason" in read) return read;
    try {
      const value = JSON.parse(source) as Record<string, unknown>;
      const beside = toolsBeside(value);
      const line = `${JSON.stringify(format.write(read.sample, tools.length > 0 ? tools : beside))}\n`;
      for (const loss of lossesOf(read.sample, beside.length > 0, format.lacks)) lose(loss, LOSSES[loss]);
      const others = otherFields(value);
      if (others.length > 0) lose("fields", "other fields", others);
      return line;
    } catch (e) {
      if (e instanceof LostNumber) return refused(e.what, "number");
      if (!(e instanceof RangeError)) throw e;
      return refused("is nested too deeply");
    }
  };
  async function* converted(): AsyncGenerator<string> {
    let ready: string[] = [];
    const onLine = (line: string, cut: boolean): void => {
      number++;
      const source = line.replace(/^\ufeff/, "").trim();
      if (source === "") return;
      lines++;
      const read = cut ? refused("is longer than a conversation") : asLine(source);
      if (typeof read === "string") {
        written++;
        ready.push(read);
        return;
      }
      left++;
      if (unreadable.length < NAMED) unreadable.push(read);
    };
    const decode = (bytes: Buffer): string => {
      const line = decodeLine(bytes);
      if (line.foreign && foreignCount++ < NAMED) foreign.push(number + 1);
      return line.text;
    };
    const splitter = new LineSplitter(onLine, LONGEST_LINE, decode);
    for await (const chunk of inUtf8(chunksOf(from))) {
      splitter.push(Buffer.from(chunk)); // It keeps pieces of lines.
      yield ready.join("");
      ready = [];
    }
    splitter.end();
    yield ready.join("");
  }
  await writeOutput(to, converted(), { keep: () => written > 0 });
  const told = [...lost.values()].map(({ what, count, lines, names }) => ({
    what: names.size > 0 ? `${what} (${[...names].map((name) => `\`${name}\``).join(", ")})` : what,
    count,
    lines,
  }));
  return { lines, written, left, unreadable, foreign: { count: foreignCount, lines: foreign }, lost: told };
}
