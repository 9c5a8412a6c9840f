/** Hashing on threads: the same digests, errors that say what the file system said, a process that still ends. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { digestFile, digestTree } from "../../src/platform/hash.ts";
import { hashOnThread } from "../../src/platform/hash-threads.ts";

const dir = mkdtempSync(join(tmpdir(), "forge-hash-"));
const of = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
const make = (name: string, bytes: number): string => {
  const file = join(dir, name);
  writeFileSync(file, randomBytes(bytes));
  return file;
};

test("many files at once, of sizes about the buffer's, have the digests of their bytes", async () => {
  const sizes = [0, 1, 4095, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3 << 18, 5_000_001];
  const files = Array.from({ length: 40 }, (_, i) => make(`s${i}`, sizes[i % sizes.length] as number));
  expect(await Promise.all(files.map(hashOnThread))).toEqual(files.map(of));
});

test("what cannot be read is the file system's error, and the thread goes on", async () => {
  const good = make("good", 100);
  const [missing, folder, fine] = await Promise.allSettled([hashOnThread(join(dir, "missing")), hashOnThread(dir), hashOnThread(good)]);
  expect(missing).toMatchObject({ status: "rejected", reason: { code: "ENOENT", path: join(dir, "missing") } });
  expect(folder).toMatchObject({ status: "rejected", reason: { code: "EISDIR" } });
  expect(fine).toEqual({ status: "fulfilled", value: of(good) });
});

test("a large folder has the digest that it has without threads", async () => {
  const [large, small] = ["large", "small"].map((n) => join(dir, n)) as [string, string];
  for (const [folder, bytes] of [
    [large, 40_000_000],
    [small, 4000],
  ] as const) {
    mkdirSync(folder);
    writeFileSync(join(folder, "a"), Buffer.alloc(bytes, 7));
    writeFileSync(join(folder, "b"), "b");
  }
  expect(await digestFile(join(large, "a"))).toBe(`sha256:${of(join(large, "a"))}`);
  writeFileSync(join(large, "a"), Buffer.alloc(4000, 7));
  const shrunk = await digestTree(large);
  expect(shrunk).toBe(await digestTree(small));
});

test("a process that has hashed ends by itself", async () => {
  const file = make("last", 1000);
  const module = JSON.stringify(join(import.meta.dirname, "../../src/platform/hash-threads.ts"));
  const script = make("script.ts", 0);
  writeFileSync(script, `import { hashOnThread } from ${module};\nconsole.log(await hashOnThread(${JSON.stringify(file)}));\n`);
  const { stdout } = await execa(process.execPath, [join(import.meta.dirname, "../../scripts/run-ts.mjs"), script], { timeout: 20_000 });
  expect(stdout).toBe(of(file));
});
