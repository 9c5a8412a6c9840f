/** What the benchmarks share. */
import { readFileSync } from "node:fs";
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

/** The values of JSON lines. */
export const jsonLines = (text) =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line));

/** Path of a stage's output in the store of a project whose recipe is forge.yaml. */
export function stored(project, stage, output) {
  const { recipe: stages } = JSON.parse(readFileSync(join(project, "forge.lock"), "utf8"));
  const digest = stages[stage].outputs[output].replace("sha256:", "");
  return join(project, ".mcp-forge/store/objects", digest.slice(0, 2), digest.slice(2), "content");
}
