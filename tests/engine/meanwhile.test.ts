/** What others do while a run is under way: to artifacts, to the user's files, to the lockfile. Nothing is recorded of what nobody meant. */
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Lockfile } from "../../src/engine/lockfile.ts";
import type { StageContext } from "../../src/engine/stage.ts";
import { err } from "../../src/platform/result.ts";
import { parseSnapshot, type Snapshot } from "../../src/platform/snapshot.ts";
import { done, Rig } from "./support/rig.ts";

/** Writes to an artifact in spite of its permissions. */
function edit(path: string, text: string): void {
  chmodSync(path, 0o644);
  writeFileSync(path, text);
  chmodSync(path, 0o444);
}

/** What a failing disk does: other bytes, and the snapshot fits them all the same. */
function rot(path: string): void {
  const { atime, mtime } = statSync(path);
  chmodSync(path, 0o644);
  const file = openSync(path, "r+");
  writeSync(file, "G");
  closeSync(file);
  chmodSync(path, 0o444);
  utimesSync(path, atime, mtime);
  const kept = join(path, "../snapshot.json");
  const snapshot = parseSnapshot(JSON.parse(readFileSync(kept, "utf8"))) as Snapshot;
  const now = statSync(path);
  const stats = Buffer.from(new Float64Array([now.size, now.mtimeMs, now.ctimeMs, now.ino]).buffer).toString("base64");
  writeFileSync(kept, JSON.stringify({ ...snapshot, stats, hashedAt: Date.now() + 60_000 }));
}

const read = (c: StageContext, name: string): string => readFileSync(c.inputs[name] as string, "utf8");

describe("an artifact that is edited during a run", () => {
  it("is not read by a later stage: it fails, and the next run makes the artifact anew", async () => {
    const rig = new Rig();
    const nodes = (between: (path: string) => void) => [
      rig.stage({ id: "a", run: async (c) => done(c, "good") }),
      rig.stage({
        id: "between",
        from: ["a"],
        version: 2,
        run: async (c) => {
          const text = read(c, "a");
          setTimeout(() => between(c.inputs.a as string), 0);
          return done(c, `between ${text}`);
        },
      }),
      rig.stage({ id: "b", from: ["a", "between"], run: async (c) => done(c, `b read ${read(c, "a")}`) }),
    ];
    const first = await rig.outcome(nodes((path) => edit(path, "evil")));
    expect(first.exit).toBe(1);
    expect(first.nodes.find((n) => n.failure)).toMatchObject({
      failure: { code: "engine/input-changed", hint: expect.stringContaining("run the same command again") },
    });
    const next = await rig.outcome(nodes(() => {}));
    expect(next.exit).toBe(0);
    expect(next.nodes[0]).toMatchObject({ status: "done" });
    expect(readFileSync(next.nodes[2]?.outputs.out as string, "utf8")).toBe("b read good");
  });

  it("while a stage reads it, makes that fail, though it is put back, and its scratch goes", async () => {
    const rig = new Rig();
    const nodes = (harm: boolean) => [
      rig.stage({ id: "a", run: async (c) => done(c, "good") }),
      rig.stage({
        id: "b",
        from: ["a"],
        run: async (c) => {
          expect(existsSync(join(c.scratch, "checkpoint"))).toBe(false);
          if (harm) edit(c.inputs.a as string, "evil");
          writeFileSync(join(c.scratch, "checkpoint"), read(c, "a"));
          if (harm) edit(c.inputs.a as string, "good");
          return done(c, `b read ${read(c, "a")}`);
        },
      }),
    ];
    expect(await rig.outcome(nodes(true))).toMatchObject({ exit: 1, nodes: [{}, { failure: { code: "engine/input-changed" } }] });
    expect(await rig.statuses(nodes(false))).toEqual({ a: "cached", b: "done" });
  });

  it("takes its scratch along also where the stage failed by itself", async () => {
    const rig = new Rig();
    const nodes = (harm: boolean) => [
      rig.stage({ id: "a", run: async (c) => done(c, "good") }),
      rig.stage({
        id: "b",
        from: ["a"],
        run: async (c) => {
          expect(existsSync(join(c.scratch, "checkpoint"))).toBe(false);
          if (!harm) return done(c, "b");
          edit(c.inputs.a as string, "evil");
          writeFileSync(join(c.scratch, "checkpoint"), "");
          return err({ code: "x/broken", message: "it broke", exit: 1 });
        },
      }),
    ];
    expect(await rig.outcome(nodes(true))).toMatchObject({ exit: 1, nodes: [{}, { failure: { code: "x/broken" } }] });
    expect(await rig.statuses(nodes(false))).toEqual({ a: "done", b: "done" });
  });
});

