/**
 * Which Python a run would use and what is in it, without importing any of it: the interpreter is asked
 * for its version and paths; versions of packages are read from their `.dist-info` folders.
 */
import { readdir } from "node:fs/promises";
import { EXIT } from "../platform/exit.ts";
import { runProcess } from "../platform/process.ts";
import type { Failure } from "../platform/result.ts";

export interface PythonState {
  /** Path or name of the interpreter. */
  readonly interpreter: string;
  readonly version: string;
  /** Versions of the packages that matter, by name; those that are absent are not in it. */
  readonly packages: Readonly<Record<string, string>>;
  readonly problem?: Failure;
}

/** What training and export import. */
export const PACKAGES = ["torch", "transformers", "peft", "gguf", "sentencepiece"] as const;
const FLOOR = [3, 10] as const;
const PROBE_MS = 15_000;
const PROBE =
  "import sys,sysconfig,json;print(json.dumps([list(sys.version_info[:3]),sysconfig.get_path('purelib'),sysconfig.get_path('platlib'),sys.executable]))";

/** @param interpreter a path, or a name to find on PATH */
export async function inspectInterpreter(interpreter: string, signal: AbortSignal | undefined): Promise<PythonState> {
  const nothing = { interpreter, version: "", packages: {} };
  const asked = await runProcess(interpreter, ["-I", "-c", PROBE], { timeoutMs: PROBE_MS, signal });
  const answer = asked.ok && asked.value.exitCode === 0 ? parse(asked.value.stdout) : undefined;
  if (answer === undefined)
    return {
      ...nothing,
      problem: {
        code: "doctor/no-python",
        message: `${interpreter} does not run`,
        hint: "install Python 3.10 or newer (python3), or name one: export MCP_FORGE_PYTHON=PATH",
        exit: EXIT.environment,
      },
    };
  const version = answer.version.join(".");
  const [major = 0, minor = 0] = answer.version;
  const state = { interpreter: answer.executable, version, packages: await packagesIn(answer.folders) };
  if (major > FLOOR[0] || (major === FLOOR[0] && minor >= FLOOR[1])) return state;
  return {
    ...state,
    problem: {
      code: "doctor/old-python",
      message: `Python ${version} (${answer.executable}) is too old`,
      hint: "install Python 3.10 or newer, or name one: export MCP_FORGE_PYTHON=PATH",
      exit: EXIT.environment,
    },
  };
}

function parse(stdout: string): { version: number[]; folders: string[]; executable: string } | undefined {
  try {
    const value: unknown = JSON.parse(stdout);
    if (!Array.isArray(value)) return undefined;
    const [version, purelib, platlib, executable] = value as unknown[];
    if (!Array.isArray(version) || typeof purelib !== "string" || typeof platlib !== "string" || typeof executable !== "string") return undefined;
    return { version: version.map(Number), folders: [...new Set([purelib, platlib])], executable };
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
      const known = PACKAGES.find((p) => p === name?.toLowerCase().replace(/[-_.]+/g, "-"));
      if (known !== undefined && version !== undefined) found[known] = version;
    }
  }
  return found;
}
