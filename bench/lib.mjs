/** What the benchmarks share. */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

/** The repository's root. */
export const root = join(import.meta.dirname, "..");
/** The machine, for a figure's line. */
export const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.versions.node}`;

/** Runs the built command in a folder; its diagnostics are shown, its output is returned. */
export const forge = (cwd, ...args) =>
  spawnSync(process.execPath, [join(root, "dist/forge.js"), ...args], { cwd, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });

/** A module of src/, as the program has it. */
export async function importSource(path) {
  const { outputFiles } = await build({ entryPoints: [join(root, path)], bundle: true, write: false, platform: "node", format: "esm", logLevel: "error" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
