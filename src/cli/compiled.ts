/**
 * Compiled code kept between starts, where Node can do that (22.1 and up): what is imported after it is compiled once and not each time.
 * Used by the entry alone and imports nothing of the program, so that nothing of it is compiled before.
 */
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The folder for it, beside what else is kept per user: that of `cacheDir` (src/platform/paths.ts; a test compares). */
export function compiledFolder(env: NodeJS.ProcessEnv): string {
  const { MCP_FORGE_CACHE_DIR: own, XDG_CACHE_HOME: shared, HOME: home } = env;
  if (own) return join(resolve(own), "compiled");
  return join(shared?.startsWith("/") ? shared : join(home || homedir(), ".cache"), "mcp-forge", "compiled");
}

/** Where the folder cannot be written it goes without. */
export function keepCompiled(): void {
  const { enableCompileCache } = nodeModule as { readonly enableCompileCache?: (folder: string) => unknown };
  enableCompileCache?.(compiledFolder(process.env));
}
