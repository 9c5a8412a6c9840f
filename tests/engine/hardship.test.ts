/** Odd names, many files, a clock that goes back, a store on another file system: work goes on and nothing is lost. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { listRuns } from "../../src/engine/runs.ts";
import { ok } from "../../src/platform/result.ts";
import { done, gate, Rig } from "./support/rig.ts";

afterEach(() => void vi.useRealTimers());

describe("an artifact of 10,000 files", () => {
  it("is kept whole, not read again, and one changed byte in it is noticed", { timeout: 60_000 }, async () => {
    const rig = new Rig();
    const big = rig.stage({
      id: "big",
      outputs: { out: "folder" },
      run: async ({ outputs }) => {
        for (let folder = 0; folder < 100; folder++) {
          mkdirSync(join(outputs.out as string, `${folder}`), { recursive: true });
          for (let file = 0; file < 100; file++) writeFileSync(join(outputs.out as string, `${folder}/${file}`), `${folder}:${file}`);
        }
        return ok({ figures: {}, summary: "" });
      },
    });
    const next = rig.stage({ id: "next", from: ["big"], run: async (c) => done(c, String(readdirSync(c.inputs.big as string).length)) });
    const first = await rig.outcome([big, next]);
    expect(await rig.statuses([big, next])).toEqual({ big: "cached", next: "cached" });
    const victim = join(first.nodes[0]?.outputs.out as string, "57/31");
    const { atime, mtime } = statSync(victim);
    rmSync(victim, { force: true });
    writeFileSync(victim, "57:32");
    utimesSync(victim, atime, mtime);
    expect(await rig.planned([big, next])).toMatchObject({ big: "run | artifact edited by hand: out" });
    expect(await rig.statuses([big, next])).toEqual({ big: "done", next: "cached" });
    expect(rig.ran()).toEqual(["big", "next", "big"]);
  });
});

describe("names", () => {
  const NAMES = ["with space", "new\nline", "emoji 🦊", "ümlaut", "-rf", "$(touch x)", "quote\"'", "back\\slash", "trailing ", ".hidden", "a:b"];

  it("of files in an artifact may be anything that the file system takes", async () => {
    const rig = new Rig();
    const write = rig.stage({
      id: "write",
      outputs: { out: "folder" },
      run: async ({ outputs }) => {
        for (const name of NAMES) {
          mkdirSync(join(outputs.out as string, name), { recursive: true });
          writeFileSync(join(outputs.out as string, name, name), name);
        }
        return ok({ figures: {}, summary: "" });
      },
      views: { out: join(rig.root, "views", "🦊 new\nline") },
    });
    const read = rig.stage({
      id: "read",
      from: ["write"],
      run: async (c) => done(c, NAMES.map((name) => readFileSync(join(c.inputs.write as string, name, name), "utf8")).join("|")),
    });
    const outcome = await rig.outcome([write, read]);
    expect(readFileSync(outcome.nodes[1]?.outputs.out as string, "utf8")).toBe(NAMES.join("|"));
    expect(readdirSync(join(rig.root, "views", "🦊 new\nline")).sort()).toEqual([...NAMES].sort());
    expect(await rig.statuses([write, read])).toEqual({ write: "cached", read: "cached" });
  });

  it("of stages, outputs, variants and users' files may be odd, too", async () => {
    const rig = new Rig();
    const file = join(rig.root, "user's 🦊\nfile");
    writeFileSync(file, "content");
    const ids = NAMES.filter((n) => n !== "-rf");
    const nodes = ids.map((id, i) => rig.stage({ id, from: i === 0 ? [] : [ids[i - 1] as string], files: { "the\nfile": file } }));
    const o = { variant: "../🦊 v/1" };
    const judged = [...nodes, gate("gate:🦊\n", ids[0] as string, 1)];
    expect(Object.values(await rig.statuses(judged, o))).toEqual([...ids.map(() => "done"), "passed"]);
    expect(Object.values(await rig.statuses(judged, o))).toEqual([...ids.map(() => "cached"), "passed"]);
    expect(readdirSync(rig.root).sort()).toEqual([".mcp-forge", "forge.lock", "ran.txt", "user's 🦊\nfile"]);
    writeFileSync(file, "changed");
    expect((await rig.plan(judged, o)).nodes[0]).toMatchObject({ status: "run", reasons: ["file the\nfile changed"] });
  });
});

describe("a clock that was set back", () => {
  it("makes nothing run again, and the last run is still the last", async () => {
    const rig = new Rig();
    const nodes = [rig.stage({ id: "a" }), rig.stage({ id: "b", from: ["a"] })];
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2031-05-05T05:05:05Z") });
    await rig.outcome(nodes);
    vi.setSystemTime(new Date("2024-01-01T00:00:00Z"));
    expect(await rig.statuses(nodes)).toEqual({ a: "cached", b: "cached" });
    const { run } = await rig.outcome([rig.stage({ id: "a", version: 2 })]);
    expect(listRuns(rig.root)).toHaveLength(3);
    expect(listRuns(rig.root).at(-1)).toBe(run);
  });

  it("does not hide an edit of a file whose time lies in the future", async () => {
    const rig = new Rig();
    const file = join(rig.root, "user.txt");
    writeFileSync(file, "one");
    utimesSync(file, new Date("2040-01-01"), new Date("2040-01-01"));
    const nodes = [rig.stage({ id: "a", files: { user: file } })];
    await rig.outcome(nodes);
    expect(await rig.statuses(nodes)).toEqual({ a: "cached" });
    writeFileSync(file, "two");
    utimesSync(file, new Date("2040-01-01"), new Date("2040-01-01"));
    expect(await rig.statuses(nodes)).toEqual({ a: "done" });
  });
});

const OTHER = "/dev/shm";
const isOther = (() => {
  try {
    return statSync(OTHER).dev !== statSync(new Rig().root).dev;
  } catch {
    return false;
  }
})();

describe.skipIf(!isOther)("a store on another file system", () => {
  it("works, views and scratch included", async () => {
    const rig = new Rig();
    const elsewhere = mkdtempSync(join(OTHER, "forge-store-"));
    try {
      symlinkSync(elsewhere, join(rig.root, ".mcp-forge"));
      const view = join(rig.root, "dist", "out");
      const nodes = [rig.stage({ id: "a", views: { out: view } }), rig.stage({ id: "b", from: ["a"] })];
      await rig.outcome(nodes);
      expect(readFileSync(view, "utf8")).toContain('"id":"a"');
      writeFileSync(view, "edited");
      expect(await rig.statuses(nodes)).toEqual({ a: "cached", b: "cached" });
      expect(readdirSync(join(rig.root, "dist")).sort()).toEqual(["out", "out.edited-1"]);
      expect(readdirSync(elsewhere)).toContain("store");
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });
});
