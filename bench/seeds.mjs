/**
 * How steady the default recipe is: applies it with several seeds, each in a project of its own, and prints every
 * gated figure, free and constrained, beside the untuned base's, then the requests of bench/cases in ordinary words.
 *
 *   node bench/seeds.mjs [--seeds 7,11,23] [--recipe forge.yaml] [--cases bench/cases/weather-ordinary.jsonl] [--keep DIR]
 *
 * One JSON line a figure at the end ({name, seed, value, n, …}), for docs/measurements.md. Resumable: with --keep, what is
 * finished is not run again.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parseDocument } from "yaml";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: o } = parseArgs({
  options: {
    seeds: { type: "string", default: "7,11,23" },
    recipe: { type: "string", default: join(root, "forge.yaml") },
    cases: { type: "string", default: join(root, "bench/cases/weather-ordinary.jsonl") },
    keep: { type: "string" },
  },
});
const home = resolve(o.keep ?? mkdtempSync(join(tmpdir(), "forge-seeds-")));
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.versions.node}`;
const forge = (cwd, ...args) =>
  spawnSync(process.execPath, [join(root, "dist/forge.js"), ...args], { cwd, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });
const lines = [];
const emit = (line) => lines.push(JSON.stringify({ ...line, machine }));

for (const seed of o.seeds.split(",").map(Number)) {
  const dir = join(home, `seed-${seed}`);
  mkdirSync(join(dir, ".mcp-forge"), { recursive: true });
  const recipe = parseDocument(readFileSync(o.recipe, "utf8"));
  recipe.set("seed", seed);
  writeFileSync(join(dir, "forge.yaml"), String(recipe));
  const started = Date.now();
  const applied = forge(dir, "apply");
  const seconds = (Date.now() - started) / 1000;
  console.log(`== seed ${seed}: exit ${applied.status}, ${seconds.toFixed(0)} s\n${applied.stdout.split("\n").slice(-30).join("\n")}`);
  emit({ name: "apply.exit", seed, value: applied.status });
  emit({ name: "apply.seconds", seed, value: seconds });
  const status = JSON.parse(forge(dir, "status", "--json").stdout || "{}");
  for (const node of status.nodes ?? [])
    for (const [figure, f] of Object.entries(node.figures ?? {})) {
      if (typeof f === "number") emit({ name: `${node.id}.${figure}`, seed, value: f });
      else if (f && typeof f === "object" && typeof f.value === "number")
        emit({ name: `${node.id}.${figure}`, seed, value: f.value, n: f.n, low: f.low, high: f.high });
    }
  const bundle = join(dir, recipe.getIn(["bundle", "output"]) ?? `dist/${recipe.get("name")}`);
  const judged = forge(dir, "benchmark", bundle, "--cases", resolve(o.cases), "--json");
  if (judged.status === 0) {
    const report = JSON.parse(judged.stdout);
    console.log(
      `-- ${resolve(o.cases)}: ${report.cases.filter((c) => c.ok).length} of ${report.cases.length} right; not right: ${
        report.cases
          .filter((c) => !c.ok)
          .map((c) => c.id)
          .join(", ") || "none"
      }`,
    );
    emit({ name: "ordinary.right", seed, value: report.cases.filter((c) => c.ok).length, n: report.cases.length });
    for (const [figure, f] of Object.entries(report.figures))
      if (f && typeof f === "object") emit({ name: `ordinary.${figure}`, seed, value: f.value, n: f.n });
  }
}
console.log(lines.join("\n"));
