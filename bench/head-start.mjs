/**
 * What a head start can do by itself: an adapter, or a GGUF, judged on the requests that people wrote for the development toolsets,
 * none of which it was trained for.
 *
 *   npm run bench -- head-start [--model head-starts/smollm2] [--toolsets all | NAME,NAME] [--from DIR] [--family NAME] [--keep DIR]
 *
 * Free decoding, q8_0. One JSON line a figure, of each toolset, pooled, and of the requests that hold what their answer needs (answerable.mjs), and how arguments went wrong.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { beyondAnswer } from "./answerable.mjs";
import { developmentToolsets, FIGURES, importSource, jsonLines, machine, requestsOf, root } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    model: { type: "string", default: join(root, "head-starts/smollm2") },
    toolsets: { type: "string", default: "all" },
    from: { type: "string" },
    family: { type: "string" },
    keep: { type: "string", default: join(root, ".mcp-forge/bench/head-start") },
  },
});
const keep = resolve(o.keep);
mkdirSync(keep, { recursive: true });
const { folder, names: all } = developmentToolsets(o.from === undefined ? undefined : resolve(o.from), keep);
const names = o.toolsets === "all" ? all : o.toolsets.split(",");
const { firstTurnFigures } = await importSource("src/evaluation/figures.ts");
const forge = (...args) =>
  spawnSync(process.execPath, [join(root, "dist/forge.js"), ...args], { cwd: keep, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** What `forge train` would have left: an adapter alone (the form of head-starts/) lacks what only a comparison reads. */
function trainedFolder(adapter) {
  if (existsSync(join(adapter, "model.json"))) return adapter;
  const folder = join(keep, "trained");
  rmSync(folder, { recursive: true, force: true });
  cpSync(adapter, join(folder, "adapter"), { recursive: true });
  writeFileSync(join(folder, "rows.jsonl"), `${JSON.stringify({ id: "none", segments: [{ text: "none", learn: true }] })}\n`);
  cpSync(join(adapter, "training.json"), join(folder, "training.json"));
  writeFileSync(join(folder, "model.json"), JSON.stringify({ version: 1, family: "smollm2", name: "head-start" }));
  return folder;
}

let model = resolve(o.model);
if (!model.endsWith(".gguf")) {
  const gguf = join(keep, "head-start.gguf");
  const tools = join(keep, "weather.json"); // Only named in the file's metadata.
  rmSync(gguf, { force: true });
  forge("tools", "inspect", "--stub", "weather", "--output", tools);
  const made = forge("export", "--model", trainedFolder(model), "--output", gguf, "--format", "q8_0", "--skip-verify", "--tools", tools);
  if (!existsSync(gguf)) {
    console.error(made.stdout + made.stderr);
    process.exit(1);
  }
  model = gguf;
}

function tell(name, records) {
  const figures = firstTurnFigures(records);
  const slips = {};
  for (const slip of records.flatMap((r) => r.judgement.slips ?? [])) slips[slip.how] = (slips[slip.how] ?? 0) + 1;
  for (const [key, short] of Object.entries(FIGURES)) {
    const { value, n, low, high } = figures[key];
    if (n > 0) console.log(JSON.stringify({ name: `head-start.${short}`, toolset: name, value, n, low, high, machine }));
  }
  console.log(JSON.stringify({ name: "head-start.slips", toolset: name, ...slips, n: records.length, machine }));
}

const pooled = [];
for (const name of names) {
  writeFileSync(join(keep, "functions.json"), readFileSync(join(folder, name, "functions.json")));
  writeFileSync(join(keep, "cases.jsonl"), requestsOf(folder, name));
  const records = join(keep, "report.records.jsonl");
  for (const file of ["tools.json", "report.json", "report.md", "report.records.jsonl", "report.cases.jsonl"]) rmSync(join(keep, file), { force: true });
  const imported = forge("tools", "import", "--from", "functions.json", "--output", "tools.json");
  const judged = forge(
    "validate",
    "--model",
    model,
    "--tools",
    "tools.json",
    "--cases",
    "cases.jsonl",
    "--output",
    "report.json",
    ...(o.family === undefined ? [] : ["--family", o.family]),
  );
  if (!existsSync(records)) {
    console.error(`${name}\n${imported.stderr}${judged.stdout}${judged.stderr}`);
    process.exit(1);
  }
  const made = jsonLines(readFileSync(records, "utf8"));
  tell(name, made);
  pooled.push(...made.map((r) => ({ ...r, cluster: `${name}/${r.id}` })));
}
tell("pooled", pooled);
const beyond = beyondAnswer(folder, names);
tell(
  "answerable",
  pooled.filter((r) => !beyond.has(r.cluster)),
);
