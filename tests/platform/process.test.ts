import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { childEnv, runProcess, spawnChild } from "../../src/platform/process.ts";
import { bundleForChild, source } from "./support/ts-child.ts";

const node = process.execPath;
const script = (code: string) => ["-e", code];
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};
async function until(what: () => boolean, ms = 5000): Promise<void> {
  for (const end = Date.now() + ms; !what(); ) {
    if (Date.now() > end) throw new Error("did not happen in time");
    await new Promise((r) => setTimeout(r, 20));
  }
}

describe("a process that is run to its end", () => {
  it("gives exit status, output and lines, with characters split between chunks whole", async () => {
    const lines: string[] = [];
    const code = `process.stdout.write(Buffer.from([0xe2,0x82]));setTimeout(()=>{process.stdout.write(Buffer.from([0xac]));process.stdout.write("\\nb\\r\\nlast");console.error("oh");process.exitCode=3},50)`;
    const r = await runProcess(node, script(code), { onStdoutLine: (l) => lines.push(l) });
    expect(r).toMatchObject({ ok: true, value: { exitCode: 3, signal: null, stdout: "€\nb\r\nlast", stderr: "oh\n", cut: false } });
    expect(lines).toEqual(["€", "b", "last"]);
  });

  it("is bounded in line length and in what is kept", async () => {
    const lines: [number, boolean][] = [];
    const code = `process.stdout.write("x".repeat(5e6)+"\\nshort\\n");process.stderr.write("y".repeat(5e6)+"END")`;
    const r = await runProcess(node, script(code), { maxLineBytes: 1000, maxBytes: 2000, onStdoutLine: (l, cut) => lines.push([l.length, cut]) });
    expect(lines).toEqual([
      [1000, true],
      [5, false],
    ]);
    expect(r.ok && [r.value.stdout.length, r.value.stderr.length, r.value.stderr.endsWith("END"), r.value.cut]).toEqual([2000, 2000, true, true]);
  });

  it("fails as data when the command does not exist, is no program, or has no such folder", async () => {
    expect(await runProcess("no-such-command-here", [])).toMatchObject({ ok: false, error: { code: "process/not-found", exit: 6 } });
    const plain = join(await mkdtemp(join(tmpdir(), "forge-process-")), "plain.txt");
    await writeFile(plain, "text", { mode: 0o644 });
    expect(await runProcess(plain, [])).toMatchObject({ ok: false, error: { code: "process/cannot-start", exit: 6 } });
    expect(await runProcess(node, [], { cwd: "/no/such/folder" })).toMatchObject({ ok: false, error: { code: "process/not-found" } });
  });

  it("is stopped after its time, also when it ignores SIGTERM", async () => {
    const t = Date.now();
    const r = await runProcess(node, script(`process.on("SIGTERM",()=>{});console.error("busy");setInterval(()=>{},1e3)`), { timeoutMs: 400, graceMs: 200 });
    expect(r).toMatchObject({ ok: false, error: { code: "process/timed-out", details: "busy\n", exit: 1 } });
    expect(Date.now() - t).toBeLessThan(4000);
  });

  it("gets SIGTERM on abort and may finish what it has to", async () => {
    const control = new AbortController();
    const lines: string[] = [];
    const code = `process.on("SIGTERM",()=>{console.log("saved");process.exit(0)});console.log("up");setInterval(()=>{},1e3)`;
    const r = await runProcess(node, script(code), {
      signal: control.signal,
      onStdoutLine: (l) => {
        lines.push(l);
        if (l === "up") control.abort();
      },
    });
    expect(r).toMatchObject({ ok: false, error: { code: "process/aborted", exit: 130 } });
    expect(lines).toEqual(["up", "saved"]);
  });
});

describe("a long-lived child", () => {
  it("answers on its stdin and leaves when that is closed", async () => {
    const lines: string[] = [];
    const child = await spawnChild("cat", [], { onStdoutLine: (l) => lines.push(l) });
    if (!child.ok) throw new Error(child.error.message);
    expect(await child.value.write("hello\n")).toBe(true);
    await until(() => lines.length === 1);
    expect(await child.value.stop()).toMatchObject({ exitCode: 0, stdout: "hello\n" });
    expect(await child.value.write("more\n")).toBe(false);
  });

  it("takes the processes that it started with it", async () => {
    const code = `const c=require("child_process").spawn("sleep",["1000"],{stdio:"inherit"});console.log(c.pid);process.on("SIGTERM",()=>{});setInterval(()=>{},1e3)`;
    let grandchild = 0;
    const child = await spawnChild(node, script(code), {
      onStdoutLine: (l) => {
        grandchild = Number(l);
      },
    });
    if (!child.ok) throw new Error(child.error.message);
    await until(() => grandchild > 0);
    await child.value.stop(100);
    await until(() => !isAlive(grandchild) && !isAlive(child.value.pid), 2000);
  });

  it("is not waited for by output that a stray grandchild keeps open", async () => {
    const code = `const c=require("child_process").spawn("sleep",["30"],{stdio:"inherit",detached:true});console.log(c.pid);c.unref();process.exit(0)`;
    const t = Date.now();
    const r = await runProcess(node, script(code));
    expect(Date.now() - t).toBeLessThan(5000);
    if (r.ok) process.kill(Number(r.value.stdout));
  });

  it("reads end of file when the parent is killed", async () => {
    const dir = await mkdtemp(join(tmpdir(), "forge-process-"));
    const mark = join(dir, "left");
    const inner = `require("fs").writeFileSync(${JSON.stringify(mark)}+".up","");process.stdin.resume();process.stdin.on("end",()=>{require("fs").writeFileSync(${JSON.stringify(mark)},"");process.exit()})`;
    const outer = `import {spawnChild} from ${source("platform/process.ts")};await spawnChild(process.execPath,["-e",${JSON.stringify(inner)}]);setInterval(()=>{},1e3)`;
    const parent = await spawnChild(node, [await bundleForChild(outer, dir)]);
    if (!parent.ok) throw new Error(parent.error.message);
    await until(() => existsSync(`${mark}.up`), 15_000);
    parent.value.kill();
    await until(() => existsSync(mark), 5000);
  }, 30_000);
});

describe("a child's environment", () => {
  const saved = { ...process.env };
  afterEach(() => {
    process.env = { ...saved };
  });

  it("holds what is listed and nothing that looks like a credential", async () => {
    Object.assign(process.env, {
      OPENAI_API_KEY: "k",
      HF_TOKEN: "t",
      MCP_FORGE_X: "1",
      MCP_FORGE_TOKEN: "t",
      PIP_NO_INPUT: "1",
      PIP_INDEX_URL: "https://u:p@host/",
      npm_config__auth: "x",
      WHATEVER: "1",
    });
    const env = childEnv({ EXTRA: "e" }, ["HF_TOKEN"]);
    expect(env).toMatchObject({ MCP_FORGE_X: "1", PIP_NO_INPUT: "1", EXTRA: "e", HF_TOKEN: "t", PATH: process.env.PATH });
    for (const name of ["OPENAI_API_KEY", "MCP_FORGE_TOKEN", "PIP_INDEX_URL", "npm_config__auth", "WHATEVER"]) expect(env).not.toHaveProperty(name);
    const r = await runProcess(node, script("console.log(JSON.stringify(process.env))"));
    expect(r.ok && JSON.parse(r.value.stdout)).not.toHaveProperty("OPENAI_API_KEY");
  });
});
