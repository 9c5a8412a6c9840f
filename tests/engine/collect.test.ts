/** What the store may forget: never what is current or named by a lockfile, on any branch; and what is left is whole. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CollectOptions, findGarbage, type Garbage, removeGarbage } from "../../src/engine/collect.ts";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { Rig } from "./support/rig.ts";

/** Two stages whose outputs depend on `samples`. */
const chain = (rig: Rig, samples: number): NodeDefinition[] => [
  rig.stage({ id: "generate", recipe: { "data.samples": samples } }),
  rig.stage({ id: "train", from: ["generate"], views: { out: join(rig.root, "dist/model") } }),
];
const found = async (rig: Rig, o: CollectOptions = {}): Promise<Garbage> => {
  const garbage = await findGarbage(rig.root, o);
  if (!garbage.ok) throw new Error(garbage.error.message);
  return garbage.value;
};
const collect = async (rig: Rig, o: CollectOptions = {}): Promise<Garbage> => {
  const garbage = await found(rig, o);
  expect(removeGarbage(rig.root, garbage)).toEqual({ ok: true, value: undefined });
  return garbage;
};
const withRecipe = (): Rig => {
  const rig = new Rig();
  writeFileSync(join(rig.root, "forge.yaml"), "");
  return rig;
};
const git = (rig: Rig, ...args: string[]): void => {
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", ...args], { cwd: rig.root, stdio: "ignore" });
};

