/**
 * How well the builtin teacher prepares the default model for what people really ask: for each toolset of Berkeley's
 * development part, trains on builtin data alone and judges on the requests that people wrote.
 *
 *   npm run bench -- teacher [--toolsets 3 | all | NAME,NAME] [--samples 200] [--seeds 1] [--model '{"family":"smollm2"}']
 *                            [--ways both,recipe,head-start] [--train '{"epochs":1}'] [--from DIR] [--keep DIR]
 *
 * --ways: `both` is what a recipe gets, the head start and its own training; `recipe` is its own training on the base as it is;
 * `head-start` is no training of its own (one step at a rate of nothing). --train is the recipe's `train:`.
 * --seeds N takes the seeds 1 to N. --from names a folder of toolsets (NAME/functions.json, NAME/cases.jsonl; bench/berkeley.py
 * writes them, and is asked to when none is named). Requests that no tool is for are taken from bench/cases/no-call.
 * Everything lies in --keep (.mcp-forge/bench/teacher): forge itself runs only what changed there, so an interrupted run goes on.
 *
 * Ends with one JSON line a figure, first of each toolset, then pooled over all requests, then over those that hold what their accepted answer needs
 * (answerable.mjs), with a 95 % interval: tool, slots right, exact arguments and no call, free and constrained, and how arguments went wrong.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { beyondAnswer } from "./answerable.mjs";
import { developmentToolsets, FIGURES, importSource, jsonLines, machine, requestsOf, root, stored } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    toolsets: { type: "string", default: "3" },
    samples: { type: "string", default: "200" },
    seeds: { type: "string", default: "1" },
    model: { type: "string", default: '{"family":"smollm2"}' },
    ways: { type: "string", default: "both" },
    train: { type: "string", default: "{}" },
    from: { type: "string" },
    keep: { type: "string", default: join(root, ".mcp-forge/bench/teacher") },
  },
});
/** The three that changes are screened on: many optional arguments and enums, dates and places, numbers and identifiers. */
const SCREEN = ["flights-4-searchonewayflight-5", "get-product-details-4", "hotels-4-reservehotel-2"];
const GATES = {
  qa: { schema_pass_rate: 0, min_samples_per_tool: 0 },
  validate: { tool_call_parse_rate: 0, schema_conformance_rate: 0, tool_selection_accuracy: 0, loop_completion_rate: 0, error_handling_rate: 0 },
  benchmark: { no_tool_correctness: 0 },
};

const keep = resolve(o.keep);
const { folder: from, names: all } = developmentToolsets(o.from === undefined ? undefined : resolve(o.from), keep);
const names =
  o.toolsets === "all"
    ? all
    : /^\d+$/.test(o.toolsets)
      ? [...new Set([...SCREEN.filter((n) => all.includes(n)), ...all])].slice(0, Number(o.toolsets))
      : o.toolsets.split(",");
const { firstTurnFigures } = await importSource("src/evaluation/figures.ts");

const NOTHING = { epochs: 0.001, learning_rate: 1e-9 };
const WAYS = {
  both: {},
  recipe: { model: { head_start: false } },
  "head-start": { train: NOTHING },
};
const ways = o.ways.split(",");
const train = JSON.parse(o.train);
for (const way of ways)
  if (WAYS[way] === undefined) {
    console.error(`--ways: there is no way \`${way}\`; there are ${Object.keys(WAYS).join(", ")}`);
    process.exit(4);
  }
const out = [];
const emit = (line) => {
  out.push(JSON.stringify({ ...line, samples: Number(o.samples), ...(Object.keys(train).length > 0 && { train }), machine }));
};

