import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cloneTree, fsFailure, makeReadOnly, writeFileAtomic } from "../../src/platform/fs.ts";

const folder = () => mkdtempSync(join(tmpdir(), "forge-fs-"));

describe("an atomic write", () => {
  it("replaces the file and leaves nothing beside it, also when it fails", () => {
    const dir = folder();
    writeFileAtomic(join(dir, "f"), "one");
    writeFileAtomic(join(dir, "f"), "two");
    expect(readFileSync(join(dir, "f"), "utf8")).toBe("two");
    mkdirSync(join(dir, "taken"));
    expect(() => writeFileAtomic(join(dir, "taken"), "x")).toThrow();
    expect(() => writeFileAtomic(join(dir, "no/such/folder"), "x")).toThrow();
    expect(readdirSync(dir).sort()).toEqual(["f", "taken"]);
  });
});

describe("a clone of a tree", () => {
  it("has the same content, other inodes, and can be written to", async () => {
    const from = join(folder(), "from");
    mkdirSync(join(from, "sub dir"), { recursive: true });
    writeFileSync(join(from, "sub dir/run\n.sh"), "x");
    chmodSync(join(from, "sub dir/run\n.sh"), 0o755);
    symlinkSync("sub dir", join(from, "link"));
    await makeReadOnly(from);
    expect(statSync(join(from, "sub dir/run\n.sh")).mode & 0o777).toBe(0o555);
    const to = join(folder(), "to");
    await cloneTree(from, to);
    const copy = statSync(join(to, "sub dir/run\n.sh"));
    expect([copy.mode & 0o777, readlinkSync(join(to, "link"))]).toEqual([0o755, "sub dir"]);
    expect(copy.ino).not.toBe(statSync(join(from, "sub dir/run\n.sh")).ino);
    await expect(cloneTree(from, to)).rejects.toThrow();
    expect(existsSync(to)).toBe(true);
  });
});

describe("an error of the file system", () => {
  it("becomes a failure with a hint; a bug does not", () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
    expect(fsFailure(full, "keep the outputs of train")).toMatchObject({
      code: "files/disk-full",
      exit: 6,
      message: "cannot keep the outputs of train: the disk is full",
      hint: expect.stringContaining("finished stages are kept"),
    });
    expect(fsFailure(new TypeError("x is not a function"), "keep")).toBeUndefined();
    expect(fsFailure(Object.assign(new Error("bad"), { code: "ERR_INVALID_ARG_TYPE" }), "keep")).toBeUndefined();
  });
});
