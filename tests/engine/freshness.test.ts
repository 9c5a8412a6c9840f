import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planWords } from "../../src/cli/render/plan.ts";
import { planRun } from "../../src/engine/plan.ts";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { ok } from "../../src/platform/result.ts";
import { done, gate, Rig } from "./support/rig.ts";

const chain = (rig: Rig, o: { samples?: number; version?: number; threshold?: number } = {}): NodeDefinition[] => [
  rig.stage({ id: "generate", recipe: { "data.samples": o.samples ?? 300 } }),
  rig.stage({ id: "train", from: ["generate"], version: o.version ?? 3, resources: { cpu: 1 } }),
  gate("gate:train", "train", o.threshold ?? 2),
  rig.stage({ id: "pack", from: ["train"], after: ["gate:train"], views: { out: join(rig.root, "dist/model") } }),
];

describe("what runs again", () => {
  it("is everything at first and nothing after", async () => {
    const rig = new Rig();
    expect(await rig.planned(chain(rig))).toEqual({
      generate: "run | never ran",
      train: "run | never ran",
      "gate:train": "maybe | depends on train",
      pack: "run | never ran",
    });
    expect(existsSync(join(rig.root, ".mcp-forge"))).toBe(false);
    expect(await rig.statuses(chain(rig))).toEqual({ generate: "done", train: "done", "gate:train": "passed", pack: "done" });
    expect(rig.ran()).toEqual(["generate", "train", "pack"]);
    expect(await rig.plan(chain(rig))).toMatchObject({ work: false });
    expect(await rig.statuses(chain(rig))).toEqual({ generate: "cached", train: "cached", "gate:train": "passed", pack: "cached" });
    expect(rig.ran()).toEqual([]);
  });

  it("is told in the recipe's words, with values before and after", async () => {
    const rig = new Rig();
    await rig.outcome(chain(rig));
    expect(await rig.planned(chain(rig, { samples: 800 }))).toEqual({
      generate: "run | `data.samples` 300 → 800",
      train: "maybe | depends on generate",
      "gate:train": "maybe | depends on train",
      pack: "maybe | depends on train | depends on gate:train",
    });
    expect(await rig.planned(chain(rig, { version: 4 }))).toMatchObject({ generate: "cached", train: "run | stage train: version 3 → 4" });
    await rig.outcome(chain(rig, { samples: 800 }));
    const started = rig.events.filter((e) => e.type === "stage-started").map((e) => [e.node, e.reasons]);
    expect(started).toEqual([
      ["generate", ["`data.samples` 300 → 800"]],
      ["train", ["upstream generate changed"]],
      ["pack", ["upstream train changed"]],
    ]);
  });

  it("is what calls its own record outdated, though its keys are the same, and nothing once it is whole", async () => {
    const rig = new Rig();
    const made = (budget: number, from: string[] = []) =>
      rig.stage({
        id: "made",
        from,
        outdated: ({ cut_at: cut }) => (typeof cut === "number" && budget > cut ? `budget ${cut} → ${budget}` : undefined),
        run: async ({ outputs }) => {
          writeFileSync(outputs.out as string, `made for ${Math.min(budget, 3)}`);
          return ok({ figures: { ...(budget < 3 && { cut_at: budget }) }, summary: "made" });
        },
      });
    const nodes = (budget: number): NodeDefinition[] => [made(budget), rig.stage({ id: "reads", from: ["made"] })];
    expect(await rig.statuses(nodes(1))).toEqual({ made: "done", reads: "done" });
    expect(await rig.planned(nodes(1))).toEqual({ made: "cached", reads: "cached" });
    expect(await rig.planned(nodes(2))).toMatchObject({ made: "run | budget 1 → 2" });
    expect(await rig.statuses(nodes(2))).toEqual({ made: "done", reads: "done" });
    expect(await rig.statuses(nodes(1))).toEqual({ made: "cached", reads: "cached" });
    expect(await rig.statuses(nodes(3))).toEqual({ made: "done", reads: "done" });
    for (const budget of [1, 9]) expect(await rig.statuses(nodes(budget))).toEqual({ made: "cached", reads: "cached" });

    // Where what it reads has yet to come, the plan says so too.
    const other = new Rig();
    const waiting = (budget: number, version: number): NodeDefinition[] => [other.stage({ id: "first", version }), { ...made(budget, ["first"]) }];
    await other.outcome(waiting(1, 1));
    expect((await other.planned(waiting(2, 2))).made).toBe("run | budget 1 → 2");
  });

  it("is, with `from`, that node and all after it, and nothing before", async () => {
    const rig = new Rig();
    const nodes = [...chain(rig), rig.stage({ id: "aside", from: ["generate"] })];
    await rig.outcome(nodes);
    rig.ran();
    const plan = await planRun({ nodes, projectRoot: rig.root, lockfile: rig.lockfile, from: "train" });
    expect(plan).toMatchObject({ ok: true, value: { work: true } });
    expect(await rig.statuses(nodes, { from: "train" })).toMatchObject({ generate: "cached", train: "done", pack: "done", aside: "cached" });
    expect(rig.ran()).toEqual(["train", "pack"]);
    expect(await rig.apply(nodes, { from: "trian" })).toMatchObject({ ok: false, error: { exit: 4 } });
  });

  it("stops where a stage puts out the same as before", async () => {
    const rig = new Rig();
    const same = (version: number): NodeDefinition[] => [
      rig.stage({ id: "a", version, run: async (c) => done(c, "same") }),
      rig.stage({ id: "b", from: ["a"] }),
    ];
    await rig.outcome(same(1));
    expect(await rig.statuses(same(2))).toEqual({ a: "done", b: "cached" });
    expect(rig.events.find((e) => e.type === "stage-finished")).toMatchObject({ node: "a", unchanged: true });
  });

  it("goes back to an earlier state without running", async () => {
    const rig = new Rig();
    await rig.outcome(chain(rig));
    await rig.outcome(chain(rig, { samples: 800 }));
    rig.ran();
    await rig.outcome(chain(rig));
    expect(rig.ran()).toEqual([]);
    expect(readFileSync(join(rig.root, "dist/model"), "utf8")).toContain("300");
  });

  it("is what force names, once", async () => {
    const rig = new Rig();
    await rig.outcome(chain(rig));
    rig.ran();
    expect(await rig.planned(chain(rig), { force: ["train"] })).toMatchObject({ generate: "cached", train: "run | forced" });
    expect(await rig.statuses(chain(rig), { force: ["train"] })).toMatchObject({ train: "done", pack: "cached" });
    expect(rig.ran()).toEqual(["train"]);
    expect(await rig.apply(chain(rig), { force: ["trian"] })).toMatchObject({ ok: false, error: { code: "engine/unknown-node", exit: 4 } });
  });

  it("is not what force or from name beyond the end of the run, and that is said", async () => {
    const rig = new Rig();
    for (const o of [
      { until: "train", force: ["pack"] },
      { until: "train", from: "pack" },
      { only: "train", force: ["pack"] },
    ]) {
      const failure = { ok: false, error: { code: "engine/beyond-end", message: "pack lies beyond train, where this run ends", exit: 4 } };
      expect(await rig.apply(chain(rig), o)).toMatchObject(failure);
      expect(await planRun({ nodes: chain(rig), projectRoot: rig.root, lockfile: rig.lockfile, ...o })).toMatchObject(failure);
    }
    expect(await rig.statuses(chain(rig), { until: "train", force: ["train"] })).toEqual({ generate: "done", train: "done" });
  });

  it("may be nothing, where an older record could stand once what comes before has run", async () => {
    const rig = new Rig();
    const nodes = (x: number) => [rig.stage({ id: "a" }), rig.stage({ id: "b", from: ["a"], recipe: { x } })];
    await rig.outcome(nodes(1));
    await rig.outcome(nodes(2));
    expect(await rig.planned(nodes(1), { force: ["a"] })).toEqual({ a: "run | forced", b: "maybe | `x` 2 → 1 | depends on a" });
    expect(await rig.planned(nodes(3), { force: ["a"] })).toEqual({ a: "run | forced", b: "run | `x` 2 → 3" });
    expect(await rig.planned(nodes(1), { force: ["a", "b"] })).toEqual({ a: "run | forced", b: "run | `x` 2 → 1 | forced" });
    expect(await rig.statuses(nodes(1), { force: ["a"] })).toEqual({ a: "done", b: "cached" });
  });

  it("is certain where no record has the file that there is now, or its artifact", async () => {
    const rig = new Rig();
    const file = join(rig.root, "cases.jsonl");
    writeFileSync(file, "one");
    const nodes = () => [rig.stage({ id: "a" }), rig.stage({ id: "b", from: ["a"], files: { cases: file } })];
    const made = await rig.outcome(nodes());
    writeFileSync(file, "two");
    expect(await rig.planned(nodes(), { force: ["a"] })).toMatchObject({ b: "run | file cases changed" });
    writeFileSync(file, "one");
    rmSync(made.nodes[1]?.outputs.out as string);
    expect(await rig.planned(nodes(), { force: ["a"] })).toMatchObject({ b: "run | artifact gone from the store: out" });
  });

  it("is what lost its record, and the plan says so", async () => {
    const rig = new Rig();
    await rig.outcome(chain(rig));
    const records = join(rig.root, ".mcp-forge/store/records");
    rmSync(records, { recursive: true });
    mkdirSync(records);
    expect(await rig.planned(chain(rig))).toMatchObject({
      generate: "run | its record is gone from the store",
      train: "run | its record is gone from the store",
      pack: "run | its record is gone from the store",
    });
  });

  it("ends with what until names", async () => {
    const rig = new Rig();
    expect(await rig.statuses(chain(rig), { until: "train" })).toEqual({ generate: "done", train: "done" });
  });
});

