/**
 * Trains a family's head start: what every recipe would teach again, taught once, on toolsets that never repeat.
 *
 *     npm run head-start -- --output DIR [--family smollm2] [--toolsets 1000] [--samples 15] [--seed 1] [--rate 0.0015]
 *                           [--servers] [--start DIR/head-start] [--questions 400 | --answers FILE] [--rows-only]
 *
 * Makes the examples (rows.jsonl; with --servers one toolset in eight is some of a well-known MCP server's tools, real-servers.ts), asks the base model the plain questions among them once (answers.json; --answers takes them
 * from a file, as one machine's answers may differ from another's by a word), trains (with --start from where an earlier one ended) with the
 * train step (resumable: run the same command again), and leaves what is shipped in DIR/head-start: the adapter in bfloat16,
 * a model card, training.json and loss.csv. Copy that to head-starts/FAMILY, and write its digest, which the command ends
 * with, into the family's data file.
 */

import { once } from "node:events";
import { copyFileSync, createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import program from "../package.json" with { type: "json" };
import { type CurriculumOptions, curriculum, UNANSWERED } from "../src/data/curriculum/examples.ts";
import { ensureBase } from "../src/models/base.ts";
import { getFamily } from "../src/models/family.ts";
import { answerPlain } from "../src/models/llama/answer-plain.ts";
import { openLlama } from "../src/models/llama/client.ts";
import { createRenderer } from "../src/models/render.ts";
import { digestFile } from "../src/platform/hash.ts";
import type { JsonObject } from "../src/platform/json.ts";
import { ok } from "../src/platform/result.ts";
import { runStep } from "../src/runners/local.ts";
import { PACKAGES, readServers } from "./real-servers.ts";
import { interruptSignal, must, trainOnce } from "./training-run.ts";

const { values: o } = parseArgs({
  options: {
    output: { type: "string" },
    family: { type: "string", default: "smollm2" },
    toolsets: { type: "string", default: "1000" },
    samples: { type: "string", default: "15" },
    questions: { type: "string", default: "400" },
    answers: { type: "string" },
    seed: { type: "string", default: "1" },
    rate: { type: "string", default: "0.0015" },
    start: { type: "string" },
    servers: { type: "boolean", default: false },
    "rows-only": { type: "boolean", default: false },
  },
});
if (o.output === undefined) {
  console.error("usage: npm run head-start -- --output DIR [--toolsets N] [--samples N] [--seed N] [--rate R] [--start DIR]");
  process.exit(4);
}
const out = resolve(o.output);
mkdirSync(out, { recursive: true });
const signal = interruptSignal();

const family = must(getFamily(o.family));
const base = must(await ensureBase(family, "default", { signal, onProgress: () => {} }));
const renderer = createRenderer(family);
/** The base model answers two or three a second: more questions than this are left out. */
const MOST_QUESTIONS = Number(o.questions);
const servers = o.servers ? { servers: await readServers(out, signal) } : {};
const options = { seed: Number(o.seed), from: 0, toolsets: Number(o.toolsets), samples: Number(o.samples), renderer, ...servers };

/** Every plain question of the curriculum with the base model's answer. */
async function plainAnswers(): Promise<Map<string, string>> {
  if (o.answers !== undefined) return new Map(JSON.parse(readFileSync(o.answers, "utf8")) as [string, string][]);
  const file = join(out, "answers.json");
  const answers = new Map<string, string>(existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as [string, string][]) : []);
  const asked = new Set<string>();
  const collect: CurriculumOptions["answerPlain"] = async (questions) => {
    for (const q of questions) asked.add(q);
    return ok(questions.map((q) => `An answer to ${q}`));
  };
  for await (const made of curriculum({ ...options, answerPlain: collect })) {
    must(made);
    if (asked.size >= MOST_QUESTIONS) break;
  }
  const missing = [...asked].filter((q) => !answers.has(q)).sort();
  console.log(`${asked.size} plain questions, ${missing.length} to ask`);
  if (missing.length === 0) return answers;
  const engine = must(await openLlama({ model: base.ggufPath, sequences: 8, signal }));
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
for await (const made of curriculum({ ...options, answerPlain: async (questions) => ok(questions.map((q) => answers.get(q) ?? UNANSWERED)) })) {
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
const start = o.start === undefined ? undefined : resolve(o.start);
const begun: JsonObject = start === undefined ? {} : { start: await digestFile(join(start, "adapter_model.safetensors")) };
const identity = { base: base.digest, rows: await digestFile(rows), hyper, seed: Number(o.seed), ...begun };
const figures = await trainOnce("train", {
  out,
  identity,
  output: join(out, "adapter"),
  losses: join(out, "loss.csv"),
  signal,
  spec: {
    v: 1,
    base: { gguf: base.ggufPath, sha256: base.digest },
    family: family.name,
    rows,
    hyper,
    seed: Number(o.seed),
    output: join(out, "adapter"),
    checkpoints: join(out, "checkpoints"),
    ...(start === undefined ? {} : { start }),
  },
});
const shipped = join(out, "head-start");
mkdirSync(shipped, { recursive: true });
const made = must(
  await runStep(
    "head_start",
    { v: 1, adapter: join(out, "adapter"), output: shipped },
    { scratch: join(out, "scratch"), logFile: join(out, "train.log"), signal, onEvent: () => {} },
  ),
) as { bytes: number; sha256: string };
writeFileSync(join(shipped, "answers.json"), `${JSON.stringify([...answers], null, 1)}\n`);
/** What the training that this one went on from says of itself. */
const before = start === undefined ? undefined : (JSON.parse(readFileSync(join(start, "training.json"), "utf8")) as JsonObject);
const asked = {
  toolsets: Number(o.toolsets),
  ...(o.servers && { servers: true }),
  samples: Number(o.samples),
  seed: Number(o.seed),
  rate: Number(o.rate),
  rows: identity.rows,
};
if (existsSync(join(out, "loss.csv"))) copyFileSync(join(out, "loss.csv"), join(shipped, "loss.csv"));
writeFileSync(
  join(shipped, "training.json"),
  `${JSON.stringify({ family: family.name, base: base.digest, program: program.version, ...asked, ...begun, examples, hyper, figures, ...(before === undefined ? {} : { before }) }, null, 2)}\n`,
);
writeFileSync(join(shipped, "README.md"), modelCard(figures));
console.log(`${shipped}: ${(made.bytes / 1e6).toFixed(1)} MB\nsha256 ${made.sha256}`);

/** What people want to know of an adapter that they did not train. */
function modelCard(f: Record<string, number>): string {
  return `---
license: ${family.licence.toLowerCase()}
base_model: ${family.hub_id}
library_name: peft
tags: [lora, tool-calling, function-calling]
---

# The head start of ${family.title}

A LoRA adapter (rank ${hyper.rank}, bfloat16) that MCP-Forge's training begins on top of: what every recipe would teach again. On its
own it calls the tools of a prompt that it has never seen, less surely than after a recipe's own training.

- **Learned from**: ${examples} examples of ${o.toolsets} toolsets, made up (src/data/curriculum: names, parameters, descriptions and
  forms of values drawn by a seed)${o.servers ? ` or, one in eight, some tools of a well-known MCP server as it lists them (${PACKAGES.map((p) => p.replace(/@[\d.]+$/, "")).join(", ")})` : ""}, with requests, calls, results, failures and refusals by the builtin teacher, and the base
  model's own answers to plain questions. No person's data, no other model's, none of any benchmark's toolsets.
- **Training**: ${f.steps} steps of whole toolsets, ${f.learned_tokens} learned tokens, rate ${hyper.learning_rate}, ${Math.round((f.seconds ?? 0) / 60)} minutes on two CPU cores;
  loss from ${f.first_loss?.toFixed(2)} to ${f.final_loss?.toFixed(2)} (loss.csv). Everything else: training.json.
- **Prompt**: the tools as in templates/chat/${family.template}; calls as \`<tool_call>\` with compact JSON.
- **Limits**: English; single calls with flat arguments foremost; copies values better than it converts them. Not judged for
  use on its own: MCP-Forge's gates judge what a recipe made of it. Figures: docs/measurements.md.
${before === undefined ? "" : `- **Before that**: ${before.examples} examples of ${before.toolsets} other toolsets with an earlier state of the same generator (\`before\` in training.json), whose adapter it began with.\n`}- **Again**: \`npm run head-start -- --output DIR${start === undefined ? "" : " --start EARLIER"} --toolsets ${o.toolsets} --samples ${o.samples} --seed ${o.seed} --rate ${o.rate}${o.servers ? " --servers" : ""} --answers head-starts/${family.name}/answers.json\`
`;
}
