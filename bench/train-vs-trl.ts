/**
 * Training speed and memory beside TRL's SFTTrainer: same base, samples, adapter, optimiser and learned tokens, turn by turn on one machine.
 *
 *   npm run bench -- train-vs-trl [--workloads weather,weather-calls,filesystem,filesystem-calls] [--steps 20] [--warm-up 3] [--batch 12] [--peer-batch 2]
 *                                 [--growth] [--model smollm2] [--peer DIR] [--keep DIR]
 *
 * `weather` are the default recipe's conversations, `filesystem` those of recipes/filesystem.yaml (14 tools of a real server), whole; `-calls` the same up to the
 * first call. Of TRL's three ways (padded, padding-free, packed) the one with most samples a second in --screen steps (3) each is the peer; then forge and it take turns for
 * --warm-up and --steps steps. A step of ours is --batch samples (smollm2's own 12), one of TRL's --peer-batch: its cost a sample does not depend on it.
 * --against NAME takes another contender in TRL's place (training/contender.py names them), whose steps are as large as ours.
 * --growth adds ours by samples a step and by length of the prompt. TRL (1.13.0) and datasets are taken from --peer DIR, put there once by pip. Samples are made once, in --keep.
 *
 * JSON lines: samples a second, processor seconds a sample (free of what else the machine does), peak memory; the medians of `n` steps.
 */
import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { parseArgs } from "node:util";
import { ensureBase } from "../src/models/base.ts";
import { trainingExamples } from "../src/models/examples.ts";
import { getFamily } from "../src/models/family.ts";
import { createRenderer } from "../src/models/render.ts";
import { toJsonLines } from "../src/platform/json.ts";
import { packageRoot } from "../src/platform/paths.ts";
import { ensurePython } from "../src/runners/python-env.ts";
import type { Sample } from "../src/schemas/generated/sample.ts";
import type { Toolset } from "../src/schemas/generated/toolset.ts";
import { jsonLines, machine, stored } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    workloads: { type: "string", default: "weather,weather-calls,filesystem,filesystem-calls" },
    steps: { type: "string", default: "20" },
    "warm-up": { type: "string", default: "3" },
    screen: { type: "string", default: "3" },
    batch: { type: "string", default: "12" },
    "peer-batch": { type: "string", default: "2" },
    against: { type: "string" },
    growth: { type: "boolean", default: false },
    model: { type: "string", default: "smollm2" },
    peer: { type: "string" },
    keep: { type: "string", default: join(packageRoot(), ".mcp-forge/bench/train-vs-trl") },
  },
});
/** TRL and what it needs beside forge's own environment; datasets 5.2 cannot make a data set with today's pyarrow. */
const PEER =
  `trl==1.13.0 datasets==4.8.0 dill==0.4.0 pyarrow==24.0.0 pandas==2.3.3 xxhash multiprocess==0.70.19 fsspec==2026.2.0 aiohttp python-dateutil six tzdata
 pytz aiosignal aiohappyeyeballs attrs frozenlist multidict propcache yarl`.split(/\s+/);
const TRL = ["trl-padded", "trl-padding-free", "trl-packed"];
const RECIPES: Readonly<Record<string, string>> = { weather: "forge.yaml", filesystem: "recipes/filesystem.yaml" };
/** What src/runners/local.ts sets for every step: without it threads of contenders that wait their turn would spin. */
const THREADS = { MALLOC_ARENA_MAX: "2", OMP_WAIT_POLICY: "PASSIVE", GOMP_SPINCOUNT: "30000" };
/** And for training. */
const KEPT_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
  MALLOC_TOP_PAD_: String(2 ** 26),
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};
const [steps, warmUp, screen] = [Number(o.steps), Number(o["warm-up"]), Number(o.screen)];
const keep = resolve(o.keep);
const peer = resolve(o.peer ?? join(keep, "trl"));
const [batch, peerBatch] = [Number(o.batch), Number(o["peer-batch"])];

const family = must(getFamily(o.model));
const signal = AbortSignal.timeout(2 ** 31 - 1);
const base = must(await ensureBase(family, "default", { signal }));
const python = must(await ensurePython({})).python;
const renderer = createRenderer(family);