describe("artifacts in the store", () => {
  const object = async (rig: Rig, id: string) => (await rig.outcome(chain(rig))).nodes.find((n) => n.id === id)?.outputs.out as string;

  it("that were edited are noticed, set aside and made again", async () => {
    const rig = new Rig();
    const path = await object(rig, "generate");
    const before = readFileSync(path, "utf8");
    chmodSync(path, 0o644);
    writeFileSync(path, before.replace("300", "301")); // Same size.
    rig.ran();
    expect(await rig.planned(chain(rig))).toMatchObject({ generate: "run | artifact edited by hand: out", train: "maybe | depends on generate" });
    expect(await rig.statuses(chain(rig))).toMatchObject({ generate: "done", train: "cached" });
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(rig.ran()).toEqual(["generate"]);
  });

  it("that were edited with their times put back are noticed too", async () => {
    const rig = new Rig();
    const path = await object(rig, "generate");
    const { atime, mtime } = statSync(path);
    chmodSync(path, 0o644);
    writeFileSync(path, readFileSync(path, "utf8").replace("300", "301"));
    utimesSync(path, atime, mtime);
    expect(await rig.planned(chain(rig))).toMatchObject({ generate: "run | artifact edited by hand: out" });
  });

  it("that are gone are made again; that were only touched are not", async () => {
    const rig = new Rig();
    const path = await object(rig, "train");
    utimesSync(path, 1, 1);
    rig.ran();
    expect(await rig.statuses(chain(rig))).toMatchObject({ train: "cached" });
    rmSync(path);
    expect(await rig.planned(chain(rig))).toMatchObject({ train: "run | artifact gone from the store: out" });
    expect(await rig.statuses(chain(rig))).toMatchObject({ train: "done", pack: "cached" });
  });

  it("that are folders are noticed when a file is added, removed or changed", async () => {
    const rig = new Rig();
    const folder = () => [
      rig.stage({
        id: "f",
        outputs: { out: "folder" },
        run: async (c) => {
          const out = c.outputs.out as string;
          mkdirSync(join(out, "sub dir"), { recursive: true });
          writeFileSync(join(out, "sub dir", "naïve 🎉\n.txt"), "one");
          writeFileSync(join(out, "b"), "two");
          symlinkSync("sub dir", join(out, "link"));
          return { ok: true, value: { figures: {}, summary: "" } };
        },
      }),
    ];
    const path = (await rig.outcome(folder())).nodes[0]?.outputs.out as string;
    for (const harm of [
      () => writeFileSync(join(path, "sub dir/new"), ""),
      () => rmSync(join(path, "b")),
      () => {
        chmodSync(join(path, "b"), 0o644);
        writeFileSync(join(path, "b"), "TWO");
      },
    ]) {
      expect(await rig.statuses(folder())).toEqual({ f: "cached" });
      harm();
      expect(await rig.statuses(folder())).toEqual({ f: "done" });
    }
  });

  it("may not hold links that lead outside, nor be missing or of another kind", async () => {
    const rig = new Rig();
    const made = (make: (out: string) => void) =>
      rig.outcome([
        rig.stage({
          id: "x",
          outputs: { out: "folder" },
          run: async (c) => {
            make(c.outputs.out as string);
            return ok({ figures: {}, summary: "" });
          },
        }),
      ]);
    const linked = (out: string) => {
      mkdirSync(out);
      symlinkSync("../../x", join(out, "l"));
    };
    for (const make of [() => {}, (out: string) => writeFileSync(out, ""), linked]) {
      const outcome = await made(make);
      expect(outcome).toMatchObject({ exit: 1, nodes: [{ status: "failed", failure: { code: "engine/bad-output" } }] });
    }
  });
});

