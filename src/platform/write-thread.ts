/**
 * Files written whole, one after the other, on a thread of its own: beside their place, synced, renamed. The main thread is free meanwhile, which counts
 * where hundreds of small files a second are written. The thread is started with the first file, kept, and keeps the process from ending only while it writes.
 */
import type { Worker } from "node:worker_threads";

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
function write({ path, part, text }) {
  try {
    const file = opened(part);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, path);
  } catch (e) {
    try { rmSync(part, { force: true }); } catch {}
    return { message: e.message, code: e.code, errno: e.errno, syscall: e.syscall, path };
  }
}
parentPort.on("message", (task) => parentPort.postMessage({ failed: write(task) }));`;

interface Task {
  readonly path: string;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

let thread: Worker | undefined;
let writes = 0;
/** Being written, first come first. */
const under: Task[] = [];

/** Writes a file whole and durably, in a folder that is made where there is none. Rejects with the file system's error; then no part of it is left. */
export function writeOnThread(path: string, text: string): Promise<void> {
  return new Promise((done, failed) => {
    thread ??= start();
    if (under.length === 0) thread.ref();
    under.push({ path, done, failed });
    thread.postMessage({ path, part: partOf(path, ++writes), text });
  });
}

/** Hidden, and nobody else's: two processes may write the same file. */
const partOf = (path: string, n: number): string => path.replace(/[^/\\]*$/, (name) => `.${name}.${process.pid}-${n}.part`);

function start(): Worker {
  // Taken only here: a run that writes nothing so does not load it.
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  // No flags of this process: a loader of TypeScript, say, would be loaded again.
  const made = new Worker(THREAD, { eval: true, execArgv: [] });
  made.on("message", ({ failed }: { failed?: { message: string } }) => {
    const task = under.shift();
    if (under.length === 0) made.unref();
    if (failed === undefined) task?.done();
    else task?.failed(Object.assign(new Error(failed.message), failed));
  });
  const ended = (error: Error): void => {
    if (thread !== made) return;
    thread = undefined;
    for (const task of under.splice(0)) task.failed(error);
  };
  made.on("error", ended);
  made.on("exit", () => ended(new Error(`the thread that writes ${under[0]?.path ?? "files"} ended`)));
  return made;
}
