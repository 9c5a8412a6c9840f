/**
 * What a small model can do that was trained on no recipe: on toolsets of one to six tools from the second generator, and on real servers'
 * tools with requests written by hand.
 *
 *   npm run bench -- nano [--model GGUF] [--toolsets 18] [--requests 20] [--seed 1] [--keep DIR]
 *
 * Without --model the one that ships. Writes the toolsets to DIR and has bench/head-start.mjs judge the model on them. Needs the npm registry for the servers.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { must } from "../scripts/training-run.ts";
import { ensureBase } from "../src/models/base.ts";
import { getFamily } from "../src/models/family.ts";
import type { JsonObject } from "../src/platform/json.ts";
import { packageRoot } from "../src/platform/paths.ts";
import { machine } from "./lib.mjs";
import { judged } from "./nano/generator.ts";

const root = packageRoot();
const { values: o } = parseArgs({
  options: {
    model: { type: "string" },
    toolsets: { type: "string", default: "18" },
    requests: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    keep: { type: "string", default: join(root, ".mcp-forge/bench/nano") },
  },
});
/** The model that ships, as a recipe would have it. */
async function shipped(): Promise<string> {
  const family = must(getFamily("nano"));
  return must(await ensureBase(family, "default", { signal: new AbortController().signal })).ggufPath;
}
const model = o.model === undefined ? await shipped() : resolve(o.model);

/** Servers whose requests lie in bench/cases/nano, with what they are started with. */
const SERVERS = {
  filesystem: "npx -y @modelcontextprotocol/server-filesystem@2026.8.31 .",
  everything: "npx -y @modelcontextprotocol/server-everything",
  memory: "npx -y @modelcontextprotocol/server-memory",
} as const;

const keep = resolve(o.keep);
const toolsets = join(keep, "toolsets");
rmSync(toolsets, { recursive: true, force: true });
for (let i = 0; i < Number(o.toolsets); i++) {
  const folder = join(toolsets, `second-${i}`);
  mkdirSync(folder, { recursive: true });
  const { functions, cases } = judged(Number(o.seed), i, 1 + (i % 6), Number(o.requests));
  writeFileSync(join(folder, "functions.json"), JSON.stringify(functions, null, 1));
  writeFileSync(join(folder, "cases.jsonl"), cases.map((c) => `${JSON.stringify(c)}\n`).join(""));
}
for (const [name, server] of Object.entries(SERVERS)) {
  const folder = join(toolsets, name);
  mkdirSync(folder, { recursive: true });
  const read = spawnSync(process.execPath, [join(root, "dist/forge.js"), "tools", "inspect", "--server", server, "--timeout", "120", "--json"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (read.status !== 0) {
    console.error(`${name}: ${read.stderr}`);
    process.exit(1);
  }
  const { tools } = JSON.parse(read.stdout) as { tools: { name: string; description: string; input_schema: JsonObject }[] };
  writeFileSync(join(folder, "functions.json"), JSON.stringify(tools.map((t) => ({ name: t.name, description: t.description, parameters: t.input_schema }))));
  copyFileSync(join(root, "bench/cases/nano", `${name}.jsonl`), join(folder, "cases.jsonl"));
}
const ended = spawnSync(process.execPath, [join(root, "bench/head-start.mjs"), "--model", model, "--family", "nano", "--from", toolsets, "--keep", keep], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
  maxBuffer: 1 << 26,
});
const lines = ended.stdout
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as { name: string; toolset: string; value?: number; n: number });
for (const line of lines) console.log(JSON.stringify({ ...line, name: line.name.replace("head-start", "nano") }));
/** The second generator's figures, pooled over its toolsets. */
for (const name of new Set(lines.map((l) => l.name))) {
  const rows = lines.filter((l) => l.name === name && l.toolset.startsWith("second-") && l.value !== undefined);
  const n = rows.reduce((sum, r) => sum + r.n, 0);
  if (n > 0)
    console.log(
      JSON.stringify({
        name: name.replace("head-start", "nano"),
        toolset: "second generator",
        value: rows.reduce((s, r) => s + (r.value ?? 0) * r.n, 0) / n,
        n,
        machine,
      }),
    );
}
process.exit(ended.status ?? 1);