describe("the user's own files", () => {
  it("are part of the fingerprint, read again only when their stat changes", async () => {
    const rig = new Rig();
    const file = join(rig.root, "cases.jsonl");
    writeFileSync(file, "a");
    const nodes = () => [rig.stage({ id: "v", files: { cases: file } })];
    await rig.outcome(nodes());
    expect(await rig.statuses(nodes())).toEqual({ v: "cached" });
    writeFileSync(file, "b"); // At once, of the same size: git's racy case.
    expect(await rig.planned(nodes())).toEqual({ v: "run | file cases changed" });
    expect(await rig.statuses(nodes())).toEqual({ v: "done" });
    rmSync(file);
    expect(await rig.outcome(nodes())).toMatchObject({ exit: 4, nodes: [{ failure: { code: "engine/file-missing" } }] });
  });

  it("that change while a stage reads them make it fail, and nothing is recorded", async () => {
    const rig = new Rig();
    const file = join(rig.root, "cases.jsonl");
    writeFileSync(file, "a");
    const node = rig.stage({
      id: "v",
      files: { cases: file },
      run: async (c) => {
        writeFileSync(c.outputs.out as string, readFileSync(c.inputs.cases as string));
        writeFileSync(file, "b");
        return { ok: true, value: { figures: {}, summary: "" } };
      },
    });
    expect(await rig.outcome([node])).toMatchObject({ exit: 1, nodes: [{ failure: { code: "engine/file-changed" } }] });
    expect(await rig.outcome([rig.stage({ id: "v", files: { cases: file } })])).toMatchObject({ nodes: [{ status: "done" }] });
  });
});

