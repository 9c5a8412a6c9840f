/**
 * Child processes that may misbehave: tool servers of strangers, Python steps, llama.cpp.
 *
 * Guarantees: a child gets the allow-listed environment only, and a process group of its own, so that whatever it
 * started goes with it; nothing it prints can fill our memory; its stdin stays open while we live and reads end of
 * file when we die, which tells it to leave; when this process exits in any orderly way its children are killed; a
 * child that was asked to stop and does not is killed when its grace is over. Expected failures are Results.
 */
import type { Readable } from "node:stream";
import { childEnv } from "./environment.ts";
import { EXIT } from "./exit.ts";
import { errorCode } from "./fs.ts";
import { BoundedText, LineSplitter } from "./lines.ts";
import { err, type Failure, ok, type Result } from "./result.ts";

export { childEnv } from "./environment.ts";

export interface ProcessOptions {
  readonly cwd?: string;
  /** The whole environment of the child; default `childEnv()`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Aborting it stops the child: SIGTERM to its group, SIGKILL after `graceMs`. */
  readonly signal?: AbortSignal;
  /** Text for the child's stdin, which is then closed. Without it stdin stays open and empty until the child ends. */
  readonly stdin?: string;
  /** The child is stopped after so long. */
  readonly timeoutMs?: number;
  /** Every line, without its line break; `cut` when it was longer than `maxLineBytes`. */
  readonly onStdoutLine?: (line: string, cut: boolean) => void;
  readonly onStderrLine?: (line: string, cut: boolean) => void;
  /** Default 1 MiB. */
  readonly maxLineBytes?: number;
  /** Bound of what is kept of stdout (its start) and of stderr (its end); default 1 MiB each. */
  readonly maxBytes?: number;
  /** How long a stopping child may take before it is killed; default 5000 ms. */
  readonly graceMs?: number;
}

export interface ProcessResult {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The start of what it printed, at most `maxBytes`. */
  readonly stdout: string;
  /** The end of what it printed, at most `maxBytes`. */
  readonly stderr: string;
  /** Whether something was left out of either. */
  readonly cut: boolean;
  readonly ms: number;
}

export interface Child {
  readonly pid: number;
  /** Writes to its stdin and waits while the pipe is full; false when the child no longer reads. */
  write(text: string): Promise<boolean>;
  /** Resolves when the process is gone and its output read. Never rejects. */
  readonly ended: Promise<ProcessResult>;
  /** Closes stdin, then SIGTERM, then SIGKILL to the group, each when the one before did not help. Idempotent. */
  stop(graceMs?: number): Promise<ProcessResult>;
  /** SIGKILL to the group, now. */
  kill(): void;
}

const MIB = 1 << 20;
const DEFAULT_GRACE_MS = 5000;
/** What a child gets to leave by itself after its stdin is closed, before SIGTERM. */
const EOF_GRACE_MS = 300;
/** How long the output of a process that is gone may stay open in the hands of a stray grandchild. */
const DRAIN_MS = 500;

/** Process groups that must not outlive us. */
const alive = new Set<number>();
let hooked = false;

