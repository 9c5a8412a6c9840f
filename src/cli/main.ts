#!/usr/bin/env node
/**
 * The entry of `forge` and `mcp-forge`. `--version` is answered before anything else is imported, so
 * that it costs little more than starting Node; everything else is loaded on demand. Guarantees: the
 * process ends with one of the documented exit codes, and a reader that goes away (`forge plan | head`)
 * causes no stack trace.
 */
import { readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

const args = process.argv.slice(2);

if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  process.stdout.write(`${version}\n`);
} else {
  keepCompiled();
  const { runCli } = await import("./program.ts");
  process.exitCode = await runCli(args);
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // A handle that somebody forgot must not keep a finished command in the terminal. The timer itself
  // holds nothing open: a clean end does not wait for it.
  setTimeout(() => process.exit(), 500).unref();
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
  const { enableCompileCache } = nodeModule as { readonly enableCompileCache?: (folder: string) => unknown };
  enableCompileCache?.(join(userCache(process.env), "compiled"));
}

/** `cacheDir` of src/platform/paths.ts once more, as that would bring the whole start with it; a test compares. */
function userCache(env: NodeJS.ProcessEnv): string {
  if (env.MCP_FORGE_CACHE_DIR) return resolve(env.MCP_FORGE_CACHE_DIR);
  if (env.XDG_CACHE_HOME?.startsWith("/")) return join(env.XDG_CACHE_HOME, "mcp-forge");
  return join(env.HOME || homedir(), ".cache", "mcp-forge");
}
