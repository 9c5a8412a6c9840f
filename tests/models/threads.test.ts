/** How many threads decode: bounded by what the process may use, and found out beside other load. */
import { describe, expect, test } from "vitest";
import { availableThreads, ThreadGovernor } from "../../src/models/llama/threads.ts";

const absent = (): string => {
  throw new Error("absent");
};

test("threads are never more than the control group's quota, never less than one", () => {
  expect(availableThreads(() => "50000 100000")).toBe(1);
  expect(availableThreads(() => "100000 100000")).toBe(1);
  const free = availableThreads(() => "max 100000");
  expect(free).toBeGreaterThanOrEqual(1);
  expect(availableThreads((path) => (path.endsWith("cpu.max") ? absent() : "-1"))).toBe(free);
  expect(availableThreads(absent)).toBe(free);
});

describe("the governor", () => {
  /** A machine with so many free cores: threads without a core make every round much longer. */
  const round = (threads: number, free: number): number => (threads > free ? (500 * threads) / free : 100 / threads);
  const run = (governor: ThreadGovernor, rounds: number, free: number): number => {
    let ms = 0;
    for (let i = 0; i < rounds; i++) {
      const took = round(governor.threads, free);
      ms += took;
      governor.observe(took, 8);
    }
    return ms;
  };

  test("keeps all threads where they help, at little cost", () => {
    const governor = new ThreadGovernor(2);
    expect(run(governor, 200, 2)).toBeLessThan(200 * 50 * 1.05);
    expect(governor.threads).toBe(2);
  });

  test("gives threads up beside other load, and takes them back after", () => {
    const governor = new ThreadGovernor(2);
    run(governor, 30, 1);
    const loaded = run(governor, 300, 1);
    expect(loaded).toBeLessThan(300 * 100 * 1.25);
    run(governor, 300, 2);
    expect(run(governor, 100, 2)).toBeLessThan(100 * 50 * 1.1);
  });

  test("finds its way among many", () => {
    const governor = new ThreadGovernor(16);
    run(governor, 400, 4);
    expect(run(governor, 100, 4)).toBeLessThan(100 * 25 * 1.5);
  });

  test("never goes beyond its bounds, whatever it is told", () => {
    const governor = new ThreadGovernor(3);
    for (let i = 0; i < 500; i++) {
      governor.observe((i * 7919) % 101, (i >> 4) % 3);
      expect(governor.threads).toBeGreaterThanOrEqual(1);
      expect(governor.threads).toBeLessThanOrEqual(3);
    }
    const one = new ThreadGovernor(1);
    run(one, 50, 1);
    expect(one.threads).toBe(1);
  });
});
