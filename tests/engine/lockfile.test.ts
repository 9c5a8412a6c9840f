import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readLast } from "../../src/engine/inspect.ts";
import { lockfileText, parseLockfile } from "../../src/engine/lockfile.ts";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { gate, Rig } from "./support/rig.ts";

const nodes = (rig: Rig, samples = 300, threshold = 1): NodeDefinition[] => [
  rig.stage({ id: "generate", recipe: { "data.samples": samples } }),
  gate("gate:generate", "generate", threshold),
  rig.stage({ id: "train", from: ["generate"], after: ["gate:generate"] }),
];
const read = (rig: Rig) =>
  JSON.parse(readFileSync(rig.lockfile, "utf8")) as { recipe: Record<string, Record<string, unknown>>; variants: Record<string, Record<string, unknown>> };

describe("the lockfile", () => {
  it("holds keys, digests, figures and verdicts, sorted, the same bytes for the same recipe", async () => {
    const [a, b] = [new Rig(), new Rig()];
    await a.outcome(nodes(a));
    await b.outcome(nodes(b));
    const text = readFileSync(a.lockfile, "utf8");
    expect(text).toBe(readFileSync(b.lockfile, "utf8"));
    expect(read(a).recipe).toMatchObject({
      generate: { key: expect.stringMatching(/^sha256:/), version: 1, outputs: { out: expect.stringMatching(/^sha256:/) }, figures: { score: 1 } },
      "gate:generate": { passed: true, verdicts: { score: { value: 1, threshold: 1, passed: true } } },
    });
    expect(Object.keys(read(a).recipe)).toEqual(["gate:generate", "generate", "train"]);
    const parsed = parseLockfile(text, "forge.lock");
    expect(parsed.ok && lockfileText(parsed.value)).toBe(text);
  });

  it("is not touched when nothing changed, and made anew from the store when deleted", async () => {
    const rig = new Rig();
    await rig.outcome(nodes(rig));
    const [text, { ino, mtimeMs }] = [readFileSync(rig.lockfile, "utf8"), statSync(rig.lockfile)];
    await rig.outcome(nodes(rig));
    expect(statSync(rig.lockfile)).toMatchObject({ ino, mtimeMs });
    rmSync(rig.lockfile);
    rig.ran();
    await rig.outcome(nodes(rig));
    expect(rig.ran()).toEqual([]);
    expect(readFileSync(rig.lockfile, "utf8")).toBe(text);
  });

  it("knows each finished stage before the next begins", async () => {
    const rig = new Rig();
    let seen: string[] = [];
    await rig.outcome([
      rig.stage({ id: "a" }),
      gate("g", "a", 1),
      rig.stage({
        id: "b",
        from: ["a"],
        after: ["g"],
        run: async (c) => {
          seen = Object.keys(read(rig).recipe);
          writeFileSync(c.outputs.out as string, "");
          return { ok: true, value: { figures: {}, summary: "" } };
        },
      }),
    ]);
    expect(seen).toEqual(["a", "g"]);
  });

  it("keeps variants apart and drops nodes that are gone", async () => {
    const rig = new Rig();
    await rig.outcome(nodes(rig));
    await rig.outcome(nodes(rig, 10), { variant: "ci" });
    expect(Object.keys(read(rig).variants)).toEqual(["ci"]);
    expect(read(rig).recipe.generate?.key).not.toBe((read(rig).variants.ci?.generate as Record<string, unknown> | undefined)?.key);
    await rig.outcome(nodes(rig).slice(0, 1));
    expect([Object.keys(read(rig).recipe), Object.keys(read(rig).variants.ci ?? {})]).toEqual([["generate"], ["gate:generate", "generate", "train"]]);
  });

  it("in a merge conflict, damaged or from a newer version is a located failure, and stays as it is", async () => {
    const rig = new Rig();
    await rig.outcome(nodes(rig));
    const good = readFileSync(rig.lockfile, "utf8");
    const lines = good.split("\n");
    const cases = [
      [[...lines.slice(0, 3), "<<<<<<< HEAD", ...lines.slice(3)].join("\n"), "lockfile/conflict", 4],
      [good.slice(0, 40), "lockfile/not-json", undefined],
      [good.replace('"lockfileVersion": 1', '"lockfileVersion": 2'), "lockfile/newer", undefined],
      [good.replace(/sha256:[0-9a-f]/, "md5:"), "lockfile/invalid", undefined],
    ] as const;
    for (const [text, code, line] of cases) {
      writeFileSync(rig.lockfile, text);
      const result = await rig.apply(nodes(rig));
      expect(result).toMatchObject({ ok: false, error: { code, exit: 4 } });
      if (line !== undefined) expect(result).toMatchObject({ error: { place: { line } } });
      expect(readFileSync(rig.lockfile, "utf8")).toBe(text);
    }
  });
});

