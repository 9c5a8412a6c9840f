/**
 * What remains of a model's figures when the world is a little other than in training: the same requests with the tools in
 * another order, described in other words, with one more tool, under somebody's own system prompt, in the middle of a chat.
 *
 *   npm run bench -- robust --project DIR[,DIR…] [--cases FILE] [--limit 40]
 *
 * A project is one that has been applied (those of `npm run bench -- teacher` lie in its --keep); its q8_0 model is judged on
 * --cases (cases.jsonl of the project) in free decoding. One JSON line a figure at the end, with the drop against the requests as they are.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { FIGURES, importSource, jsonLines, machine, root, stored } from "./lib.mjs";

const { values: o } = parseArgs({ options: { project: { type: "string" }, cases: { type: "string" }, limit: { type: "string", default: "1000" } } });
if (o.project === undefined) {
  console.error("usage: npm run bench -- robust --project DIR[,DIR…] [--cases FILE] [--limit N]");
  process.exit(4);
}
const { firstTurnFigures } = await importSource("src/evaluation/figures.ts");

/** A tool of no use for any of the requests. */
const STRANGER = {
  name: "count_museum_visitors",
  description: "Counts the visitors of a museum on one day.",
  input_schema: {
    type: "object",
    properties: { museum: { type: "string", description: "Name of the museum" }, day: { type: "string", description: "The day, YYYY-MM-DD" } },
    required: ["museum"],
  },
};
const reworded = (text) => (text === undefined || text === "" ? text : `Use this for the following: ${text.charAt(0).toLowerCase()}${text.slice(1)}`);
const rewordTool = (t) => ({
  ...t,
  description: reworded(t.description),
  input_schema: {
    ...t.input_schema,
    properties: Object.fromEntries(
      Object.entries(t.input_schema.properties ?? {}).map(([name, p]) => [name, p?.description ? { ...p, description: `Here goes: ${p.description}` } : p]),
    ),
  },
});
const withSystem = (c) =>
  c.messages[0]?.role === "system"
    ? c
    : { ...c, messages: [{ role: "system", content: "You are Ava, the assistant of Northwind Trading. Be friendly and brief." }, ...c.messages] };
const afterChat = (c) => {
  const chat = [
    { role: "user", content: "Hi there, how are you today?" },
    { role: "assistant", content: "I'm fine, thank you! How can I help you?" },
  ];
  const system = c.messages.filter((m) => m.role === "system");
  return { ...c, messages: [...system, ...chat, ...c.messages.filter((m) => m.role !== "system")] };
};
const WORLDS = {
  "as they are": [(tools) => tools, (c) => c],
  "tools reversed": [(tools) => [...tools].reverse(), (c) => c],
  "tools reworded": [(tools) => tools.map(rewordTool), (c) => c],
  "one tool more": [(tools) => [...tools.slice(0, 1), STRANGER, ...tools.slice(1)], (c) => c],
  "a system prompt": [(tools) => tools, withSystem],
  "a chat before": [(tools) => tools, afterChat],
};

const work = mkdtempSync(join(tmpdir(), "forge-robust-"));
const pooled = new Map(Object.keys(WORLDS).map((name) => [name, []]));
try {
  for (const project of o.project.split(",").map((p) => resolve(p))) {
    const toolset = JSON.parse(readFileSync(stored(project, "inspect", "toolset"), "utf8"));
    const cases = jsonLines(readFileSync(o.cases ?? join(project, "cases.jsonl"), "utf8")).slice(0, Number(o.limit));
    for (const [name, [tools, change]] of Object.entries(WORLDS)) {
      const plain = ({ name: tool, description, input_schema }) => ({ name: tool, description, input_schema });
      writeFileSync(join(work, "tools.json"), JSON.stringify(tools(toolset.tools.map(plain))));
      writeFileSync(join(work, "cases.jsonl"), cases.map((c) => `${JSON.stringify(change(c))}\n`).join(""));
      const args = [
        "validate",
        "--model",
        stored(project, "export:q8_0", "model"),
        "--tools",
        "tools.json",
        "--cases",
        "cases.jsonl",
        "--output",
        "report.json",
      ];
      const ran = spawnSync(process.execPath, [join(root, "dist/forge.js"), ...args], { cwd: work, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
      const records = join(work, "report.records.jsonl");
      if (!existsSync(records)) {
        console.error(`${project}, ${name}: exit ${ran.status}\n${ran.stderr}`);
        process.exit(1);
      }
      pooled.get(name).push(...jsonLines(readFileSync(records, "utf8")).map((r) => ({ ...r, cluster: `${project}/${r.id}` })));
      rmSync(records);
      rmSync(join(work, "report.json"), { force: true });
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
const asTheyAre = firstTurnFigures(pooled.get("as they are"));
for (const [world, records] of pooled) {
  const figures = firstTurnFigures(records);
  for (const [key, short] of Object.entries(FIGURES)) {
    const { value, n, low, high } = figures[key];
    if (n > 0) console.log(JSON.stringify({ name: `robust.${short}`, world, value, n, low, high, change: value - asTheyAre[key].value, machine }));
  }
}
