import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readLast, readRecord } from "../../src/engine/inspect.ts";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { registerSecret } from "../../src/platform/redact.ts";
import { err, FailureError, ok } from "../../src/platform/result.ts";
import { parseSnapshot, type Snapshot, snapshotEntries } from "../../src/platform/snapshot.ts";
import { validate } from "../../src/schemas/generated/run-event.validate.js";
import { done, gate, Rig } from "./support/rig.ts";

const fails = { code: "x/broken", message: "it broke", exit: 6 } as const;

describe("a failed stage", () => {
  it("stops what would start after it, lets finish what runs, and gives its exit code", async () => {
    const rig = new Rig();
    let release = () => {};
    const held = new Promise<void>((r) => (release = r));
    const nodes = [
      rig.stage({
        id: "bad",
        run: async () => {
          setTimeout(release, 20);
          return err(fails);
        },
      }),
      rig.stage({
        id: "slow",
        run: async (c) => {
          await held;
          return done(c, "s");
        },
      }),
      rig.stage({ id: "after-bad", from: ["bad"] }),
      rig.stage({ id: "after-slow", from: ["slow"] }),
    ];
    const outcome = await rig.outcome(nodes);
    expect(outcome.exit).toBe(6);
    expect(Object.fromEntries(outcome.nodes.map((n) => [n.id, [n.status, n.summary]]))).toMatchObject({
      bad: ["failed", "it broke"],
      slow: ["done", ""],
      "after-bad": ["skipped", "bad failed"],
      "after-slow": ["skipped", "another stage failed"],
    });
    rig.ran();
    await rig.outcome([rig.stage({ id: "slow" })]);
    expect(rig.ran()).toEqual([]);
  });

  it("with keepGoing stops only what depends on it, and still gives its exit code", async () => {
    const rig = new Rig();
    const nodes = [
      rig.stage({ id: "bad", run: async () => err(fails) }),
      rig.stage({ id: "good", resources: { cpu: 1 } }),
      rig.stage({ id: "after-bad", from: ["bad"] }),
      rig.stage({ id: "after-good", from: ["good"] }),
      rig.stage({ id: "after-both", from: ["good", "bad"] }),
    ];
    const outcome = await rig.outcome(nodes, { keepGoing: true });
    expect(outcome.exit).toBe(6);
    expect(Object.fromEntries(outcome.nodes.map((n) => [n.id, n.status]))).toEqual({
      bad: "failed",
      good: "done",
      "after-bad": "skipped",
      "after-good": "done",
      "after-both": "skipped",
    });
  });

  it("that throws is a bug told as a failure, and the lock is given back", async () => {
    const rig = new Rig();
    const outcome = await rig.outcome([rig.stage({ id: "a", run: () => Promise.reject(new TypeError("oops")) })]);
    expect(outcome).toMatchObject({ exit: 1, nodes: [{ failure: { code: "engine/stage-crashed", details: expect.stringContaining("TypeError: oops") } }] });
    expect((await rig.outcome([rig.stage({ id: "a" })])).exit).toBe(0);
  });

  it("that throws a failure fails with it", async () => {
    const failure = { code: "models/x", message: "m", hint: "h", exit: 4 } as const;
    const rig = new Rig();
    const outcome = await rig.outcome([rig.stage({ id: "a", run: () => Promise.reject(new FailureError(failure)) })]);
    expect(outcome).toMatchObject({ exit: 4, nodes: [{ failure }] });
  });

  it("keeps its scratch for the next run, which takes it up; success removes it", async () => {
    const rig = new Rig();
    const node = (then: "fail" | "finish", seen: boolean[]) =>
      rig.stage({
        id: "a",
        run: async (c) => {
          const checkpoint = join(c.scratch, "checkpoint");
          seen.push(existsSync(checkpoint));
          writeFileSync(checkpoint, "");
          writeFileSync(c.outputs.out as string, "x");
          return then === "fail" ? err({ ...fails, exit: 1 }) : ok({ figures: {}, summary: "" });
        },
      });
    const seen: boolean[] = [];
    await rig.outcome([node("fail", seen)]);
    expect(readdirSync(join(rig.root, ".mcp-forge/store/objects"))).toEqual([]);
    await rig.outcome([node("finish", seen)]);
    expect(seen).toEqual([false, true]);
    expect(readdirSync(join(rig.root, ".mcp-forge/scratch"))).toEqual([]);
    expect(existsSync(join(rig.root, ".mcp-forge/store/staging"))).toBe(false);
  });
});