describe("a run of another graph than the recipe's", () => {
  it("leaves the lockfile as it is, verdicts and all, and a locked run ends as before", async () => {
    const rig = new Rig();
    const judged = [rig.stage({ id: "qa" }), gate("gate:qa", "qa", 5), rig.stage({ id: "pack", from: ["qa"], after: ["gate:qa"] })];
    expect((await rig.outcome(judged)).exit).toBe(3);
    const text = readFileSync(rig.lockfile, "utf8");
    const unproven = [rig.stage({ id: "qa" }), rig.stage({ id: "pack", from: ["qa"], settings: { unproven: true } })];
    expect((await rig.outcome(unproven, { apart: true })).exit).toBe(0);
    expect(rig.ran()).toEqual(["qa", "pack"]);
    expect(readFileSync(rig.lockfile, "utf8")).toBe(text);
    const last = readLast(rig.root, rig.lockfile);
    expect(last.ok && [...last.value.gates.keys()]).toEqual(["gate:qa"]);
    expect((await rig.outcome(judged, { locked: true })).exit).toBe(3);
  });
});

describe("--locked", () => {
  it("passes when the recipe keys agree, on a machine that has built nothing, and writes no lockfile", async () => {
    const [author, ci] = [new Rig(), new Rig()];
    await author.outcome(nodes(author));
    writeFileSync(ci.lockfile, readFileSync(author.lockfile));
    const { mtimeMs } = statSync(ci.lockfile);
    expect((await ci.outcome(nodes(ci), { locked: true })).exit).toBe(0);
    expect(statSync(ci.lockfile).mtimeMs).toBe(mtimeMs);
  });

  it("comes to the gate that refuses, and says what that says", async () => {
    const rig = new Rig();
    const refused = () => [rig.stage({ id: "a" }), gate("g", "a", 5), rig.stage({ id: "z", after: ["g"] })];
    expect((await rig.outcome(refused())).exit).toBe(3);
    expect((await rig.outcome(refused(), { locked: true })).exit).toBe(3);
    // Another threshold is another recipe.
    const other = [rig.stage({ id: "a" }), { ...gate("g", "a", 6), recipe: { "gates.x": 6 } }, rig.stage({ id: "z", after: ["g"] })];
    expect(await rig.apply(other, { locked: true })).toMatchObject({ ok: false, error: { code: "lockfile/out-of-date" } });
    // A node that the recipe no longer has leaves the lockfile, also where a gate refuses.
    await rig.outcome([...refused(), rig.stage({ id: "extra" })]);
    await rig.outcome(refused());
    expect(Object.keys((JSON.parse(readFileSync(rig.lockfile, "utf8")) as { recipe: object }).recipe).sort()).toEqual(["a", "g"]);
  });

  it("fails with exit 4, runs nothing, and names node and reason", async () => {
    const rig = new Rig();
    expect(await rig.apply(nodes(rig), { locked: true })).toMatchObject({ ok: false, error: { code: "lockfile/out-of-date", exit: 4 } });
    expect(existsSync(join(rig.root, ".mcp-forge"))).toBe(false);
    await rig.outcome(nodes(rig));
    rig.ran();
    expect(await rig.apply(nodes(rig, 800), { locked: true })).toMatchObject({
      ok: false,
      error: { exit: 4, message: expect.stringContaining("generate: `data.samples` 300 → 800") },
    });
    expect(await rig.apply(nodes(rig, 300, 0.5), { locked: true })).toMatchObject({ ok: false, error: { message: expect.stringContaining("gate:generate") } });
    const [first, ...rest] = nodes(rig);
    expect(await rig.apply([{ ...(first as NodeDefinition), version: 2 }, ...rest], { locked: true })).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("version 1 → 2") },
    });
    expect(await rig.apply(nodes(rig).slice(0, 2), { locked: true })).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("train, which the recipe no longer has") },
    });
    expect(rig.ran()).toEqual([]);
  });
});
