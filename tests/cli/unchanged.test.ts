/** The note that answers an unchanged apply: it is used when nothing differs, and never when something does. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, RECIPE, Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

const inRuns = (dir: string): string[] => readdirSync(join(dir, ".mcp-forge/runs")).map((name) => join(dir, ".mcp-forge/runs", name));
const notes = (dir: string): string[] => inRuns(dir).filter((path) => path.includes("unchanged-"));
const runs = (dir: string): number => inRuns(dir).length - notes(dir).length;

/** Files of a project count as unknown for a tick after they were written, and a file system may keep whole seconds. */
const TICK_MS = 60;

/** A project that was applied: the run leaves the note. */
async function settled(recipe: string | null = RECIPE): Promise<string> {
  const dir = rig.project(recipe);
  // The recipe, too, is too young to be told from one that was written meanwhile.
  await sleep(TICK_MS);
  expect((await rig.run(dir, ["apply"])).code).toBe(0);
  expect(notes(dir)).toHaveLength(1);
  expect((await applied(dir)).byNote).toBe(true);
  return dir;
}

/** Applies until a note holds; at most one whole run. */
async function settle(dir: string): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await sleep(TICK_MS);
    const { code, byNote } = await applied(dir);
    expect(code).toBe(0);
    if (byNote) return;
  }
  expect.fail("a run with nothing to do left no note that holds");
}

