import { chmodSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestFile, digestJson, digestText, digestTree } from "../../src/platform/hash.ts";
import { runProcess } from "../../src/platform/process.ts";
import {
  matchesSnapshot,
  packEntries,
  parseSnapshot,
  refreshSnapshot,
  snapshotEntries,
  takeSnapshot,
  UnfitTreeError,
  untilSettled,
} from "../../src/platform/snapshot.ts";

const folder = () => mkdtempSync(join(tmpdir(), "forge-snapshot-"));

describe("a digest", () => {
  it("of a file is that of sha256sum, and of its text", async () => {
    const file = join(folder(), "f");
    writeFileSync(file, "héllo\n".repeat(200_000));
    const sum = await runProcess("sha256sum", [file]);
    expect(await digestFile(file)).toBe(`sha256:${sum.ok && sum.value.stdout.slice(0, 64)}`);
    expect(await digestFile(file)).toBe(digestText("héllo\n".repeat(200_000)));
    expect(await digestTree(file)).toBe(await digestFile(file));
    expect(digestJson({ a: 1, b: [2] })).toBe(digestJson({ b: [2], a: 1 }));
  });

  it("of a folder depends on names, bytes, the executable bit and link targets, not on times or order", async () => {
    const make = (order: string[], change: (dir: string) => void = () => {}) => {
      const dir = folder();
      mkdirSync(join(dir, "sub"));
      for (const name of order) writeFileSync(join(dir, name), name);
      symlinkSync("a", join(dir, "link"));
      change(dir);
      return digestTree(dir);
    };
    const base = await make(["a", "b", "sub/c"]);
    expect(await make(["sub/c", "b", "a"], (d) => utimesSync(join(d, "a"), 1, 1))).toBe(base);
    const changes: ((d: string) => void)[] = [
      (d) => writeFileSync(join(d, "a"), "A"),
      (d) => renameSync(join(d, "a"), join(d, "z")),
      (d) => chmodSync(join(d, "a"), 0o755),
      (d) => {
        rmSync(join(d, "link"));
        symlinkSync("b", join(d, "link"));
      },
      (d) => mkdirSync(join(d, "empty")),
    ];
    const others = await Promise.all(changes.map((c) => make(["a", "b", "sub/c"], c)));
    expect(new Set([base, ...others]).size).toBe(changes.length + 1);
  });

  it("is refused for links that lead out and for what is no file", async () => {
    for (const make of [(d: string) => symlinkSync("/etc", join(d, "l")), (d: string) => symlinkSync("../x", join(d, "l"))]) {
      const dir = folder();
      make(dir);
      await expect(takeSnapshot(dir)).rejects.toThrow(UnfitTreeError);
    }
    const dir = folder();
    await runProcess("mkfifo", [join(dir, "pipe")]);
    await expect(takeSnapshot(dir)).rejects.toThrow(UnfitTreeError);
  });
});

