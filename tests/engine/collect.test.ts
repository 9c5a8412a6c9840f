/** What the store may forget: never what is current or named by a lockfile, on any branch; and what is left is whole. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CollectOptions, findGarbage, type Garbage, removeGarbage } from "../../src/engine/collect.ts";
import { readLast } from "../../src/engine/inspect.ts";
import { listRuns } from "../../src/engine/runs.ts";
import type { NodeDefinition } from "../../src/engine/stage.ts";
import { done, gate, Rig } from "./support/rig.ts";

const DAY = 86_400;
const inDays = (days: number): number => Date.now() + days * DAY * 1000;
const daysAgo = (days: number): Date => new Date(inDays(-days));

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
/** An artifact that somebody edited, as the next run sets it aside; 1,000 bytes. */
const setAside = (rig: Rig, name = `${"c".repeat(64)}-1`): string => {
  const folder = join(rig.root, ".mcp-forge/store/damaged", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "content"), "x".repeat(1000));
  return folder;
};
/** What an interrupted stage left so many days ago; 1,000 bytes. */
const scratch = (rig: Rig, letter: string, days: number): string => {
  const folder = join(rig.root, ".mcp-forge/scratch", letter.repeat(64));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "checkpoint"), "x".repeat(1000));
  for (const path of [join(folder, "checkpoint"), folder]) utimesSync(path, daysAgo(days), daysAgo(days));
  return folder;
};
/** Dates the logs of a run back. */
const age = (rig: Rig, run: string | undefined, days: number): string => {
  const folder = join(rig.root, ".mcp-forge/runs", run as string);
  for (const path of [...readdirSync(folder).map((name) => join(folder, name)), folder]) utimesSync(path, daysAgo(days), daysAgo(days));
  return folder;
};
const names = (paths: readonly { readonly path: string }[]): string[] => paths.map((x) => x.path);
const git = (rig: Rig, ...args: string[]): void => {
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", ...args], { cwd: rig.root, stdio: "ignore" });
};

