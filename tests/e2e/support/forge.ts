/**
 * Runs the built command (dist/forge.js) in throw-away folders with an environment of its own: a home, a cache
 * and a temporary folder that nobody else writes to, so that whatever a run leaves behind is seen. Every process
 * that a run starts carries a mark in its environment, by which it is found as long as it lives.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const forgeFile = join(import.meta.dirname, "../../../dist/forge.js");

export interface Ended {
  readonly code: number | null;
  /** What ended it, where it did not end by itself. */
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until stdout or stderr holds the text; fails when the process ends first, or after five minutes. */
  readonly until: (text: string, times?: number) => Promise<void>;
}

/** A project in a world of its own. */
export class World {
  readonly root: string;
  readonly project: string;
  readonly cache: string;
  readonly tmp: string;
  readonly #mark: string;

  constructor() {
    this.root = mkdtempSync(join(realpathSync(tmpdir()), "forge-bad-"));
    [this.project, this.cache, this.tmp] = ["project", "cache", "tmp"].map((name) => join(this.root, name)) as [string, string, string];
    for (const name of ["project", "tmp", "home"]) mkdirSync(join(this.root, name));
    this.#mark = `MCP_FORGE_MARK=${this.root}`;
  }

  write(name: string, text: string | Uint8Array): string {
    const path = join(this.project, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** A folder to put on the PATH: node, and scripts by name. */
  bin(scripts: Readonly<Record<string, string>> = {}): string {
    const dir = mkdtempSync(join(this.root, "bin-"));
    symlinkSync(process.execPath, join(dir, "node"));
    for (const [name, text] of Object.entries(scripts)) writeFileSync(join(dir, name), text, { mode: 0o755 });
    return dir;
  }

  environment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const pip = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("PIP_")));
    return {
      PATH: process.env.PATH,
      HOME: join(this.root, "home"),
      TMPDIR: this.tmp,
      NO_COLOR: "1",
      MCP_FORGE_CACHE_DIR: this.cache,
      MCP_FORGE_MARK: this.root,
      ...pip,
      ...extra,
    };
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = this.project): Running {
    const began = performance.now();
    const child = spawn(process.execPath, [forgeFile, ...args], { cwd, env: this.environment(env), stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    let over = false;
    const ended = new Promise<Ended>((done) =>
      child.once("close", (code, signal) => {
        over = true;
        done({ code, signal, out, err, ms: performance.now() - began });
      }),
    );
    const until = async (text: string, times = 1): Promise<void> => {
      for (const since = performance.now(); (out + err).split(text).length <= times; ) {
        if (over || performance.now() - since > 300_000)
          throw new Error(`no ${JSON.stringify(text)}; ended: ${over} (${child.exitCode ?? child.signalCode})\nstdout: ${out}\nstderr: ${err}`);
        await sleep(10);
      }
    };
    return { process: child, ended, until };
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Ended> {
    return this.start(args, env, cwd).ended;
  }

  /** Command lines of the processes that a run of this world started and that still live. Linux only: elsewhere empty. */
  processes(): string[] {
    if (!existsSync("/proc/self/environ")) return [];
    return readdirSync("/proc").flatMap((pid) => {
      try {
        if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.#mark)) return [];
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`];
      } catch {
        return []; // Gone, or another user's.
      }
    });
  }

  /** Those that are left after so long at most. */
  async processesAfter(ms: number): Promise<string[]> {
    for (const end = performance.now() + ms; performance.now() < end && this.processes().length > 0; ) await sleep(25);
    return this.processes();
  }

  /** Mounts a small file system on a folder; the reason why not, where that cannot be done. */
  mount(name: string, size: string): string | undefined {
    const dir = join(this.root, name);
    mkdirSync(dir, { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", dir], { stdio: "pipe" });
      this.#mounts.push(dir);
      return undefined;
    } catch {
      return "needs root and the right to mount";
    }
  }
  readonly #mounts: string[] = [];

  /** Ends what a failed test left running, and removes everything. */
  remove(): void {
    for (const line of this.processes()) {
      try {
        process.kill(Number.parseInt(line, 10), "SIGKILL");
      } catch {
        // Gone by itself.
      }
    }
    for (const dir of this.#mounts) execFileSync("umount", ["-l", dir], { stdio: "pipe" });
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Every file and link of a tree with a digest of what it holds, and every empty folder. Links are not followed. */
export function treeOf(dir: string, prefix = ""): Record<string, string> {
  const found: Record<string, string> = {};
  if (!existsSync(dir) || !lstatSync(dir).isDirectory()) return found;
  const names = readdirSync(dir).sort();
  if (names.length === 0 && prefix !== "") found[`${prefix}/`] = "empty";
  for (const name of names) {
    const path = join(dir, name);
    const shown = prefix === "" ? name : `${prefix}/${name}`;
    const stats = lstatSync(path);
    if (stats.isDirectory()) Object.assign(found, treeOf(path, shown));
    else found[shown] = stats.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "link";
  }
  return found;
}

/** What a run may leave in a project though it failed: its own books, and the empty rooms of the store. */
const BOOKS =
  /^\.mcp-forge\/(\.gitignore|lock\/\d+|runs\/[^/]+\/(events\.jsonl|logs\/.*)|logs\/.*|state\/.*|scratch\/|store\/(version|objects\/|records\/|staging\/))$/;
/** What a finished `inspect` leaves. */
const INSPECTED =
  /^(forge\.lock|\.mcp-forge\/(tools\.json|store\/records\/[0-9a-f]{64}\.json|store\/objects\/[0-9a-f]{2}\/[0-9a-f]{62}\/(content|snapshot\.json)))$/;

/** Paths that are there and should not be: what was there before, books, and with `inspected` the one finished stage, are fine. */
export function litter(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>, inspected: boolean): string[] {
  const changed = Object.keys(after).filter((path) => after[path] !== before[path]);
  const lost = Object.keys(before).filter((path) => !(path in after) && !path.endsWith("/"));
  return [...changed.filter((path) => !BOOKS.test(path) && !(inspected && INSPECTED.test(path))), ...lost];
}