describe("what may be forgotten", () => {
  it("is nothing of what the last run ended with", async () => {
    const rig = withRecipe();
    expect(await found(rig)).toMatchObject({ records: [], objects: [], bytes: 0 });
    await rig.outcome(chain(rig, 300));
    expect(await found(rig)).toMatchObject({ records: [], objects: [], damaged: 0, bytes: 0, lookedAt: ["the working tree"] });
  });

  it("is what earlier runs made; what is left needs no run", async () => {
    const rig = withRecipe();
    for (const samples of [1, 2, 3]) await rig.outcome(chain(rig, samples));
    const garbage = await collect(rig);
    expect(garbage.records.map((r) => r.stage).sort()).toEqual(["generate", "generate", "train", "train"]);
    expect(garbage.objects.length).toBe(4);
    expect(garbage.bytes).toBeGreaterThan(0);
    expect(await found(rig)).toMatchObject({ records: [], objects: [], keptBytes: garbage.keptBytes });
    rig.ran();
    expect(await rig.statuses(chain(rig, 3))).toEqual({ generate: "cached", train: "cached" });
    expect(await rig.statuses(chain(rig, 2))).toEqual({ generate: "done", train: "done" });
  });

  it("is only what is old enough, and only so much as has to go", async () => {
    const rig = withRecipe();
    for (const samples of [1, 2, 3, 4]) await rig.outcome(chain(rig, samples));
    expect(await found(rig, { olderThanSeconds: 3600 })).toMatchObject({ records: [], objects: [] });
    expect((await found(rig, { olderThanSeconds: 3600, now: Date.now() + 2 * 3_600_000 })).records.length).toBe(6);
    const all = await found(rig);
    expect(await found(rig, { maxBytes: all.bytes + all.keptBytes })).toMatchObject({ records: [], objects: [] });
    const some = await found(rig, { maxBytes: all.bytes + all.keptBytes - 1 });
    expect(some.records.length).toBe(1);
    expect(some.records[0]).toEqual(all.records[0]);
  });

  it("is never what a lockfile names, of the working tree or of any branch", async () => {
    const rig = withRecipe();
    git(rig, "init", "-q", "-b", "main");
    await rig.outcome(chain(rig, 1));
    git(rig, "add", "forge.lock", "forge.yaml");
    git(rig, "commit", "-qm", "one");
    git(rig, "checkout", "-qb", "other");
    await rig.outcome(chain(rig, 2));
    git(rig, "commit", "-qam", "two");
    git(rig, "checkout", "-q", "main");
    await rig.outcome(chain(rig, 3));
    const garbage = await found(rig);
    expect(garbage.lookedAt).toEqual(["the working tree", "main", "other"]);
    expect(garbage.records).toEqual([]);
    expect((await found(rig, { ignoreBranches: true })).records.length).toBe(4);
    git(rig, "branch", "-D", "other");
    expect((await collect(rig)).records.length).toBe(2);
    rig.ran();
    expect(await rig.statuses(chain(rig, 1))).toEqual({ generate: "cached", train: "cached" });
  });

  it("is not looked for when a lockfile or a branch cannot be read", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    writeFileSync(rig.lockfile, "<<<<<<< ours\n");
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: { code: "lockfile/conflict", exit: 4 } });
    rmSync(rig.lockfile);
    git(rig, "init", "-q", "-b", "main");
    git(rig, "add", "forge.yaml");
    git(rig, "commit", "-qm", "one");
    for (const folder of readdirSync(join(rig.root, ".git/objects")))
      if (folder.length === 2) rmSync(join(rig.root, ".git/objects", folder), { recursive: true });
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: { code: "engine/branches", hint: expect.stringContaining("--ignore-branches") } });
  });

  it("includes everything of a recipe that is gone, what was set aside, and what lay about for a month", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    const scratch = join(rig.root, ".mcp-forge/scratch");
    for (const name of ["a".repeat(64), "b".repeat(64)]) mkdirSync(join(scratch, name), { recursive: true });
    const long = new Date(Date.now() - 40 * 86_400_000);
    utimesSync(join(scratch, "a".repeat(64)), long, long);
    mkdirSync(join(rig.root, ".mcp-forge/store/damaged/x-1"), { recursive: true });
    expect(await found(rig)).toMatchObject({ records: [], damaged: 1, scratch: [join(scratch, "a".repeat(64))] });
    rmSync(join(rig.root, "forge.yaml"));
    rmSync(rig.lockfile);
    expect((await collect(rig)).records.length).toBe(2);
    expect(readdirSync(scratch)).toEqual(["b".repeat(64)]);
    expect(existsSync(join(rig.root, ".mcp-forge/store/damaged"))).toBe(false);
    // The books that are of no recipe stay.
    expect(readdirSync(join(rig.root, ".mcp-forge/state")).filter((name) => name.includes("lock"))).toEqual([]);
    expect(readdirSync(join(rig.root, ".mcp-forge/state"))).toContain("views.json");
    expect(existsSync(join(rig.root, ".mcp-forge/store/damaged"))).toBe(false);
  });

  it("spares what was set aside lately, where an age is named", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    mkdirSync(join(rig.root, ".mcp-forge/store/damaged/x-1"), { recursive: true });
    expect((await collect(rig, { olderThanSeconds: 3600 })).damaged).toBe(0);
    expect(existsSync(join(rig.root, ".mcp-forge/store/damaged/x-1"))).toBe(true);
  });

  it("is not what a lockfile names whose recipe was moved, nor is a folder of the project's taken for a book", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    mkdirSync(join(rig.root, "views"));
    mkdirSync(join(rig.root, "moved"));
    renameSync(rig.lockfile, join(rig.root, "moved", "w.lock"));
    rmSync(join(rig.root, "forge.yaml"));
    writeFileSync(join(rig.root, "yarn.lock"), "# no JSON\n");
    writeFileSync(join(rig.root, "bun.lock"), '{ "lockfileVersion": 1, }');
    expect((await collect(rig)).records).toEqual([]);
  });

  it("is found where a recipe's path is too long for a file's name", async () => {
    const rig = withRecipe();
    const folder = join(rig.root, "агенты-помощники", "погодный-ассистент");
    mkdirSync(folder, { recursive: true });
    const lockfile = join(folder, "рецепт.lock");
    expect(await rig.statuses(chain(rig, 1), { lockfile })).toEqual({ generate: "done", train: "done" });
    expect(await rig.statuses(chain(rig, 1), { lockfile })).toEqual({ generate: "cached", train: "cached" });
    expect((await collect(rig)).records).toEqual([]);
    rmSync(lockfile);
    expect((await collect(rig)).records).toHaveLength(2);
  });

  it("is nothing while git does not say what its branches name", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    mkdirSync(join(rig.root, ".git"));
    writeFileSync(join(rig.root, ".git", "HEAD"), "nonsense");
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: { code: "engine/branches", exit: 6 } });
    expect(await findGarbage(rig.root, { ignoreBranches: true })).toMatchObject({ ok: true });
  });

  it("leaves a store in which everything that is named is there, after any runs", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
        fc.option(fc.integer({ min: 0, max: 200 })),
        async (runs, maxBytes) => {
          const rig = withRecipe();
          for (const samples of runs) await rig.outcome(chain(rig, samples));
          await collect(rig, maxBytes === null ? {} : { maxBytes });
          rig.ran();
          expect(await rig.statuses(chain(rig, runs.at(-1) as number))).toEqual({ generate: "cached", train: "cached" });
          const records = join(rig.root, ".mcp-forge/store/records");
          for (const name of readdirSync(records)) {
            const record = JSON.parse(readFileSync(join(records, name), "utf8")) as { outputs: Record<string, { digest: string }> };
            for (const { digest } of Object.values(record.outputs)) {
              const hex = digest.slice("sha256:".length);
              expect(existsSync(join(rig.root, ".mcp-forge/store/objects", hex.slice(0, 2), hex.slice(2), "content"))).toBe(true);
            }
          }
          rmSync(rig.root, { recursive: true, force: true });
        },
      ),
      { numRuns: 15 },
    );
  });
});