describe("a gate", () => {
  const nodes = (rig: Rig, threshold: number): NodeDefinition[] => [
    rig.stage({ id: "qa" }),
    gate("gate:qa", "qa", threshold),
    rig.stage({ id: "train", from: ["qa"], after: ["gate:qa"] }),
    rig.stage({ id: "pack", from: ["train"] }),
    rig.stage({ id: "report", from: ["qa"] }),
  ];

  it("that refuses blocks what comes after it, exit 3, and is judged anew when its threshold changes", async () => {
    const rig = new Rig();
    const outcome = await rig.outcome(nodes(rig, 2));
    expect(outcome.exit).toBe(3);
    expect(outcome.gates).toEqual([
      { id: "gate:qa", stage: "qa", passed: false, verdicts: [{ figure: "score", value: 1, threshold: 2, passed: false }], advice: ["raise the score"] },
    ]);
    expect(Object.fromEntries(outcome.nodes.map((n) => [n.id, n.status]))).toEqual({
      qa: "done",
      "gate:qa": "refused",
      train: "skipped",
      pack: "skipped",
      report: "done",
    });
    expect(await rig.planned(nodes(rig, 2))).toMatchObject({
      "gate:qa": "blocked | score 1, wanted 2",
      train: "blocked | gate:qa refuses: score 1, wanted 2",
      pack: "blocked | train is blocked",
      report: "cached",
    });
    rig.ran();
    expect(await rig.planned(nodes(rig, 1))).toMatchObject({ qa: "cached", "gate:qa": "run | `gates.qa.score` 2 → 1", train: "run | never ran" });
    expect(await rig.statuses(nodes(rig, 1))).toMatchObject({ qa: "cached", "gate:qa": "passed", train: "done" });
    expect(rig.ran()).toEqual(["train", "pack"]);
    expect(await rig.plan(nodes(rig, 1))).toMatchObject({ work: false });
  });
});

describe("an interruption", () => {
  it("aborts what runs, keeps what finished, exit 130; the next run goes on from there", async () => {
    const rig = new Rig();
    const control = new AbortController();
    const nodes = (interrupt: boolean) => [
      rig.stage({ id: "a" }),
      rig.stage({
        id: "b",
        from: ["a"],
        run: async (c) => {
          if (interrupt) {
            setTimeout(() => control.abort(), 10);
            await new Promise((r) => c.signal.addEventListener("abort", r));
            return err({ code: "x/stopped", message: "stopped", exit: 1 });
          }
          writeFileSync(c.outputs.out as string, "b");
          return ok({ figures: {}, summary: "" });
        },
      }),
      rig.stage({ id: "c", from: ["b"] }),
    ];
    const outcome = await rig.outcome(nodes(true), { signal: control.signal });
    expect([outcome.exit, ...outcome.nodes.map((n) => n.status)]).toEqual([130, "done", "interrupted", "skipped"]);
    expect(await rig.statuses(nodes(false))).toEqual({ a: "cached", b: "done", c: "done" });
  });

  it("keeps a stage that finishes although it was asked to stop", async () => {
    const rig = new Rig();
    const control = new AbortController();
    const node = rig.stage({
      id: "a",
      run: async (c) => {
        control.abort();
        return done(c, "x");
      },
    });
    expect(await rig.outcome([node], { signal: control.signal })).toMatchObject({ exit: 0, nodes: [{ status: "done" }] });
  });
});

