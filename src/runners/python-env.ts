/**
 * The Python environment that steps run in: forge's own, made on first need from python/requirements.lock, or
 * the one that MCP_FORGE_PYTHON names.
 *
 * Guarantees: an environment is used only when it is finished (made.ts); `pythonRuntime` starts no process and says the same before and after
 * the environment is made.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { acquireLock } from "../engine/lock.ts";
import { hexOf } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { writeFileAtomic } from "../platform/fs.ts";
import type { JsonObject } from "../platform/json.ts";
import { cacheDir } from "../platform/paths.ts";
import { childEnv, runProcess } from "../platform/process.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { type Accelerator, detectAccelerator } from "./python/accelerator.ts";
import { buildEnvironment, install, SIZE_IN_WORDS, STEPS } from "./python/build.ts";
import { SUPPORTED, supports } from "./python/find.ts";
import { ISOLATED, interpreter, pythonFolder } from "./python/folder.ts";
import { buildOptions, environmentsDir, finished, MARKER, type Making, makeOnce, type Python, type PythonOptions, WAIT_SECONDS } from "./python/made.ts";
import { DECISIVE_PACKAGES, type Requirements, readRequirements } from "./python/requirements.ts";

export type { Python, PythonOptions } from "./python/made.ts";

/** The environment is looked for, checked or built once a process, for each place it may be. */
const ready = new Map<string, Promise<Result<Python>>>();

/** An interpreter with every package of the lock file. Builds the environment when there is none; failures exit with 6. */
export async function ensurePython(o: PythonOptions = {}): Promise<Result<Python>> {
  const place = `${process.env.MCP_FORGE_PYTHON ?? ""}\n${cacheDir()}`;
  const found = ready.get(place) ?? locate(o);
  ready.set(place, found);
  const result = await found;
  if (!result.ok) ready.delete(place); // What was wrong may be mended by the next call.
  return result;
}

async function locate(o: PythonOptions): Promise<Result<Python>> {
  const named = process.env.MCP_FORGE_PYTHON;
  if (named) return checkNamed(interpreter(named), o, { variable: "MCP_FORGE_PYTHON", names: DECISIVE_PACKAGES, pins: readRequirements().versions });
  const making = ours();
  return finished(making.prefix) ?? makeOnce(making, o);
}

/** The environment that steps run in. */
function ours(): Making {
  const requirements = readRequirements();
  const accelerator: Accelerator = detectAccelerator();
  return {
    name: "Python environment",
    prefix: `${hexOf(requirements.digest).slice(0, 16)}-${accelerator}-py`,
    size: SIZE_IN_WORDS[accelerator],
    steps: STEPS,
    mark: { requirements: requirements.digest, accelerator },
    build: (dir, python, o) => buildEnvironment(dir, python, requirements, accelerator, o),
  };
}

/** Whether the environment is there already (for `doctor` and estimates); starts and changes nothing. */
export const pythonIsReady = (): boolean => Boolean(process.env.MCP_FORGE_PYTHON) || finished(ours().prefix) !== undefined;

/** What an interpreter is named by, and what it is to have. */
interface Named {
  readonly variable: string;
  readonly names: readonly string[];
  /** Versions that forge was tested with; others are a warning. */
  readonly pins: ReadonlyMap<string, string>;
}

/** An interpreter that a variable names is used as it is, when it is a supported Python that has the packages. */
export async function checkNamed(python: string, o: PythonOptions, { variable, names, pins }: Named): Promise<Result<Python>> {
  const script =
    "import sys, json, importlib.metadata as m\ndef v(n):\n  try: return m.version(n)\n  except m.PackageNotFoundError: return None\n" +
    "print(json.dumps({'python': '%d.%d.%d' % sys.version_info[:3], 'packages': {n: v(n) for n in sys.argv[1:]}}))";
  const r = await runProcess(python, ["-c", script, ...names], {
    cwd: pythonFolder(),
    env: childEnv(),
    stdin: "",
    timeoutMs: 30_000,
    ...(o.signal && { signal: o.signal }),
  });
  const hint = `Correct ${variable}, or unset it to let forge make its own environment.`;
  const refuse = (message: string) => err({ code: "python/named-unusable", message, hint, exit: EXIT.environment });
  if (!r.ok) return r.error.exit === EXIT.interrupted ? r : refuse(`${variable} is ${python}, which cannot be started`);
  const answer = parseAnswer(r.value.stdout);
  if (answer === undefined) return refuse(`${variable} is ${python}, which is no working Python`);
  if (!supports(answer.python)) return refuse(`${variable} is Python ${answer.python} (${python}), which is not supported; training needs Python ${SUPPORTED}`);
  const missing = names.filter((n) => typeof answer.packages[n] !== "string");
  if (missing.length > 0) return refuse(`the environment of ${variable} (${python}) lacks ${missing.join(", ")}`);
  const other = names.filter((n) => baseVersion(String(answer.packages[n])) !== pins.get(n));
  const words = other.map((n) => `${n} ${String(answer.packages[n])} (tested with ${pins.get(n)})`).join(", ");
  if (other.length > 0) o.onProgress?.({ type: "log", level: "warning", message: `the environment of ${variable} differs from the pinned one: ${words}` });
  return ok({ python });
}