/** Kills every child's group when this process exits by itself (a SIGKILL leaves only the closed stdin). */
function hookExit(): void {
  if (hooked) return;
  hooked = true;
  process.on("exit", () => {
    for (const pid of alive) signalGroup(pid, "SIGKILL");
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // Gone already.
  }
}

/** Starts a process that is talked to over time. A failure when it cannot be started. */
export async function spawnChild(command: string, args: readonly string[], o: ProcessOptions = {}): Promise<Result<Child>> {
  if (o.signal?.aborted) return err(aborted(command));
  const { execa } = await import("execa");
  const started = performance.now();
  const subprocess = execa(command, [...args], {
    cwd: o.cwd,
    env: o.env ?? childEnv(),
    extendEnv: false,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    reject: false,
    detached: process.platform !== "win32",
    windowsHide: true,
    cleanup: false,
    encoding: "buffer",
  });
  const stdout = new BoundedText("head", o.maxBytes ?? MIB);
  const stderr = new BoundedText("tail", o.maxBytes ?? MIB);
  const splitters = [follow(subprocess.stdout, stdout, o.onStdoutLine, o), follow(subprocess.stderr, stderr, o.onStderrLine, o)];
  subprocess.stdin.on("error", () => {}); // A child that closes its stdin is no error of ours.
  const pid = subprocess.pid;
  if (pid !== undefined) alive.add(pid);
  hookExit();
  subprocess.once("exit", () => {
    if (pid === undefined) return;
    alive.delete(pid);
    signalGroup(pid, "SIGKILL"); // What it started and left behind goes with it.
    setTimeout(() => {
      subprocess.stdout.destroy();
      subprocess.stderr.destroy();
    }, DRAIN_MS).unref();
  });
  const ended = subprocess.then((r): ProcessResult => {
    for (const s of splitters) s?.end();
    const texts = { stdout: stdout.text(), stderr: stderr.text() };
    return { exitCode: r.exitCode ?? null, signal: r.signal ?? null, ...texts, cut: stdout.cut || stderr.cut, ms: performance.now() - started };
  });
  if (pid === undefined) {
    const r = await subprocess;
    return err(cannotStart(command, r.cause ?? r, o.cwd));
  }

  let gone = false;
  let stopping: Promise<ProcessResult> | undefined;
  void ended.then(() => {
    gone = true;
  });
  const kill = () => {
    if (!gone) signalGroup(pid, "SIGKILL");
  };
  const stop = (graceMs = o.graceMs ?? DEFAULT_GRACE_MS, termAtOnce = false): Promise<ProcessResult> => {
    stopping ??= (async () => {
      subprocess.stdin.end();
      if (!termAtOnce && (await settled(ended, EOF_GRACE_MS))) return ended;
      if (!gone) signalGroup(pid, "SIGTERM");
      if (await settled(ended, graceMs)) return ended;
      kill();
      return ended;
    })();
    return stopping;
  };
  const onAbort = () => void stop(undefined, true);
  o.signal?.addEventListener("abort", onAbort, { once: true });
  void ended.then(() => o.signal?.removeEventListener("abort", onAbort));
  if (o.stdin !== undefined) subprocess.stdin.end(o.stdin);
  const write = (text: string): Promise<boolean> =>
    new Promise((resolve) => {
      if (gone || subprocess.stdin.writableEnded || subprocess.stdin.destroyed) resolve(false);
      else subprocess.stdin.write(text, (e) => resolve(!e));
    });
  return ok({ pid, ended, write, stop: (graceMs?: number) => stop(graceMs), kill });
}

/**
 * Runs a process to its end. Any exit status is a success here; failures are: `process/not-found`,
 * `process/cannot-start` (exit 6), `process/timed-out` (exit 1), `process/aborted` (exit 130).
 */
export async function runProcess(command: string, args: readonly string[], o: ProcessOptions = {}): Promise<Result<ProcessResult>> {
  const child = await spawnChild(command, args, o);
  if (!child.ok) return child;
  if (o.timeoutMs !== undefined && !(await settled(child.value.ended, o.timeoutMs))) {
    const { stderr } = await child.value.stop();
    const details = stderr === "" ? {} : { details: stderr };
    return err({ code: "process/timed-out", message: `${command} did not finish within ${o.timeoutMs / 1000} s`, ...details, exit: EXIT.failed });
  }
  const result = await child.value.ended;
  return o.signal?.aborted ? err(aborted(command)) : ok(result);
}

/** Whether the promise settles within so many ms. Leaves no timer behind. */
async function settled(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function follow(stream: Readable, text: BoundedText, onLine: ProcessOptions["onStdoutLine"], o: ProcessOptions): LineSplitter | undefined {
  const splitter = onLine && new LineSplitter(onLine, o.maxLineBytes ?? MIB);
  stream.on("data", (chunk: Buffer) => {
    text.push(chunk);
    splitter?.push(chunk);
  });
  stream.on("error", () => {}); // A pipe that breaks shows as the end of the process.
  return splitter;
}

const aborted = (command: string): Failure => ({ code: "process/aborted", message: `${command} was interrupted`, exit: EXIT.interrupted });

function cannotStart(command: string, cause: unknown, cwd: string | undefined): Failure {
  const code = errorCode(cause);
  if (code === "ENOENT") {
    const where = cwd === undefined ? "" : ` (started in ${cwd})`;
    return {
      code: "process/not-found",
      message: `the command ${command} was not found${where}`,
      hint: "check the spelling, and that it is installed and on PATH",
      exit: EXIT.environment,
    };
  }
  const why = code === "EACCES" ? "it is not executable" : cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
  return { code: "process/cannot-start", message: `the command ${command} cannot be started: ${why}`, exit: EXIT.environment };
}