describe("resources", () => {
  it("are never exceeded, and what claims none runs beside", async () => {
    const rig = new Rig();
    let heavy = 0;
    let all = 0;
    const peak = { heavy: 0, all: 0 };
    const node = (id: string, claims: boolean) =>
      rig.stage({
        id,
        ...(claims && { resources: { cpu: 1 } }),
        run: async (c) => {
          if (claims) heavy++;
          all++;
          peak.heavy = Math.max(peak.heavy, heavy);
          peak.all = Math.max(peak.all, all);
          await new Promise((r) => setTimeout(r, 30));
          if (claims) heavy--;
          all--;
          writeFileSync(c.outputs.out as string, id);
          return ok({ figures: {}, summary: "" });
        },
      });
    const nodes = [node("h1", true), node("h2", true), node("l1", false), node("l2", false), node("h3", true)];
    await rig.outcome(nodes);
    expect(peak).toEqual({ heavy: 1, all: 3 });
    const wide = new Rig();
    peak.heavy = 0;
    await wide.outcome(
      nodes.map((n) => ({ ...n })),
      { slots: { cpu: 2 } },
    );
    expect(peak.heavy).toBe(2);
  });

  it("that are exclusive are held by one at a time, whatever else is free", async () => {
    const rig = new Rig();
    const now: string[] = [];
    const met = new Set<string>();
    const node = (id: string, ...exclusive: string[]) =>
      rig.stage({
        id,
        exclusive,
        run: async (c) => {
          for (const other of now) met.add([id, other].sort().join(" "));
          now.push(id);
          await new Promise((r) => setTimeout(r, 30));
          now.splice(now.indexOf(id), 1);
          writeFileSync(c.outputs.out as string, id);
          return ok({ figures: {}, summary: "" });
        },
      });
    await rig.outcome([node("a", "server"), node("b", "server", "port"), node("c", "port"), node("d", "toString"), node("e")]);
    expect([...met].filter((pair) => ["a b", "b c"].includes(pair))).toEqual([]);
    expect([...met]).toEqual(expect.arrayContaining(["a c", "a d", "a e"]));
  });
});

