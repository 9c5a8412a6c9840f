import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { thisProcess } from "../../src/engine/holder.ts";
import { acquireLock, breakLock, lockHolder } from "../../src/engine/lock.ts";
import { spawnChild } from "../../src/platform/process.ts";
import { bundleForChild, source } from "../platform/support/ts-child.ts";
import { Rig } from "./support/rig.ts";

const project = () => mkdtempSync(join(tmpdir(), "forge-lock-"));
function heldBy(root: string, holder: object): void {
  mkdirSync(join(root, ".mcp-forge/lock"), { recursive: true });
  writeFileSync(join(root, ".mcp-forge/lock/7"), JSON.stringify({ ...thisProcess(), ...holder }));
}
/** A pid that no process has: that of one that has just ended. */
const deadPid = () => spawnSync(process.execPath, ["-e", ""]).pid;

describe("the project's lock", () => {
  it("is held by one at a time and given back", async () => {
    const root = project();
    const first = await acquireLock(root);
    expect(first.ok).toBe(true);
    expect(lockHolder(root)?.pid).toBe(process.pid);
    expect(await acquireLock(root)).toMatchObject({
      ok: false,
      error: { code: "engine/locked", exit: 5, message: expect.stringContaining(`process ${process.pid} on ${hostname()}`) },
    });
    if (first.ok) first.value.release();
    expect(lockHolder(root)).toBeUndefined();
    expect((await acquireLock(root)).ok).toBe(true);
    expect(readdirSync(join(root, ".mcp-forge/lock"))).toHaveLength(1);
  });

  it("is waited for as long as asked", async () => {
    const root = project();
    const first = await acquireLock(root);
    setTimeout(() => first.ok && first.value.release(), 250);
    const waits: string[] = [];
    expect((await acquireLock(root, { waitSeconds: 5, onWaiting: (h) => waits.push(h) })).ok).toBe(true);
    expect(waits).toHaveLength(1);
    const control = new AbortController();
    setTimeout(() => control.abort(), 50);
    expect(await acquireLock(root, { waitSeconds: 60, signal: control.signal })).toMatchObject({ ok: false, error: { exit: 130 } });
  });

  it.each([
    ["whose process is gone", () => ({ pid: deadPid() })],
    ["whose process id went to another process", () => ({ started: "1" })],
    ["from before a reboot", () => ({ boot: "earlier" })],
  ])("of a holder %s is taken over", async (_, holder) => {
    const root = project();
    heldBy(root, holder());
    expect(await acquireLock(root)).toMatchObject({ ok: true, value: { tookOver: expect.any(String) } });
    expect(readdirSync(join(root, ".mcp-forge/lock"))).toEqual(["8"]);
  });

  it.each([
    ["host", { host: "elsewhere", pid: 1, boot: "" }],
    ["container", { namespace: "pid:[1]" }],
  ])("of another %s is never taken over, but can be broken", async (_, holder) => {
    const root = project();
    heldBy(root, holder);
    expect(await acquireLock(root)).toMatchObject({ ok: false, error: { exit: 5, hint: expect.stringContaining("forge unlock") } });
    breakLock(root);
    expect((await acquireLock(root)).ok).toBe(true);
  });

  it("counts as held when its file cannot be read", async () => {
    const root = project();
    mkdirSync(join(root, ".mcp-forge/lock"), { recursive: true });
    writeFileSync(join(root, ".mcp-forge/lock/1"), "?");
    expect(await acquireLock(root)).toMatchObject({ ok: false, error: { exit: 5 } });
  });

  it("makes a second apply fail, and lets a plan through", async () => {
    const rig = new Rig();
    const held = await acquireLock(rig.root);
    expect(await rig.apply([rig.stage({ id: "a" })])).toMatchObject({ ok: false, error: { code: "engine/locked", exit: 5 } });
    expect((await rig.plan([rig.stage({ id: "a" })])).work).toBe(true);
    expect(held.ok).toBe(true);
  });

  it("is never held by two of many processes that race for it while holders are killed", async () => {
    const root = project();
    const code = `
      import { acquireLock } from ${source("engine/lock.ts")};
      import { appendFileSync, mkdirSync, rmdirSync } from "node:fs";
      const [root, rounds, die] = [process.argv[2], Number(process.argv[3]), process.argv[4] === "die"];
      for (let i = 0; i < rounds; i++) {
        const lock = await acquireLock(root, { waitSeconds: 60 });
        if (!lock.ok) throw new Error(lock.error.message);
        appendFileSync(root + "/log", "+" + process.pid + "\\n");
        await new Promise((r) => setTimeout(r, 2));
        if (die && i === rounds - 1) process.kill(process.pid, "SIGKILL");
        appendFileSync(root + "/log", "-" + process.pid + "\\n");
        lock.value.release();
      }`;
    const child = await bundleForChild(code, root);
    const runs = await Promise.all(["", "die", "", "die", ""].map((die) => spawnChild(process.execPath, [child, root, "6", die])));
    const ends = await Promise.all(runs.map((r) => (r.ok ? r.value.ended : Promise.reject(new Error(r.error.message)))));
    expect(ends.map((e) => e.signal ?? e.exitCode)).toEqual([0, "SIGKILL", 0, "SIGKILL", 0]);
    const log = readFileSync(join(root, "log"), "utf8").trim().split("\n");
    expect(log.filter((l) => l.startsWith("+"))).toHaveLength(30);
    const killed = new Set(runs.filter((_, i) => i % 2 === 1).map((r) => r.ok && String(r.value.pid)));
    for (const [i, line] of log.entries()) {
      if (!line.startsWith("+")) continue;
      const next = log[i + 1];
      expect(next === `-${line.slice(1)}` || killed.has(line.slice(1))).toBe(true);
    }
  }, 60_000);
});
