/**
 * Runs the real command in temporary folders: the program is bundled as for a release, with toy stages
 * (toy-pipeline.ts) in place of the real ones, and started as a process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { commandOptions, root } from "../../scripts/bundle-options.mjs";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until stdout or stderr holds the text; fails when the process ends first. */
  readonly until: (text: string) => Promise<void>;
}

export const RECIPE = `version: 1
name: toy
tools:
  - stub: weather
data: { samples: 100 }
`;

/** The bundled program in a package of its own. */
export class Rig {
  readonly #home = mkdtempSync(join(tmpdir(), "forge-cli-"));

  get forge(): string {
    return join(this.#home, "package", "dist", "forge.js");
  }

  async build(): Promise<void> {
    const home = join(this.#home, "package");
    mkdirSync(home, { recursive: true });
    copyFileSync(join(root, "package.json"), join(home, "package.json"));
    for (const name of ["schemas", "forge.yaml", "templates", "python", "node_modules"]) symlinkSync(join(root, name), join(home, name));
    const options = commandOptions();
    const result = await build({
      ...options,
      write: false,
      plugins: [
        {
          name: "toy-stages",
          setup: (b) => b.onResolve({ filter: /stages\/pipeline\.ts$/ }, () => ({ path: join(root, "tests/cli/toy-pipeline.ts") })),
        },
        ...options.plugins,
      ],
    });
    for (const file of result.outputFiles ?? []) {
      const path = file.path.replace(join(root, "dist"), join(home, "dist"));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file.contents);
    }
  }

  /** A new, empty project folder; `recipe` is written as forge.yaml unless null. */
  project(recipe: string | null = RECIPE): string {
    const dir = mkdtempSync(join(this.#home, "project-"));
    if (recipe !== null) writeFileSync(join(dir, "forge.yaml"), recipe);
    return dir;
  }

  start(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(process.execPath, [this.forge, ...args], {
      cwd,
      env: { PATH: process.env.PATH, HOME: this.#home, XDG_CACHE_HOME: join(this.#home, "cache"), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const ended = new Promise<Ended>((done) => child.once("close", (code) => done({ code, out, err })));
    let over = false;
    void ended.then(() => {
      over = true;
    });
    return {
      process: child,
      ended,
      until: async (text) => {
        while (!out.includes(text) && !err.includes(text)) {
          if (over) throw new Error(`ended without ${JSON.stringify(text)}\nstdout: ${out}\nstderr: ${err}`);
          await sleep(10);
        }
      },
    };
  }

  run(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(cwd, args, env).ended;
  }

  remove(): void {
    if (existsSync(this.#home)) rmSync(this.#home, { recursive: true, force: true });
  }
}

export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
