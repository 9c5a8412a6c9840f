/**
 * `forge init`: writes a starter recipe that works as it is, and puts the recipe's schema beside it,
 * where the recipe's first lines point an editor to. (Beside it, and not into node_modules: after
 * `npx mcp-forge init` in an empty folder there is none.) Nothing that exists is ever overwritten;
 * an existing .gitignore only gets the lines that it lacks.
 */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";

export interface InitOptions {
  /** Name of the model. Default: `weather-expert`, after the tools of the starter. */
  readonly name?: string;
  /** Write what is missing where a recipe already stands, instead of refusing. What exists is kept even so. */
  readonly force?: boolean;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Writes the starter into `dir` (made if need be). The paths that were written or added to, relative to `dir`. */
export async function initProject(dir: string, options: InitOptions = {}): Promise<Result<string[]>> {
  const name = options.name ?? "weather-expert";
  if (!NAME.test(name)) {
    return err(
      usage(
        "init/name",
        `\`${name.slice(0, 80)}\` cannot be the name of a model`,
        "use lower-case letters, digits, `.`, `-` and `_`, for example `weather-expert`",
      ),
    );
  }
  const templates = join(packageRoot(), "templates", "init");
  const written: string[] = [];
  try {
    const recipe = (await readFile(join(templates, "forge.yaml"), "utf8")).replaceAll("{{name}}", name);
    const schema = await readFile(join(packageRoot(), "schemas", "forge.schema.json"), "utf8");
    const ignored = await readFile(join(templates, "gitignore"), "utf8");
    await mkdir(dir, { recursive: true });
    if (await create(join(dir, "forge.yaml"), recipe)) written.push("forge.yaml");
    else if (options.force !== true)
      return err(
        usage("init/exists", "there is already a forge.yaml here", "edit it, or run `forge init` in another folder; `--force` adds what is missing beside it"),
      );
    if (await create(join(dir, "forge.schema.json"), schema)) written.push("forge.schema.json");
    if (await addLines(join(dir, ".gitignore"), ignored)) written.push(".gitignore");
    return ok(written);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    return err({
      code: "init/write",
      message: `the starter could not be written to ${dir} (${code})`,
      hint: "check that the folder may be written and the disk has room",
      exit: EXIT.environment,
    });
  }
}

/** Writes a file that does not exist yet; false if it does. */
async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw cause;
  }
}

/** Adds the lines that a file lacks, at its end; false if it had them all. */
async function addLines(path: string, text: string): Promise<boolean> {
  if (await create(path, text)) return true;
  const old = await readFile(path, "utf8");
  const there = new Set(old.split("\n").map((line) => line.trim().replace(/^\/|\/$/g, "")));
  const missing = text.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !there.has(line.replace(/^\/|\/$/g, "")));
  if (missing.length === 0) return false;
  await appendFile(path, `${old === "" || old.endsWith("\n") ? "" : "\n"}${missing.join("\n")}\n`);
  return true;
}

const usage = (code: string, message: string, hint: string): Failure => ({ code, message, hint, exit: EXIT.usage });
