/** Memory by the kernel's files: whichever limit is least, in both versions of control groups, and the count of kills. Python's preflight reads the same. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type KernelFiles, memoryLimits, oomKills, residentBytes } from "../../src/platform/memory-limits.ts";

let root: string;
let at: KernelFiles;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "forge-kernel-"));
  at = { proc: join(root, "proc"), cgroup: join(root, "cgroup") };
});
afterEach(() => rmSync(root, { recursive: true }));

/** Files by their paths under the root. */
function have(files: Readonly<Record<string, string | number>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
}
const MACHINE = { "proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB" };

test("without control groups it is the machine's", () => {
  have(MACHINE);
  expect(memoryLimits(at)).toEqual({ total: 16_384_000_000, free: 8_192_000_000 });
  expect(oomKills(at)).toBeUndefined();
  have({ "proc/vmstat": "nr_free_pages 3\noom_kill 4" });
  expect(oomKills(at)).toBe(4);
});

test("a limit of version 2 counts, that of a group above too, and where `max` is written none", () => {
  have({ ...MACHINE, "proc/self/cgroup": "0::/user.slice/run-7.scope", "cgroup/user.slice/run-7.scope/memory.max": "max" });
  have({ "cgroup/user.slice/run-7.scope/memory.current": 100, "cgroup/user.slice/run-7.scope/memory.events": "low 0\noom 3\noom_kill 2\noom_group_kill 0" });
  expect(memoryLimits(at)).toEqual({ total: 16_384_000_000, free: 8_192_000_000 });
  have({ "cgroup/user.slice/memory.max": 4e9, "cgroup/user.slice/memory.current": 1e9 });
  expect(memoryLimits(at)).toEqual({ total: 4e9, free: 3e9 });
  have({ "cgroup/user.slice/run-7.scope/memory.max": 2e9, "cgroup/user.slice/run-7.scope/memory.current": 3e9 });
  expect(memoryLimits(at)).toEqual({ total: 2e9, free: 0 });
  expect(oomKills(at)).toBe(2);
});

test("in a container its own group is the root that it sees, whatever the path says", () => {
  have({
    ...MACHINE,
    "proc/self/cgroup": "0::/../../docker/abc",
    "cgroup/memory.max": 3e9,
    "cgroup/memory.current": 5e8,
    "cgroup/memory.events": "oom_kill 1",
  });
  expect(memoryLimits(at)).toEqual({ total: 3e9, free: 2.5e9 });
  expect(oomKills(at)).toBe(1);
});

test("version 1, beside a version 2 that counts no memory; its number for no limit is none", () => {
  have({ ...MACHINE, "proc/self/cgroup": "4:cpu,memory:/box/one\n0::/", "cgroup/memory/memory.limit_in_bytes": "9223372036854771712" });
  have({ "cgroup/memory/memory.usage_in_bytes": 9, "cgroup/memory/box/one/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5" });
  have({ "cgroup/memory/box/one/memory.limit_in_bytes": 1e9, "cgroup/memory/box/one/memory.usage_in_bytes": 4e8 });
  expect(memoryLimits(at)).toEqual({ total: 1e9, free: 6e8 });
  expect(oomKills(at)).toBe(5);
});

test("files in memory are free: of the group itself and of those above it, in either version, and no more than was used", () => {
  have({ ...MACHINE, "proc/self/cgroup": "0::/pod/box", "cgroup/pod/box/memory.max": 4e9, "cgroup/pod/box/memory.current": 39e8 });
  have({ "cgroup/pod/box/memory.stat": "anon 400000000\nfile 3500000000\ninactive_file 3000000000\nactive_file 400000000\nshmem 100000000" });
  expect(memoryLimits(at)).toEqual({ total: 4e9, free: 35e8 });
  have({ "cgroup/pod/memory.max": 35e8, "cgroup/pod/memory.current": 34e8, "cgroup/pod/memory.stat": "inactive_file 2000000000" });
  expect(memoryLimits(at)).toEqual({ total: 35e8, free: 21e8 });
  have({ "cgroup/pod/memory.stat": "inactive_file 9000000000", "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 1000000 kB" });
  expect(memoryLimits(at)).toEqual({ total: 35e8, free: 1_024_000_000 });
});

test("files in memory of version 1 are those of the groups below it too", () => {
  have({ ...MACHINE, "proc/self/cgroup": "4:memory:/box\n0::/", "cgroup/memory/box/memory.limit_in_bytes": 1e9 });
  have({
    "cgroup/memory/box/memory.usage_in_bytes": 9e8,
    "cgroup/memory/box/memory.stat": "inactive_file 1\ntotal_inactive_file 300000000\ntotal_active_file 200000000",
  });
  expect(memoryLimits(at)).toEqual({ total: 1e9, free: 6e8 });
});

test("what a process holds is its own and its children's, by whichever thread they were started", () => {
  have({ "proc/10/status": "Name:\tpython\nVmRSS:\t   1000 kB", "proc/10/task/10/children": "", "proc/10/task/11/children": "12 13 " });
  have({ "proc/12/status": "VmRSS:\t 500 kB", "proc/12/task/12/children": "" });
  expect(residentBytes(10, at)).toBe(1500 * 1024);
  expect(residentBytes(99, at)).toBeUndefined();
});

test.runIf(process.platform === "linux")("of this machine there is some of everything", () => {
  expect(memoryLimits().total).toBeGreaterThan(1e8);
  expect(residentBytes(process.pid)).toBeGreaterThan(1e7);
});
