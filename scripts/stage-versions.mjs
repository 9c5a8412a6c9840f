/**
 * Guards the stage versions. A stage's version is part of its key: if its code changes what it puts out and
 * the version stays, caches give out old results. So for every stage (src/stages/*.ts with a VERSION) this
 * computes a digest over all the files of ours that it imports, and over the modules of the Python steps that
 * these run (`runStep("train", …)`), and compares it with the committed stage-versions.json.
 *
 *   node scripts/stage-versions.mjs          fails if code changed and the version was neither raised nor signed off
 *   node scripts/stage-versions.mjs --sign   records the present digests: "raised", or "changes no output"
 *
 * The digest ignores comments, types and layout of TypeScript, and comments of Python, so that a reworded
 * comment needs no signature.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, transform } from "esbuild";
import { root } from "./bundle-options.mjs";

await import("./generate.mjs");

const RECORD = join(root, "stage-versions.json");
const sign = process.argv.includes("--sign");

function judge(name, now, then) {
  if (then === undefined) return [`${name}: not recorded yet`];
  if (now.version < then.version) return [`${name}: the version went back from ${then.version} to ${now.version}`];
  if (now.version > then.version) return [`${name}: the version was raised to ${now.version} and not signed`];
  return now.digest === then.digest ? [] : [`${name}: its code changed and its version is still ${now.version}`];
}

/**
 * Code and files that a module reaches without importing them: the other side of a process that it starts, a
 * template that it reads. A folder stands for the files in it.
 */
const BEHIND = {
  "src/models/llama/client.ts": ["src/models/llama/worker.ts"],
  "src/tools/open.ts": ["src/tools/stubs/serve.ts"],
  "src/models/rendering.ts": ["templates/chat"],
  "src/models/hub.ts": ["templates/licences"],
};

/** Stage → version and digest, by the `export const VERSION` of its module. */
async function stages() {
  const folder = join(root, "src", "stages");
  const found = {};
  for (const file of existsSync(folder) ? readdirSync(folder).sort() : []) {
    if (!file.endsWith(".ts")) continue;
    const version = /^export const VERSION = (\d+);/m.exec(readFileSync(join(folder, file), "utf8"))?.[1];
    if (version === undefined) continue;
    const inputs = await reach(`src/stages/${file}`);
    const hash = createHash("sha256");
    const steps = new Set();
    for (const path of inputs) {
      hash.update(`${path}\0${await essence(path)}\0`);
      for (const step of stepsIn(readFileSync(join(root, path), "utf8"))) steps.add(step);
    }
    for (const [name, text] of pythonClosure(steps)) hash.update(`python/${name}\0${pythonEssence(text)}\0`);
    found[file.replace(/\.ts$/, "")] = { version: Number(version), digest: hash.digest("hex").slice(0, 32) };
  }
  return found;
}

/** Every file of ours that this one imports or reaches, itself included, sorted. */
async function reach(entry) {
  const found = new Set();
  const todo = [entry];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    if (!at.endsWith(".ts")) continue;
    const { metafile } = await build({
      entryPoints: [at],
      absWorkingDir: root,
      bundle: true,
      write: false,
      metafile: true,
      platform: "node",
      format: "esm",
      packages: "external",
      logLevel: "error",
      outdir: "unused",
    });
    for (const path of Object.keys(metafile.inputs)) {
      if (path.includes("node_modules/")) continue;
      found.add(path);
      for (const other of BEHIND[path] ?? []) todo.push(...filesOf(other));
    }
  }
  return [...found].sort();
}

/** The file itself, or the files of a folder. A path that is gone is a mistake in BEHIND. */
const filesOf = (path) => (statSync(join(root, path)).isDirectory() ? readdirSync(join(root, path)).map((f) => `${path}/${f}`) : [path]);

/** A source file without its comments, types and layout. */
async function essence(path) {
  const text = readFileSync(join(root, path), "utf8");
  if (!path.endsWith(".ts")) return text;
  return (await transform(text, { loader: "ts", target: "esnext", legalComments: "none", minifyWhitespace: true })).code;
}

/** The Python steps that a source file runs. */
function stepsIn(text) {
  return [...text.matchAll(/\brunStep\(\s*"([a-z0-9_]+)"/g)].map((m) => m[1]);
}

/** Every module of python/forge_steps that these modules import, themselves included, sorted. */
function pythonClosure(names) {
  const folder = join(root, "python", "forge_steps");
  const seen = new Map();
  const todo = [...names];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const file = join(folder, `${name}.py`);
    if (seen.has(name) || !existsSync(file)) continue;
    const text = readFileSync(file, "utf8");
    seen.set(name, text);
    for (const m of text.matchAll(/^[ \t]*from forge_steps\.(\w+) import|^[ \t]*import forge_steps\.(\w+)/gm)) todo.push(m[1] ?? m[2]);
    for (const m of text.matchAll(/^[ \t]*from forge_steps import (\([^)]*\)|.*)$/gm)) todo.push(...(m[1].match(/\w+/g) ?? []));
  }
  return [...seen].sort(([x], [y]) => (x < y ? -1 : 1));
}

/** A Python source without blank lines and whole-line comments. */
function pythonEssence(text) {
  const lines = text.split("\n").map((line) => line.trimEnd());
  return lines.filter((line) => line !== "" && !/^\s*#/.test(line)).join("\n");
}

const current = await stages();
const recorded = existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, "utf8")) : {};
if (sign) {
  writeFileSync(RECORD, `${JSON.stringify(Object.fromEntries(Object.entries(current).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`);
  console.log(`stage-versions.json: ${Object.keys(current).length} stages signed`);
} else {
  const complaints = Object.entries(current).flatMap(([name, now]) => judge(name, now, recorded[name]));
  for (const name of Object.keys(recorded)) if (!(name in current)) complaints.push(`${name}: recorded, but gone from the code`);
  for (const complaint of complaints) console.error(`stage-versions: ${complaint}`);
  if (complaints.length > 0) {
    console.error(
      "Raise VERSION where the output changes; then, or where it does not, run `node scripts/stage-versions.mjs --sign` and commit stage-versions.json.",
    );
    process.exit(1);
  }
  console.log(`stage-versions: ${Object.keys(current).length} stages as signed`);
}
