/**
 * Kill -9 at seeded instants: no finished stage is repeated, nothing half-written is visible, the end result is that of an
 * undisturbed run, and no child process stays. FORGE_KILL_INSTANTS=300 makes it the long version.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readLockfile } from "../../src/engine/lockfile.ts";
import { parseRecord } from "../../src/engine/record.ts";
import { digestTree } from "../../src/platform/hash.ts";
import { spawnChild } from "../../src/platform/process.ts";
import { bundleForChild } from "../platform/support/ts-child.ts";
import { killGraph } from "./support/kill-graph.ts";
import { Rig } from "./support/rig.ts";

const INSTANTS = Number(process.env.FORGE_KILL_INSTANTS ?? 25);

/** Park and Miller's minimal standard generator (CACM 31:10, 1988): the same instants in every run. */
function* seeded(seed: number): Generator<number, never> {
  for (let x = seed; ; ) {
    x = (x * 48271) % 2147483647;
    yield x / 2147483647;
  }
}

const stagesRecorded = (root: string): string[] => {
  const folder = join(root, ".mcp-forge/store/records");
  const records = existsSync(folder) ? readdirSync(folder).filter((f) => f.endsWith(".json") && !f.startsWith(".")) : [];
  return records.map((f) => {
    const record = parseRecord(readFileSync(join(folder, f), "utf8"));
    if (record === undefined) throw new Error(`torn record ${f}`);
    return record.node;
  });
};

/** Every object that is visible has the bytes that its name promises. */
async function wholeObjects(root: string): Promise<number> {
  const folder = join(root, ".mcp-forge/store/objects");
  let count = 0;
  for (const a of existsSync(folder) ? readdirSync(folder) : [])
    for (const b of readdirSync(join(folder, a))) {
      expect(await digestTree(join(folder, a, b, "content"))).toBe(`sha256:${a}${b}`);
      count++;
    }
  return count;
}

async function outputsOf(rig: Rig): Promise<Record<string, string>> {
  const outcome = await rig.outcome(killGraph(rig));
  expect(outcome.exit).toBe(0);
  return Object.fromEntries(
    await Promise.all(outcome.nodes.filter((n) => n.kind === "stage").map(async (n) => [n.id, await digestTree(n.outputs.out as string)])),
  );
}

describe("an apply that is killed", () => {
  let child: string;
  let undisturbed: Record<string, string>;
  let lockfile: string;
  let span: number;

  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), "forge-kill-"));
    const support = JSON.stringify(join(import.meta.dirname, "support"));
    child = await bundleForChild(
      `import { Rig } from ${support.slice(0, -1)}/rig.ts"; import { killGraph } from ${support.slice(0, -1)}/kill-graph.ts";
       const rig = new Rig(process.argv[2]); console.log("begin"); await rig.outcome(killGraph(rig)); console.log("end");`,
      dir,
    );
    const rig = new Rig();
    const started = performance.now();
    undisturbed = await outputsOf(rig);
    span = performance.now() - started;
    lockfile = readFileSync(rig.lockfile, "utf8");
  }, 60_000);

  it(
    `at ${INSTANTS} instants loses no finished stage and shows nothing torn`,
    async () => {
      const random = seeded(7);
      const finished: number[] = [];
      for (let i = 0; i < INSTANTS; i++) {
        const root = mkdtempSync(join(tmpdir(), "forge-kill-"));
        let begun = () => {};
        const begin = new Promise<void>((r) => {
          begun = r;
        });
        const run = await spawnChild(process.execPath, [child, root], { onStdoutLine: (l) => l === "begin" && begun() });
        if (!run.ok) throw new Error(run.error.message);
        await begin;
        await new Promise((r) => setTimeout(r, random.next().value * span * 1.1));
        killAlone(run.value.pid);
        await run.value.ended;

        const rig = new Rig(root);
        const before = stagesRecorded(root);
        expect(readLockfile(rig.lockfile).ok).toBe(true);
        await wholeObjects(root);
        rig.ran();
        expect(await outputsOf(rig)).toEqual(undisturbed);
        const again = rig.ran();
        expect(again.filter((id) => before.includes(id))).toEqual([]);
        expect([...again, ...before].sort()).toEqual(Object.keys(undisturbed).sort());
        expect(readFileSync(rig.lockfile, "utf8")).toBe(lockfile);
        expect(readFileSync(join(root, "dist/last"))).toEqual(readFileSync(rigView(rig)));
        expect(readdirSync(join(root, "dist"))).toEqual(["last"]);
        await wholeObjects(root);
        finished.push(before.length);
        await childrenGone(root);
      }
      expect(new Set(finished).size).toBeGreaterThan(3); // The instants do hit different places.
    },
    12_000 * INSTANTS,
  );
});

const rigView = (rig: Rig): string => {
  const lock = readLockfile(rig.lockfile);
  const digest = lock.ok && lock.value?.recipe.last?.outputs?.out;
  const hex = String(digest).slice("sha256:".length);
  return join(rig.root, ".mcp-forge/store/objects", hex.slice(0, 2), hex.slice(2), "content");
};

/** The process, not its group: its children must leave by themselves. It may have finished already. */
function killAlone(pid: number): void {
  if (isAlive(pid)) process.kill(pid, "SIGKILL");
}

async function childrenGone(root: string): Promise<void> {
  const pids = existsSync(join(root, "pids.txt")) ? readFileSync(join(root, "pids.txt"), "utf8").trim().split("\n").map(Number) : [];
  for (const end = Date.now() + 5000; pids.some(isAlive); ) {
    if (Date.now() > end) throw new Error("a child outlived its parent");
    await new Promise((r) => setTimeout(r, 20));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
