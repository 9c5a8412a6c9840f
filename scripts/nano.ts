/**
 * Trains the family `nano` from nothing: a model of a few million parameters, on made-up toolsets that never repeat.
 *
 *     npm run nano -- --output DIR [--toolsets 6000] [--samples 8] [--seed 1] [--rate 0.0005] [--layers 4] [--rows FILE | --rows-only]
 *
 *     npm run nano -- --output OTHER --start DIR/nano --seed 2 --toolsets 3000       goes on from it, on what it finds hardest
 *
 * Makes the examples from short to long (rows.jsonl; with --servers one toolset in eight is some of a well-known MCP server's tools): first one tool, in the end up to fifteen; many values are words that nobody wrote and many
 * parameters have names that say nothing, so that copying is what pays. Trains with the pretrain step
 * (resumable: run the same command again, with --rows FILE on the rows that are there), and leaves in DIR/nano what is
 * shipped: config, weights in bfloat16, tokenizer, training.json, loss.csv.
 */
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import program from "../package.json" with { type: "json" };
import { curriculum, UNANSWERED } from "../src/data/curriculum/examples.ts";
import { getFamily } from "../src/models/family.ts";
import { fixedAnswers } from "../src/models/plain-answers.ts";
import { MARKUP } from "../src/models/prompt.ts";
import { createRenderer } from "../src/models/render.ts";
import { hexOf } from "../src/platform/digest.ts";
import { digestFile } from "../src/platform/hash.ts";
import type { JsonObject } from "../src/platform/json.ts";
import { ok } from "../src/platform/result.ts";
import { readServers } from "./real-servers.ts";
import { interruptSignal, must, trainOnce } from "./training-run.ts";

const { values: o } = parseArgs({
  options: {
    output: { type: "string" },
    toolsets: { type: "string", default: "6000" },
    samples: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    rate: { type: "string" },
    start: { type: "string" },
    layers: { type: "string", default: "4" },
    rows: { type: "string" },
    servers: { type: "boolean", default: false },
    "rows-only": { type: "boolean", default: false },
  },
});
if (o.output === undefined) {
  console.error("usage: npm run nano -- --output DIR [--toolsets N] [--samples N] [--seed N] [--rate R] [--layers N]");
  process.exit(4);
}
const out = resolve(o.output);
mkdirSync(out, { recursive: true });
const signal = interruptSignal();

const family = must(getFamily("nano"));
/** Texts that are one token each, beside ChatML's three. */
const SPECIAL = [...MARKUP];
const renderer = createRenderer(family);
/** What a model that knows no facts says to a plain question. */
const answerPlain = fixedAnswers(family) ?? (async (questions: readonly string[]) => ok(questions.map(() => UNANSWERED)));
const toolsets = Number(o.toolsets);
const start = o.start === undefined ? undefined : resolve(o.start);

/** How far through the curriculum toolsets may have how many tools. */
const GROWTH: readonly (readonly [number, number])[] =
  start !== undefined
    ? [
        [0.6, 6],
        [1, 15],
      ]
    : [
        [0.1, 1],
        [0.2, 2],
        [0.35, 4],
        [0.75, 6],
        [1, 15],
      ];
const mostTools = (index: number): number => (GROWTH.find(([until]) => index / toolsets < until) ?? GROWTH[GROWTH.length - 1])?.[1] as number;

const rows = o.rows === undefined ? join(out, "rows.jsonl") : resolve(o.rows);
if (o.rows === undefined) await writeRows();
if (o["rows-only"]) process.exit(0);

async function writeRows(): Promise<void> {
  const file = createWriteStream(rows);
  let examples = 0;
  for await (const made of curriculum({
    seed: Number(o.seed),
    from: 0,
    toolsets,
    samples: Number(o.samples),
    renderer,
    answerPlain,
    mostTools,
    wholeEvery: 4,
    strange: { values: 0.7, names: 0.5 },
    ...(o.servers ? { servers: await readServers(out, signal) } : {}),
  })) {
    for (const row of must(made)) {
      examples += 1;
      if (!file.write(`${JSON.stringify(row)}\n`)) await once(file, "drain");
    }
  }
  file.end();
  await once(file, "finish");
  console.log(`${examples} examples on ${toolsets} toolsets`);
}

const shape = {
  vocabulary: 1536,
  hidden: 256,
  intermediate: 704,
  layers: Number(o.layers),
  heads: 4,
  key_heads: 4,
  head_width: 64,
  window: 8192,
  rope_theta: 10_000_000,
};
const hyper = {
  learning_rate: Number(o.rate ?? 0.0005),
  samples_per_step: 8,
  // What it can by then are calls; what it cannot, when to call and which tool.
  ...(start === undefined ? { doubled_after: 0.3 } : { doubled_after: 0, decision_weight: 6, text_weight: 0.4 }),
  warmup_steps: 100,
  row_tokens: 8192,
  weight_decay: 0.05,
  prompt_weight: 0.05,
};
const begun: JsonObject = start === undefined ? {} : { start: await digestFile(join(start, "model.safetensors")) };
const identity = { ...begun, rows: await digestFile(rows), shape, hyper, seed: Number(o.seed), special: SPECIAL };
const shipped = join(out, "nano");
const figures = await trainOnce("pretrain", {
  out,
  identity,
  output: shipped,
  signal,
  spec: {
    v: 1,
    ...(start === undefined ? {} : { start }),
    rows,
    shape,
    hyper,
    special: SPECIAL,
    seed: Number(o.seed),
    output: shipped,
    checkpoints: join(out, "checkpoints"),
  },
});
/** What made the model that this run began with, and its losses: told with this run's. */
const before = start === undefined ? undefined : (JSON.parse(readFileSync(join(start, "training.json"), "utf8")) as JsonObject);
const lossesIn = (folder: string): string[] => readFileSync(join(folder, "loss.csv"), "utf8").trim().split("\n").slice(1);
const own = lossesIn(shipped);
if (start !== undefined && own.length === figures.steps) {
  const losses = [...lossesIn(start), ...own].map((line, i) => `${i + 1},${line.split(",")[1]}\n`);
  writeFileSync(join(shipped, "loss.csv"), `step,loss\n${losses.join("")}`);
}
const made = { program: program.version, toolsets, samples: Number(o.samples), ...identity, figures, ...(before === undefined ? {} : { before }) };
writeFileSync(join(shipped, "training.json"), `${JSON.stringify(made, null, 2)}\n`);
console.log(`${shipped}: ${figures.parameters} parameters, loss ${figures.first_loss} to ${figures.final_loss}, ${figures.tokens_per_second} tokens/s`);
/** What the family's data file says of them. */
const files: Record<string, { sha256: string; bytes: number }> = {};
for (const name of ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
  const path = join(shipped, name);
  files[name] = { sha256: hexOf(await digestFile(path)), bytes: statSync(path).size };
}
console.log(JSON.stringify({ parameters: figures.parameters, files }, null, 2));
