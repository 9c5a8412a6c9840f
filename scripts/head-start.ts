/**
 * Trains a family's head start: what every recipe would teach again, taught once, on toolsets that never repeat.
 *
 *     npm run head-start -- --output DIR [--family smollm2] [--toolsets 1200] [--samples 12] [--seed 1] [--rate 0.001]
 *
 * Makes the examples (rows.jsonl), asks the base model the plain questions among them once (answers.json), trains with the
 * train step (resumable: run the same command again), and leaves the adapter in DIR/adapter with DIR/training.json.
 */

import { once } from "node:events";
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type CurriculumOptions, curriculum } from "../src/data/curriculum/examples.ts";
import { ensureBase } from "../src/models/base.ts";
import { getFamily } from "../src/models/family.ts";
import { answerPlain } from "../src/models/llama/answer-plain.ts";
import { openLlama } from "../src/models/llama/client.ts";
import { createRenderer } from "../src/models/render.ts";
import { ok, type Result } from "../src/platform/result.ts";
import { runStep } from "../src/runners/local.ts";

const { values: o } = parseArgs({
  options: {
    output: { type: "string" },
    family: { type: "string", default: "smollm2" },
    toolsets: { type: "string", default: "1200" },
    samples: { type: "string", default: "12" },
    seed: { type: "string", default: "1" },
    rate: { type: "string", default: "0.001" },
    "rows-only": { type: "boolean", default: false },
  },
});
if (o.output === undefined) {
  console.error("usage: npm run head-start -- --output DIR [--toolsets N] [--samples N] [--seed N] [--rate R]");
  process.exit(4);
}
const out = resolve(o.output);
mkdirSync(out, { recursive: true });
const must = <T>(result: Result<T>): T => {
  if (result.ok) return result.value;
  console.error(`${result.error.message}\n${result.error.details ?? ""}${result.error.hint ?? ""}`);
  process.exit(1);
};
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const family = must(getFamily(o.family));
const base = must(await ensureBase(family, "default", { signal: stop.signal, onProgress: () => {} }));
const renderer = createRenderer(family);
const options = { seed: Number(o.seed), from: 0, toolsets: Number(o.toolsets), samples: Number(o.samples), renderer };

/** Every plain question of the curriculum with the base model's answer. */
async function plainAnswers(): Promise<Map<string, string>> {
  const file = join(out, "answers.json");
  const answers = new Map<string, string>(existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as [string, string][]) : []);
  const asked = new Set<string>();
  const collect: CurriculumOptions["answerPlain"] = async (questions) => {
    for (const q of questions) asked.add(q);
    return ok(questions.map((q) => `An answer to ${q}`));
  };
  for await (const made of curriculum({ ...options, answerPlain: collect })) must(made);
  const missing = [...asked].filter((q) => !answers.has(q)).sort();
  console.log(`${asked.size} plain questions, ${missing.length} to ask`);
  if (missing.length === 0) return answers;
  const engine = must(await openLlama({ model: base.ggufPath, sequences: 8, signal: stop.signal }));
  try {
    const ask = answerPlain(engine, renderer);
    for (let i = 0; i < missing.length; i += 128) {
      const part = missing.slice(i, i + 128);
      const said = must(await ask(part));
      for (const [k, q] of part.entries()) answers.set(q, said[k] as string);
      writeFileSync(file, JSON.stringify([...answers], null, 1));
      console.log(`answered ${Math.min(missing.length, i + 128)} of ${missing.length}`);
    }
  } finally {
    await engine.close();
  }
  return answers;
}

const answers = await plainAnswers();
const rows = join(out, "rows.jsonl");
const file = createWriteStream(rows);
let examples = 0;
for await (const made of curriculum({ ...options, answerPlain: async (questions) => ok(questions.map((q) => answers.get(q) ?? "")) })) {
  for (const row of must(made)) {
    examples += 1;
    if (!file.write(`${JSON.stringify(row)}\n`)) await once(file, "drain");
  }
}
file.end();
await once(file, "finish");
console.log(`${examples} examples on ${o.toolsets} toolsets`);
if (o["rows-only"]) process.exit(0);

const hyper = {
  rank: 16,
  alpha: 32,
  dropout: 0,
  learning_rate: Number(o.rate),
  epochs: 1,
  samples_per_step: 24,
  warmup_steps: 20,
  max_tokens: 4096,
  batching: "shared_prefix",
  row_tokens: 3072,
  weight_decay: 0,
};
const started = Date.now();
let told = 0;
const losses: string[] = ["step,loss"];
const figures = must(
  await runStep(
    "train",
    {
      v: 1,
      base: { gguf: base.ggufPath, sha256: base.digest },
      family: family.name,
      rows,
      hyper,
      seed: Number(o.seed),
      output: join(out, "adapter"),
      checkpoints: join(out, "checkpoints"),
    },
    {
      scratch: join(out, "scratch"),
      logFile: join(out, "train.log"),
      signal: stop.signal,
      onEvent: (e) => {
        if (e.type === "metric" && e.name === "loss") losses.push(`${e.step},${e.value.toFixed(5)}`);
        if (e.type !== "progress" || Date.now() - told < 30_000) return;
        told = Date.now();
        console.log(`${e.done}/${e.total} examples, ${losses.at(-1)?.split(",")[1] ?? "no"} loss, ${Math.round((e.etaSeconds ?? 0) / 60)} min left`);
      },
    },
  ),
);
writeFileSync(join(out, "loss.csv"), `${losses.join("\n")}\n`);
writeFileSync(
  join(out, "training.json"),
  `${JSON.stringify({ family: family.name, base: base.digest, toolsets: Number(o.toolsets), samples: Number(o.samples), seed: Number(o.seed), hyper, figures }, null, 2)}\n`,
);
console.log(`trained in ${Math.round((Date.now() - started) / 60_000)} min: ${JSON.stringify(figures)}`);