/** Trains and evaluates one toolset; its records on the people's requests, free and constrained. */
function measure(name, seed, way) {
  const dir = join(keep, [name, o.samples, "seed", seed, way, ...Object.entries(train).flat()].join("-"));
  mkdirSync(join(dir, ".mcp-forge"), { recursive: true });
  const cases = requestsOf(from, name);
  writeFileSync(join(dir, "functions.json"), readFileSync(join(from, name, "functions.json")));
  writeFileSync(join(dir, "cases.jsonl"), cases);
  const recipe = {
    version: 1,
    name: `${name}`,
    seed,
    tools: [{ openai: "functions.json" }],
    model: { ...JSON.parse(o.model), ...WAYS[way].model },
    profile: "fast_dev",
    train: WAYS[way].train ?? train,
    data: { samples: Number(o.samples), min_per_tool: 1, teacher: { provider: "builtin" } },
    evaluation: { samples: 10, cases: "cases.jsonl", baseline: false, constrained: true },
    gates: GATES,
    exports: ["q8_0"],
    bundle: { output: "dist/model" },
  };
  writeFileSync(join(dir, "forge.yaml"), stringify(recipe));
  const started = Date.now();
  console.log(`== ${name}, seed ${seed}, ${way}: ${dir}`);
  // Its progress goes to stderr: minutes without a word look like a hang.
  const applied = spawnSync(process.execPath, [join(root, "dist/forge.js"), "apply", "--until", "benchmark:q8_0"], { cwd: dir, stdio: ["ignore", 2, 2] });
  const seconds = Math.round((Date.now() - started) / 1000);
  if (applied.status !== 0) {
    console.error(`${name}, seed ${seed}, ${way}: exit ${applied.status}`);
    process.exit(1);
  }
  const records = (stage, output) => jsonLines(readFileSync(stored(dir, stage, output), "utf8"));
  const ids = new Set(jsonLines(cases).map((c) => c.id));
  const asked = (all) => all.filter((r) => ids.has(r.id));
  return {
    seconds,
    free: asked(records("validate:q8_0", "records")),
    constrained: asked(records("benchmark:q8_0", "constrained")),
  };
}

/** The figures of some records, and the kinds of slips. */
function tell(name, seed, way, { free, constrained }) {
  const words = [];
  for (const [decoding, records] of [
    ["free", free],
    ["constrained", constrained],
  ]) {
    const figures = firstTurnFigures(records);
    for (const [key, short] of Object.entries(FIGURES)) {
      const { value, n, low, high } = figures[key];
      if (n === 0) continue;
      emit({ name: `teacher.${short}`, toolset: name, seed, way, decoding, value, n, low, high });
      if (decoding === "free" || key === "exact_arguments") words.push(`${short}${decoding === "free" ? "" : " (constrained)"} ${value.toFixed(2)}`);
    }
  }
  const slips = {};
  for (const slip of free.flatMap((r) => r.judgement.slips ?? [])) slips[slip.how] = (slips[slip.how] ?? 0) + 1;
  for (const [how, value] of Object.entries(slips)) emit({ name: `teacher.slips.${how}`, toolset: name, seed, way, value, n: free.length });
  console.log(
    `== ${name}${seed === null ? "" : `, seed ${seed}`}, ${way}: ${words.join(", ")}; ${
      Object.entries(slips)
        .map(([how, n]) => `${n} ${how}`)
        .join(", ") || "no slips"
    }`,
  );
}

/** Requests that no model can answer as accepted. */
const beyond = beyondAnswer(from, names);
for (const { name, id, reason } of beyond.values()) emit({ name: "teacher.unanswerable", toolset: name, request: id, reason });

for (const way of ways) {
  const pooled = { free: [], constrained: [] };
  for (let seed = 1; seed <= Number(o.seeds); seed++)
    for (const name of names) {
      const measured = measure(name, seed, way);
      emit({ name: "teacher.seconds", toolset: name, seed, way, value: measured.seconds });
      tell(name, seed, way, measured);
      // A request counts as one cluster, whatever the seeds.
      for (const decoding of ["free", "constrained"]) pooled[decoding].push(...measured[decoding].map((r) => ({ ...r, cluster: `${name}/${r.id}` })));
    }
  tell("pooled", null, way, pooled);
  const answerable = (records) => records.filter((r) => !beyond.has(r.cluster));
  tell("answerable", null, way, { free: answerable(pooled.free), constrained: answerable(pooled.constrained) });
}
console.log(out.join("\n"));
