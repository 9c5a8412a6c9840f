/**
 * Replies that were paid for, kept on disk by what was asked: asked again, they cost nothing. Each is written whole the
 * moment it arrives, so that a run that is killed pays again only for what was on its way. A file that cannot be read counts as none.
 */
import { readFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolders } from "../../platform/fs.ts";
import { digestJson, hexOf } from "../../platform/hash.ts";

/** What a hosted model wrote, and the tokens that count for its price. */
export interface Reply {
  /** Empty where the model refused or was cut off: paid, and of no use. */
  readonly text: string;
  /** What a model that thinks thought before, where the server says so. */
  readonly thought?: string;
  /** Why there is no text. */
  readonly flaw?: "refused" | "cut off" | "empty";
  readonly input: number;
  readonly output: number;
  /** Came by a batch, which costs half. */
  readonly batch?: true;
}

/** The name under which the reply to a request is kept. */
export const nameOf = (asked: unknown): string => hexOf(digestJson(asked));

export class Replies {
  private readonly made = new Set<string>();
  private writes = 0;

  constructor(private readonly folder: string) {}

  /** @param name of the request (nameOf) */
  find(name: string): Reply | undefined {
    try {
      const kept = JSON.parse(readFileSync(this.path(name), "utf8")) as { version?: number; reply?: Reply };
      const { reply } = kept;
      const good = kept.version === 1 && typeof reply?.text === "string" && Number.isSafeInteger(reply.input) && Number.isSafeInteger(reply.output);
      return good ? reply : undefined;
    } catch {
      return undefined;
    }
  }

  /** Written beside, synced, renamed; off the main thread, as a disk's sync takes longer than all else that a reply needs. Throws the file system's error. */
  async keep(name: string, reply: Reply): Promise<void> {
    const path = this.path(name);
    const folder = dirname(path);
    if (!this.made.has(folder)) makeFolders(folder);
    this.made.add(folder);
    const part = join(folder, `.${basename(path)}.${process.pid}-${++this.writes}.part`);
    try {
      const file = await open(part, "w");
      try {
        await file.writeFile(`${JSON.stringify({ version: 1, reply })}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, path);
    } catch (e) {
      await rm(part, { force: true });
      throw e;
    }
  }

  private path(name: string): string {
    return join(this.folder, name.slice(0, 2), `${name.slice(2)}.json`);
  }
}
