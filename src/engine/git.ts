/**
 * What git knows of a project, by asking the `git` on the path. Reads only; never fetches.
 * Guarantee: a name from outside is never taken for an option.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { childEnv, runProcess } from "../platform/process.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";

const MOST_BYTES = 64 << 20;
/** What git says is told apart by its words. */
const ENGLISH = { LC_ALL: "C", LANGUAGE: "" };

/** What git prints. Failures: `engine/no-git` (exit 6) without git; `engine/git` (exit 6) with its own words when it says no. */
export async function git(cwd: string, args: readonly string[]): Promise<Result<string>> {
  const ran = await runProcess("git", args, { cwd, timeoutMs: 30_000, maxBytes: MOST_BYTES, env: childEnv(ENGLISH) });
  const failure = (code: string, message: string): Failure => ({ code, message, exit: EXIT.environment });
  if (!ran.ok) return err(ran.error.code === "process/not-found" ? failure("engine/no-git", "git is not installed") : ran.error);
  if (ran.value.cut) return err(failure("engine/git", "git printed more than 64 MB"));
  if (ran.value.exitCode === 0) return ok(ran.value.stdout);
  return err(failure("engine/git", ran.value.stderr.trim().split("\n")[0]?.slice(0, 300) || `git ${args[0]} ended with ${ran.value.exitCode}`));
}

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
