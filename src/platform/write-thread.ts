/**
 * Files written whole, one after the other, on a thread of its own: beside their place, renamed, synced. The main thread is free meanwhile, which counts
 * where hundreds of small files a second are written. All that waits is put in its place before the next is synced, as a sync takes ten times as long: once a
 * file is in its place no kill of the process takes it away, once it is synced no power failure (one between the two may leave it empty). The thread is started
 * with the first file, kept, and keeps the process from ending only while it writes.
 */
import type { Worker } from "node:worker_threads";

/** Files that are open at once at most. */
const MOST_OPEN = 64;

/**
 * What the thread runs: what is to be written in, what came of it out, as many at a time as there are. A text, so that it needs no file of its own beside the bundle.
 */
const THREAD = `
const { parentPort, receiveMessageOnPort } = require("node:worker_threads");
const { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } = require("node:fs");
const { dirname } = require("node:path");
function make(folder) {
  try {
    mkdirSync(folder);
  } catch (e) {
    if (e.code === "EEXIST") return;
    if (e.code !== "ENOENT" || existsSync(dirname(folder))) throw e;
    make(dirname(folder));
    make(folder);
  }
}
function opened(path) {
  try {
    return openSync(path, "w");
  } catch (e) {
    if (e.code !== "ENOENT" || existsSync(dirname(path))) throw e;
    make(dirname(path));
    return openSync(path, "w");
  }
}
function place({ path, part, text }) {
  let file;
  try {
    file = opened(part);
    writeFileSync(file, text);
    renameSync(part, path);
    return { file };
  } catch (e) {
    if (file !== undefined) closeSync(file);
    try { rmSync(part, { force: true }); } catch {}
    return { failed: told(e, path) };
  }
}
function told(e, path) {
  return { message: e.message, code: e.code, errno: e.errno, syscall: e.syscall, path };
}
/** Files that are in their place and not synced. */
const placed = [];
function take(task) {
  const { n, path } = task;
  const { file, failed } = place(task);
  if (failed === undefined) placed.push({ n, path, file });
  parentPort.postMessage({ n, failed, is: failed === undefined ? "placed" : "ended" });
}
function takeWaiting() {
  while (placed.length < ${MOST_OPEN}) {
    const waiting = receiveMessageOnPort(parentPort);
    if (waiting === undefined) return;
    take(waiting.message);
  }
}
parentPort.on("message", (task) => {
  take(task);
  takeWaiting();
  for (let next = placed.shift(); next !== undefined; next = placed.shift()) {
    let failed;
    try {
      fsyncSync(next.file);
    } catch (e) {
      failed = told(e, next.path);
    } finally {
      closeSync(next.file);
    }
    parentPort.postMessage({ n: next.n, failed, is: "ended" });
    takeWaiting();
  }
});`;

interface Task {
  readonly path: string;
  readonly placed: (() => void) | undefined;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

let thread: Worker | undefined;
let writes = 0;
/** Being written, by number. */
const under = new Map<number, Task>();

/**
 * Writes a file whole and durably, in a folder that is made where there is none. Rejects with the file system's error; then no part of it is left.
 *
 * @param placed called once the file is in its place, before it is synced; not called where it never is
 */
export function writeOnThread(path: string, text: string, placed?: () => void): Promise<void> {
  return new Promise((done, failed) => {
    thread ??= start();
    if (under.size === 0) thread.ref();
    const n = ++writes;
    under.set(n, { path, placed, done, failed });
    thread.postMessage({ n, path, part: partOf(path, n), text });
  });
}

/** Hidden, and nobody else's: two processes may write the same file. */
const partOf = (path: string, n: number): string => path.replace(/[^/\\]*$/, (name) => `.${name}.${process.pid}-${n}.part`);

function start(): Worker {
  // Taken only here: a run that writes nothing so does not load it.
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  // No flags of this process: a loader of TypeScript, say, would be loaded again.
  const made = new Worker(THREAD, { eval: true, execArgv: [] });
  made.on("message", ({ n, is, failed }: { n: number; is: "placed" | "ended"; failed?: { message: string } }) => {
    const task = under.get(n);
    if (is === "placed") {
      task?.placed?.();
      return;
    }
    under.delete(n);
    if (under.size === 0) made.unref();
    if (failed === undefined) task?.done();
    else task?.failed(Object.assign(new Error(failed.message), failed));
  });
  const ended = (error: Error): void => {
    if (thread !== made) return;
    thread = undefined;
    const left = [...under.values()];
    under.clear();
    for (const task of left) task.failed(error);
  };
  made.on("error", ended);
  made.on("exit", () => ended(new Error(`the thread that writes ${[...under.values()][0]?.path ?? "files"} ended`)));
  return made;
}
