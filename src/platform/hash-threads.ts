/**
 * SHA-256 of files on threads of their own: as many files at a time as there are cores, the main thread free meanwhile.
 * Threads are started when there is work for them, kept for later work, and never keep the process from ending.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";

/** More threads than this wait for the disk. */
const MOST_THREADS = 8;

/**
 * What a thread runs: a path in, a digest or what went wrong out. It reads into one buffer that stays in the second-level cache, which
 * takes a third less of a core than a stream of fresh ones (docs/measurements.md). A text, so that it needs no file of its own beside the bundle.
 */
const THREAD = `
const { parentPort } = require("node:worker_threads");
const { closeSync, openSync, readSync } = require("node:fs");
const { createHash } = require("node:crypto");
const buffer = Buffer.allocUnsafeSlow(1 << 18);
parentPort.on("message", (path) => {
  let file;
  try {
    file = openSync(path);
    const hash = createHash("sha256");
    for (let n; (n = readSync(file, buffer, 0, buffer.length, null)) > 0; ) hash.update(n === buffer.length ? buffer : buffer.subarray(0, n));
    parentPort.postMessage({ hex: hash.digest("hex") });
  } catch (e) {
    parentPort.postMessage({ failed: { message: e.message, code: e.code, errno: e.errno, syscall: e.syscall, path } });
  } finally {
    if (file !== undefined) closeSync(file);
  }
});`;

interface Task {
  readonly path: string;
  readonly done: (hex: string) => void;
  readonly failed: (error: Error) => void;
}

const waiting: Task[] = [];
const idle: Worker[] = [];
let threads = 0;

/** SHA-256 of a file's bytes in hexadecimal digits. Rejects with the file system's error when it cannot be read. */
export const hashOnThread = (path: string): Promise<string> =>
  new Promise((done, failed) => {
    waiting.push({ path, done, failed });
    const free = idle.pop();
    if (free !== undefined) work(free);
    else if (threads < Math.min(MOST_THREADS, availableParallelism())) work(start());
  });

function start(): Worker {
  threads += 1;
  // Taken only here: a run that hashes nothing does not load it.
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  // No flags of this process: a loader of TypeScript, say, would be loaded again.
  return new Worker(THREAD, { eval: true, execArgv: [] });
}

/** Gives the thread the next file, or rest. */
function work(thread: Worker): void {
  const task = waiting.shift();
  if (task === undefined) {
    thread.unref();
    thread.once("exit", () => {
      threads -= 1;
      idle.splice(idle.indexOf(thread), 1);
    });
    idle.push(thread);
    return;
  }
  thread.removeAllListeners();
  thread.ref();
  const ended = (error: Error): void => {
    thread.removeAllListeners();
    threads -= 1;
    task.failed(error);
    // Others go on; where this was the last one, another takes its place.
    if (threads === 0 && waiting.length > 0) work(start());
  };
  thread.once("error", ended);
  thread.once("exit", () => ended(new Error(`the thread that hashed ${task.path} ended`)));
  thread.once("message", (answer: { hex?: string; failed?: { message: string } }) => {
    thread.removeAllListeners();
    if (answer.hex !== undefined) task.done(answer.hex);
    else task.failed(Object.assign(new Error(answer.failed?.message), answer.failed));
    work(thread);
  });
  thread.postMessage(task.path);
}
