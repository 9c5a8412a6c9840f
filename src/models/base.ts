/**
 * The base model's weights on this machine: fetched once into the cache, checked against the digests in the
 * family's data file, published by a rename. Guarantees: a folder in the cache is whole; nothing inside a package
 * decides where a file lands; nothing of the package is installed or run. The recipe names the source; what the network
 * allows never chooses another. Weights from the model hub: hub.ts.
 */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { acquireLock } from "../engine/lock.ts";
import type { StageEvent } from "../engine/stage.ts";
import { type Digest, digestJson, hexOf, isDigest } from "../platform/digest.ts";
import type { DownloadTiming } from "../platform/download.ts";
import { EXIT } from "../platform/exit.ts";
import { fsFailure, makeFolders, syncTree } from "../platform/fs.ts";
import { isOffline, offlineFailure } from "../platform/offline.ts";
import { CACHE_FIX, cacheDir } from "../platform/paths.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Family, WheelSource } from "../schemas/generated/family.ts";
import { damageOf } from "./base-check.ts";
import { addedTokens, baseRecord, filesBytes } from "./convert-base.ts";
import { fileOf, getSource, type PinnedSource } from "./family.ts";
import { folderPin, takeFolder } from "./folder.ts";
import { fetchHub, hubPin } from "./hub.ts";
import { packagePin, takePackaged } from "./packaged.ts";
import { notPinned } from "./pin.ts";

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
  /** Of downloads from the hub; for tests. */
  readonly timing?: DownloadTiming;
  /** Where the folders of packaged models lie; for tests. */
  readonly packaged?: string;
}

const WEIGHTS = "model.gguf";
const LICENCE = "LICENSE";
/** Another forge may be fetching over a slow line. */
const WAIT_SECONDS = 1800;
const DOWNLOAD_MS = 1_800_000;
/** A file that takes seconds to hash. */
const SLOW_BYTES = 1e9;
/** Begins the name of a folder that is being filled. */
const PART = ".part-";
/** Begins the name of a folder with what was fetched of a source so far: it outlives an interruption. */
const FETCHED = ".fetched-";
/** Nobody comes back for what was half fetched so long ago: it is removed. */
const FORGOTTEN_MS = 30 * 24 * 3_600_000;

/** Name of a source's folder in the cache, after what is in it. */
const nameOf = (family: Family, source: string, sha256: string): string => `${family.name}-${source}-${sha256.slice(0, 16)}`;
const folderOf = (family: Family, source: string, sha256: string): string => join(cacheDir(), "models", nameOf(family, source, sha256));

/** The base model if it is in the cache, whose bytes are not read (`damageOf` does that); starts and changes nothing. */
export function cachedBase(family: Family, source: string): BaseModel | undefined {
  const found = getSource(family, source);
  if (!found.ok || found.value.kind === "repository") return undefined;
  const dir = folderOf(family, source, pinOf(family, found.value));
  const place = { ggufPath: join(dir, WEIGHTS), licensePath: join(dir, LICENCE) };
  if (!existsSync(place.licensePath) || !existsSync(place.ggufPath)) return undefined;
  if (found.value.kind === "wheel")
    return statSync(place.ggufPath).size === found.value.member_bytes ? { ...place, digest: digestOf(found.value.member_sha256) } : undefined;
  const record = baseRecord(dir, place.ggufPath);
  return record && { ...place, digest: digestOf(record.digest.slice("sha256:".length)) };
}

/** The base model, fetched first when it is not in the cache; one whose bytes have changed there is refused. Failures of fetching exit with 6. */
export async function ensureBase(family: Family, source: string, o: BaseOptions): Promise<Result<BaseModel>> {
  const cached = cachedBase(family, source);
  if (cached) return whole(family, cached, o);
  const found = getSource(family, source);
  if (!found.ok) return found;
  const from = found.value;
  if (from.kind === "repository") return err(notPinned(family.title));
  if (isOffline() && from.kind !== "package" && from.kind !== "folder")
    return err(offlineFailure(`the base model ${family.title} (source \`${source}\`) is not in the cache`));
  const root = join(cacheDir(), "models");
  try {
    makeFolders(root);
    const onWaiting = (holder: string) =>
      o.onProgress?.({ type: "log", level: "info", message: `waiting for another forge that fetches a base model (${holder})` });
    const lock = await acquireLock(root, { waitSeconds: WAIT_SECONDS, signal: o.signal, onWaiting });
    if (!lock.ok) return lock;
    try {
      const meanwhile = cachedBase(family, source);
      return meanwhile ? await whole(family, meanwhile, o) : await fetch(family, source, from, root, o);
    } finally {
      lock.value.release();
    }
  } catch (e) {
    const failure = fsFailure(e, "keep the base model", CACHE_FIX);
    if (failure) return err(failure);
    throw e;
  }
}

/** What the cache holds, if its bytes are those that were fetched. */
async function whole(family: Family, base: BaseModel, { onProgress }: BaseOptions): Promise<Result<BaseModel>> {
  const onRead = (bytes: number): void => {
    if (bytes >= SLOW_BYTES)
      onProgress?.({ type: "log", level: "info", message: `checking the bytes of ${family.title} (${Math.round(bytes / 1e6)} MB), once` });
  };
  try {
    const damage = await damageOf(family.title, base, { keep: true, onRead });
    return damage === undefined ? ok(base) : err(damage);
  } catch (e) {
    const failure = fsFailure(e, "read the base model", CACHE_FIX);
    if (failure) return err(failure);
    throw e;
  }
}