/** One apply, and whether it was answered without a run. */
async function applied(dir: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended & { byNote: boolean }> {
  const before = runs(dir);
  const ended = await rig.run(dir, ["apply", ...args], env);
  return { ...ended, byNote: ended.code === 0 && runs(dir) === before };
}

/** The file of an artifact of the store that holds this text. */
function artifact(dir: string, text: string): string {
  const objects = join(dir, ".mcp-forge/store/objects");
  for (const name of readdirSync(objects, { recursive: true, encoding: "utf8" }))
    if (name.endsWith("/content") && statSync(join(objects, name)).isFile() && readFileSync(join(objects, name), "utf8") === text) return join(objects, name);
  throw new Error(`no artifact holds ${text}`);
}

/** Writes other bytes of the same length and puts the times back: only the inode's own time tells. */
function rewriteInPlace(path: string, text: string): void {
  const { atime, mtime, mode } = statSync(path);
  chmodSync(path, 0o644);
  writeFileSync(path, text);
  chmodSync(path, mode);
  utimesSync(path, atime, mtime);
}

test("an unchanged apply says what the whole way says, makes no run and leaves the project as it is", async () => {
  const dir = await settled();
  const files = (): string[] =>
    readdirSync(dir, { recursive: true, encoding: "utf8" })
      .map((name) => `${name} ${statSync(join(dir, name)).mtimeMs}`)
      .sort();
  const before = files();
  const note = await applied(dir);
  expect(note).toMatchObject({ code: 0, err: "", byNote: true });
  expect(files()).toEqual(before);
  const whole = await applied(dir, ["--from", "nothing-of-that-name"]);
  expect(whole.code).toBe(4);
  for (const path of notes(dir)) rmSync(path);
  const again = await applied(dir);
  expect(again.byNote).toBe(false);
  const words = (text: string): string => text.replace(/\d+\.\d s/, "0.0 s");
  expect(words(note.out)).toBe(words(again.out));
  expect(note.out).toMatch(/^up to date: toy, 6 steps unchanged \(\d\.\d s\), bundle in dist\/toy\n$/);
});

test("it is found from a folder of the project, and each command has its own", async () => {
  const dir = await settled();
  mkdirSync(join(dir, ".git"));
  const below = join(dir, "below");
  mkdirSync(below);
  cpSync(join(dir, "forge.yaml"), join(below, "forge.yaml"));
  const there = (): Promise<Ended> => rig.run(below, ["apply"]);
  for (let i = 0; i < 4; i++) {
    expect((await there()).code).toBe(0);
    await sleep(TICK_MS);
  }
  const before = runs(dir);
  expect(await there()).toMatchObject({ code: 0, out: expect.stringMatching(/^up to date/) });
  expect(runs(dir)).toBe(before);
});

const asBefore = /^up to date/;
describe("a difference is seen", () => {
  const differences: [string, (dir: string) => void, RegExp][] = [
    ["the recipe asks for more", (dir) => writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200")), /5 stages ran|generate/],
    [
      "the recipe asks for other things in as many bytes, and its time is put back",
      (dir) => rewriteInPlace(join(dir, "forge.yaml"), RECIPE.replace("100", "101")),
      /stages ran/,
    ],
    ["the recipe is touched", (dir) => utimesSync(join(dir, "forge.yaml"), new Date(), new Date()), asBefore],
    [
      "the recipe is a link that leads elsewhere",
      (dir) => {
        writeFileSync(join(dir, "other.yaml"), RECIPE.replace("100", "300"));
        rmSync(join(dir, "forge.yaml"));
        symlinkSync("other.yaml", join(dir, "forge.yaml"));
      },
      /stages ran/,
    ],
    ["an artifact is edited in place", (dir) => rewriteInPlace(artifact(dir, "adapter"), "adaptor"), /train/],
    ["an artifact is gone", (dir) => rmSync(join(artifact(dir, "adapter"), ".."), { recursive: true }), /train/],
    [
      "a record is gone",
      (dir) => {
        const records = join(dir, ".mcp-forge/store/records");
        for (const name of readdirSync(records)) rmSync(join(records, name));
      },
      /stages ran/,
    ],
    ["the bundle is edited", (dir) => rewriteInPlace(join(dir, "dist/toy/agent.yaml"), "name: tay\n"), /up to date|done/],
    ["the bundle is gone", (dir) => rmSync(join(dir, "dist"), { recursive: true }), /up to date|done/],
    ["a file is added to the bundle", (dir) => writeFileSync(join(dir, "dist/toy/mine.txt"), "mine"), /up to date|done/],
    ["the lockfile is gone", (dir) => rmSync(join(dir, "forge.lock")), /up to date|done/],
    [
      "the lockfile says otherwise",
      (dir) => writeFileSync(join(dir, "forge.lock"), readFileSync(join(dir, "forge.lock"), "utf8").replace(/"version": 1/, '"version":  1')),
      /./,
    ],
    ["the state is gone", (dir) => rmSync(join(dir, ".mcp-forge/state"), { recursive: true }), asBefore],
  ];
  test.each(differences)("%s", async (_, make, says) => {
    const dir = await settled();
    make(dir);
    const next = await applied(dir);
    expect(next.byNote).toBe(false);
    expect(next.out + next.err).toMatch(says);
    // And what it left is right.
    expect((await rig.run(dir, ["plan"])).code).toBe(0);
    expect(readFileSync(join(dir, "dist/toy/agent.yaml"), "utf8")).toBe("name: toy\n");
  });

  test("a variable that the run looks at", async () => {
    const dir = await settled();
    expect(await applied(dir, [], { NOBODY_LOOKS_AT: "this" })).toMatchObject({ byNote: true });
    const coloured = await applied(dir, [], { FORCE_COLOR: "1" });
    expect(coloured.byNote).toBe(false);
    expect(coloured.out).toContain("\u001b[");
    expect(await applied(dir, [], { TOY_RATE: "0.99" })).toMatchObject({ byNote: false, out: expect.stringContaining("ran") });
  });

  test("another program, or the same one built anew", async () => {
    const dir = await settled();
    utimesSync(rig.forge, new Date(), new Date());
    expect((await applied(dir)).byNote).toBe(false);
  });

  test("a flag that asks for more than the answer", async () => {
    const dir = await settled();
    for (const args of [["--json"], ["--force", "train"], ["--refresh"], ["--dry-run"], ["--variant", "none"], ["other.yaml"]]) {
      const { byNote, out } = await applied(dir, args);
      if (byNote) expect([args, out]).not.toEqual([args, expect.stringMatching(asBefore)]);
    }
  });
});

test("while another run holds the lock it says so, and once that has ended it looks for itself", async () => {
  const dir = await settled();
  const other = rig.start(dir, ["apply", "--force", "train"], { TOY_TRAIN_MS: "60000" });
  await other.until("train");
  expect(await applied(dir)).toMatchObject({ code: 5, byNote: false });
  other.process.kill("SIGKILL");
  await other.ended;
  expect((await applied(dir)).byNote).toBe(false);
  await settle(dir);
});

test("a run that would say more leaves no note: a refusal, a warning, a variable that could be a secret", async () => {
  const refused = rig.project();
  for (let i = 0; i < 3; i++) expect((await rig.run(refused, ["apply"], { TOY_RATE: "0.1" })).code).toBe(3);
  expect(notes(refused)).toEqual([]);

  const secret = rig.project(RECIPE.replace("name: toy", 'name: "toy-${env:MY_TOKEN}"'));
  for (let i = 0; i < 3; i++) {
    expect(await rig.run(secret, ["apply"], { MY_TOKEN: "hush", NODE_AUTH_TOKEN: "hush" })).toMatchObject({ code: 0 });
    await sleep(TICK_MS);
  }
  expect(notes(secret)).toEqual([]);
});

test.each<[string, (note: string) => void]>([
  ["cut off", (note) => truncateSync(note, statSync(note).size - 8)],
  ["empty", (note) => truncateSync(note, 0)],
  ["no note at all", (note) => writeFileSync(note, "hello")],
  [
    "a folder",
    (note) => {
      rmSync(note);
      mkdirSync(note);
    },
  ],
  ["of another version", (note) => writeFileSync(note, readFileSync(note, "latin1").replace('"v":1', '"v":9'), "latin1")],
  ["of an enormous length", (note) => writeFileSync(note, Buffer.alloc(8, 0xff))],
])("a note that is %s is none", async (_, spoil) => {
  const dir = await settled();
  for (const note of notes(dir)) spoil(note);
  expect(await applied(dir)).toMatchObject({ code: 0, err: "", byNote: false, out: expect.stringMatching(asBefore) });
});

test("whoever sets a variable that is there is let", async () => {
  const dir = await settled();
  expect(await applied(dir, [], { MCP_FORGE_OFFLINE: "1" })).toMatchObject({ code: 0, err: "", byNote: false });
  expect(await applied(dir, ["--offline"], { HF_HUB_OFFLINE: "1" })).toMatchObject({ code: 0, err: "", byNote: false });
});

test("a link is followed from where it really is", async () => {
  const dir = rig.project(null);
  mkdirSync(join(dir, "elsewhere/deep"), { recursive: true });
  writeFileSync(join(dir, "elsewhere/y.yaml"), RECIPE);
  symlinkSync("../y.yaml", join(dir, "elsewhere/deep/x.yaml"));
  symlinkSync("elsewhere/deep", join(dir, "lib"));
  symlinkSync("lib/x.yaml", join(dir, "forge.yaml"));
  await sleep(TICK_MS);
  await rig.run(dir, ["apply"]);
  await settle(dir);
  rewriteInPlace(join(dir, "elsewhere/y.yaml"), RECIPE.replace("100", "777"));
  expect(await applied(dir)).toMatchObject({ code: 0, byNote: false, out: expect.stringContaining("ran") });
});

test("a stage that starts a process does not keep the run from leaving a note", async () => {
  const dir = rig.project();
  await sleep(TICK_MS);
  expect((await rig.run(dir, ["apply"], { TOY_CHILD: join(dir, "child") })).code).toBe(0);
  expect(notes(dir)).toEqual([]); // TOY_CHILD could be a secret.
  expect((await applied(dir)).byNote).toBe(false);
  expect((await applied(dir)).byNote).toBe(true);
});

test.skipIf(!existsSync("/dev/shm"))("a project in memory is looked at like any other", async () => {
  const dir = mkdtempSync("/dev/shm/forge-unchanged-");
  try {
    writeFileSync(join(dir, "forge.yaml"), RECIPE);
    await sleep(TICK_MS);
    await rig.run(dir, ["apply"]);
    await settle(dir);
    writeFileSync(join(dir, "forge.yaml"), "not: [a recipe");
    expect((await rig.run(dir, ["apply"])).code).toBe(4);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("a project that was moved is looked at anew", async () => {
  const dir = await settled();
  renameSync(dir, `${dir}-moved`);
  expect(await applied(`${dir}-moved`)).toMatchObject({ code: 0, byNote: false });
});

test("whatever is done to a project, a note never says what a plan denies", async () => {
  const dir = await settled();
  let seed = 20261130;
  const dice = (sides: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * sides);
  };
  const moves: (() => unknown)[] = [
    () => undefined,
    () => undefined,
    () => writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", String(100 + dice(3)))),
    () => rmSync(join(dir, "dist"), { recursive: true, force: true }),
    () => rmSync(join(dir, "forge.lock"), { force: true }),
    () => existsSync(join(dir, "dist/toy/agent.yaml")) && rewriteInPlace(join(dir, "dist/toy/agent.yaml"), "name: tay\n"),
    () => rewriteInPlace(artifact(dir, "adapter"), "adaptor"),
    () => writeFileSync(join(dir, ".mcp-forge/state/odd.json"), "{}"),
    () => sleep(TICK_MS),
  ];
  let answered = 0;
  for (let i = 0; i < 40; i++) {
    await moves[dice(moves.length)]?.();
    const plan = await rig.run(dir, ["plan"]);
    const next = await applied(dir);
    expect(next.code).toBe(0);
    if (next.byNote) {
      answered++;
      expect([i, plan.code]).toEqual([i, 0]);
      expect(next.out).toMatch(asBefore);
    }
    if (plan.code === 2) expect([i, next.byNote]).toEqual([i, false]);
  }
  expect(answered).toBeGreaterThan(3);
});
