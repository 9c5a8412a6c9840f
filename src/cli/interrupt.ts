/**
 * Ctrl-C, once and twice. The first SIGINT (or SIGTERM, or SIGHUP when the terminal is closed) aborts an
 * AbortController, so that the running stage saves a checkpoint and its children end in order. The
 * second leaves at once; the process groups that forge started go with it (src/platform/process.ts).
 */
import { setMaxListeners } from "node:events";
import { EXIT } from "../platform/exit.ts";
import { onReaderGone, outputLost } from "./reader.ts";

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node's defaults. */
  readonly release: () => void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Far above what runs at once, far below what a leak reaches. */
const MOST_LISTENERS = 500;

/**
 * @param say shows one line to the user when the run is asked to stop
 * @param stopping what happens then, in words
 */
export function listenForInterrupt(say: (line: string) => void, stopping = "stopping, saving a checkpoint"): Interrupt {
  const controller = new AbortController();
  // Every child, call and completion in flight listens; Node's warning at eleven is meant for leaks.
  setMaxListeners(MOST_LISTENERS, controller.signal);
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      // Every child has a process group of its own, and all of them end with an orderly exit of ours.
      process.exit(EXIT.interrupted);
    }
    say(`${stopping}; press Ctrl-C again to stop at once`);
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  let over = false;
  // Nobody reads what a run prints any more: finish as on Ctrl-C, so that its work is kept.
  onReaderGone(() => {
    // Whoever looks at the exit code should not have to guess; an output that was lost has been told of.
    if (!over && !controller.signal.aborted && !outputLost()) say("output closed, stopping");
    controller.abort();
  });
  return {
    signal: controller.signal,
    release: () => {
      over = true;
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
