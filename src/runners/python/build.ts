/**
 * Builds a Python environment of forge's in a folder: venv (or virtualenv where Python has no venv), then, for the steps', torch in
 * the right build, then the rest of the lock file. The caller holds a lock, and removes the folder on failure.
 */
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EXIT } from "../../platform/exit.ts";
import { CACHE_FIX } from "../../platform/paths.ts";
import { childEnv, runProcess } from "../../platform/process.ts";
import { redact, safeText } from "../../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { Accelerator } from "./accelerator.ts";
import type { Interpreter } from "./find.ts";
import { ISOLATED } from "./folder.ts";
import type { Requirements } from "./requirements.ts";

export interface BuildOptions {
  readonly signal: AbortSignal;
  /** Everything that the installers print. */
  readonly logFile: string;
  /** A folder for pip's own temporary files, GBs of them, which a killed pip leaves behind: the caller's to remove. */
  readonly temporary?: string;
  /** A phase begins (`step` of `STEPS`), or something is told about the one that runs. */
  readonly onPhase: (step: number, message: string) => void;
}

/** Phases of a build, for progress. */
export const STEPS = 4;

/** PyTorch's own index of CPU builds (https://pytorch.org/get-started/locally). The registry's Linux builds carry several GB of CUDA. */
const TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu";

const GB = 1e9;
/** Free bytes that a build needs: the environment itself and pip's downloads and unpacked copies beside it. */
export const NEEDED_BYTES: Readonly<Record<Accelerator, number>> = { cpu: 3 * GB, cuda: 12 * GB };
/** What it takes when done, in words. */
export const SIZE_IN_WORDS: Readonly<Record<Accelerator, string>> = { cpu: "about 1.3 GB", cuda: "about 6 GB" };

/** The interpreter inside an environment. */
export const pythonIn = (dir: string): string => (process.platform === "win32" ? join(dir, "Scripts", "python.exe") : join(dir, "bin", "python"));

/** Variables of pip that may hold a private registry's password, which the installer needs and nobody else gets. */
const PIP_NAMES = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
export const installerEnv = (): Record<string, string> => childEnv({ PIP_DISABLE_PIP_VERSION_CHECK: "1", PYTHONNOUSERSITE: "1" }, PIP_NAMES);

/** Builds the environment in `dir`, which must not exist. */
export async function buildEnvironment(
  dir: string,
  python: Interpreter,
  requirements: Requirements,
  accelerator: Accelerator,
  o: BuildOptions & { readonly neededBytes?: number; readonly imports?: string },
): Promise<Result<void>> {
  const made = await begin(dir, python, o.neededBytes ?? NEEDED_BYTES[accelerator], o);
  if (!made.ok) return made;
  const pip = [pythonIn(dir), ...ISOLATED, "-m", "pip"];
  const torch = `torch==${requirements.versions.get("torch")}`;
  o.onPhase(1, `installing ${torch.replace("==", " ")}`);
  const extra = accelerator === "cpu" && process.platform === "linux" ? await cpuBuildArguments(pip, torch, o) : [];
  const first = await install(pip, [...extra, torch], o);
  if (!first.ok) return first;
  o.onPhase(2, `installing ${requirements.versions.size} packages`);
  const rest = await install(pip, ["-r", requirements.path], o);
  if (!rest.ok) return rest;
  o.onPhase(3, "trying the environment");
  return tryImport(dir, o.imports ?? "torch, transformers, peft, gguf", o);
}

/** Phases of a build of pins alone. */
export const PINS_STEPS = 3;

/** Builds an environment of the lock file's packages, and (unless `withDependencies`) nothing that they name beside, in `dir`, which must not exist. */
export async function buildOfPins(
  dir: string,
  python: Interpreter,
  requirements: Requirements,
  o: BuildOptions & { readonly neededBytes: number; readonly imports: string; readonly withDependencies?: boolean },
): Promise<Result<void>> {
  const made = await begin(dir, python, o.neededBytes, o);
  if (!made.ok) return made;
  o.onPhase(1, `installing ${requirements.versions.size} packages`);
  const got = await install([pythonIn(dir), ...ISOLATED, "-m", "pip"], [...(o.withDependencies === true ? [] : ["--no-deps"]), "-r", requirements.path], o);
  if (!got.ok) return got;
  o.onPhase(2, "trying the environment");
  return tryImport(dir, o.imports, o);
}

