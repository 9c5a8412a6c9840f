/**
 * What was paid, a line a request, in the order it was paid: the one thing that a budget trusts. A reply is entered before it is kept, so that a
 * kill between the two can lose a reply and never a cost. A line that cannot be read (a write that broke off) counts nothing.
 */
import { readFileSync } from "node:fs";
import { appendLine, errorCode } from "../../platform/fs.ts";

export class Ledger {
  private readonly waiting: string[] = [];
  /** What is being written, and what is written after it. */
  private writing: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;

  constructor(private readonly path: string) {}

  /** US dollars paid so far, by every run. Throws the file system's error. */
  paid(): number {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (e) {
      if (errorCode(e) === "ENOENT") return 0;
      throw e;
    }
    let sum = 0;
    for (const line of text.split("\n")) {
      try {
        const { usd } = JSON.parse(line) as { usd?: unknown };
        if (typeof usd === "number" && Number.isFinite(usd) && usd > 0) sum += usd;
      } catch {
        // Broke off, or empty.
      }
    }
    return sum;
  }

  /** Enters a cost; on disk when it resolves. Costs that come while others are written go together, with one sync. Throws the file system's error. */
  async enter(usd: number): Promise<void> {
    this.waiting.push(JSON.stringify({ usd }));
    this.next ??= this.writing.then(() => {
      this.next = undefined;
      const written = appendLine(this.path, this.waiting.splice(0).join("\n"));
      this.writing = written.catch(() => undefined);
      return written;
    });
    await this.next;
  }
}
