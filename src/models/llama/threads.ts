/**
 * How many threads llama.cpp may use here. One more than there are cores makes it many times slower,
 * because its threads wait for each other by spinning.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Below this size of weights a second thread costs more than it brings (a 0.8M model: 750 tokens/s with 1 thread, 35 with 2). */
export const SMALL_MODEL_BYTES = 24_000_000;

/** Cores that this process may use: its affinity, and the CPU quota of its control group (version 2, then 1). At least 1. */
export function availableThreads(read: (path: string) => string = (path) => readFileSync(path, "utf8")): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota(read))));
}

function quota(read: (path: string) => string): number {
  try {
    const [limit, period] = read("/sys/fs/cgroup/cpu.max").trim().split(" ");
    return limit === "max" ? Number.POSITIVE_INFINITY : Math.max(1, Number(limit) / Number(period) || Number.POSITIVE_INFINITY);
  } catch {
    // No control groups of version 2 here.
  }
  try {
    const limit = Number(read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"));
    return limit <= 0 ? Number.POSITIVE_INFINITY : Math.max(1, limit / Number(read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