/** An environment with nothing in it, where the disk has room for what is to come. */
async function begin(dir: string, python: Interpreter, needed: number, o: BuildOptions): Promise<Result<void>> {
  const free = await freeBytes(dirname(dir));
  if (free !== undefined && free < needed) {
    return err({
      code: "python/no-space",
      message: `forge's Python environment needs about ${gb(needed)} GB of free disk while it is built; ${dirname(dir)} has ${(free / GB).toFixed(1)} GB`,
      hint: CACHE_FIX,
      exit: EXIT.environment,
    });
  }
  o.onPhase(0, `making an environment with Python ${python.version}`);
  return makeEnvironment(dir, python, o);
}

const gb = (bytes: number): string => (bytes / GB).toFixed(bytes < GB ? 1 : 0);

async function tryImport(dir: string, modules: string, o: BuildOptions): Promise<Result<void>> {
  const check = await run([pythonIn(dir), ...ISOLATED, "-c", `import ${modules}`], o, 300_000);
  if (!check.ok) return check;
  return check.value.exitCode === 0 ? ok(undefined) : err(failed("python/broken", "the new Python environment does not work", check.value.output));
}

/** Free bytes of the file system that holds a folder (which is made); undefined where it cannot be told. */
async function freeBytes(dir: string): Promise<number | undefined> {
  mkdirSync(dir, { recursive: true });
  const s = await statfs(dir).catch(() => undefined);
  return s && s.bavail * s.bsize;
}

/** `python -m venv`; where that part of Python is missing (Debian's python3-venv), virtualenv from pip, kept nowhere. */
async function makeEnvironment(dir: string, python: Interpreter, o: BuildOptions): Promise<Result<void>> {
  const venv = await run([python.command, ...ISOLATED, "-m", "venv", dir], o, 120_000);
  if (!venv.ok) return venv;
  if (venv.value.exitCode === 0) return ok(undefined);
  rmSync(dir, { recursive: true, force: true });
  o.onPhase(0, "Python's venv is not installed; taking virtualenv from pip instead");
  const tool = `${dir}.virtualenv`;
  try {
    const pip = [python.command, ...ISOLATED, "-m", "pip"];
    const present = await run([...pip, "--version"], o, 60_000);
    if (!present.ok) return present;
    if (present.value.exitCode !== 0) {
      const hint = "Install python3-venv (Debian: apt-get install python3-venv) or pip, or set MCP_FORGE_PYTHON to an environment that has the packages.";
      return err(failed("python/no-pip", `${python.command} has neither venv nor pip, so no environment can be made`, venv.value.output, hint));
    }
    const got = await install(pip, ["--target", tool, "virtualenv"], o);
    if (!got.ok) return got;
    const script = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('virtualenv', run_name='__main__')";
    const made = await run([python.command, ...ISOLATED, "-c", script, tool, "--no-periodic-update", dir], o, 120_000);
    if (!made.ok) return made;
    return made.value.exitCode === 0 ? ok(undefined) : err(failed("python/no-venv", "virtualenv could not make an environment", made.value.output));
  } finally {
    rmSync(tool, { recursive: true, force: true });
  }
}

/**
 * What pip needs besides the name to take a CPU build of torch on Linux. Nothing, where its own configuration already
 * leads to one (a folder of wheels, a mirror); else PyTorch's index when that answers within seconds; else nothing.
 */
async function cpuBuildArguments(pip: readonly string[], torch: string, o: BuildOptions): Promise<string[]> {
  const dryRun = ["install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report", "-", "--retries", "0"];
  const own = await run([...pip, ...dryRun, torch], o, 60_000);
  if (own.ok && own.value.exitCode === 0 && isCpuBuild(own.value.stdout)) return [];
  const index = ["--no-deps", "--index-url", TORCH_CPU_INDEX];
  const theirs = await run([...pip, ...dryRun, "--timeout", "3", ...index.slice(1), torch], o, 10_000, { PIP_EXTRA_INDEX_URL: "" });
  if (theirs.ok && theirs.value.exitCode === 0 && isCpuBuild(theirs.value.stdout)) return index;
  // Where the registry gives nothing either, the installation itself says why.
  if (own.ok && own.value.exitCode === 0)
    o.onPhase(1, "PyTorch's index of CPU builds does not answer; taking the registry's build, which is several GB larger");
  return [];
}