function parseAnswer(stdout: string): { python: string; packages: Record<string, unknown> } | undefined {
  try {
    const value: unknown = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    if (value === null || typeof value !== "object" || !("python" in value) || !("packages" in value)) return undefined;
    if (typeof value.python !== "string" || value.packages === null || typeof value.packages !== "object") return undefined;
    return { python: value.python, packages: Object.fromEntries(Object.entries(value.packages)) };
  } catch {
    return undefined;
  }
}

/** `2.13.0+cpu` → `2.13.0`: the build is told apart by `accelerator`. */
const baseVersion = (version: string): string => version.split("+")[0] ?? version;

/**
 * What of the Python environment can change a step's output, cheaply: versions of the decisive packages and the
 * accelerator. Our own environment has the lock file's versions, made or not; of a named one the installed ones are read.
 */
export const pythonRuntime = (): JsonObject => runtimeOf(process.env.MCP_FORGE_PYTHON, readRequirements(), DECISIVE_PACKAGES);

/** The same of any environment of steps: the `named` interpreter's, else that of the lock file. */
export function runtimeOf(named: string | undefined, requirements: Requirements, names: readonly string[]): JsonObject {
  const versions = named ? installedVersions(named) : requirements.versions;
  const packages = Object.fromEntries(names.map((n) => [n, baseVersion(versions.get(n) ?? "unknown")]));
  return { packages, accelerator: detectAccelerator() };
}

/** Versions by the names of the `.dist-info` folders beside an interpreter. Empty where they cannot be found. */
function installedVersions(python: string): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  const inside = (dir: string): string[] => {
    try {
      return readdirSync(dir);
    } catch {
      return []; // An interpreter in no environment: its packages count as unknown.
    }
  };
  for (const lib of prefixesOf(python).map((prefix) => join(prefix, "lib")))
    for (const name of inside(lib).filter((n) => /^python3(\.\d+)?$/.test(n)))
      for (const packages of ["site-packages", "dist-packages"])
        for (const entry of inside(join(lib, name, packages))) {
          const match = /^(.+)-([^-]+)\.dist-info$/.exec(entry);
          if (match?.[1] !== undefined && match[2] !== undefined) versions.set(match[1].toLowerCase().replaceAll("_", "-"), match[2]);
        }
  return versions;
}

/** The folders that an interpreter's packages lie under, what wins last. */
function prefixesOf(python: string): string[] {
  const named = interpreter(python);
  const path = isAbsolute(named)
    ? named
    : (process.env.PATH ?? "")
        .split(delimiter)
        .map((dir) => join(dir, named))
        .find(existsSync);
  if (path === undefined) return [];
  const prefix = dirname(dirname(path));
  // Debian keeps what pip installs apart from the system's own.
  return prefix === "/usr" ? [prefix, "/usr/local"] : [prefix];
}

/**
 * An interpreter that also has the packages of python/requirements-dev.lock, for the project's own tests: they lie in a
 * folder of their own, to be named in PYTHONPATH.
 */
export async function ensurePythonForTests(o: PythonOptions = {}): Promise<Result<Python & { readonly pythonPath: string }>> {
  const base = await ensurePython(o);
  if (!base.ok) return base;
  const dev = readRequirements("requirements-dev.lock");
  const version = await runProcess(base.value.python, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], {
    cwd: pythonFolder(),
    env: childEnv(),
    stdin: "",
  });
  if (!version.ok) return version;
  const root = environmentsDir();
  const dir = join(root, `${hexOf(dev.digest).slice(0, 16)}-tests-py${version.value.stdout.trim()}`);
  const done = (): boolean => existsSync(join(dir, MARKER));
  if (!done()) {
    mkdirSync(root, { recursive: true });
    const lock = await acquireLock(root, { waitSeconds: WAIT_SECONDS, ...(o.signal && { signal: o.signal }) });
    if (!lock.ok) return lock;
    try {
      if (!done()) {
        rmSync(dir, { recursive: true, force: true });
        const got = await install(
          [base.value.python, ...ISOLATED, "-m", "pip"],
          ["--target", dir, "--no-deps", "-r", dev.path],
          buildOptions({ name: "Python environment", steps: STEPS }, o),
        );
        if (!got.ok) {
          rmSync(dir, { recursive: true, force: true });
          return got;
        }
        writeFileAtomic(join(dir, MARKER), readFileSync(dev.path, "utf8"));
      }
    } finally {
      lock.value.release();
    }
  }
  return ok({ python: base.value.python, pythonPath: dir });
}