describe("an artifact whose bytes are others though its stat is the same", () => {
  it("is not given to a stage that verifies its inputs, and made anew by the next run", async () => {
    const rig = new Rig();
    const nodes = (version: number) => [
      rig.stage({ id: "a", run: async (c) => done(c, "good") }),
      rig.stage({ id: "pack", from: ["a"], version, verifyInputs: true, run: async (c) => done(c, `packed ${read(c, "a")}`) }),
    ];
    const path = (await rig.outcome(nodes(1))).nodes[0]?.outputs.out as string;
    rot(path);
    expect(await rig.statuses(nodes(1))).toEqual({ a: "cached", pack: "cached" });
    const refused = await rig.outcome(nodes(2));
    expect(refused).toMatchObject({ exit: 1, nodes: [{ status: "cached" }, { failure: { code: "engine/input-damaged" } }] });
    const next = await rig.outcome(nodes(2));
    expect(next.nodes.map((n) => n.status)).toEqual(["done", "done"]);
    expect(readFileSync(next.nodes[1]?.outputs.out as string, "utf8")).toBe("packed good");
  });

  it("is not copied for people, and made anew by the next run", async () => {
    const rig = new Rig();
    const view = join(rig.root, "dist/a");
    const nodes = [rig.stage({ id: "a", views: { out: view }, run: async (c) => done(c, "good") })];
    rot((await rig.outcome(nodes)).nodes[0]?.outputs.out as string);
    rmSync(view);
    expect(await rig.outcome(nodes)).toMatchObject({ exit: 1, nodes: [{ failure: { code: "engine/artifact-damaged" } }] });
    expect(existsSync(view)).toBe(false);
    expect(await rig.statuses(nodes)).toEqual({ a: "done" });
    expect(readFileSync(view, "utf8")).toBe("good");
  });
});

describe("a file of the user's", () => {
  it("that changes and is put back while a stage reads it makes it fail, and nothing is recorded", async () => {
    const rig = new Rig();
    const file = join(rig.root, "cases.jsonl");
    writeFileSync(file, "AAA");
    const node = (harm: boolean) =>
      rig.stage({
        id: "v",
        files: { cases: file },
        run: async (c) => {
          if (harm) writeFileSync(file, "BBB");
          const text = read(c, "cases");
          if (harm) writeFileSync(file, "AAA");
          return done(c, `made of ${text}`);
        },
      });
    expect(await rig.outcome([node(true)])).toMatchObject({ exit: 1, nodes: [{ failure: { code: "engine/file-changed" } }] });
    const next = await rig.outcome([node(false)]);
    expect(next.nodes[0]).toMatchObject({ status: "done" });
    expect(readFileSync(next.nodes[0]?.outputs.out as string, "utf8")).toBe("made of AAA");
  });

  it("that changes while its stage waits for a slot is read as it is then", async () => {
    const rig = new Rig();
    const file = join(rig.root, "cases.jsonl");
    const nodes = (then: string) => [
      rig.stage({
        id: "first",
        version: then.length,
        resources: { cpu: 1 },
        run: async (c) => {
          writeFileSync(file, then);
          return done(c, "");
        },
      }),
      rig.stage({ id: "second", resources: { cpu: 1 }, files: { cases: file }, run: async (c) => done(c, `made of ${read(c, "cases")}`) }),
    ];
    writeFileSync(file, "A");
    const outcome = await rig.outcome(nodes("BB"));
    expect(outcome.nodes.map((n) => n.status)).toEqual(["done", "done"]);
    expect(readFileSync(outcome.nodes[1]?.outputs.out as string, "utf8")).toBe("made of BB");
    expect(await rig.statuses(nodes("BB"))).toEqual({ first: "cached", second: "cached" });
    // What it has become meanwhile may have a record, and then nothing runs.
    writeFileSync(file, "CCC");
    rig.ran();
    const back = nodes("BB").map((n) => (n.id === "first" ? { ...n, version: 9 } : n));
    expect(await rig.statuses(back)).toEqual({ first: "done", second: "cached" });
    expect(rig.ran()).toEqual(["first"]);
  });

  it("that is gone when its stage may begin is a failure of that stage", async () => {
    const rig = new Rig();
    const file = join(rig.root, "cases.jsonl");
    writeFileSync(file, "A");
    const first = rig.stage({
      id: "first",
      resources: { cpu: 1 },
      run: async (c) => {
        rmSync(file);
        return done(c, "");
      },
    });
    const outcome = await rig.outcome([first, rig.stage({ id: "second", resources: { cpu: 1 }, files: { cases: file } })]);
    expect(outcome).toMatchObject({ exit: 4, nodes: [{ status: "done" }, { failure: { code: "engine/file-missing" } }] });
    expect(rig.ran()).toEqual(["first"]);
  });
});

