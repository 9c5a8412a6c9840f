/** Files written on a thread: whole, in folders that are made, with the file system's own errors. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { writeOnThread } from "../../src/platform/write-thread.ts";

const folder = () => mkdtempSync(join(tmpdir(), "forge-write-thread-"));

describe("a file written on a thread", () => {
  it("is there whole, in a folder of its own, beside hundreds of others", async () => {
    const dir = folder();
    const paths = Array.from({ length: 300 }, (_, i) => join(dir, `${i % 7}`, "deep", `${i}.json`));
    await Promise.all(paths.map((path, i) => writeOnThread(path, `${i}é\n`)));
    expect(paths.map((path) => readFileSync(path, "utf8"))).toEqual(paths.map((_, i) => `${i}é\n`));
    const names = readdirSync(dir, { recursive: true }).map(String);
    expect(names.filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("says when it is in its place, before it is synced, and never where it cannot be", async () => {
    const dir = folder();
    const said: string[] = [];
    const write = async (name: string): Promise<void> => {
      await writeOnThread(join(dir, name), name, () => said.push(`${name} ${readFileSync(join(dir, name), "utf8") === name}`));
      said.push(`${name} written`);
    };
    await Promise.all([write("a"), write("b")]);
    expect(said).toEqual(expect.arrayContaining(["a true", "b true", "a written", "b written"]));
    expect(said.indexOf("a true")).toBeLessThan(said.indexOf("a written"));
    expect(said.indexOf("b true")).toBeLessThan(said.indexOf("b written"));
    await expect(writeOnThread(join(dir, "a", "below"), "x", () => said.push("in no place"))).rejects.toMatchObject({ code: "ENOTDIR" });
    expect(said).toHaveLength(4);
  });

  it("takes the place of an older one, the last write last", async () => {
    const path = join(folder(), "f");
    await Promise.all([writeOnThread(path, "first"), writeOnThread(path, "second")]);
    expect(readFileSync(path, "utf8")).toBe("second");
  });

  it("fails with the file system's error and path, and those after it are written all the same", async () => {
    const dir = folder();
    writeFileSync(join(dir, "file"), "");
    const [bad, good] = await Promise.allSettled([writeOnThread(join(dir, "file", "below"), "x"), writeOnThread(join(dir, "good"), "x")]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "ENOTDIR", path: join(dir, "file", "below") } });
    expect(good.status).toBe("fulfilled");
    await expect(writeOnThread("/proc/forge/none", "x")).rejects.toMatchObject({ code: "ENOENT" });
    expect(readdirSync(dir).sort()).toEqual(["file", "good"]);
  });

  it("keeps a process alive until it is written, and no longer", async () => {
    const dir = folder();
    const module = JSON.stringify(join(import.meta.dirname, "../../src/platform/write-thread.ts"));
    writeFileSync(
      join(dir, "script.ts"),
      `import { writeOnThread } from ${module};\nvoid writeOnThread(${JSON.stringify(join(dir, "late"))}, "x".repeat(1_000_000));\n`,
    );
    await execa(process.execPath, [join(import.meta.dirname, "../../scripts/run-ts.mjs"), join(dir, "script.ts")], { timeout: 20_000 });
    expect(readFileSync(join(dir, "late"), "utf8")).toHaveLength(1_000_000);
  });
});
