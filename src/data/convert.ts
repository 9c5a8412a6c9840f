/**
 * Brings a file of conversations into another form, a line at a time: memory does not grow with the file. A line that is no conversation is
 * left out and named; the output appears whole, or not at all.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { LineSplitter } from "../platform/lines.ts";
import type { Format } from "./formats/format.ts";
import { LONGEST_LINE, readLine, type Unreadable } from "./import.ts";
import type { ToolDefinition } from "./types.ts";

export interface Conversion {
  /** Lines with something on them. */
  readonly lines: number;
  readonly written: number;
  /** How many lines were left out, and the first of them. */
  readonly left: number;
  readonly unreadable: readonly Unreadable[];
}

/** Lines that are named. */
const NAMED = 20;

/** Throws the file system's error. Nothing is written where no line is a conversation. */
export async function convertFile(from: string, to: string, format: Format, tools: readonly ToolDefinition[]): Promise<Conversion> {
  const unreadable: Unreadable[] = [];
  let lines = 0;
  let written = 0;
  let left = 0;
  let number = 0;
  const part = join(dirname(to), `.${basename(to)}.${process.pid}.part`);
  async function* converted(): AsyncGenerator<string> {
    let ready: string[] = [];
    const splitter = new LineSplitter((line, cut) => {
      number++;
      const source = line.replace(/^\ufeff/, "").trim();
      if (source === "") return;
      lines++;
      const read: ReturnType<typeof readLine> = cut
        ? { line: number, reason: "shape", message: `line ${number} is longer than a conversation` }
        : readLine(source, number, false);
      if ("reason" in read) {
        left++;
        if (unreadable.length < NAMED) unreadable.push(read);
      } else {
        written++;
        ready.push(`${JSON.stringify(format.write(read.sample, tools))}\n`);
      }
    }, LONGEST_LINE);
    for await (const chunk of createReadStream(from)) {
      splitter.push(chunk as Buffer);
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
  return { lines, written, left, unreadable };
}
