/**
 * Which Python a run would use and what is in it, without importing any of it: the interpreter is asked
 * for its version and paths; versions of packages are read from their `.dist-info` folders. Nothing is
 * built or installed.
 */
import { readdir } from "node:fs/promises";
import { EXIT } from "../platform/exit.ts";
import { childEnv, runProcess } from "../platform/process.ts";
import type { Failure } from "../platform/result.ts";
import { findPython, NEWEST, OLDEST, supports } from "../runners/python/find.ts";
import { DECISIVE_PACKAGES } from "../runners/python/requirements.ts";
import { ensurePython, pythonIsReady } from "../runners/python-env.ts";

export interface PythonState {
  /** Path or name of the interpreter. */
  readonly interpreter: string;
  /** Empty where there is none. */
  readonly version: string;
  /** Named by MCP_FORGE_PYTHON: forge uses it as it is. */
  readonly named: boolean;
  /** Whether the environment that training runs in is there. */
  readonly ready: boolean;
  /** Versions of the packages that matter, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** Those that are absent. */
  readonly absent: readonly string[];
  readonly problem?: Failure;
}

const PROBE_MS = 15_000;
const PROBE = "import sys,sysconfig,json;print(json.dumps([list(sys.version_info[:3]),sysconfig.get_path('purelib'),sysconfig.get_path('platlib')]))";

export async function inspectPython(signal?: AbortSignal): Promise<PythonState> {
  const named = process.env.MCP_FORGE_PYTHON;
  if (named) {
    const state = await inspectInterpreter(named, signal);
    return { ...state, named: true, ready: state.problem === undefined && state.absent.length === 0 };
  }
  if (pythonIsReady()) {
    // The environment is there, so this finds it and builds nothing.
    const environment = await ensurePython({ signal });
    if (environment.ok) return { ...(await inspectInterpreter(environment.value.python, signal)), named: false, ready: true };
  }
  const found = await findPython();
  const none = { named: false, ready: false, packages: {}, absent: DECISIVE_PACKAGES };
  return found.ok
    ? { ...none, interpreter: found.value.command, version: found.value.version }
    : { ...none, interpreter: "", version: "", problem: found.error };
}

async function inspectInterpreter(interpreter: string, signal: AbortSignal | undefined): Promise<Omit<PythonState, "named" | "ready">> {
  const asked = await runProcess(interpreter, ["-I", "-c", PROBE], { env: childEnv(), stdin: "", timeoutMs: PROBE_MS, signal });
  const answer = asked.ok && asked.value.exitCode === 0 ? parse(asked.value.stdout) : undefined;
  const hint = "name one that works (export MCP_FORGE_PYTHON=PATH), or let forge make its own: unset MCP_FORGE_PYTHON";
  if (answer === undefined)
    return {
      interpreter,
      version: "",
      packages: {},
      absent: DECISIVE_PACKAGES,
      problem: { code: "doctor/no-python", message: `${interpreter} does not run`, hint, exit: EXIT.environment },
    };
  const version = answer.version.join(".");
  const packages = await packagesIn(answer.folders);
  const state = { interpreter, version, packages, absent: DECISIVE_PACKAGES.filter((name) => packages[name] === undefined) };
  if (supports(version)) return state;
  const message = `Python ${version} (${interpreter}) is not supported; training needs ${OLDEST.join(".")} to ${NEWEST.join(".")}`;
  return { ...state, problem: { code: "doctor/unsupported-python", message, hint, exit: EXIT.environment } };
}

function parse(stdout: string): { version: number[]; folders: string[] } | undefined {
  try {
    const value: unknown = JSON.parse(stdout);
    if (!Array.isArray(value)) return undefined;
    const [version, purelib, platlib] = value as unknown[];
    if (!Array.isArray(version) || typeof purelib !== "string" || typeof platlib !== "string") return undefined;
    return { version: version.map(Number), folders: [...new Set([purelib, platlib])] };
  } catch {
    return undefined;
  }
}

/** `torch-2.13.0+cpu.dist-info` → torch 2.13.0+cpu. Names are compared as PyPI does (PEP 503). */
async function packagesIn(folders: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const folder of folders) {
    for (const entry of await readdir(folder).catch(() => [])) {
      const [, name, version] = /^(.+?)-([^-]+)\.dist-info$/.exec(entry) ?? [];
      const known = DECISIVE_PACKAGES.find((p) => p === name?.toLowerCase().replace(/[-_.]+/g, "-"));
      if (known !== undefined && version !== undefined) found[known] = version;
    }
  }
  return found;
}
