/**
 * What of OpenAI's Batch API is under way, in a file of lines: each batch is entered before it is begun and again when its id is known, so
 * that a run that was killed finds it (by the mark that it carries, if it comes to that) and nothing is begun twice.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { appendLine, errorCode } from "../../platform/fs.ts";

export interface Batch {
  /** Goes along as metadata. */
  readonly mark: string;
  /** Undefined: killed before the answer came; it may have begun or not. */
  readonly id?: string;
  /** Digests of the requests in it. */
  readonly asked: readonly string[];
  /** US dollars that it may cost. */
  readonly worst: number;
  /** Address of the server that has it. */
  readonly where: string;
}

interface Line {
  readonly mark?: unknown;
  readonly id?: unknown;
  readonly asked?: unknown;
  readonly worst?: unknown;
  readonly where?: unknown;
  readonly done?: unknown;
}

export class Batches {
  constructor(private readonly path: string) {}

  /** Those that were begun and whose results are not here. Throws the file system's error. */
  open(): Batch[] {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (e) {
      if (errorCode(e) === "ENOENT") return [];
      throw e;
    }
    const found = new Map<string, Batch>();
    for (const line of text.split("\n")) {
      let read: Line;
      try {
        read = JSON.parse(line) as Line;
      } catch {
        continue; // Broke off, or empty.
      }
      const { mark, id, asked, worst, where, done } = read;
      if (typeof mark !== "string") continue;
      if (done === true) found.delete(mark);
      else if (Array.isArray(asked) && typeof worst === "number")
        found.set(mark, { mark, asked: asked.filter((a) => typeof a === "string"), worst, where: String(where) });
      else if (typeof id === "string") {
        const batch = found.get(mark);
        if (batch !== undefined) found.set(mark, { ...batch, id });
      }
    }
    return [...found.values()];
  }

  /** Enters a batch that is about to begin. */
  async enter(asked: readonly string[], worst: number, where: string): Promise<Batch> {
    const batch = { mark: randomBytes(12).toString("hex"), asked, worst, where };
    await this.write(batch);
    return batch;
  }

  async began(batch: Batch, id: string): Promise<void> {
    await this.write({ mark: batch.mark, id });
  }

  /** Its results are here, or it never began. */
  async ended(batch: Batch): Promise<void> {
    await this.write({ mark: batch.mark, done: true });
  }

  private async write(line: object): Promise<void> {
    await appendLine(this.path, JSON.stringify(line));
  }
}
