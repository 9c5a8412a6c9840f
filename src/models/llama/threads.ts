/**
 * How many threads llama.cpp may use here. One more than there are free cores makes it many times slower,
 * because its threads wait for each other by spinning: beside another busy process two threads on two
 * cores took 920 ms for a round that one thread did in 94 ms.
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

/** Rounds between two trials of another number of threads: from the first to the most, three times as many after each trial in vain. */
const FIRST_INTERVAL = 8;
const LONGEST_INTERVAL = 256;
/** A trial has to be faster by this factor to count. */
const FASTER = 0.85;
/** Rounds that a trial is compared with. */
const REMEMBERED = 5;

/**
 * Finds out while decoding how many threads are worth it, because who else uses the machine cannot be
 * asked: now and then one round runs with half or twice as many, and the faster number stays. The number
 * changes no result (the decoder runs without flash attention, whose sums depend on it).
 */
export class ThreadGovernor {
  readonly #most: number;
  #threads: number;
  #interval = FIRST_INTERVAL;
  #countdown = FIRST_INTERVAL;
  #trial: number | undefined;
  #busy = 0;
  #up = false;
  #recent: number[] = [];

  /** @param most how many threads there may ever be; also the first number */
  constructor(most: number) {
    this.#most = Math.max(1, Math.floor(most));
    this.#threads = this.#most;
  }

  /** Threads for the next round. */
  get threads(): number {
    return this.#trial ?? this.#threads;
  }

  /** Tells how long a round took in which each of `busy` sequences read and wrote one token. */
  observe(ms: number, busy: number): void {
    if (this.#most === 1) return;
    if (busy !== this.#busy) {
      // Rounds of another size say nothing about this one.
      this.#busy = busy;
      this.#recent = [];
      this.#trial = undefined;
    } else if (this.#trial !== undefined) {
      this.#decide(ms, this.#trial);
      return;
    }
    this.#recent = [...this.#recent, ms].slice(-REMEMBERED);
    this.#countdown -= 1;
    if (this.#countdown <= 0 && this.#recent.length >= 3) this.#trial = this.#other();
  }

  /** Half as many, or twice as many, in turn where both can be. */
  #other(): number {
    this.#up = this.#threads === 1 || (this.#threads < this.#most && !this.#up);
    return this.#up ? Math.min(this.#threads * 2, this.#most) : Math.floor(this.#threads / 2);
  }

  #decide(ms: number, trial: number): void {
    const middle = [...this.#recent].sort((a, b) => a - b)[Math.floor(this.#recent.length / 2)] as number;
    this.#trial = undefined;
    if (ms < middle * FASTER) {
      this.#threads = trial;
      this.#recent = [];
      this.#interval = FIRST_INTERVAL;
    } else this.#interval = Math.min(this.#interval * 3, LONGEST_INTERVAL);
    this.#countdown = this.#interval;
  }
}