describe("what may be forgotten", () => {
  it("is nothing of what the last run ended with", async () => {
    const rig = withRecipe();
    expect(await found(rig)).toMatchObject({ records: [], objects: [], bytes: 0 });
    await rig.outcome(chain(rig, 300));
    expect(await found(rig)).toMatchObject({ records: [], objects: [], damaged: [], bytes: 0, lookedAt: ["the working tree"] });
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

  it("includes everything of a recipe that is gone, and what lay about for a month", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    const [old, fresh] = [scratch(rig, "a", 40), scratch(rig, "b", 10)];
    // Written to lately, though its folder's own time is old.
    utimesSync(join(scratch(rig, "c", 40), "checkpoint"), daysAgo(1), daysAgo(1));
    setAside(rig);
    const garbage = await found(rig);
    expect(garbage).toMatchObject({ records: [], damaged: [], bytes: 1000 });
    expect(names(garbage.scratch)).toEqual([old]);
    expect(names((await found(rig, { olderThanSeconds: 5 * DAY })).scratch)).toEqual([old, fresh]);
    rmSync(join(rig.root, "forge.yaml"));
    rmSync(rig.lockfile);
    expect((await collect(rig, { now: inDays(31) })).records.length).toBe(2);
    expect(readdirSync(join(rig.root, ".mcp-forge/scratch"))).toEqual([]);
    expect(readdirSync(join(rig.root, ".mcp-forge/store/damaged"))).toEqual([]);
    // The books that are of no recipe stay.
    expect(readdirSync(join(rig.root, ".mcp-forge/state")).filter((name) => name.includes("lock"))).toEqual([]);
    expect(readdirSync(join(rig.root, ".mcp-forge/state"))).toContain("views.json");
  });

  it("is what a stage made, and a gate judged, that the recipe no longer has", async () => {
    const rig = withRecipe();
    const kept = chain(rig, 1);
    const format = rig.stage({ id: "export:q4", from: ["train"], run: async (c) => done(c, "x".repeat(100_000)) });
    await rig.outcome([...kept, format, gate("gate:q4", "train", 0)]);
    // A run of a part of the graph says nothing of the rest.
    await rig.outcome([...kept, format], { until: "train" });
    expect((await found(rig)).records).toEqual([]);
    await rig.outcome(kept);
    expect(readLast(rig.root, rig.lockfile)).toMatchObject({ ok: true, value: { gates: new Map() } });
    const garbage = await collect(rig);
    expect(garbage.records.map((r) => r.stage)).toEqual(["export:q4"]);
    expect(garbage.bytes).toBe(100_000);
    rig.ran();
    expect(await rig.statuses(kept)).toEqual({ generate: "cached", train: "cached" });
  });

  it("is what only a variant made that the recipe no longer has, on no branch either; in doubt it stays", async () => {
    const rig = withRecipe();
    const recipe = (text: string): void => writeFileSync(join(rig.root, "forge.yaml"), text);
    const variantsIn = (text: string) => (text.startsWith("variants:") ? new Set(text.slice("variants:".length).split(",")) : undefined);
    const long = join(rig.root, "агенты-помощники".repeat(3), "рецепт.lock");
    mkdirSync(join(long, ".."));
    recipe("variants:ci,old");
    writeFileSync(long.replace(".lock", ".yml"), "variants:ci");
    await rig.outcome(chain(rig, 1));
    await rig.outcome(chain(rig, 2), { variant: "ci" });
    await rig.outcome(chain(rig, 3), { variant: "old" });
    await rig.outcome(chain(rig, 4), { variant: "old", lockfile: long });
    const made = async (o: CollectOptions = {}): Promise<number> => (await found(rig, { variantsIn, ...o })).records.length;
    expect(await made()).toBe(2);
    git(rig, "init", "-q", "-b", "main");
    git(rig, "add", "forge.yaml", "forge.lock");
    git(rig, "commit", "-qm", "one");
    git(rig, "branch", "other");
    recipe("variants:ci");
    expect(await made()).toBe(2);
    expect(await made({ ignoreBranches: true })).toBe(4);
    git(rig, "commit", "-qam", "two");
    expect(await made()).toBe(2);
    git(rig, "branch", "-D", "other");
    expect(await made()).toBe(4);
    expect(await made({ variantsIn: undefined })).toBe(0);
    recipe("cannot be read");
    expect(await made()).toBe(2);
    recipe("variants:ci");
    const garbage = await collect(rig, { variantsIn });
    expect(garbage.states.map((s) => [s.lockfile.includes("рецепт"), s.variant]).sort()).toEqual([
      [false, "old"],
      [true, "old"],
    ]);
    expect(await found(rig, { variantsIn })).toMatchObject({ records: [], objects: [], states: [] });
    rig.ran();
    await rig.outcome(chain(rig, 2), { variant: "ci" });
    expect(rig.ran()).toEqual([]);
  });

  it("is the logs of a week ago, but never the newest run's", async () => {
    const rig = withRecipe();
    for (let i = 0; i < 3; i++) await rig.outcome(chain(rig, 1));
    mkdirSync(join(rig.root, ".mcp-forge/runs/zz-of-somebody"));
    const runs = listRuns(rig.root);
    expect(runs).toHaveLength(3);
    const folders = runs.map((run) => age(rig, run, 8));
    expect(names((await found(rig)).runs)).toEqual(folders.slice(0, 2));
    expect((await found(rig, { olderThanSeconds: 9 * DAY })).runs).toEqual([]);
    age(rig, runs[1], 2);
    const garbage = await collect(rig);
    expect(names(garbage.runs)).toEqual(folders.slice(0, 1));
    expect(garbage.bytes).toBeGreaterThan(0);
    expect(listRuns(rig.root)).toEqual(runs.slice(1));
    expect((await found(rig, { olderThanSeconds: 1 })).runs.map((r) => r.path)).toEqual(folders.slice(1, 2));
  });

  it("where a size is named is nothing while all of it fits; then edits go last, whatever else has to go before", async () => {
    const rig = withRecipe();
    for (const samples of [1, 2]) await rig.outcome(chain(rig, samples));
    age(rig, listRuns(rig.root)[0], 8);
    const [edit, old] = [setAside(rig), scratch(rig, "a", 40)];
    const young = scratch(rig, "b", 1);
    const orphan = join(rig.root, ".mcp-forge/store/objects/ab", "c".repeat(62));
    mkdirSync(orphan, { recursive: true });
    writeFileSync(join(orphan, "content"), "orphan");
    const { bytes, keptBytes } = await found(rig);
    const total = bytes + keptBytes;
    expect(bytes).toBeGreaterThan(1000);
    expect(await found(rig, { maxBytes: total })).toMatchObject({ bytes: 0, keptBytes: total, records: [], objects: [], scratch: [], runs: [], damaged: [] });
    const first = await found(rig, { maxBytes: total - 1 });
    expect(names(first.scratch)).toEqual([old]);
    expect(first).toMatchObject({ objects: [{ digest: `sha256:ab${"c".repeat(62)}` }], records: [], runs: [], damaged: [] });
    const all = await found(rig, { maxBytes: total - bytes });
    expect(all).toMatchObject({ damaged: [], keptBytes: total - bytes });
    expect(all.records).toHaveLength(2);
    expect(names((await found(rig, { maxBytes: total - bytes - 1 })).damaged)).toEqual([edit]);
    expect((await found(rig, { maxBytes: 0, olderThanSeconds: 3600 })).damaged).toEqual([]);
    // What a stage may go on from tomorrow is no matter of size.
    expect(names((await collect(rig, { maxBytes: 0 })).scratch)).toEqual([old]);
    expect([existsSync(edit), existsSync(young), existsSync(orphan)]).toEqual([false, true, false]);
  });

  it("includes what was set aside after a month, by name and with the stage that had made it", async () => {
    const rig = withRecipe();
    const [generate] = (await rig.outcome(chain(rig, 1))).nodes;
    const artifact = generate?.outputs.out as string;
    chmodSync(artifact, 0o644);
    writeFileSync(artifact, "edited");
    await rig.outcome(chain(rig, 1));
    expect((await found(rig)).damaged).toEqual([]);
    const { damaged } = await found(rig, { now: inDays(31) });
    expect(damaged).toMatchObject([{ path: expect.stringMatching(/damaged.[0-9a-f]{64}-1$/), stages: ["generate"] }]);
    expect(damaged[0]?.bytes).toBeGreaterThan("edited".length);
    expect(readFileSync(join(damaged[0]?.path as string, "content"), "utf8")).toBe("edited");
  });

  it("is never what a branch names where the project lies below the root of the repository", async () => {
    const repository = new Rig();
    const rig = new Rig(join(repository.root, "agents"));
    mkdirSync(rig.root);
    writeFileSync(join(rig.root, "forge.yaml"), "");
    git(repository, "init", "-q", "-b", "main");
    await rig.outcome(chain(rig, 1));
    git(rig, "add", "forge.lock");
    git(rig, "commit", "-qm", "one");
    await rig.outcome(chain(rig, 2));
    expect(await found(rig)).toMatchObject({ records: [], lookedAt: ["the working tree", "main"] });
    expect((await found(rig, { ignoreBranches: true })).records).toHaveLength(2);
  });

  it.each([
    ["of a newer version", (text: string) => text.replace('"lockfileVersion": 1', '"lockfileVersion": 2'), "lockfile/newer"],
    ["that broke off", (text: string) => text.slice(0, -40), "lockfile/not-json"],
    ["in conflict", (text: string) => text.replace('  "recipe"', '<<<<<<< HEAD\n=======\n>>>>>>> other\n  "recipe"'), "lockfile/conflict"],
    ["of another shape", (text: string) => text.replace('"version": 1', '"version": "one"'), "lockfile/invalid"],
  ])("is not looked for while a branch has a lockfile %s: it says which", async (_, spoil, code) => {
    const rig = withRecipe();
    git(rig, "init", "-q", "-b", "main");
    mkdirSync(join(rig.root, "sub"));
    await rig.outcome(chain(rig, 1));
    writeFileSync(join(rig.root, "bun.lock"), '{ "lockfileVersion": 1, "packages": { "recipe": ["recipe@1"], "variants": [] }, }\n');
    writeFileSync(join(rig.root, "sub/moved.lock"), spoil(readFileSync(rig.lockfile, "utf8")));
    const failure = { code, exit: 4, message: expect.stringContaining("moved.lock") };
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: failure });
    git(rig, "checkout", "-qb", "feature/x");
    git(rig, "add", ".");
    git(rig, "commit", "-qm", "spoiled");
    rmSync(join(rig.root, "sub/moved.lock"));
    const named = {
      ...failure,
      message: expect.stringContaining("sub/moved.lock of the branch feature/x"),
      hint: expect.stringContaining("--ignore-branches"),
    };
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: named });
    expect(await findGarbage(rig.root, { ignoreBranches: true })).toMatchObject({ ok: true });
    git(rig, "rm", "-q", "--cached", "sub/moved.lock");
    git(rig, "commit", "-qm", "mended");
    expect(await findGarbage(rig.root)).toMatchObject({ ok: true });
  });

  it.each(["tree", "blob"])("is not looked for while a branch lacks a %s", async (kind) => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    git(rig, "init", "-q", "-b", "main");
    git(rig, "add", "forge.lock");
    git(rig, "commit", "-qm", "one");
    const what = kind === "tree" ? "main^{tree}" : "main:forge.lock";
    const id = execFileSync("git", ["rev-parse", what], { cwd: rig.root, encoding: "utf8" }).trim();
    rmSync(join(rig.root, ".git/objects", id.slice(0, 2), id.slice(2)));
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: { code: "engine/branches", message: expect.stringContaining(id) } });
  });

  it("is not looked for while a branch is broken", async () => {
    const rig = withRecipe();
    await rig.outcome(chain(rig, 1));
    git(rig, "init", "-q", "-b", "main");
    git(rig, "add", "forge.lock");
    git(rig, "commit", "-qm", "one");
    writeFileSync(join(rig.root, ".git/refs/heads/emptied"), "");
    expect(await findGarbage(rig.root)).toMatchObject({ ok: false, error: { code: "engine/branches", message: expect.stringContaining("emptied") } });
  });

  it("is found with a handful of processes, however many branches there are", async () => {
    const rig = withRecipe();
    git(rig, "init", "-q", "-b", "main");
    const fresh: string[] = [];
    for (const samples of [1, 2, 3]) {
      await rig.outcome(chain(rig, samples));
      git(rig, "add", "forge.lock", "forge.yaml");
      git(rig, "commit", "-qm", String(samples));
      for (let i = 0; i < 10; i++) git(rig, "branch", `b-${samples}-${i}`);
      fresh.push(...Array.from({ length: 10 }, (_, i) => `b-${samples}-${i}`));
    }
    const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
    const bin = join(rig.root, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "git"), `#!/bin/sh\necho "$1" >> '${join(rig.root, "asked")}'\nexec '${real}' "$@"\n`, { mode: 0o755 });
    const { PATH } = process.env;
    process.env.PATH = `${bin}${delimiter}${PATH}`;
    try {
      expect(await found(rig, { variantsIn: () => new Set() })).toMatchObject({ records: [], lookedAt: ["the working tree", ...fresh, "main"] });
    } finally {
      process.env.PATH = PATH;
    }
    const asked = readFileSync(join(rig.root, "asked"), "utf8").trimEnd().split("\n");
    expect(asked.length).toBeLessThanOrEqual(5);
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
