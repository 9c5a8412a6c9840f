/**
 * The reader of our output may leave before we do (`forge plan | head`, a closed pager). That is no
 * error of ours: nothing is printed about it. A command that only reads ends at once; a run is asked to
 * stop in order, so that its work is kept.
 */
import { EXIT } from "../platform/exit.ts";

let leave: () => void = () => process.exit(EXIT.ok);

/** What to do when the reader goes away; by default the process ends quietly. */
export function onReaderGone(handler: () => void): void {
  leave = handler;
}

/** Takes EPIPE off both output streams. Called once, at the start. */
export function watchReader(): void {
  let gone = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (!gone) leave();
      gone = true;
    });
  }
}
