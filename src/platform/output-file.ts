/**
 * Where a command writes what a user asked for (`--output`, `--report`, …). Guarantees: a regular file appears whole or stays as it was, and nothing
 * lies beside it when the command ends, also by Ctrl-C; a link is followed, and what it leads to is replaced; what is no regular file
 * (a FIFO, a terminal, /dev/null, a descriptor under /proc) is written to as it stands, never replaced.
 */
import { constants, fstatSync, lstatSync, readlinkSync, renameSync, rmSync, type Stats, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode, makeFolders } from "./fs.ts";

/** What a path leads to. `stream`: written to in place. `path` has its links followed, but for what is written to in place. */
export interface OutputTarget {
  readonly kind: "file" | "stream";
  readonly path: string;
}

/** Links in a row that Linux follows (path_resolution(7)). */
const MOST_LINKS = 40;

/** Where writing to a path ends up; the file need not be there. Throws the file system's error (a loop of links). */
export function outputTarget(path: string): OutputTarget {
  const named = resolve(path);
  const found = statSync(named, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile() && !found.isDirectory()) return { kind: "stream", path: named };
  let at = named;
  for (let links = 0; links < MOST_LINKS; links++) {
    // /dev/stdout and its like: the shell holds the file open, and another one in its place would be nobody's.
    if (at.startsWith("/proc/")) return { kind: "stream", path: named };
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() !== true) break;
    at = resolve(dirname(at), readlinkSync(at));
  }
  return { kind: "file", path: at };
}

/** Whether what is written to a path comes out of this process's standard output: what else is said belongs elsewhere then. */
export function isStandardOutput(path: string): boolean {
  try {
    const [named, own] = [statSync(path), fstatSync(1)];
    return named.dev === own.dev && named.ino === own.ino;
  } catch {
    return false;
  }
}

/** An output could not be written; `cause` is the file system's error. */
export class OutputError extends Error {
  constructor(override readonly cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

export interface OutputOptions {
  /** Asked when everything is written: false leaves what was there before (of a regular file). */
  readonly keep?: () => boolean;
  readonly signal?: AbortSignal;
}

/**
 * Writes what `chunks` gives to where a path leads, one after the other; folders are made.
 * Throws an OutputError where that fails, and whatever `chunks` throws.
 */
export async function writeOutput(
  path: string,
  chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  o: OutputOptions = {},
): Promise<void> {
  let theirs: unknown;
  async function* told(): AsyncGenerator<string | Uint8Array> {
    try {
      yield* chunks;
    } catch (e) {
      theirs = e;
      throw e;
    }
  }
  try {
    const target = outputTarget(path);
    // Not opened a second time: it may be a socket, as where another program reads what this one prints.
    if (isStandardOutput(target.path)) await pipeline(told, process.stdout, { ...signalOf(o), end: false });
    else if (target.kind === "stream") await pipeline(told, (await openStream(target.path, o.signal)).createWriteStream(), signalOf(o));
    else await writeBeside(target.path, told, o);
  } catch (e) {
    if (e === theirs && theirs !== undefined) throw e;
    throw new OutputError(e);
  }
}

const signalOf = ({ signal }: OutputOptions): { readonly signal?: AbortSignal } => (signal === undefined ? {} : { signal });

async function writeBeside(path: string, chunks: () => AsyncGenerator<string | Uint8Array>, o: OutputOptions): Promise<void> {
  const folder = dirname(path);
  makeFolders(folder);
  const part = join(folder, `.${basename(path)}.${process.pid}.part`);
  const release = onSignal(() => rmSync(part, { force: true }));
  try {
    // No wider than what it replaces.
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0o666;
    await pipeline(chunks, (await open(part, "w", mode & 0o777)).createWriteStream(), signalOf(o));
    if (o.keep?.() !== false) renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
    release();
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `tidy` before a signal does what it would have done anyway. @returns gives the signals back */
function onSignal(tidy: () => void): () => void {
  const listener = (signal: NodeJS.Signals): void => {
    tidy();
    release();
    // Whoever else listens has heard it; without them it ends the process, as if nobody had listened.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return release;
}

/** How often is looked whether a FIFO has a reader, in milliseconds. */
const LOOK_EVERY_MS = 50;

/**
 * Opens for writing what is no regular file. A FIFO without a reader is waited for without a thread that hangs in the kernel: such a thread
 * would keep the process from ending.
 */
async function openStream(path: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  const found: Stats | undefined = statSync(path, { throwIfNoEntry: false });
  if (found?.isBlockDevice() === true || found?.isSocket() === true)
    throw Object.assign(new Error(`${path} is a ${found.isSocket() ? "socket" : "block device"}`), { code: "EINVAL", syscall: "open", path });
  let first: FileHandle | undefined;
  while (found?.isFIFO() === true && first === undefined) {
    signal?.throwIfAborted();
    try {
      first = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (e) {
      if (errorCode(e) !== "ENXIO") throw e; // Nobody reads it yet.
      await sleep(LOOK_EVERY_MS);
    }
  }
  // Appending: a regular file behind a descriptor keeps what its owner wrote before.
  try {
    return await open(path, constants.O_WRONLY | constants.O_APPEND);
  } finally {
    await first?.close(); // Only now: a FIFO without a writer has ended.
  }
}