function must<T>(result: { ok: true; value: T } | { ok: false; error: { message: string } }): T {
  if (result.ok) return result.value;
  console.error(result.error.message);
  process.exit(1);
}

/** Samples and tools of a recipe, as `forge apply --until generate` makes them. */
function dataOf(name: string): { samples: Sample[]; toolset: Toolset } {
  const recipe = join(packageRoot(), RECIPES[name] ?? "");
  if (RECIPES[name] === undefined) must({ ok: false, error: { message: `no workload \`${name}\`: weather, filesystem, or one of them with -calls` } });
  const project = join(keep, name);
  mkdirSync(project, { recursive: true });
  // Beside its recipe's other files (the filesystem server's sandbox): the server is to see the same folder.
  writeFileSync(
    join(project, "forge.yaml"),
    readFileSync(recipe, "utf8").replace(", sandbox]", `, ${JSON.stringify(join(packageRoot(), "recipes/sandbox"))}]`),
  );
  const forge = join(packageRoot(), "dist/forge.js");
  if (spawnSync(process.execPath, [forge, "apply", "--until", "generate"], { cwd: project, stdio: ["ignore", "ignore", "inherit"] }).status !== 0)
    process.exit(1);
  return {
    samples: jsonLines(readFileSync(stored(project, "generate", "train"), "utf8")) as Sample[],
    toolset: JSON.parse(readFileSync(stored(project, "inspect", "toolset"), "utf8")) as Toolset,
  };
}

/** A file of rendered samples: of a workload, or of its first `tools` tools alone. */
function rowsOf(workload: string, tools?: number): string {
  const calls = workload.endsWith("-calls");
  const { samples, toolset } = dataOf(workload.replace(/-calls$/, ""));
  const shown = toolset.tools.slice(0, tools);
  // Alike from beginning to end: a step is to hold what the whole recipe does.
  const mixed = samples.map((_, i) => samples[(i * 7919) % samples.length] as Sample);
  const examples = trainingExamples(mixed, renderer, shown, calls ? { whole: 0, first: 1, first_without_call: 0 } : undefined);
  const file = join(keep, `${workload}${tools === undefined ? "" : `-${tools}`}.jsonl`);
  writeFileSync(file, toJsonLines(examples.slice(0, 600)));
  return file;
}

interface Step {
  readonly seconds: number;
  readonly cpu_seconds: number;
  readonly samples: number;
  readonly tokens: number;
}

/** A contender at work, in a process of its own (bench/training/contender.py). */
class Contender {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  prefix = 0;
  meanTokens = 0;

  private constructor(
    readonly name: string,
    rows: string,
    size: number,
  ) {
    const args = [join(packageRoot(), "bench/training/contender.py"), name, "--base", base.ggufPath, "--rows", rows, "--batch", String(size)];
    const env = { ...process.env, PYTHONPATH: peer, ...THREADS, ...(name.startsWith("forge") ? KEPT_MEMORY : {}) };
    this.#child = spawn(python, args, { stdio: ["pipe", "pipe", "inherit"], env });
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  static async start(name: string, rows: string, size: number): Promise<Contender> {
    const contender = new Contender(name, rows, size);
    const ready = await contender.#next();
    contender.prefix = ready.prefix as number;
    contender.meanTokens = ready.mean_tokens as number;
    return contender;
  }

  async #next(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended early`);
    return JSON.parse(value) as Record<string, unknown>;
  }