/** Makes the base model's folder beside those of the cache, and renames it into place when it is whole. */
async function fetch(family: Family, source: string, from: PinnedSource, root: string, o: BaseOptions): Promise<Result<BaseModel>> {
  const name = nameOf(family, source, pinOf(family, from));
  const downloads = join(root, `${FETCHED}${name}`);
  for (const other of readdirSync(root)) {
    if (other === `${FETCHED}${name}`) continue;
    // Left by a kill, as we hold the lock; or fetched for a revision that is no longer the family's. Another project may call its
    // family the same: what was fetched for that stays as long as somebody may come back for it.
    const stale =
      other.startsWith(PART) ||
      (other.startsWith(FETCHED) &&
        ((fileOf(family) === undefined && other.startsWith(`${FETCHED}${family.name}-${source}-`)) || Date.now() - touched(join(root, other)) > FORGOTTEN_MS));
    if (stale) rmSync(join(root, other), { recursive: true, force: true });
  }
  // The package and its members; or the files, the GGUF that is as large, and some room.
  const needed = from.kind === "wheel" ? 2 * from.bytes + from.member_bytes : 2.1 * filesBytes(from) - bytesIn(downloads);
  const space = statfsSync(root);
  if (space.bavail * space.bsize < needed) return err(noSpace(needed, root));
  const part = mkdtempSync(join(root, PART));
  try {
    const files = join(part, "files");
    mkdirSync(files);
    const places = { files, weights: join(files, WEIGHTS), licence: join(files, LICENCE), scratch: part };
    const got = await (from.kind === "wheel"
      ? fetchWheel(family, from, part, files, o)
      : from.kind === "hub"
        ? fetchHub(family, from, { ...places, downloads }, o)
        : from.kind === "folder"
          ? takeFolder(family, from, places, o)
          : takePackaged(family, from, places, o));
    if (!got.ok) return got;
    await syncTree(files);
    const target = folderOf(family, source, pinOf(family, from));
    rmSync(target, { recursive: true, force: true }); // Not whole, or it would have been used.
    renameSync(files, target);
    rmSync(downloads, { recursive: true, force: true });
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  const base = cachedBase(family, source);
  if (base) return ok(base);
  return err({ code: "models/wrong-bytes", message: `the weights of ${family.title} are not of the size that forge knows`, exit: EXIT.environment });
}

/** Downloads the wheel into `part` and takes its two files out, into `files`. */
async function fetchWheel(family: Family, wheel: WheelSource, part: string, files: string, o: BaseOptions): Promise<Result<void>> {
  const [{ ensurePython }, { runStep }] = await Promise.all([import("../runners/python-env.ts"), import("../runners/local.ts")]);
  const python = await ensurePython(o);
  if (!python.ok) return python;
  const logFile = join(part, "fetch.log");
  const what = `${family.title} (${wheel.quantization}, ${Math.round(wheel.bytes / 1e6)} MB, ${family.licence})`;
  o.onProgress?.({ type: "progress", done: 0, total: wheel.bytes, unit: "bytes", message: `fetching ${what}, once` });
  const got = await download(python.value.python, wheel, part, logFile, o);
  if (!got.ok) return got;
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
  if (unpacked.ok) return ok(undefined);
  return err({ ...unpacked.error, exit: unpacked.error.exit === EXIT.interrupted ? EXIT.interrupted : EXIT.environment });
}

/** `pip download`, which honours the user's registry, proxy and certificates; the wheel is not installed. */
async function download(python: string, wheel: WheelSource, folder: string, logFile: string, o: BaseOptions): Promise<Result<void>> {
  const [{ installerEnv, pipFailure }, { ISOLATED }, { runProcess }] = await Promise.all([
    import("../runners/python/build.ts"),
    import("../runners/python/folder.ts"),
    import("../platform/process.ts"),
  ]);
  const requirement = `${wheel.package}==${wheel.version}`;
  const args = [
    ...ISOLATED,
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

/**
 * Names what a source's folder holds; hexadecimal. The cache is everybody's: two projects may have families of one name, so what else of a
 * project's own decides the GGUF is in it.
 */
function pinOf(family: Family, source: PinnedSource): string {
  if (source.kind === "wheel") return source.member_sha256;
  const { tokenizer, licence, title, hub_id } = family; // title and id stand in the GGUF's metadata and in the note in place of a licence
  const pin = source.kind === "hub" ? hubPin(source) : source.kind === "folder" ? folderPin(source) : packagePin(source);
  return fileOf(family) === undefined
    ? pin
    : hexOf(digestJson({ pin, tokenizer, licence, title, hub_id: hub_id ?? null, quantization: source.quantization, ...addedTokens(family) }));
}

/** When something was last written into a folder of downloads. */
const touched = (folder: string): number =>
  Math.max(
    ...[".", ...(statSync(folder).isDirectory() ? readdirSync(folder) : [])].map(
      (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    ),
  );

const bytesIn = (folder: string): number =>
  existsSync(folder) ? readdirSync(folder).reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0) : 0;

function digestOf(sha256: string): Digest {
  const digest = `sha256:${sha256}`;
  if (!isDigest(digest)) throw new Error("a family file holds a digest that is none");
  return digest;
}
