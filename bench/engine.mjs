/**
 * The engine beside its peers, in one run, as ratios: an unchanged apply, a plan of many stages, hashing, an event.
 *
 *     npm run bench -- engine [--keep DIR] [--files 10000] [--bytes 2e9] [--stages 1000] [--rounds 7] [--only unchanged,plan,hash,event]
 *
 * Needs the network for its peers (DVC from pip, wireit from npm; into DIR), openssl, git, and twice --bytes of disk for each of two
 * programs. Every figure is the median of --rounds, taken in turns. Ends with one JSON line a figure.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { commandOptions } from "../scripts/bundle-options.mjs";
import { mergeChunks } from "../scripts/merge-chunks.mjs";
import { importSource, machine, root } from "./lib.mjs";

const { values: o } = parseArgs({
  options: {
    keep: { type: "string" },
    files: { type: "string", default: "10000" },
    bytes: { type: "string", default: "2e9" },
    stages: { type: "string", default: "1000" },
    rounds: { type: "string", default: "7" },
    only: { type: "string", default: "unchanged,plan,hash,event" },
  },
});
const DVC = "dvc==3.67.1";
const WIREIT = "wireit@0.14.13";
const keep = o.keep ?? mkdtempSync(join(tmpdir(), "forge-bench-engine-"));
const rounds = Number(o.rounds);
const wanted = new Set(o.only.split(","));
mkdirSync(keep, { recursive: true });

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const figures = [];
function figure(name, ours, peer, against, more = {}) {
  const round = (x) => Number(x.toPrecision(4));
  figures.push({ name, ours: round(ours), peer: round(peer), against, ratio: round(ours / peer), n: rounds, machine, ...more });
  console.error(`${name}: ${round(ours)} against ${round(peer)} (${against}): ${round(ours / peer)}`);
}

/** Runs a command to its end; ends the bench when it fails. `expected` are exit codes that are no failure. */
function must(command, args, options = {}, expected = [0]) {
  const ended = spawnSync(command, args, { encoding: "utf8", ...options });
  if (expected.includes(ended.status)) return ended.stdout;
  console.error(`${command} ${args.join(" ")} ended with ${ended.status ?? ended.error?.message}\n${ended.stdout}\n${ended.stderr}`);
  process.exit(1);
}

/** Median seconds of each command, taken in turns so that the machine's drift meets all of them. */
function race(commands) {
  const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  for (let i = 0; i <= rounds; i++)
    for (const [name, { command, args, options, expected }] of Object.entries(commands)) {
      const began = performance.now();
      must(command, args, options, expected);
      if (i > 0) times[name].push((performance.now() - began) / 1000); // The first round only warms.
    }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
}

/** The program with bench/engine/pipeline.ts for a pipeline, bundled as for a release. */
async function forgeProgram() {
  const home = join(keep, "package");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  copyFileSync(join(root, "package.json"), join(home, "package.json"));
  for (const name of ["schemas", "forge.yaml", "templates", "python", "node_modules"]) symlinkSync(join(root, name), join(home, name));
  const options = commandOptions();
  const swap = {
    name: "bench-stages",
    setup: (b) => b.onResolve({ filter: /stages\/pipeline\.ts$/ }, () => ({ path: join(root, "bench/engine/pipeline.ts") })),
  };
  const built = await build({ ...options, write: false, plugins: [swap, ...options.plugins] });
  for (const file of await mergeChunks(built, root, join(root, "dist"), { "src/stages/pipeline.ts": "bench/engine/pipeline.ts" })) {
    const path = file.path.replace(join(root, "dist"), join(home, "dist"));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.contents);
  }
  return join(home, "dist/forge.js");
}

function dvcProgram() {
  const bin = join(keep, "dvc-env/bin");
  if (!existsSync(join(bin, "dvc"))) {
    must("python3", ["-m", "venv", join(keep, "dvc-env")]);
    must(join(bin, "pip"), ["install", "--quiet", DVC]);
  }
  return join(bin, "dvc");
}

function wireitProgram() {
  const home = join(keep, "wireit-env");
  if (!existsSync(join(home, "node_modules/wireit"))) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{"private": true}');
    must("npm", ["install", "--silent", "--no-audit", "--no-fund", WIREIT], { cwd: home });
  }
  return join(home, "node_modules/wireit/bin/wireit.js");
}

