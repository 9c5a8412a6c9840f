/**
 * What was paid, a line a request, in the order it was paid: the one thing that a budget trusts. What is on its way is entered beforehand, at its worst,
 * so that no kill loses a cost: of a run that was killed nobody knows what its last requests cost. A line that cannot be read (a write that broke off) counts nothing.
 *
 * The arithmetic: `{run, held}` says what all that this run has on its way, and may yet send before it says so anew, costs at worst. A line `{usd, run, of}` after it enters
 * what a request came to, `of` being its worst: by that much less is on its way. What is held of a run is therefore its last `held` less every `of` since, and that is what
 * its requests without a line may have cost, whenever it is killed: each of them left before the last `held`, which has it in, or after, on what that had left.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { appendLine, errorCode } from "../../platform/fs.ts";

/** US dollars that a ledger has. */
export interface Books {
  /** Paid for replies that are here. */
  readonly paid: number;
  /** Of requests that nobody knows the cost of: cut off, or on their way when a run was killed; at their worst. */
  readonly aside: number;
}

export class Ledger {
  private readonly waiting: string[] = [];
  /** What is being written, and what is written after it. */
  private writing: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private readonly run = randomUUID();

  constructor(private readonly path: string) {}

  /** What every run so far has paid, or may have paid. Throws the file system's error. */
  read(): Books {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (e) {
      if (errorCode(e) === "ENOENT") return { paid: 0, aside: 0 };
      throw e;
    }
    let paid = 0;
    let aside = 0;
    const held = new Map<string, number>();
    for (const line of text.split("\n")) {
      try {
        const { usd, run, held: worst, of, cut } = JSON.parse(line) as Readonly<Record<string, unknown>>;
        if (isCost(usd) && cut === true) aside += usd;
        else if (isCost(usd)) paid += usd;
        if (typeof run !== "string") continue;
        if (isCost(worst)) held.set(run, worst);
        else if (isCost(of)) held.set(run, Math.max(0, (held.get(run) ?? 0) - of));
      } catch {
        // Broke off, or empty.
      }
    }
    for (const worst of held.values()) aside += worst;
    return { paid, aside };
  }

  /**
   * Enters what a request came to; on disk when it resolves. Throws the file system's error.
   * @param of its worst, where that was held for it
   * @param cut whether it was cut off, and the cost is its worst
   */
  enter(usd: number, of?: number, cut = false): Promise<void> {
    return this.write({ usd, ...(of !== undefined && { run: this.run, of }), ...(cut && { cut }) });
  }

  /** Enters what all that is on its way costs at worst, in place of what this run entered so before. Throws the file system's error. */
  hold(usd: number): Promise<void> {
    return this.write({ run: this.run, held: usd });
  }

  /** Entries that come while others are written go together, with one sync, in the order they came. */
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
