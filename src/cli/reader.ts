/**
 * The reader of our output may leave before we do (`forge plan | head`, a closed pager, a terminal that was
 * shut). That is no error of ours: nothing is printed about it. A command that only reads ends at once; a run
 * is asked to stop in order, so that its work is kept. An output that cannot be written for another reason (a
 * full disk) ends the command the same way, is said where it still can be, and gives exit code 6.
 */
import { EXIT } from "../platform/exit.ts";

/** A pipe without a reader, a terminal that is gone, a socket that was closed. */
const GONE: ReadonlySet<string> = new Set(["EPIPE", "EIO", "ENXIO", "ECONNRESET", "ENOTCONN"]);

let leave: () => void = () => process.exit(unwritten ? EXIT.environment : EXIT.ok);
let unwritten = false;

/** What to do when the reader goes away; by default the process ends quietly. */
export function onReaderGone(handler: () => void): void {
  leave = handler;
}

/** Whether some output was lost though somebody wanted it. */
export const outputLost = (): boolean => unwritten;

/** Resolves when what was printed has been taken, or is lost, and whoever listens for errors has heard. */
export const taken = (): Promise<void> =>
  new Promise((resolve) => {
    if (process.stdout.writableLength === 0) setImmediate(resolve);
    else process.stdout.write("", () => setImmediate(resolve));
  });

/** Takes the errors of both output streams. Called once, at the start. */
export function watchReader(): void {
  let gone = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (gone) return;
      gone = true;
      if (!GONE.has(error.code ?? "")) {
        unwritten = true;
        if (stream === process.stdout) process.stderr.write(`forge: cannot write its output: ${error.message}\n`);
      }
      leave();
    });
  }
}