function project(name) {
  const dir = join(keep, name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, ".git"), { recursive: true });
  return dir;
}

const quiet = { ...process.env, CI: "1", DVC_NO_ANALYTICS: "1", NO_COLOR: "1" };

function forgeProject(name, shape) {
  const dir = project(name);
  writeFileSync(join(dir, "forge.yaml"), "version: 1\nname: bench\ntools:\n  - stub: weather\n");
  writeFileSync(join(dir, "shape.json"), JSON.stringify(shape));
  return dir;
}

/** The folders that forge's stages made, as files for a peer's stages to copy: all three hold the same bytes. */
const FILL = `
const { cpSync } = require("node:fs");
cpSync(process.argv[2], process.argv[3], { recursive: true });
`;

function dvcProject(name, dvc, stages, command) {
  const dir = project(name);
  rmSync(join(dir, ".git"), { recursive: true });
  must("git", ["init", "--quiet"], { cwd: dir });
  must(dvc, ["init", "--quiet"], { cwd: dir, env: quiet });
  const lines = ["stages:"];
  for (let i = 0; i < stages; i++) {
    lines.push(`  s${i}:`, `    cmd: ${command(i)}`, ...(i === 0 ? [] : ["    deps:", `    - out/s${i - 1}`]), "    outs:", `    - out/s${i}`);
  }
  writeFileSync(join(dir, "dvc.yaml"), `${lines.join("\n")}\n`);
  mkdirSync(join(dir, "out"));
  return dir;
}

async function unchanged(forge) {
  const shape = { stages: 8, files: Math.round(Number(o.files) / 8), bytes: Number(o.bytes) / 8 };
  const ours = forgeProject("unchanged-forge", shape);
  must(process.execPath, [forge, "apply"], { cwd: ours, env: quiet });
  const { recipe } = JSON.parse(readFileSync(join(ours, "forge.lock"), "utf8"));
  const made = (i) => {
    const hex = recipe[`s${i}`].outputs.out.replace("sha256:", "");
    return join(ours, ".mcp-forge/store/objects", hex.slice(0, 2), hex.slice(2), "content");
  };
  writeFileSync(join(keep, "fill.cjs"), FILL);
  const copy = (i) => `${process.execPath} ${join(keep, "fill.cjs")} ${made(i)} out/s${i}`;

  const dvc = dvcProgram();
  const dvcDir = dvcProject("unchanged-dvc", dvc, 8, copy);
  must(dvc, ["repro", "--quiet"], { cwd: dvcDir, env: quiet });

  const wireit = wireitProgram();
  const wireitDir = project("unchanged-wireit");
  const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
  const steps = names.map((n, i) => [n, { command: copy(i), dependencies: i === 0 ? [] : [`s${i - 1}`], files: [`${n}.txt`], output: [`out/${n}/**`] }]);
  writeFileSync(
    join(wireitDir, "package.json"),
    JSON.stringify({ scripts: Object.fromEntries(names.map((n) => [n, "wireit"])), wireit: Object.fromEntries(steps) }),
  );
  for (const n of names) writeFileSync(join(wireitDir, `${n}.txt`), n);
  const asNpm = {
    ...quiet,
    npm_lifecycle_event: "s7",
    npm_package_json: join(wireitDir, "package.json"),
    npm_config_user_agent: "npm/10",
    WIREIT_CACHE: "none",
  };
  const runWireit = { command: process.execPath, args: [wireit], options: { cwd: wireitDir, env: asNpm } };
  must(runWireit.command, runWireit.args, runWireit.options);

  const t = race({
    forge: { command: process.execPath, args: [forge, "apply"], options: { cwd: ours, env: quiet } },
    node: { command: process.execPath, args: ["-e", "0"], options: { env: quiet } },
    wireit: runWireit,
    dvc: { command: dvc, args: ["repro", "--quiet"], options: { cwd: dvcDir, env: quiet } },
  });
  const size = { files: shape.files * 8, bytes: shape.bytes * 8 };
  figure("unchanged apply, 8 stages, s", t.forge, t.node, "node -e 0", size);
  figure("unchanged apply, 8 stages, s", t.forge, t.wireit, `${WIREIT} without npm`, size);
  figure("unchanged apply, 8 stages, s", t.forge, t.dvc, `dvc repro (${DVC})`, size);
  for (const dir of [ours, dvcDir, wireitDir]) spawnSync("chmod", ["-R", "u+w", dir]);
  if (o.keep === undefined) for (const dir of [ours, dvcDir, wireitDir]) rmSync(dir, { recursive: true, force: true });
}

