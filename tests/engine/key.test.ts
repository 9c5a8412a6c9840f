import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildGraph } from "../../src/engine/graph.ts";
import { keysOf } from "../../src/engine/key.ts";
import { differences } from "../../src/engine/reasons.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { runProcess } from "../../src/platform/process.ts";
import { bundleForChild } from "../platform/support/ts-child.ts";
import { gate, Rig } from "./support/rig.ts";

describe("recipe keys", () => {
  it("are the same in another folder, home, locale, time zone and environment", async () => {
    const support = join(import.meta.dirname, "support");
    const dir = mkdtempSync(join(tmpdir(), "forge-key-"));
    const child = await bundleForChild(
      `import { Rig } from ${JSON.stringify(`${support}/rig.ts`)}; import { killGraph } from ${JSON.stringify(`${support}/kill-graph.ts`)};
       import { planRun } from ${JSON.stringify(join(support, "../../../src/engine/plan.ts"))};
       const rig = new Rig(process.argv[2]); await rig.outcome(killGraph(rig));
       process.stdout.write(require("node:fs").readFileSync(rig.lockfile, "utf8"));`,
      dir,
    );
    const machines: Record<string, string>[] = [
      { HOME: "/root", LANG: "C", TZ: "UTC" },
      { HOME: "/nonexistent", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8", TZ: "Asia/Kolkata", FOO: "bar" },
    ];
    const lockfiles = await Promise.all(
      machines.map(async (env) => {
        const root = mkdtempSync(join(tmpdir(), "forge key é-"));
        const r = await runProcess(process.execPath, [child, root], { cwd: root, env: { PATH: process.env.PATH ?? "", ...env } });
        return r.ok ? r.value.stdout : r.error.message;
      }),
    );
    expect(lockfiles[0]).toContain("sha256:");
    expect(lockfiles[1]).toBe(lockfiles[0]);
    expect(lockfiles[0]).not.toContain(tmpdir());
  }, 30_000);

  it("change with version, slice, settings, inputs, outputs and anything upstream, and with nothing else", () => {
    const rig = new Rig();
    const key = (o: object, up: object = {}) =>
      keysOf(
        buildGraph([
          rig.stage({ id: "up", outputs: { out: "file", more: "file" }, ...up }),
          gate("g", "up", 1),
          rig.stage({ id: "x", from: ["up"], recipe: { a: 1, b: 2 }, ...o }),
        ]),
      ).get("x")?.recipe;
    const base = key({});
    for (const same of [
      { title: "other" },
      { recipe: { b: 2, a: 1 } },
      { recipe: { a: 1, b: 2, c: undefined } },
      { after: ["g"] },
      { runtime: { torch: "2" } },
      { resources: { cpu: 1 } },
      { views: { out: "/x" } },
    ])
      expect(key(same)).toBe(base);
    const others = [
      { version: 2 },
      { recipe: { a: 1, b: 3 } },
      { recipe: { a: 1 } },
      { settings: { pin: "x" } },
      { from: [] },
      { outputs: { out: "folder" } },
      { files: { cases: "/x" } },
    ];
    const keys = [base, ...others.map((o) => key(o)), key({}, { version: 2 }), key({}, { recipe: { z: 1 } })];
    expect(new Set(keys).size).toBe(keys.length);
    expect(key({ files: { cases: "/x" } })).toBe(key({ files: { cases: "/elsewhere/y" } }));
  });
});

describe("a graph", () => {
  it.each([
    ["two nodes of one name", (r: Rig) => [r.stage({ id: "a" }), r.stage({ id: "a" })], /two nodes/],
    ["an input from nowhere", (r: Rig) => [r.stage({ id: "a", from: ["b"] })], /no stage/],
    ["an output that does not exist", (r: Rig) => [r.stage({ id: "a", outputs: { x: "file" } }), r.stage({ id: "b", from: ["a"] })], /output out/],
    ["a circle", (r: Rig) => [r.stage({ id: "a", after: ["b"] }), r.stage({ id: "b", after: ["a"] })], /wait for each other: a, b/],
  ])("with %s is a bug", (_, nodes, message) => {
    expect(() => buildGraph(nodes(new Rig()))).toThrow(message);
  });
});

describe("the words of a reason", () => {
  it("name the leaf and both values", () => {
    const say = (a: JsonObject, b: JsonObject) => differences(a, b, (p) => `\`${p}\``);
    expect(say({ "data.samples": 300 }, { "data.samples": 800 })).toEqual(["`data.samples` 300 → 800"]);
    expect(say({ s: { error: 0.1, edge: 0.2 } }, { s: { error: 0.2, edge: 0.2 } })).toEqual(["`s.error` 0.1 → 0.2"]);
    expect(say({}, { x: "yes" })).toEqual(["`x` (not set) → yes"]);
    expect(say({ x: "a".repeat(99) }, { x: `${"a".repeat(99)}b` })).toEqual(["`x` changed"]);
    expect(say({ d: `sha256:${"0".repeat(64)}` }, { d: `sha256:${"1".repeat(64)}` })).toEqual(["`d` sha256:000000000000… → sha256:111111111111…"]);
  });

  it("are there exactly when values differ", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (a, b) => {
        const [x, y] = [JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b))];
        expect(differences(x, x, String)).toEqual([]);
        let same = true;
        try {
          expect(x).toEqual(y);
        } catch {
          same = false;
        }
        expect(differences(x, y, String).length > 0).toBe(!same);
      }),
    );
  });
});
