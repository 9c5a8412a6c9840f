/**
 * Who a process is, so that another can tell later whether it still lives: host, boot, pid namespace, pid, start time.
 * Guarantee: a process id that was given to a new process, or survived a reboot on paper, is told apart from the
 * holder; what cannot be told counts as alive.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { errorCode } from "../platform/fs.ts";

export interface Holder {
  readonly host: string;
  /** Changes with every boot; "" where there is none. */
  readonly boot: string;
  /** Linux pid namespace, so that two containers of one host are told apart; "" elsewhere. */
  readonly namespace: string;
  readonly pid: number;
  /** Start time of the process as the system words it; "" where it cannot be had. */
  readonly started: string;
  /** ISO 8601, for people. */
  readonly since: string;
}

export type Liveness = "alive" | "dead" | "elsewhere";

export function thisProcess(): Holder {
  return { host: hostname(), boot: bootId(), namespace: namespace(), pid: process.pid, started: startOf(process.pid), since: new Date().toISOString() };
}

/** Whether the holder lives. `elsewhere`: on another host or in another container, where we cannot look. */
export function liveness(holder: Holder): Liveness {
  if (holder.host !== hostname()) return "elsewhere";
  if (holder.boot !== bootId()) return "dead";
  if (holder.namespace !== namespace()) return "elsewhere";
  try {
    process.kill(holder.pid, 0);
  } catch (e) {
    if (errorCode(e) === "ESRCH") return "dead";
  }
  const started = startOf(holder.pid);
  return started !== "" && holder.started !== "" && started !== holder.started ? "dead" : "alive";
}

export const describeHolder = (h: Holder): string => `process ${h.pid} on ${h.host}, since ${h.since}`;

/** A holder read from a lock file, if it is one. */
export function parseHolder(value: unknown): Holder | undefined {
  if (value === null || typeof value !== "object") return undefined;
  const h = value as Record<string, unknown>;
  const texts = [h.host, h.boot, h.namespace, h.started, h.since];
  return texts.every((t) => typeof t === "string") && Number.isInteger(h.pid) ? (value as Holder) : undefined;
}

function bootId(): string {
  if (process.platform === "linux") return read("/proc/sys/kernel/random/boot_id");
  // Not `kern.boottime`, which moves when the clock is set.
  if (process.platform === "darwin") return ask("sysctl", ["-n", "kern.bootsessionuuid"]);
  return "";
}

function namespace(): string {
  try {
    return process.platform === "linux" ? readlinkSync("/proc/self/ns/pid") : "";
  } catch {
    return "";
  }
}

/** Field 22 of /proc/PID/stat (clock ticks since boot; proc(5)), or what ps calls `lstart`. A zombie has none: it holds nothing. */
function startOf(pid: number): string {
  if (process.platform === "linux") {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "zombie" : (fields[19] ?? "");
  }
  return process.platform === "win32" ? "" : ask("ps", ["-o", "lstart=", "-p", String(pid)]);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function ask(command: string, args: string[]): string {
  try {
    // Taken only here: where /proc tells everything it is never loaded.
    const { execFileSync } = process.getBuiltinModule("node:child_process");
    return execFileSync(command, args, { encoding: "utf8", env: { PATH: "/bin:/usr/bin:/usr/sbin", LC_ALL: "C" }, stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}
