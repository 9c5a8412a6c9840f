/**
 * Runs the Python tests (python/tests) in forge's own Python environment, the one that the steps run in, a file at a time in each of as many processes
 * as there are cores (four at most: each holds torch; `-n 0`: in this one).
 * pytest and its companions are no part of that environment: they come from python/requirements-dev.lock into
 * a folder of their own in the cache, which only this script puts on the path. Arguments go to pytest; without `-m` the tests
 * that are marked `slow` are left out (`-m slow`: they alone).
 * Ends with a line `pytest: N passed, N failed`; exit code 0 only if all passed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./bundle-options.mjs";

const counts = await main(process.argv.slice(2));
console.log(`pytest: ${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);

async function main(args) {
  const { python, cache } = await environment();
  const path = [join(root, "python")];
  const extras = testPackages(python, cache);
  if (extras) path.push(extras);
  // Trainings of the slow tests use every core themselves.
  const side = args.some((arg) => arg === "-n" || arg === "slow") ? [] : ["-n", String(Math.min(4, availableParallelism())), "--dist", "loadfile"];
  const result = spawnSync(python, ["-m", "pytest", "-p", "no:cacheprovider", "-q", "--color=no", join(root, "python", "tests"), ...side, ...chosen(args)], {
    cwd: join(root, "python"),
    env: { ...process.env, PYTHONPATH: path.join(delimiter), PYTHONDONTWRITEBYTECODE: "1", MALLOC_ARENA_MAX: "2" },
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  process.stdout.write(result.stdout ?? "");
  return tally(result.stdout ?? "", result.status);
}

/** Which tests: those that are not slow, unless the arguments say. */
function chosen(args) {
  return args.some((arg) => arg === "-m" || /::|\.py$/.test(arg)) ? args : ["-m", "not slow", ...args];
}

/** forge's Python and its cache folder, through forge's own code. */
async function environment() {
  const outfile = join(root, "node_modules", ".cache", "mcp-forge", "python-env.mjs");
  const contents = 'export { ensurePython } from "./src/runners/python-env.ts"; export { cacheDir } from "./src/platform/paths.ts";';
  await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  const { ensurePython, cacheDir } = await import(pathToFileURL(outfile).href);
  const found = await ensurePython({ signal: new AbortController().signal, onProgress: (p) => console.error(typeof p === "string" ? p : (p.message ?? "")) });
  if (!found.ok) {
    console.error(`${found.error.message}\n${found.error.hint ?? ""}`);
    process.exit(found.error.exit ?? 6);
  }
  return { python: found.value.python, cache: cacheDir() };
}

/** A folder with pytest and its companions, made once per lock file and Python; undefined where Python has them already. */
function testPackages(python, cache) {
  if (spawnSync(python, ["-c", "import pytest, hypothesis, xdist"], { stdio: "ignore" }).status === 0) return undefined;
  const lock = join(root, "python", "requirements-dev.lock");
  const version = spawnSync(python, ["-c", "import sys; print(sys.version_info[:2])"], { encoding: "utf8" }).stdout;
  const target = join(cache, `test-packages-${createHash("sha256").update(readFileSync(lock)).update(version).digest("hex").slice(0, 16)}`);
  if (existsSync(target)) return target;
  console.error("installing pytest and its companions for the Python tests");
  const part = `${target}.${process.pid}`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const pip = spawnSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", part, "-r", lock], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (pip.status !== 0) {
    rmSync(part, { recursive: true, force: true });
    console.error("pip could not install what python/requirements-dev.lock names");
    process.exit(6);
  }
  try {
    renameSync(part, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
    rmSync(part, { recursive: true, force: true });
  }
  return target;
}

/** Counts from pytest's closing line; an end without one counts as a failure. */
function tally(output, status) {
  const last = output.trimEnd().split("\n").at(-1) ?? "";
  const of = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(last)?.[1] ?? 0);
  const counts = { passed: of("passed"), failed: of("failed") + of("errors?") };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}
