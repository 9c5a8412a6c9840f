/**
 * Measures ranges on threads of their own. A thread runs this very module, as it was bundled: where the program is not bundled (its tests) there are no threads,
 * and the same work is done in this one.
 */
import type { Worker } from "node:worker_threads";
import type { Rest } from "./tally.ts";
import { type Measured, type Range, RangeWorker, type Setup } from "./work.ts";

/** Somebody who measures ranges, one after another. */
export interface Hand {
  measure(range: Range): Promise<Measured>;
  /** The rest, when all ranges are measured. */
  rest(): Promise<Rest>;
  close(): void;
}

type Question = { readonly range: Range } | { readonly rest: true };
type Answer = { readonly measured: Measured } | { readonly rest: Rest } | { readonly thrown: unknown };

const SERVE = Symbol.for("mcp-forge.data.scale");
/** What a thread begins with: this module sees by the mark that it is to serve. */
const START =
  'globalThis[Symbol.for("mcp-forge.data.scale")] = require("node:worker_threads"); import(globalThis[Symbol.for("mcp-forge.data.scale")].workerData.url);';

/** Whether there can be threads. */
export const canThread = (): boolean => !import.meta.url.endsWith(".ts");

/** Works in this thread. */
export function ownHand(setup: Setup): Hand {
  const worker = new RangeWorker(setup);
  return { measure: async (range) => worker.measure(range), rest: async () => worker.rest(), close: () => worker.close() };
}

/** Works in another thread. */
export function thread(setup: Setup): Hand {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const worker: Worker = new Worker(START, { eval: true, execArgv: [], workerData: { url: import.meta.url, setup } });
  const waiting: { readonly done: (answer: Answer) => void; readonly failed: (error: unknown) => void }[] = [];
  let ended: unknown;
  const end = (error: unknown): void => {
    ended ??= error;
    for (const { failed } of waiting.splice(0)) failed(ended);
  };
  worker.on("error", end);
  worker.on("exit", () => end(new Error("a thread that measures data ended")));
  worker.on("message", (answer: Answer) => {
    const asked = waiting.shift();
    if ("thrown" in answer) asked?.failed(answer.thrown);
    else asked?.done(answer);
  });
  const ask = (question: Question): Promise<Answer> =>
    new Promise((done, failed) => {
      if (ended !== undefined) return failed(ended);
      waiting.push({ done, failed });
      worker.postMessage(question);
    });
  return {
    measure: async (range) => ((await ask({ range })) as { measured: Measured }).measured,
    rest: async () => ((await ask({ rest: true })) as { rest: Rest }).rest,
    close: () => {
      worker.removeAllListeners();
      void worker.terminate();
    },
  };
}

function serve({ parentPort, workerData }: typeof import("node:worker_threads")): void {
  let worker: RangeWorker | undefined;
  parentPort?.on("message", (question: Question) => {
    try {
      worker ??= new RangeWorker((workerData as { setup: Setup }).setup);
      if ("range" in question) {
        const measured = worker.measure(question.range);
        parentPort.postMessage({ measured } satisfies Answer, [measured.part.digests.buffer, measured.part.shingles.buffer]);
      } else {
        const rest = worker.rest();
        parentPort.postMessage({ rest } satisfies Answer, [rest.distinct.entries.buffer]);
      }
    } catch (thrown) {
      parentPort.postMessage({ thrown } satisfies Answer);
    }
  });
}

const asked = (globalThis as unknown as Record<symbol, typeof import("node:worker_threads") | undefined>)[SERVE];
if (asked !== undefined) serve(asked);
