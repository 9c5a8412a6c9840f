/**
 * The data checks beside what people use in Python: samples a second, CPU, memory; the same schema verdicts; near-duplicates against comparing everything with everything.
 *
 *     npm run bench -- qa [--keep DIR] [--samples 200000] [--reference 20000] [--brute 6000] [--threads N] [--seed 1]
 *
 * Needs the network once, for its peers (pip, into DIR). `--reference` is how many samples the slow peer is given, `--brute` how many are compared with each other.
 * Ours makes the whole report (eleven checks, near-duplicates, coverage, diversity), on all cores; the peers only check schemas and look for near-duplicates, on one; and
 * ours once more with that work alone, on one and on all cores. Ends with one JSON line a figure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { machine, root } from "./lib.mjs";
import { writeRows } from "./qa/rows.mjs";

const { values: o } = parseArgs({
  options: {
    keep: { type: "string" },
    samples: { type: "string", default: "200000" },
    reference: { type: "string", default: "20000" },
    brute: { type: "string", default: "6000" },
    threads: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const PEERS = ["jsonschema==4.26.0", "datasketch==2.0.0", "jsonschema-rs==0.61.2", "rensa==0.5.0", "orjson==3.13.0"];
const keep = o.keep ?? mkdtempSync(join(tmpdir(), "forge-bench-qa-"));
const tools = join(root, "bench/qa/tools.json");
mkdirSync(keep, { recursive: true });

function must(command, args) {
  const ended = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (ended.status === 0) return;
  console.error(`${command} ${args.join(" ")} ended with ${ended.status ?? ended.error?.message}`);
  process.exit(1);
}

const figures = [];
const round = (x) => Number(x.toPrecision(4));
function figure(name, ours, peer, n, more = {}) {
  figures.push({ name, ours: round(ours), peer: round(peer), ratio: round(ours / peer), n, machine, ...more });
  console.error(`${name}: ${round(ours)} against ${round(peer)}: ${round(ours / peer)}`);
}

function rows(count) {
  const path = join(keep, `rows-${count}-${o.seed}.jsonl`);
  if (!existsSync(path)) writeRows(path, count, Number(o.seed));
  return path;
}

function python() {
  const bin = join(keep, "env/bin");
  if (!existsSync(join(bin, "python"))) must("python3", ["-m", "venv", join(keep, "env")]);
  must(join(bin, "python"), ["-m", "pip", "install", "--quiet", ...PEERS]);
  return join(bin, "python");
}

/** The checks, bundled as in a release: in chunks, so that threads can load theirs. */
async function program() {
  const outdir = join(keep, "program");
  await build({
    entryPoints: { run: join(root, "bench/qa/run.ts") },
    outdir,
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    logLevel: "error",
    banner: { js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);' },
  });
  return join(outdir, "run.mjs");
}

function run(command, args, name) {
  const output = join(keep, `${name}.json`);
  must(command, [...args, output]);
  return JSON.parse(readFileSync(output, "utf8"));
}

const per = (n, { seconds }) => n / seconds;
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

const forge = await program();
const peer = python();
const n = Number(o.samples);
const few = Number(o.reference);
const threads = o.threads === undefined ? [] : [`--threads=${o.threads}`];
const ours = run(process.execPath, [forge, "measure", ...threads, rows(n), tools], "ours");
const native = run(peer, [join(root, "bench/qa/peer.py"), "native", rows(n), tools], "native");
const alone = run(process.execPath, [forge, "same", rows(n), tools], "same");
const cores = String(o.threads ?? availableParallelism());
const together = run(process.execPath, [forge, "same", `--threads=${cores}`, rows(n), tools], "same-threads");
const reference = run(peer, [join(root, "bench/qa/peer.py"), "reference", rows(few), tools], "reference");
const aloneFew = run(process.execPath, [forge, "same", rows(few), tools], "same-few");
const brute = Number(o.brute);
const exact = run(process.execPath, [forge, "brute", rows(brute), tools], "brute");
const found = run(process.execPath, [forge, "same", rows(brute), tools], "same-brute");
const nativeFew = run(peer, [join(root, "bench/qa/peer.py"), "native", rows(brute), tools], "native-brute");

figure("samples/s, all checks, against jsonschema-rs + rensa", per(n, ours), per(n, native), n);
figure("samples a CPU second, all checks, against jsonschema-rs + rensa", n / ours.cpu, n / native.cpu, n);
figure("samples/s, all checks, against jsonschema + datasketch", per(n, ours), per(few, reference), n, { peer_n: few });
figure("samples/s, the same work on one thread, against jsonschema-rs + rensa", per(n, alone), per(n, native), n);
figure("samples a CPU second, the same work on one thread, against jsonschema-rs + rensa", n / alone.cpu, n / native.cpu, n);
figure("samples a CPU second, the same work on one thread, against jsonschema + datasketch", n / alone.cpu, few / reference.cpu, n, { peer_n: few });
figure("samples/s, the same work on one thread, against jsonschema + datasketch", per(n, alone), per(few, reference), n, { peer_n: few });
figure("samples/s, the same work on all cores, against jsonschema-rs + rensa", per(n, together), per(n, native), n, { cores: Number(cores) });
figure("samples/s, the same work on all cores, against jsonschema + datasketch", per(n, together), per(few, reference), n, {
  cores: Number(cores),
  peer_n: few,
});
figure("peak memory in MB, against jsonschema-rs + rensa", ours.rss_mb, native.rss_mb, n);
const agree =
  same(alone.invalid, native.invalid) && same(together.invalid, alone.invalid) && same(together.near, alone.near) && same(aloneFew.invalid, reference.invalid);
figure("schema verdicts that are the same", agree ? n : 0, n, n, { invalid: alone.invalid.length });
const hits = (list, of) => of.filter((i) => list.includes(i)).length;
// Who is a duplicate of whom is decided in order; all three keep the first.
figure(
  "recall of near-duplicates, exact Jaccard",
  hits(found.near, exact.near) / exact.near.length,
  hits(nativeFew.near, exact.near) / exact.near.length,
  brute,
  { near: exact.near.length },
);
figure(
  "precision of near-duplicates, exact Jaccard",
  hits(exact.near, found.near) / found.near.length,
  hits(exact.near, nativeFew.near) / nativeFew.near.length,
  brute,
);
writeFileSync(join(keep, "figures.json"), JSON.stringify(figures));
for (const f of figures) console.log(JSON.stringify(f));
if (!agree || !same(found.near, exact.near)) process.exit(1);
