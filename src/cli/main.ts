#!/usr/bin/env node
/**
 * The entry of `forge` and `mcp-forge`. `--version` is answered before anything else is imported, so
 * that it costs little more than starting Node, and so is an `apply` that would find nothing to do (unchanged.ts); everything else is loaded on demand. Guarantees: the
 * process ends with one of the documented exit codes, and a reader that goes away (`forge plan | head`)
 * causes no stack trace.
 */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { leaveNote, mayBeUnchanged, type Notes, stillUnchanged } from "../engine/unchanged.ts";
import { consult } from "../platform/consulted.ts";

// Not imported: unchanged.ts says why.
const { readFileSync, writeSync } = process.getBuiltinModule("node:fs");
const args = process.argv.slice(2);

if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  process.stdout.write(`${version}\n`);
} else if (mayBeUnchanged(args)) {
  const program = fileURLToPath(import.meta.url);
  const line = stillUnchanged(args, program);
  if (line === undefined || !print(line)) await unchangedOrNot(program);
} else await whole();

/** Writes a line without Node's streams, which take some milliseconds to load. Where that is refused (a reader that is slow or gone, a full disk), nothing is written. */
function print(line: string): boolean {
  try {
    const written = writeSync(1, line);
    const rest = Buffer.from(line).subarray(written);
    if (rest.length > 0) process.stdout.write(rest);
    return true;
  } catch {
    return false;
  }
}

/** The whole program. */
async function whole(notes?: Notes): Promise<void> {
  keepCompiled();
  const { runCli } = await import("./program.ts");
  process.exitCode = await runCli(args, notes);
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // A handle that somebody forgot must not keep a finished command in the terminal. The timer itself
  // holds nothing open: a clean end does not wait for it.
  setTimeout(() => process.exit(), 500).unref();
}

/** The whole program, watched: where it has nothing to do, it leaves a note for the next time. */
async function unchangedOrNot(program: string): Promise<void> {
  const consulted = consult();
  await whole({ again: consulted.again, leave: (run) => leaveNote(args, program, run, consulted) });
}

/** Resolves when a slow reader (`forge logs | less`) has taken everything, or is gone. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("close", resolve).once("error", () => resolve());
    stream.write("", () => resolve());
  });
}

/**
 * Node 22.1 and up can keep compiled code between starts, beside what else is kept per user; where the folder cannot be written it goes without.
 * Said before anything is imported, which would be compiled anew each time.
 */
function keepCompiled(): void {
  const { enableCompileCache } = process.getBuiltinModule("node:module") as { readonly enableCompileCache?: (folder: string) => unknown };
  enableCompileCache?.(join(userCache(process.env), "compiled"));
}

/** `cacheDir` of src/platform/paths.ts once more, as that would bring the whole start with it; a test compares. */
function userCache(env: NodeJS.ProcessEnv): string {
  if (env.MCP_FORGE_CACHE_DIR) return resolve(env.MCP_FORGE_CACHE_DIR);
  if (env.XDG_CACHE_HOME?.startsWith("/")) return join(env.XDG_CACHE_HOME, "mcp-forge");
  // Loaded only where it is needed.
  return join(env.HOME || process.getBuiltinModule("node:os").homedir(), ".cache", "mcp-forge");
}
