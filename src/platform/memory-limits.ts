/**
 * Memory on this machine as far as a process may use it: the machine's, or that of its control groups (a container's limit, a `systemd-run -p
 * MemoryMax=…`), whichever is least; how much a process holds; and how often the kernel has killed one of this control group for want of it. Reads /proc and
 * /sys/fs/cgroup, versions 1 and 2; what cannot be read is undefined. Starts nothing.
 *
 * Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current, memory.stat, memory.events) and cgroup-v1/memory.rst.
 */
import { readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";

/** Where the two file systems are; tests have their own. */
export interface KernelFiles {
  readonly proc: string;
  readonly cgroup: string;
}
const KERNEL: KernelFiles = { proc: "/proc", cgroup: "/sys/fs/cgroup" };

export interface MemoryLimits {
  /** Bytes that this process and its children can have at most. */
  readonly total: number;
  /** Bytes that are free now, files that lie in memory counted as free; undefined where only the operating system's own word (`os.freemem`) is to be had. */
  readonly free: number | undefined;
}

/** Names of the files of one version of control groups. */
interface Version {
  readonly limit: string;
  readonly used: string;
  readonly events: string;
  /** Lines of memory.stat: bytes of files in memory, of the group and those below it. */
  readonly files: readonly string[];
}
const V2: Version = { limit: "memory.max", used: "memory.current", events: "memory.events", files: ["inactive_file", "active_file"] };
const V1: Version = {
  limit: "memory.limit_in_bytes",
  used: "memory.usage_in_bytes",
  events: "memory.oom_control",
  files: ["total_inactive_file", "total_active_file"],
};

/** The control groups that this process's memory is counted in, its own first: folders with what their files are called. */
export function memoryGroups(at: KernelFiles = KERNEL): readonly { readonly folder: string; readonly version: Version }[] {
  const lines = (read(join(at.proc, "self/cgroup")) ?? "").split("\n");
  const own = lines.map((line) => /^(\d+):([^:]*):(.*)$/.exec(line)).filter((m) => m !== null);
  const v1 = own.find((m) => (m[2] as string).split(",").includes("memory"));
  const v2 = own.find((m) => m[1] === "0");
  const above = (root: string, path: string): string[] => {
    const parts = path.split("/").filter((part) => part !== "" && part !== "..");
    return [...parts.keys(), parts.length].map((n) => join(root, ...parts.slice(0, parts.length - n)));
  };
  // In a container the path may be the host's, and its own group is the root that it sees: a folder that is not there is passed over.
  const folders = (root: string, path: string | undefined, version: Version) =>
    [...new Set(above(root, path ?? "/"))]
      .filter((folder) => read(join(folder, version.used)) !== undefined || read(join(folder, version.limit)) !== undefined)
      .map((folder) => ({ folder, version }));
  const second = folders(at.cgroup, v2?.[3], V2);
  return second.length > 0 ? second : folders(join(at.cgroup, "memory"), v1?.[3], V1);
}

/**
 * What there is to be had. A control group's use counts the files that lie in memory (the page cache), which the kernel gives up before it kills anything:
 * they are taken off, as they are in the machine's own MemAvailable. python/forge_steps/preflight.py is the same for the steps.
 */
export function memoryLimits(at: KernelFiles = KERNEL): MemoryLimits {
  const machine = read(join(at.proc, "meminfo"));
  const kibibytes = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(machine ?? "")?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  let total = kibibytes("MemTotal") ?? totalmem();
  let free = kibibytes("MemAvailable");
  for (const { folder, version } of memoryGroups(at)) {
    const limit = Number(read(join(folder, version.limit)) ?? Number.NaN);
    // `max`, or version 1's number for it, which no machine has.
    if (!Number.isFinite(limit) || limit >= 2 ** 62) continue;
    const used = Math.max(0, Number(read(join(folder, version.used)) ?? 0) - filesInMemory(folder, version));
    total = Math.min(total, limit);
    free = Math.min(free ?? Number.POSITIVE_INFINITY, Math.max(0, limit - used));
  }
  return { total, free };
}

/** Bytes of the page cache that a control group's memory.stat has; 0 where it cannot be read. */
function filesInMemory(folder: string, { files }: Version): number {
  const stat = read(join(folder, "memory.stat")) ?? "";
  return files.reduce((sum, key) => sum + Number(new RegExp(`^${key} (\\d+)$`, "m").exec(stat)?.[1] ?? 0), 0);
}

/**
 * How many processes the kernel has killed for want of memory: of this control group, else of the whole machine. Undefined where nobody counts. A difference
 * of two readings says whether one was killed in between.
 */
export function oomKills(at: KernelFiles = KERNEL): number | undefined {
  for (const { folder, version } of memoryGroups(at)) {
    const found = counter(read(join(folder, version.events)));
    if (found !== undefined) return found;
  }
  return counter(read(join(at.proc, "vmstat")));
}

const counter = (text: string | undefined): number | undefined => {
  const found = /^oom_kill (\d+)$/m.exec(text ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
};

/** Bytes of memory that a process and its children hold; undefined where that cannot be read, or it is gone. */
export function residentBytes(pid: number, at: KernelFiles = KERNEL): number | undefined {
  const held = /^VmRSS:\s+(\d+) kB/m.exec(read(join(at.proc, String(pid), "status")) ?? "")?.[1];
  if (held === undefined) return undefined;
  return children(pid, at).reduce((sum, child) => sum + (residentBytes(child, at) ?? 0), Number(held) * 1024);
}

/** Those of all its threads: a child belongs to the thread that started it. */
function children(pid: number, at: KernelFiles): number[] {
  const tasks = join(at.proc, String(pid), "task");
  try {
    return readdirSync(tasks).flatMap((thread) => (read(join(tasks, thread, "children")) ?? "").split(" ").filter(Boolean).map(Number));
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // Another system, or a container that hides it.
  }
}
