/** What the benchmarks share. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
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

/** Folder and names of the development toolsets: those of `from`, else fetched to `keep`. Ends the process when they cannot be had. */
export function developmentToolsets(from, keep) {
  const folder = from ?? join(keep, "toolsets");
  if (!existsSync(folder)) {
    const made = spawnSync(process.env.MCP_FORGE_PYTHON ?? "python3", [join(root, "bench/berkeley.py"), folder], { stdio: "inherit" });
    if (made.status !== 0) process.exit(1);
  }
  return { folder, names: readdirSync(folder).filter((name) => existsSync(join(folder, name, "functions.json"))) };
}

/** A toolset's requests, JSON lines: those that people wrote, then ours that none of its tools is for. */
export function requestsOf(folder, name) {
  const own = join(root, "bench/cases/no-call", `${name}.jsonl`);
  return `${[join(folder, name, "cases.jsonl"), ...(existsSync(own) ? [own] : [])].map((f) => readFileSync(f, "utf8").trim()).join("\n")}\n`;
}

/** Figures of first moves by their short names, in the order of a table. */
export const FIGURES = { tool_selection_accuracy: "tool", slots_right: "slots", exact_arguments: "exact", no_tool_correctness: "no_call" };