async function plan(forge) {
  const stages = Number(o.stages);
  const ours = forgeProject("plan-forge", { stages, files: 1, bytes: 16 });
  must(process.execPath, [forge, "apply"], { cwd: ours, env: quiet });
  const dvc = dvcProgram();
  const dvcDir = dvcProject("plan-dvc", dvc, stages, (i) => `echo ${i} > out/s${i}`);
  must(dvc, ["repro", "--quiet"], { cwd: dvcDir, env: quiet });
  const t = race({
    forge: { command: process.execPath, args: [forge, "plan"], options: { cwd: ours, env: quiet } },
    node: { command: process.execPath, args: ["-e", "0"], options: { env: quiet } },
    dvc: { command: dvc, args: ["status", "--quiet"], options: { cwd: dvcDir, env: quiet } },
  });
  figure(`plan of ${stages} stages, s`, t.forge, t.node, "node -e 0");
  figure(`plan of ${stages} stages, s`, t.forge, t.dvc, `dvc status (${DVC})`);
}

async function hash() {
  const { takeSnapshot } = await importSource("src/platform/snapshot.ts");
  const folder = join(keep, "hash");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const each = Buffer.alloc(4e6);
  for (let i = 0; i < 100; i++) {
    each.writeUInt32LE(i, 0);
    writeFileSync(join(folder, `${i}.bin`), each);
  }
  const files = readdirSync(folder).map((f) => join(folder, f));
  const [ours, one, peer] = [[], [], []];
  for (let i = 0; i <= rounds; i++) {
    let began = performance.now();
    await takeSnapshot(folder);
    if (i > 0) ours.push((performance.now() - began) / 1000);
    const cpu = process.cpuUsage();
    await takeSnapshot(folder);
    const { user, system } = process.cpuUsage(cpu);
    if (i > 0) one.push((user + system) / 1e6);
    began = performance.now();
    must("openssl", ["dgst", "-sha256", ...files], { maxBuffer: 1e8 });
    if (i > 0) peer.push((performance.now() - began) / 1000);
  }
  figure("hashing 400 MB in 100 files, CPU s", median(one), median(peer), "openssl dgst -sha256, one core");
  figure("hashing 400 MB in 100 files, wall s", median(ours), median(peer), "openssl dgst -sha256, one core");
  rmSync(folder, { recursive: true });
}

async function event() {
  const { EventStream } = await importSource("src/engine/events.ts");
  const micros = [];
  const COUNT = 1e6;
  for (let i = 0; i < 3; i++) {
    const stream = new EventStream([() => undefined]);
    const file = join(keep, `events-${i}.jsonl`);
    stream.open(file);
    const cpu = process.cpuUsage();
    for (let n = 0; n < COUNT; n++) {
      stream.emit({ type: "stage-progress", node: "train", done: n, total: COUNT, unit: "steps" });
      if (n % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    stream.close();
    const { user, system } = process.cpuUsage(cpu);
    micros.push((user + system) / COUNT);
    rmSync(file);
  }
  figures.push({
    name: "an event, CPU µs",
    ours: Number(median(micros).toPrecision(4)),
    peer: 10,
    against: "the most it may cost",
    ratio: Number((median(micros) / 10).toPrecision(3)),
    n: 3 * COUNT,
    machine,
  });
}

const forge = wanted.has("unchanged") || wanted.has("plan") ? await forgeProgram() : "";
if (wanted.has("unchanged")) await unchanged(forge);
if (wanted.has("plan")) await plan(forge);
if (wanted.has("hash")) await hash();
if (wanted.has("event")) await event();
for (const line of figures) console.log(JSON.stringify(line));
if (o.keep === undefined) rmSync(keep, { recursive: true, force: true });