describe("a lockfile that others write during a run", () => {
  const lockfile = (rig: Rig): Lockfile => JSON.parse(readFileSync(rig.lockfile, "utf8")) as Lockfile;

  it("keeps what they wrote: other variants, other nodes, and not what this run settled", async () => {
    const rig = new Rig();
    await rig.outcome([rig.stage({ id: "a" }), rig.stage({ id: "b" })]);
    const before = lockfile(rig);
    const { a, b } = before.recipe;
    const pull = rig.stage({
      id: "a",
      version: 2,
      run: async (c) => {
        writeFileSync(rig.lockfile, JSON.stringify({ ...before, recipe: { a, b: { ...b, figures: { score: 7 } } }, variants: { ci: { a } } }));
        return done(c, "2");
      },
    });
    await rig.outcome([pull, rig.stage({ id: "b" })]);
    expect(lockfile(rig)).toMatchObject({ recipe: { a: { version: 2 }, b: { version: 1, figures: { score: 7 } } }, variants: { ci: { a: { version: 1 } } } });
  });

  it("is made whole again where they deleted it", async () => {
    const rig = new Rig();
    await rig.outcome([rig.stage({ id: "a" }), rig.stage({ id: "b" })]);
    const deleting = rig.stage({
      id: "a",
      version: 2,
      run: async (c) => {
        rmSync(rig.lockfile);
        return done(c, "2");
      },
    });
    await rig.outcome([deleting, rig.stage({ id: "b" })]);
    expect(lockfile(rig).recipe).toMatchObject({ a: { version: 2 }, b: { version: 1 } });
  });

  it("with a merge conflict ends the run with its line, stays as it is, and nothing finished is lost", async () => {
    const rig = new Rig();
    await rig.outcome([rig.stage({ id: "a" })]);
    const good = readFileSync(rig.lockfile, "utf8");
    const conflict = good.replace("\n", "\n<<<<<<< HEAD\n");
    const nodes = () => [
      rig.stage({
        id: "a",
        version: 2,
        run: async (c) => {
          writeFileSync(rig.lockfile, conflict);
          return done(c, "2");
        },
      }),
      rig.stage({ id: "b", from: ["a"] }),
    ];
    const outcome = await rig.outcome(nodes());
    expect(outcome).toMatchObject({
      exit: 4,
      nodes: [
        {
          status: "failed",
          failure: {
            code: "lockfile/conflict",
            place: { line: expect.any(Number) },
            message: expect.stringContaining("a is finished and kept"),
            hint: expect.any(String),
          },
        },
        { status: "skipped" },
      ],
    });
    expect(readFileSync(rig.lockfile, "utf8")).toBe(conflict);
    writeFileSync(rig.lockfile, good);
    expect(await rig.statuses(nodes())).toEqual({ a: "cached", b: "done" });
    expect(lockfile(rig).recipe).toMatchObject({ a: { version: 2 } });
  });

  it("is compared once more by a locked run that waited for them", async () => {
    const rig = new Rig();
    const old = () => rig.stage({ id: "a" });
    await rig.outcome([old()]);
    let begun = () => {};
    let finish = () => {};
    const running = new Promise<void>((r) => (begun = r));
    const held = new Promise<void>((r) => (finish = r));
    const holder = new Rig(rig.root);
    const newer = rig.stage({
      id: "a",
      version: 2,
      run: async (c) => {
        begun();
        await held;
        return done(c, "2");
      },
    });
    const other = holder.apply([newer]);
    await running;
    const locked = rig.apply([old()], { locked: true, waitLockSeconds: 30, onEvent: (e) => e.type === "lock-waiting" && finish() });
    expect(await locked).toMatchObject({ ok: false, error: { code: "lockfile/out-of-date", exit: 4 } });
    expect(await other).toMatchObject({ ok: true, value: { exit: 0 } });
  });
});
