/**
 * Replies that were paid for, kept on disk by what was asked: asked again, they cost nothing. Each is written whole the
 * moment it arrives, so that a run that is killed pays again only for what was on its way. A file that cannot be read counts as none.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolders, writeFileAtomic } from "../../platform/fs.ts";
import { digestJson, hexOf } from "../../platform/hash.ts";

/** What a hosted model wrote, and the tokens that count for its price. */
export interface Reply {
  /** Empty where the model refused or was cut off: paid, and of no use. */
  readonly text: string;
  /** Why there is no text. */
  readonly flaw?: "refused" | "cut off" | "empty";
  readonly input: number;
  readonly output: number;
}

export class Replies {
  constructor(private readonly folder: string) {}

  find(asked: unknown): Reply | undefined {
    try {
      const kept = JSON.parse(readFileSync(this.path(asked), "utf8")) as { version?: number; reply?: Reply };
      const { reply } = kept;
      const good = kept.version === 1 && typeof reply?.text === "string" && Number.isSafeInteger(reply.input) && Number.isSafeInteger(reply.output);
      return good ? reply : undefined;
    } catch {
      return undefined;
    }
  }

  keep(asked: unknown, reply: Reply): void {
    const path = this.path(asked);
    makeFolders(join(path, ".."));
    writeFileAtomic(path, `${JSON.stringify({ version: 1, reply })}\n`);
  }

  private path(asked: unknown): string {
    const hex = hexOf(digestJson(asked));
    return join(this.folder, hex.slice(0, 2), `${hex.slice(2)}.json`);
  }
}