describe("a snapshot", () => {
  it("of a file just written is not trusted; a later one is", async () => {
    const file = join(folder(), "f");
    writeFileSync(file, "one");
    const fresh = await takeSnapshot(file);
    expect(matchesSnapshot(file, fresh)).toBe(false);
    await untilSettled();
    const settled = await refreshSnapshot(file, fresh);
    expect(matchesSnapshot(file, settled)).toBe(true);
    expect(settled.digest).toBe(fresh.digest);
  });

  it("does not trust a file that was changed within the tick in which it was read", async () => {
    const file = join(folder(), "f");
    writeFileSync(file, "one");
    const { mtimeMs, ctimeMs, ino, size } = statSync(file);
    // As if it had been read just before this very write, with the same stats: all that tells is the time.
    const snapshot = {
      ...(await takeSnapshot(file)),
      hashedAt: Math.floor(mtimeMs),
      ...packEntries([{ path: "", type: "f", size, mtimeMs, ctimeMs, inode: ino, content: digestText("old") }]),
    };
    expect(matchesSnapshot(file, snapshot)).toBe(false);
    expect((await refreshSnapshot(file, snapshot)).digest).toBe(digestText("one"));
  });

  it("trusts what it has waited for, whatever the clocks round off", async () => {
    const dir = folder();
    const tries = Array.from({ length: 400 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, 2 * i));
      const [from, to] = [join(dir, `from-${i}`), join(dir, `to-${i}`)];
      mkdirSync(from);
      statSync(from); // Watched, its next change is stamped with the exact time.
      renameSync(from, to);
      await untilSettled();
      return matchesSnapshot(to, await takeSnapshot(to));
    });
    expect((await Promise.all(tries)).filter((trusted) => !trusted)).toEqual([]);
  });

  it("sees every change of a tree, and reads only what changed", async () => {
    const dir = folder();
    mkdirSync(join(dir, "sub"));
    for (const name of ["a", "sub/b"]) writeFileSync(join(dir, name), name);
    await untilSettled();
    const before = await takeSnapshot(dir);
    expect(matchesSnapshot(dir, before)).toBe(true);
    // A digest planted in the old snapshot survives for files that did not change: they were not read.
    const other = digestText("planted");
    const planted = { ...before, ...packEntries(snapshotEntries(before).map((e) => (e.path === "sub/b" ? { ...e, content: other } : e))) };
    writeFileSync(join(dir, "a"), "x");
    expect(matchesSnapshot(dir, before)).toBe(false);
    const after = await refreshSnapshot(dir, planted);
    const contentOf = (path: string) => snapshotEntries(after).find((e) => e.path === path)?.content;
    expect(contentOf("sub/b")).toBe(other);
    expect(contentOf("a")).toBe(digestText("x"));
    const changes = [
      () => writeFileSync(join(dir, "sub/new"), ""),
      () => rmSync(join(dir, "sub/new")),
      () => renameSync(join(dir, "a"), join(dir, "c")),
      () => linkSync(join(dir, "c"), join(dir, "d")),
    ];
    for (const change of changes) {
      await untilSettled();
      const now = await takeSnapshot(dir);
      expect(matchesSnapshot(dir, now)).toBe(true);
      change();
      expect(matchesSnapshot(dir, now)).toBe(false);
    }
    expect(matchesSnapshot(join(dir, "nowhere"), before)).toBe(false);
  });

  it("comes back from its JSON, whatever the names; one that was cut or mixed up does not match", async () => {
    const dir = folder();
    mkdirSync(join(dir, 'new\nline/ð"quote\\'), { recursive: true });
    for (const name of ['new\nline/ð"quote\\/ x', "new", "new\nline/a b"]) writeFileSync(join(dir, name), name);
    chmodSync(join(dir, "new"), 0o755);
    symlinkSync("new", join(dir, "link"));
    await untilSettled();
    const taken = await takeSnapshot(dir);
    const back = parseSnapshot(JSON.parse(JSON.stringify(taken)));
    expect(back).toEqual(taken);
    expect(matchesSnapshot(dir, taken)).toBe(true);
    const entries = snapshotEntries(taken);
    expect(entries.map((e) => [e.path, e.type])).toEqual([
      ["", "d"],
      ["link", "l"],
      ["new", "x"],
      ["new\nline", "d"],
      ["new\nline/a b", "f"],
      ['new\nline/ð"quote\\', "d"],
      ['new\nline/ð"quote\\/ x', "f"],
    ]);
    expect(entries.find((e) => e.type === "l")?.content).toBe("new");
    expect(entries.find((e) => e.type === "x")?.content).toBe(digestText("new"));
    const wrong = [
      { stats: taken.stats.slice(0, 40) },
      { stats: "" },
      { stats: "%%%" },
      { types: "df" },
      { types: "" },
      { paths: "" },
      { paths: `${taken.paths}//more` },
    ];
    for (const change of wrong) {
      expect(matchesSnapshot(dir, { ...taken, ...change }), JSON.stringify(change)).toBe(false);
      expect((await refreshSnapshot(dir, { ...taken, ...change })).digest, JSON.stringify(change)).toBe(taken.digest);
    }
    for (const { paths: _, ...part } of [taken]) expect(parseSnapshot(part)).toBeUndefined();
    expect(parseSnapshot({ kind: "file", digest: taken.digest, bytes: 1, hashedAt: 1, entries: [["", "f", 1, 1, 1, 1, taken.digest]] })).toBeUndefined();
  });
});
