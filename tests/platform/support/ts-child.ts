/** Makes a plain module of TypeScript code that imports from src/, so that a child process of a test can run it with bare Node. */
import { join } from "node:path";
import { build } from "esbuild";

/** Bundles the code (its imports given as absolute paths) into `<dir>/<name>.mjs` and returns that path. */
export async function bundleForChild(code: string, dir: string, name = "child"): Promise<string> {
  const outfile = join(dir, `${name}.mjs`);
  await build({
    stdin: { contents: code, resolveDir: import.meta.dirname, loader: "ts" },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "error",
  });
  return outfile;
}

/** Absolute path of a source file, quoted for an import statement. */
export const source = (path: string): string => JSON.stringify(join(import.meta.dirname, "../../../src", path));
