/** What the benchmarks share. */
import { cpus } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

/** The repository's root. */
export const root = join(import.meta.dirname, "..");
/** The machine, for a figure's line. */
export const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.versions.node}`;

/** A module of src/, as the program has it. */
export async function importSource(path) {
  const { outputFiles } = await build({ entryPoints: [join(root, path)], bundle: true, write: false, platform: "node", format: "esm", logLevel: "error" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