  async step(): Promise<Step> {
    this.#child.stdin.write("step\n");
    return (await this.#next()) as unknown as Step;
  }

  /** Its largest memory, bytes. */
  async end(): Promise<number> {
    this.#child.stdin.end();
    return (await this.#next()).peak_bytes as number;
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;
const perSecond = (done: Step[]): number => 1 / median(done.map((s) => s.seconds / s.samples));
const cpu = (done: Step[]): number => median(done.map((s) => s.cpu_seconds / s.samples));
const round = (x: number): number => Number(x.toPrecision(4));
const figure = (line: Record<string, unknown>): void => console.log(JSON.stringify({ ...line, machine }));

/** Steps of a contender alone, after one that does not count. */
async function alone(name: string, rows: string, size: number, count: number): Promise<{ done: Step[]; contender: Contender; peak: number }> {
  const contender = await Contender.start(name, rows, size);
  await contender.step();
  const done: Step[] = [];
  for (let i = 0; i < count; i++) done.push(await contender.step());
  return { done, contender, peak: await contender.end() };
}

/** Forge and TRL's best, turn by turn. */
async function duel(workload: string): Promise<void> {
  const rows = rowsOf(workload);
  const speeds: Record<string, number> = {};
  for (const name of o.against === undefined ? TRL : []) {
    speeds[name] = round(perSecond((await alone(name, rows, peerBatch, screen)).done));
    console.error(`${workload}: ${name} ${speeds[name]} samples/s (${screen} steps)`);
  }
  const best = o.against ?? TRL.reduce((a, b) => ((speeds[b] as number) > (speeds[a] as number) ? b : a));
  const size = o.against === undefined ? peerBatch : batch;
  const [ours, theirs] = [await Contender.start("forge", rows, batch), await Contender.start(best, rows, size)];
  const [a, b]: [Step[], Step[]] = [[], []];
  for (let i = 0; i < warmUp + steps; i++) {
    const [mine, other] = [await ours.step(), await theirs.step()];
    if (i < warmUp) continue;
    a.push(mine);
    b.push(other);
    console.error(
      `${workload}: step ${i + 1 - warmUp} of ${steps}: ${(mine.samples / mine.seconds).toFixed(2)} and ${(other.samples / other.seconds).toFixed(3)} samples/s`,
    );
  }
  const [peak, otherPeak] = [(await ours.end()) / 1e9, (await theirs.end()) / 1e9];
  const against = o.against ?? "TRL";
  const about = { workload, n: steps, batch, peer_batch: size, prefix_tokens: ours.prefix, sample_tokens: Math.round(ours.meanTokens), peer_way: best };
  const compare = (name: string, x: number, y: number): void => figure({ name, ours: round(x), peer: round(y), ratio: round(x / y), ...about });
  compare(`training samples/s, against ${against}`, perSecond(a), perSecond(b));
  compare(`training processor seconds a sample, against ${against}`, cpu(a), cpu(b));
  compare(`training peak memory GB, against ${against}`, peak, otherPeak);
  for (const [way, value] of Object.entries(speeds)) figure({ name: "TRL's ways, samples/s", value, workload, way, n: screen });
}

/** How ours grows with the samples of a step, and with the length of the prompt. */
async function growth(): Promise<void> {
  const rows = rowsOf("filesystem-calls");
  for (const size of [1, 4, 8, 16, 32, 64]) {
    const { done, peak } = await alone("forge", rows, size, 4);
    figure({
      name: "training samples/s by samples a step",
      value: round(perSecond(done)),
      cpu_seconds_a_sample: round(cpu(done)),
      peak_gb: round(peak / 1e9),
      workload: "filesystem-calls",
      cores: size,
      n: 4,
    });
  }
  for (const tools of [1, 4, 8, 14]) {
    const some = rowsOf("filesystem-calls", tools);
    const [mine, other] = [await alone("forge", some, batch, 4), await alone("trl-padded", some, peerBatch, 3)];
    const [x, y] = [perSecond(mine.done), perSecond(other.done)];
    figure({
      name: "training samples/s by tools in the prompt, against TRL padded",
      ours: round(x),
      peer: round(y),
      ratio: round(x / y),
      workload: "filesystem-calls",
      tools,
      prefix_tokens: mine.contender.prefix,
      sample_tokens: Math.round(mine.contender.meanTokens),
      n: 4,
    });
  }
}

if (!existsSync(join(peer, "trl"))) {
  mkdirSync(peer, { recursive: true });
  // Without what forge's own environment has: two of one package would be another contest.
  execFileSync(python, ["-m", "pip", "install", "-q", "--target", peer, "--no-deps", ...PEER], { stdio: "inherit" });
}
mkdirSync(keep, { recursive: true });
for (const workload of o.workloads.split(",").filter(Boolean)) await duel(workload);
if (o.growth) await growth();
