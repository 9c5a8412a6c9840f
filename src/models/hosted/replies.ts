/**
 * Replies that were paid for, kept on disk by what was asked: asked again, they cost nothing. Each is written whole the
 * moment it arrives, so that a run that is killed pays again only for what was on its way. A file that cannot be read counts as none.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { digestJson, hexOf } from "../../platform/hash.ts";
import { writeOnThread } from "../../platform/write-thread.ts";

/** Why a reply that was paid for is of no use. */
export type Flaw = "refused" | "cut off" | "empty" | "secret";

/** What a hosted model wrote, and the tokens that count for its price. */
export interface Reply {
  /** Empty where the model refused or was cut off: paid, and of no use. */
  readonly text: string;
  /** What a model that thinks thought before, where the server says so. */
  readonly thought?: string;
  /** Why there is no text. What is not paid for was never asked, as the budget has ended; it is kept nowhere. */
  readonly flaw?: Flaw | "not paid for";
  readonly input: number;
  readonly output: number;
  /** Came by a batch, which costs half. */
  readonly batch?: true;
}

/** The name under which the reply to a request is kept. */
export const nameOf = (asked: unknown): string => hexOf(digestJson(asked));

export class Replies {
  constructor(private readonly folder: string) {}

  /** @param name of the request (nameOf) */
  find(name: string): Reply | undefined {
    try {
      const path = this.path(name);
      // Mostly there is none, and an error that is thrown costs ten times as much as this.
      if (!existsSync(path)) return undefined;
      const kept = JSON.parse(readFileSync(path, "utf8")) as { version?: number; reply?: Reply };
      const { reply } = kept;
      const good = kept.version === 1 && typeof reply?.text === "string" && Number.isSafeInteger(reply.input) && Number.isSafeInteger(reply.output);
      return good ? reply : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Written beside, renamed, synced; on a thread of its own, as this takes longer than all else that a reply needs. Throws the file system's error.
   *
   * @param placed called once no kill of the process loses the reply, before it is synced
   */
  async keep(name: string, reply: Reply, placed?: () => void): Promise<void> {
    await writeOnThread(this.path(name), `${JSON.stringify({ version: 1, reply })}\n`, placed);
  }

  private path(name: string): string {
    return join(this.folder, name.slice(0, 2), `${name.slice(2)}.json`);
  }
}