describe("views", () => {
  it("are copies: made again when missing, and kept aside when edited", async () => {
    const rig = new Rig();
    const view = join(rig.root, "dist/model");
    const stored = (await rig.outcome(chain(rig))).nodes.find((n) => n.id === "pack")?.outputs.out as string;
    expect(statSync(view).ino).not.toBe(statSync(stored).ino);
    expect(statSync(view).mode & 0o200).toBe(0o200);
    rmSync(view);
    const missing = await rig.plan(chain(rig));
    expect(missing.nodes.at(-1)).toMatchObject({ status: "cached", reasons: ["dist/model is missing and will be copied again"], views: ["dist/model"] });
    expect(missing.work).toBe(true);
    expect(planWords(missing, { paint: (_, text) => text })).toMatch(
      /= pack +unchanged +dist\/model is missing .*\n\nnothing is to run: all 4 steps unchanged; 1 copy to be written again\n$/,
    );
    await rig.outcome(chain(rig));
    expect(await rig.plan(chain(rig))).toMatchObject({ work: false });
    expect(readFileSync(view)).toEqual(readFileSync(stored));
    writeFileSync(view, "mine");
    expect(await rig.plan(chain(rig))).toMatchObject({ work: true });
    expect(await rig.planned(chain(rig))).toMatchObject({ pack: expect.stringContaining("cached | dist/model was edited and will be copied again") });
    expect(readFileSync(view, "utf8")).toBe("mine");
    await rig.outcome(chain(rig));
    expect(readFileSync(view)).toEqual(readFileSync(stored));
    expect(readFileSync(`${view}.edited-1`, "utf8")).toBe("mine");
    expect(rig.events.find((e) => e.type === "view-written")).toMatchObject({ path: "dist/model", kept: "dist/model.edited-1" });
    await rig.outcome(chain(rig));
    expect(rig.events.some((e) => e.type === "view-written")).toBe(false);
    await rig.outcome(chain(rig, { samples: 2 }));
    expect(existsSync(`${view}.edited-2`)).toBe(false);
    // Another recipe with the same view, whose result is there already.
    expect(await rig.plan(chain(rig))).toMatchObject({
      work: true,
      nodes: [{}, {}, {}, { reasons: ["dist/model holds another result and will be copied again"] }],
    });
    rmSync(join(rig.root, ".mcp-forge/state/views.json"));
    expect(await rig.planned(chain(rig))).toMatchObject({ pack: expect.stringContaining("was left by no run that is known") });
    await rig.outcome(chain(rig));
    expect(await rig.plan(chain(rig))).toMatchObject({ work: false });
  });
});
