/**
 * The project's lock: one apply at a time.
 *
 * `.mcp-forge/lock/` holds numbered files; who made the one with the highest number holds the lock. A file appears
 * whole (written beside, then hard-linked to its number, which fails when the number is taken) and is never deleted
 * while it is the highest: releasing replaces it by a note, taking over a dead holder's lock adds the next number. So
 * a process that was slow between "the holder is dead" and "now it is mine" finds its number taken or a higher one
 * beside its own, and backs off: two can never both hold it.
 *
 * Guarantees: at most one holder; a dead holder's lock (holder.ts) is taken over; one of another host or container
 * never, only `breakLock` (`forge unlock`) ends it. A kill leaves nothing that needs cleaning up.
 */
import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode, writeFileAtomic } from "../platform/fs.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { describeHolder, type Holder, liveness, parseHolder, thisProcess } from "./holder.ts";

export interface ProjectLock {
  /** Gives the lock back. Idempotent; never throws. */
  release(): void;
  /** The dead holder whose lock was taken over, in words. */
  readonly tookOver?: string;
}

export interface LockOptions {
  /** Seconds to wait for a living holder; default 0. */
  readonly waitSeconds?: number;
  readonly signal?: AbortSignal;
  /** Called once when waiting begins. */
  readonly onWaiting?: (holder: string) => void;
}

const POLL_MS = 100;

/** Takes the lock. Fails with exit 5 when another holds it, 130 when aborted while waiting. Throws the file system's error. */
export async function acquireLock(projectRoot: string, o: LockOptions = {}): Promise<Result<ProjectLock>> {
  const folder = join(projectRoot, ".mcp-forge", "lock");
  mkdirSync(folder, { recursive: true });
  const deadline = Date.now() + (o.waitSeconds ?? 0) * 1000;
  let announced = false;
  for (;;) {
    const attempt = tryLock(folder);
    if (attempt.ok) return attempt;
    if (attempt.error !== "raced") {
      if (Date.now() >= deadline) return err(lockedFailure(attempt.error));
      if (!announced) o.onWaiting?.(describeHolder(attempt.error));
      announced = true;
    }
    await new Promise((resolve) => setTimeout(resolve, attempt.error === "raced" ? 1 : POLL_MS));
    if (o.signal?.aborted) return err({ code: "run/interrupted", message: "interrupted while waiting for the lock", exit: EXIT.interrupted });
  }
}

/** Who holds the project now, in words; undefined when nobody who lives. */
export function lockHolder(projectRoot: string): Holder | undefined {
  const top = highest(join(projectRoot, ".mcp-forge", "lock"));
  return top?.holder !== undefined && liveness(top.holder) !== "dead" ? top.holder : undefined;
}

/** `forge unlock`: ends whatever lock there is, a living holder's too. The caller asks the user first. */
export function breakLock(projectRoot: string): void {
  const folder = join(projectRoot, ".mcp-forge", "lock");
  const top = highest(folder);
  if (top !== undefined) writeFileAtomic(join(folder, String(top.number)), RELEASED, { durable: false });
}

const RELEASED = '{"released":true}\n';

function tryLock(folder: string): Result<ProjectLock, Holder | "raced"> {
  const top = highest(folder);
  if (top?.holder !== undefined && liveness(top.holder) !== "dead") return err(top.holder);
  const number = (top?.number ?? 0) + 1;
  const path = join(folder, String(number));
  if (!create(folder, path)) return err("raced");
  const numbers = list(folder);
  if (numbers.some((n) => n > number)) {
    rmSync(path, { force: true });
    return err("raced");
  }
  for (const n of numbers) if (n < number) rmSync(join(folder, String(n)), { force: true });
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    try {
      writeFileAtomic(path, RELEASED, { durable: false });
    } catch {
      // When this process ends it counts as released.
    }
  };
  return ok({ release, ...(top?.holder !== undefined && { tookOver: describeHolder(top.holder) }) });
}

/** Makes the numbered file, whole; false when another was quicker. */
function create(folder: string, path: string): boolean {
  const text = `${JSON.stringify(thisProcess())}\n`;
  const beside = join(folder, `.${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
  writeFileSync(beside, text);
  try {
    linkSync(beside, path);
    return true;
  } catch (e) {
    if (errorCode(e) === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errorCode(e))) throw e;
  } finally {
    rmSync(beside, { force: true });
  }
  try {
    writeFileSync(path, text, { flag: "wx" }); // A file system without hard links (exFAT).
    return true;
  } catch (e) {
    if (errorCode(e) === "EEXIST") return false;
    throw e;
  }
}

const list = (folder: string): number[] =>
  readdirSync(folder)
    .filter((n) => /^\d+$/.test(n))
    .map(Number);

/** The file with the highest number, and who made it; no holder when it was released. */
function highest(folder: string): { number: number; holder: Holder | undefined } | undefined {
  let numbers: number[];
  try {
    numbers = list(folder);
  } catch (e) {
    if (errorCode(e) === "ENOENT") return undefined;
    throw e;
  }
  if (numbers.length === 0) return undefined;
  const number = Math.max(...numbers);
  return { number, holder: readHolder(join(folder, String(number))) };
}

function readHolder(path: string): Holder | undefined {
  try {
    const text = readFileSync(path, "utf8");
    if (text === RELEASED) return undefined;
    return parseHolder(JSON.parse(text)) ?? unreadable();
  } catch (e) {
    return errorCode(e) === "ENOENT" ? undefined : unreadable();
  }
}

/** What is not a note of ours counts as held by somebody we cannot see. */
const unreadable = (): Holder => ({ host: "an unreadable lock file", boot: "", namespace: "", pid: 0, started: "", since: "an unknown time" });

function lockedFailure(holder: Holder): Failure {
  const elsewhere = liveness(holder) === "elsewhere";
  return {
    code: "engine/locked",
    message: `this project is locked by ${describeHolder(holder)}`,
    hint: elsewhere ? "when no run is going on there any more, run `forge unlock`" : "wait for it to finish, or use --wait-lock",
    exit: EXIT.locked,
  };
}
