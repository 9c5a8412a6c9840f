/** `node scripts/run-ts.mjs FILE.ts [args]`: bundles a TypeScript script with the sources that it imports, and runs it. */
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./bundle-options.mjs";

const [script] = process.argv.splice(2, 1);
if (script === undefined) {
  console.error("usage: node scripts/run-ts.mjs FILE.ts [args]");
  process.exit(4);
}
// Below the root, so that the sources find their package.
const folder = join(root, "node_modules", ".cache", "mcp-forge-scripts");
mkdirSync(folder, { recursive: true });
const outfile = join(folder, basename(script).replace(/\.ts$/, ".mjs"));
await build({ entryPoints: [script], outfile, bundle: true, platform: "node", format: "esm", packages: "external", logLevel: "error" });
await import(pathToFileURL(outfile).href);