/** Whether pip's installation report names a CPU build of torch (local version `+cpu`). */
export function isCpuBuild(report: string): boolean {
  try {
    const parsed = JSON.parse(report.slice(report.indexOf("{"))) as { install?: { metadata?: { version?: unknown } }[] };
    return (parsed.install ?? []).some((i) => typeof i.metadata?.version === "string" && i.metadata.version.endsWith("+cpu"));
  } catch {
    return false;
  }
}

/**
 * pip install, with what it downloads told as it goes; its failures in words. Nothing is compiled to bytecode ahead: that takes
 * half a minute, and of what is installed a tenth is ever imported.
 */
export async function install(pip: readonly string[], args: readonly string[], o: BuildOptions): Promise<Result<void>> {
  const r = await run([...pip, "install", "--no-input", "--progress-bar", "off", "--retries", "2", "--no-compile", ...args], o, 3_600_000, {}, (line) => {
    const told = /^\s*(Downloading|Processing|Installing collected packages)[ :]+(\S+)(.*)/.exec(line);
    if (told)
      o.onPhase(
        -1,
        told[1] === "Installing collected packages" ? "unpacking packages" : `${told[1]?.toLowerCase()} ${told[2]?.split("/").at(-1)}${told[3] ?? ""}`,
      );
  });
  if (!r.ok) return r;
  return r.value.exitCode === 0 ? ok(undefined) : err(pipFailure(r.value.output));
}

const UNREACHABLE =
  /NewConnectionError|ConnectTimeoutError|NameResolutionError|Max retries exceeded|Temporary failure in name resolution|Network is unreachable|ProxyError|ReadTimeoutError|SSLError|No matching distribution found/i;

/** What pip's output says, as a Failure. */
export function pipFailure(output: string): Failure {
  if (/No space left on device|Errno 28/.test(output)) return failed("python/no-space", "the disk filled up while packages were installed", output, CACHE_FIX);
  if (UNREACHABLE.test(output)) {
    const hint = "Check the network, or pip's proxy and index settings (`pip config list`), and run the same command again; this download is needed once.";
    return failed("python/no-network", "pip could not reach a package registry that has what is needed", output, hint);
  }
  return failed(
    "python/install-failed",
    "pip could not install the packages",
    output,
    "Read the details above; run the same command again when they are mended.",
  );
}

/** The end of what an installer printed; of pip's long lines about its retries only the last, which names the cause as well as any. */
function essence(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const retries = lines.filter((line) => line.startsWith("WARNING: Retrying"));
  return lines
    .filter((line) => !retries.includes(line) || line === retries.at(-1))
    .slice(-12)
    .join("\n");
}

const failed = (code: string, message: string, output: string, hint?: string): Failure => ({
  code,
  message,
  ...(hint !== undefined && { hint }),
  details: safeText(essence(output)),
  exit: EXIT.environment,
});

interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Both streams' ends. */
  readonly output: string;
}

async function run(
  command: readonly string[],
  o: BuildOptions,
  timeoutMs: number,
  extra: Record<string, string> = {},
  onLine: (line: string) => void = () => {},
): Promise<Result<Ran>> {
  const [program = "", ...args] = command;
  appendFileSync(o.logFile, redact(`$ ${command.join(" ")}\n`));
  const keep = (line: string) => {
    appendFileSync(o.logFile, `${redact(line)}\n`);
    onLine(line);
  };
  const r = await runProcess(program, args, {
    // Where the user stands: pip's settings may name files by relative paths.
    env: { ...installerEnv(), ...(o.temporary !== undefined && { TMPDIR: o.temporary }), ...extra },
    stdin: "",
    timeoutMs,
    signal: o.signal,
    onStdoutLine: keep,
    onStderrLine: keep,
    maxBytes: 4 << 20,
  });
  if (!r.ok) return r;
  return ok({ exitCode: r.value.exitCode, stdout: r.value.stdout, output: `${r.value.stdout.slice(-4000)}\n${r.value.stderr.slice(-8000)}` });
}
