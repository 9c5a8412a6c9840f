/**
 * What was paid, a line a request, in the order it was paid: the one thing that a budget trusts. What is on its way
 * is entered beforehand, at its worst, in one sum for each run that lasts until the run says otherwise, so that no kill loses a cost: of a run that was killed nobody knows what its last requests cost. A line that cannot be read (a write that broke off) counts nothing.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { appendLine, errorCode } from "../../platform/fs.ts";

export class Ledger {
  private readonly waiting: string[] = [];
  /** What is being written, and what is written after it. */
  private writing: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private readonly run = randomUUID();

  constructor(private readonly path: string) {}

  /** US dollars paid so far, by every run, those included that a killed run may have paid. Throws the file system's error. */
  paid(): number {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (e) {
      if (errorCode(e) === "ENOENT") return 0;
      throw e;
    }
    let sum = 0;
    const held = new Map<string, number>();
    for (const line of text.split("\n")) {
      try {
        const { usd, run, held: worst } = JSON.parse(line) as { usd?: unknown; run?: unknown; held?: unknown };
        if (isCost(usd)) sum += usd;
        if (typeof run === "string" && isCost(worst)) held.set(run, worst);
      } catch {
        // Broke off, or empty.
      }
    }
    for (const worst of held.values()) sum += worst;
    return sum;
  }

  /** Enters a cost; on disk when it resolves. Throws the file system's error. */
  enter(usd: number): Promise<void> {
    return this.write({ usd });
  }

  /** Enters what all that is on its way costs at worst, in place of what this run entered so before. Throws the file system's error. */
  hold(usd: number): Promise<void> {
    return this.write({ run: this.run, held: usd });
  }

  /** Entries that come while others are written go together, with one sync. */
  private async write(entry: object): Promise<void> {
    this.waiting.push(JSON.stringify(entry));
    this.next ??= this.writing.then(() => {
      this.next = undefined;
      const written = appendLine(this.path, this.waiting.splice(0).join("\n"));
      this.writing = written.catch(() => undefined);
      return written;
    });
    await this.next;
  }
}

const isCost = (usd: unknown): usd is number => typeof usd === "number" && Number.isFinite(usd) && usd >= 0;