describe("the event stream", () => {
  it("is kept as the listener got it, numbered without gaps, valid, and free of secrets", async () => {
    registerSecret("hunter2-hunter2");
    const rig = new Rig();
    const node = rig.stage({
      id: "a",
      run: async (c) => {
        c.emit({ type: "progress", done: 1, total: 2, unit: "samples" });
        c.emit({ type: "metric", name: "loss", value: Number.NaN });
        c.emit({ type: "log", level: "info", message: "password hunter2-hunter2 and sk-abcdefghijklmnopqrstuvwx" });
        setTimeout(() => c.emit({ type: "log", level: "info", message: "too late" }), 0);
        writeFileSync(c.outputs.out as string, "");
        return ok({ figures: { n: 1 }, summary: "one" });
      },
    });
    const { run } = await rig.outcome([node, gate("g", "a", 1), rig.stage({ id: "z", after: ["g"] })]);
    const lines = readFileSync(join(rig.root, ".mcp-forge/runs", run, "events.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l) as Record<string, unknown>);
    expect(lines).toEqual(JSON.parse(JSON.stringify(rig.events)));
    for (const line of lines) expect([line.type, validate(line), validate.errors]).toEqual([line.type, true, null]);
    expect(lines.map((l) => l.seq)).toEqual(lines.map((_, i) => i + 1));
    expect(lines.map((l) => l.type)).toEqual([
      "run-started",
      "stage-started",
      "stage-progress",
      "stage-metric",
      "stage-log",
      "stage-finished",
      "gate-judged",
      "node-skipped",
      "run-finished",
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/hunter2|sk-abc|too late/);
  });

  it("stays what it is, whatever a secret looks like", async () => {
    for (const secret of ["true", "stage-log", "1234", "node"]) registerSecret(secret);
    const rig = new Rig();
    const node = rig.stage({
      id: "inspect",
      run: async (c) => {
        c.emit({ type: "progress", done: 1234, total: 12345, unit: "samples" });
        c.emit({ type: "log", level: "info", message: "the PIN is 1234, -----BEGIN RSA PRIVATE KEY----- and no end" });
        writeFileSync(c.outputs.out as string, "");
        return ok({ figures: { n: 1 }, summary: "it is true" });
      },
    });
    const { run } = await rig.outcome([node]);
    const lines = readFileSync(join(rig.root, ".mcp-forge/runs", run, "events.jsonl"), "utf8")
      .trim()
      .split("\n");
    for (const line of lines.map((l) => JSON.parse(l) as { type: string }))
      expect([line.type, validate(line), validate.errors]).toEqual([line.type, true, null]);
    expect(lines.join("\n")).not.toMatch(/PIN is 1234|it is true|BEGIN RSA/);
    expect(rig.events.map((e) => e.type)).toEqual(["run-started", "stage-started", "stage-progress", "stage-log", "stage-finished", "run-finished"]);
    expect(rig.events[2]).toMatchObject({ node: "inspect", done: 1234 });
  });

  it("outlives a listener that throws", async () => {
    const rig = new Rig();
    expect(
      await rig.outcome([rig.stage({ id: "a" })], {
        onEvent: () => {
          throw new Error("renderer");
        },
      }),
    ).toMatchObject({ exit: 0 });
  });
});

describe("what was built last", () => {
  it("can be read without definitions: figures, seconds, artifact paths, verdicts", async () => {
    const rig = new Rig();
    await rig.outcome([rig.stage({ id: "a" }), gate("g", "a", 1)]);
    const last = readLast(rig.root, rig.lockfile);
    expect(last.ok && last.value.stages.get("a")).toMatchObject({ figures: { score: 1 }, summary: "a done", seconds: expect.any(Number) });
    expect(last.ok && last.value.gates.get("g")).toMatchObject({ passed: true, stage: "a" });
    const record = await readRecord(rig.root, rig.lockfile, undefined, "a");
    expect(record.ok && JSON.parse(readFileSync(record.value.paths.out as string, "utf8"))).toMatchObject({ id: "a" });
    expect(await readRecord(rig.root, rig.lockfile, "ci", "a")).toMatchObject({ ok: false, error: { code: "engine/no-record" } });
  });
});

describe("a store", () => {
  it("of a newer version is refused with a sentence", async () => {
    const rig = new Rig();
    mkdirSync(join(rig.root, ".mcp-forge/store"), { recursive: true });
    writeFileSync(join(rig.root, ".mcp-forge/store/version"), "99\n");
    expect(await rig.apply([rig.stage({ id: "a" })])).toMatchObject({ ok: false, error: { code: "engine/store-version", exit: 6 } });
  });

  it("of an older version is read as it is, and brought to today's form by the next run, whose artifacts nobody reads again", async () => {
    const rig = new Rig();
    const nodes = () => [rig.stage({ id: "a" }), rig.stage({ id: "b", from: ["a"] })];
    await rig.outcome(nodes());
    rig.ran();
    const store = join(rig.root, ".mcp-forge/store");
    const kept = readdirSync(join(store, "objects"), { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith("snapshot.json"));
    expect(kept.length).toBeGreaterThan(1);
    const today = kept.map((f) => readFileSync(join(store, "objects", f), "utf8"));
    const old = today.map((text) => {
      const { paths: _p, types: _t, stats: _s, digests: _d, targets: _l, ...rest } = JSON.parse(text) as Snapshot;
      const entries = snapshotEntries(JSON.parse(text) as Snapshot).map((e) => [e.path, e.type, e.size, e.mtimeMs, e.ctimeMs, e.inode, e.content]);
      return JSON.stringify({ ...rest, entries });
    });
    for (const [i, f] of kept.entries()) writeFileSync(join(store, "objects", f), i === 0 ? "torn" : (old[i] as string));
    writeFileSync(join(store, "version"), "1\n");

    expect((await rig.plan(nodes())).work).toBe(false);
    expect(readFileSync(join(store, "version"), "utf8")).toBe("1\n");
    expect((await rig.outcome(nodes())).exit).toBe(0);
    expect(rig.ran()).toEqual([]);
    expect(readFileSync(join(store, "version"), "utf8")).toBe("2\n");
    // The torn one's artifact was read again, the others' snapshots are what they were.
    expect(kept.slice(1).map((f) => readFileSync(join(store, "objects", f), "utf8"))).toEqual(today.slice(1));
    expect(parseSnapshot(JSON.parse(readFileSync(join(store, "objects", kept[0] as string), "utf8")))).toBeDefined();
  });

  it("that cannot be written is a clear failure", async () => {
    const rig = new Rig();
    writeFileSync(join(rig.root, ".mcp-forge"), "a file in the way");
    expect(await rig.apply([rig.stage({ id: "a" })])).toMatchObject({ ok: false, error: { exit: 6 } });
  });
});
