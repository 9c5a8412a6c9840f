/**
 * Where things lie: the package's own files (templates, schemas, Python steps) and the per-user cache.
 * Guarantees: works from `src/` (tests) and from the bundled `dist/`; reads the environment that it is
 * given and nothing else; creates nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

let root: string | undefined;

/** Absolute path of the installed package: the nearest folder above this file whose package.json is ours. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const manifest = join(dir, "package.json");
    if (existsSync(manifest) && /"name"\s*:\s*"mcp-forge"/.test(readFileSync(manifest, "utf8"))) {
      root = dir;
      return dir;
    }
    if (dirname(dir) === dir) throw new Error("the package root of mcp-forge was not found above its own files");
  }
}

/** What mends a cache folder that is full or cannot be written to. */
export const CACHE_FIX = "free some space there, or set MCP_FORGE_CACHE_DIR to a folder that can be written to and has some GB free";

/**
 * Folder for what is fetched once per user: base models, the Python environment.
 * `MCP_FORGE_CACHE_DIR`, else `$XDG_CACHE_HOME/mcp-forge`, else `~/.cache/mcp-forge`. Absolute. A relative
 * `XDG_CACHE_HOME` is ignored, as the XDG base directory specification demands.
 */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.MCP_FORGE_CACHE_DIR) return resolve(env.MCP_FORGE_CACHE_DIR);
  if (env.XDG_CACHE_HOME?.startsWith("/")) return join(env.XDG_CACHE_HOME, "mcp-forge");
  return join(env.HOME || homedir(), ".cache", "mcp-forge");
}
