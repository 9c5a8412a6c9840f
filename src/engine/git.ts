/**
 * What git knows of a project, by asking the `git` on the path. Reads only; never fetches.
 * Guarantee: a name from outside is never taken for an option.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { childEnv, type ProcessResult, runProcess } from "../platform/process.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";

const MOST_BYTES = 64 << 20;
/** What git says is told apart by its words. */
const ENGLISH = { LC_ALL: "C", LANGUAGE: "" };

/** What git prints. Failures: `engine/no-git` (exit 6) without git; `engine/git` (exit 6) with its own words when it says no. */
export async function git(cwd: string, args: readonly string[], stdin?: string): Promise<Result<string>> {
  const ran = await ask(cwd, args, stdin);
  return ran.ok ? ok(ran.value.stdout) : ran;
}

async function ask(cwd: string, args: readonly string[], stdin?: string): Promise<Result<ProcessResult>> {
  const ran = await runProcess("git", args, { cwd, timeoutMs: 30_000, maxBytes: MOST_BYTES, env: childEnv(ENGLISH), ...(stdin !== undefined && { stdin }) });
  if (!ran.ok) return err(ran.error.code === "process/not-found" ? failure("engine/no-git", "git is not installed") : ran.error);
  if (ran.value.cut) return err(failure("engine/git", "git printed more than 64 MB"));
  if (ran.value.exitCode === 0) return ran;
  return err(failure("engine/git", ran.value.stderr.trim().split("\n")[0]?.slice(0, 300) || `git ${args[0]} ended with ${ran.value.exitCode}`));
}

const failure = (code: string, message: string): Failure => ({ code, message, exit: EXIT.environment });

/** Whether a folder lies in the work tree of a repository. A repository that git does not read, or that there is no git for, is a failure: not none. */
export async function isRepository(cwd: string): Promise<Result<boolean>> {
  const inside = await git(cwd, ["rev-parse", "--is-inside-work-tree"]);
  if (inside.ok) return ok(inside.value.trim() === "true");
  return hasGitFolder(cwd) ? inside : ok(false);
}

function hasGitFolder(dir: string): boolean {
  for (let at = resolve(dir); ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return true;
    if (dirname(at) === at) return false;
  }
}

/** A commit's full name. Fails (exit 4) on a word that names none. */
export async function commitOf(cwd: string, word: string): Promise<Result<string>> {
  const unknown: Failure = {
    code: "engine/unknown-commit",
    message: `there is no commit \`${word.slice(0, 100)}\` in this repository`,
    hint: "name a branch, a tag or a commit; `git log --oneline` lists them",
    exit: EXIT.usage,
  };
  if (word.startsWith("-") || word.includes("\0")) return err(unknown);
  const found = await git(cwd, ["rev-parse", "--verify", "--quiet", `${word}^{commit}`]);
  if (found.ok) return ok(found.value.trim());
  return found.error.code === "engine/no-git" ? found : err(unknown);
}

/** The text of a file (its path relative to `cwd`) in a commit; undefined when the commit has no such file. */
export async function fileAt(cwd: string, commit: string, path: string): Promise<Result<string | undefined>> {
  const found = await git(cwd, ["show", `${commit}:./${path}`]);
  if (found.ok) return found;
  return /exists on disk, but not in|does not exist in|path '.*' exists/.test(found.error.message) ? ok(undefined) : found;
}

export interface Branch {
  /** Without `refs/heads/`. */
  readonly name: string;
  /** Id of its commit's tree: branches at the same files share it. */
  readonly tree: string;
}

/** The local branches. One that git finds broken (an empty file after a power cut) is a failure: what it named is not known. */
export async function listBranches(cwd: string): Promise<Result<Branch[]>> {
  const listed = await ask(cwd, ["for-each-ref", "--format=%(tree) %(refname:lstrip=2)", "refs/heads"]);
  if (!listed.ok) return listed;
  const broken = /ignoring broken ref (\S+)/.exec(listed.value.stderr)?.[1];
  if (broken !== undefined) return err(failure("engine/git", `${broken} is broken`));
  const lines = listed.value.stdout.split("\n").filter((line) => line !== "");
  return ok(lines.map((line) => ({ tree: line.slice(0, line.indexOf(" ")), name: line.slice(line.indexOf(" ") + 1) })));
}

