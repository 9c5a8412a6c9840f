/**
 * Brings a file of conversations into another form, a line at a time: memory does not grow with the file. A line that is no conversation, or
 * whose numbers the form cannot hold, is left out and named; the output appears whole, or not at all.
 */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { LineSplitter } from "../platform/lines.ts";
import { type Format, toolsBeside } from "./formats/format.ts";
import { decodeLine, LONGEST_LINE, readLine, type Unreadable } from "./import.ts";
import { LostNumber } from "./numbers.ts";
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
}

/** Lines that are named. */
const NAMED = 20;

/** `tools` empty: those that stand beside a line's messages. Throws the file system's error. Nothing is written where no line is a conversation. */
export async function convertFile(from: string, to: string, format: Format, tools: readonly ToolDefinition[]): Promise<Conversion> {
  const unreadable: Unreadable[] = [];
  const foreign: number[] = [];
  let foreignCount = 0;
  let lines = 0;
  let written = 0;
  let left = 0;
  let number = 0;
  const part = join(dirname(to), `.${basename(to)}.${process.pid}.part`);
  const refused = (what: string, reason: Unreadable["reason"] = "shape"): Unreadable => ({ line: number, reason, message: `line ${number} ${what}` });
  /** The line in the other form, with the tools that were given or its own. */
  const asLine = (source: string): string | Unreadable => {
    const read = readLine(source, number, false);
    if ("reason" in read) return read;
    try {
      const own = tools.length > 0 ? tools : toolsBeside(JSON.parse(source));
      return `${JSON.stringify(format.write(read.sample, own))}\n`;
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
  try {
    await pipeline(converted, createWriteStream(part));
    if (written > 0) await rename(part, to);
  } finally {
    await rm(part, { force: true });
  }
  return { lines, written, left, unreadable, foreign: { count: foreignCount, lines: foreign } };
}
