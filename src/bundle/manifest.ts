/**
 * The manifest: every file of a bundle with its size and SHA-256. Reading one is reading a stranger's
 * word: its paths stay inside the bundle, links are never followed, and nothing else may lie there.
 */
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestFile } from "../platform/hash.ts";
import type { BundleManifest } from "../schemas/generated/manifest.ts";

export const MANIFEST = "manifest.json";
/** Largest text file of a bundle that is read (bytes); models are only hashed and loaded by llama.cpp. */
export const MAX_TEXT_BYTES = 20 * 1024 * 1024;
const MAX_ENTRIES = 1000;

/** One entry below a bundle's folder. */
export interface Entry {
  readonly path: string;
  /** `other`: a link, a device, a socket: nothing that a bundle may hold. */
  readonly kind: "file" | "other";
  readonly size: number;
}

/** Everything below a folder, sorted by path, links not followed. Stops when there is far too much. */
export async function listFiles(dir: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const walk = async (prefix: string): Promise<void> => {
    for (const found of (await readdir(join(dir, prefix), { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entries.length > MAX_ENTRIES) return;
      const path = prefix === "" ? found.name : `${prefix}/${found.name}`;
      if (found.isDirectory()) await walk(path);
      else entries.push({ path, kind: found.isFile() ? "file" : "other", size: (await lstat(join(dir, path))).size });
    }
  };
  await walk("");
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Describes every file that is there (but the manifest itself). */
export async function makeManifest(dir: string, head: Omit<BundleManifest, "version" | "files">): Promise<BundleManifest> {
  const files: BundleManifest["files"] = [];
  for (const { path, size } of await listFiles(dir)) {
    if (path !== MANIFEST) files.push({ path, size, sha256: (await digestFile(join(dir, path))).replace("sha256:", "") });
  }
  return { version: 1, ...head, files };
}

export interface FileChecks {
  readonly signal?: AbortSignal | undefined;
  /** Files of more bytes are compared by their size alone. Default: none. */
  readonly hashUpTo?: number;
  /** Files that nobody listed and nobody will read are let be; links are not. Default false. */
  readonly letBe?: boolean;
}

/** What is wrong with a bundle's files, one line each; empty when all are there, whole, and nothing else is. Incomplete once `signal` is aborted. */
export async function problemsOfFiles(dir: string, manifest: BundleManifest, o: FileChecks = {}): Promise<string[]> {
  const problems: string[] = [];
  const present = new Map((await listFiles(dir)).map((e) => [e.path, e]));
  const listed = new Set<string>([MANIFEST]);
  for (const { path, size, sha256 } of manifest.files) {
    if (o.signal?.aborted) break;
    if (listed.has(path)) problems.push(`${path} is listed twice`);
    listed.add(path);
    const entry = present.get(path);
    if (entry === undefined) problems.push(`${path} is missing`);
    else if (entry.kind !== "file") problems.push(`${path} is a link or no file`);
    else if (entry.size !== size) problems.push(`${path} has ${entry.size} bytes, not ${size}`);
    else if (size <= (o.hashUpTo ?? Number.POSITIVE_INFINITY) && (await digestFile(join(dir, path))) !== `sha256:${sha256}`)
      problems.push(`${path} was changed: its SHA-256 is another`);
  }
  for (const { path, kind } of present.values())
    if (!listed.has(path) && !(o.letBe === true && kind === "file"))
      problems.push(`${path} is not in the manifest${kind === "file" ? "" : ", and a link or no file"}`);
  return problems;
}

/** A text file of the bundle, or why it cannot be read. The path is ours or a checked one. */
export async function readText(dir: string, path: string): Promise<{ readonly text: string } | { readonly problem: string }> {
  try {
    const stats = await lstat(join(dir, path));
    if (!stats.isFile()) return { problem: `${path} is a link or no file` };
    if (stats.size > MAX_TEXT_BYTES) return { problem: `${path} is too large to be read` };
    return { text: await readFile(join(dir, path), "utf8") };
  } catch (e) {
    return { problem: (e as NodeJS.ErrnoException).code === "ENOENT" ? `${path} is missing` : `${path} cannot be read (${(e as NodeJS.ErrnoException).code})` };
  }
}