export interface TreeFile {
  readonly tree: string;
  /** Id of its content. */
  readonly blob: string;
  /** From the root of the repository on. */
  readonly path: string;
}

/** So many trees or files are asked for in one process. */
const AT_ONCE = 200;
/** Of contents in one process, in bytes. */
const BYTES_AT_ONCE = MOST_BYTES / 2;
/** git knows it everywhere; by the length of the repository's ids. */
const EMPTY_TREES = new Map(
  ["4b825dc642cb6eb9a060e54bf8d69288fbee4904", "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"].map((id) => [id.length, id]),
);

/** The regular files of these trees that match (pathspecs: `:(top)*.lock`). All trees in one process: each is compared with the empty one. */
export async function filesIn(cwd: string, trees: readonly string[], pathspecs: readonly string[]): Promise<Result<TreeFile[]>> {
  const files: TreeFile[] = [];
  for (const some of chunks(trees)) {
    const asked = some.map((tree) => `${EMPTY_TREES.get(tree.length)} ${tree}\n`).join("");
    const listed = await git(cwd, ["diff-tree", "--stdin", "-r", "-z", "--no-renames", "--no-abbrev", "--", ...pathspecs], asked);
    if (!listed.ok) return listed;
    const seen = new Set<string>();
    let tree = "";
    // For each tree `EMPTY TREE\n`, then for each file `:MODE MODE BLOB BLOB A\0PATH\0`.
    const parts = listed.value.split("\0");
    for (let i = 0; i < parts.length; i += 2) {
      const lines = (parts[i] as string).split("\n");
      const entry = lines.pop() as string;
      for (const line of lines) {
        tree = line.split(" ")[1] ?? "";
        seen.add(tree);
      }
      const [, mode = "", , blob = ""] = entry.split(" ");
      if (mode.startsWith("100")) files.push({ tree, blob, path: parts[i + 1] as string });
    }
    // It passes over a tree that is not there, and ends well.
    const missing = some.find((t) => !seen.has(t));
    if (missing !== undefined) return err(failure("engine/git", `the tree ${missing} is missing or damaged`));
  }
  return ok(files);
}

/** Hands out the contents (UTF-8) of these blobs, but of those that are larger than `mostBytes`. One that is missing is a failure. */
export async function readBlobs(cwd: string, blobs: Iterable<string>, mostBytes: number, onText: (blob: string, text: string) => void): Promise<Result<void>> {
  const ids = [...new Set(blobs)];
  if (ids.length === 0) return ok(undefined);
  const sizes = await git(cwd, ["cat-file", "--batch-check=%(objectname) %(objectsize)"], `${ids.join("\n")}\n`);
  if (!sizes.ok) return sizes;
  const sized = sizes.value.split("\n").flatMap((line) => (line === "" ? [] : [line.split(" ") as [id: string, size: string]]));
  const missing = sized.find(([, size]) => !/^\d+$/.test(size));
  if (missing !== undefined) return err(failure("engine/git", `the object ${missing[0]} is missing or damaged`));
  const sizeOf = new Map(sized.map(([id, size]) => [id, Number(size)]));
  const fit = ids.filter((id) => (sizeOf.get(id) ?? 0) <= mostBytes);
  // Told apart by a word that no file can know; sizes would count bytes that decoding has changed.
  const mark = randomBytes(16).toString("hex");
  for (const some of chunks(fit, (id) => sizeOf.get(id) ?? 0)) {
    const read = await git(cwd, ["cat-file", `--batch=${mark} %(objectname)`], `${some.join("\n")}\n`);
    if (!read.ok) return read;
    for (const part of read.value.split(`${mark} `).slice(1)) onText(part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1, -1));
  }
  return ok(undefined);
}

/** In groups of at most `AT_ONCE`, and of at most `BYTES_AT_ONCE` where sizes are given. */
function* chunks(items: readonly string[], sizeOf: (item: string) => number = () => 0): Generator<string[]> {
  let group: string[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (group.length === AT_ONCE || (group.length > 0 && bytes + size > BYTES_AT_ONCE)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(item);
    bytes += size;
  }
  if (group.length > 0) yield group;
}
