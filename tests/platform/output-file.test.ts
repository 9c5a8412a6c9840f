/** Where a command's output goes: whole files, links that are followed, and what is no file and stays what it is. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { beforeEach, describe, expect, it } from "vitest";
import { OutputError, outputTarget, writeOutput } from "../../src/platform/output-file.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-output-"));
});
const at = (name: string): string => join(dir, name);
const read = (name: string): string => readFileSync(at(name), "utf8");

describe("a regular file", () => {
  it("appears whole, in folders that are made", async () => {
    await writeOutput(at("a/b/c.txt"), ["one", Buffer.from(" two")]);
    expect(read("a/b/c.txt")).toBe("one two");
    expect(readdirSync(at("a/b"))).toEqual(["c.txt"]);
  });

  it("stays as it was where the chunks break off, or nobody wants them", async () => {
    writeFileSync(at("a"), "old");
    const breaks = async function* () {
      yield "half";
      throw new Error("broken off");
    };
    await expect(writeOutput(at("a"), breaks())).rejects.toThrow("broken off");
    await writeOutput(at("a"), ["new"], { keep: () => false });
    expect(read("a")).toBe("old");
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  it("is no more open to others than the one before", async () => {
    writeFileSync(at("a"), "old");
    chmodSync(at("a"), 0o600);
    await writeOutput(at("a"), ["new"]);
    expect([read("a"), statSync(at("a")).mode & 0o777]).toEqual(["new", 0o600]);
  });

  it("that cannot be written is told from chunks that cannot be read", async () => {
    writeFileSync(at("file"), "");
    await expect(writeOutput(at("file/a"), ["x"])).rejects.toThrow(OutputError);
  });
});

describe("a link", () => {
  it.each(["target", "not/there"])("is followed to %s, and stays", async (target) => {
    if (target === "target") writeFileSync(at("target"), "old");
    symlinkSync(target, at("link"));
    symlinkSync("link", at("other"));
    await writeOutput(at("other"), ["new"]);
    expect(read(target)).toBe("new");
    expect([readlinkSync(at("other")), readlinkSync(at("link"))]).toEqual(["link", target]);
  });

  it("that leads in a circle is refused", async () => {
    symlinkSync("b", at("a"));
    symlinkSync("a", at("b"));
    await expect(writeOutput(at("a"), ["x"])).rejects.toThrow(/ELOOP/);
  });
});

describe.skipIf(process.platform === "win32")("what is no file", () => {
  it("a FIFO gives its reader everything, whenever it comes, and stays a FIFO", async () => {
    execFileSync("mkfifo", [at("f")]);
    expect(outputTarget(at("f"))).toEqual({ kind: "stream", path: at("f") });
    const written = writeOutput(at("f"), ["one", "two".repeat(100_000)]);
    await sleep(120);
    const reader = spawn("cat", [at("f")], { stdio: ["ignore", "pipe", "inherit"] });
    let got = "";
    reader.stdout.on("data", (chunk) => {
      got += chunk;
    });
    const closed = new Promise((done) => reader.once("close", done));
    await written;
    await closed;
    expect(got).toBe(`one${"two".repeat(100_000)}`);
    expect(lstatSync(at("f")).isFIFO()).toBe(true);
    expect(readdirSync(dir)).toEqual(["f"]);
  });

  it("is waited for until the signal says so", async () => {
    execFileSync("mkfifo", [at("f")]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    await expect(writeOutput(at("f"), ["x"], { signal: stop.signal })).rejects.toThrow(/aborted/i);
  });

  it("a descriptor under /proc is written to, and keeps what was there", async () => {
    const code = `import { writeOutput } from ${JSON.stringify(join(import.meta.dirname, "../../src/platform/output-file.ts"))};
process.stdout.write("before\\n"); await writeOutput("/proc/self/fd/1", ["after\\n"]);`;
    execFileSync("sh", ["-c", `exec ${process.execPath} ${await bundled(code)} > ${at("out")}`]);
    expect(read("out")).toBe("before\nafter\n");
  });
});

it.each(["SIGINT", "SIGTERM"] as const)("nothing lies beside it after %s, and the process ends by it", async (signal) => {
  const code = `import { writeOutput } from ${JSON.stringify(join(import.meta.dirname, "../../src/platform/output-file.ts"))};
async function* slow() { yield "half"; console.log("writing"); await new Promise((d) => setTimeout(d, 60_000)); }
await writeOutput(process.argv[2], slow());`;
  writeFileSync(at("a"), "old");
  const child: ChildProcess = spawn(process.execPath, [await bundled(code), at("a")], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((seen) => child.stdout?.once("data", seen));
  expect(readdirSync(dir).some((name) => name.endsWith(".part"))).toBe(true);
  const ended = new Promise((done) => child.once("close", (_, by) => done(by)));
  child.kill(signal);
  expect(await ended).toBe(signal);
  expect(readdirSync(dir)).toEqual(["a"]);
  expect(read("a")).toBe("old");
});

async function bundled(code: string): Promise<string> {
  const file = join(mkdtempSync(join(tmpdir(), "forge-output-code-")), "code.mjs");
  await build({ stdin: { contents: code, resolveDir: dir }, bundle: true, platform: "node", format: "esm", outfile: file });
  return file;
}
