/**
 * Writes a starter recipe: the default recipe of this package with the user's name and tools in it, its
 * comments kept, the schema where an editor finds it, and what git need not keep in .gitignore. Never overwrites
 * a file unless told to.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseDocument } from "yaml";
import { EXIT } from "../platform/exit.ts";
import { fsFailure, writeFileAtomic } from "../platform/fs.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { nearest } from "../recipe/nearest.ts";
import { STUB_NAMES } from "../tools/stubs/names.ts";
import type { ToolSource } from "../tools/types.ts";

export interface StarterOptions {
  /** Path of the recipe to write. */
  readonly file: string;
  /** Default: made from the folder's name. */
  readonly name?: string;
  /** Default: the stub `weather`. */
  readonly source?: ToolSource;
  readonly overwrite?: boolean;
}

export interface Starter {
  readonly file: string;
  readonly name: string;
  /** The schema that the recipe's first lines point an editor to; relative to the recipe. */
  readonly schema: string;
  /** Lines added to the .gitignore beside the recipe; empty where it had them. */
  readonly ignored: readonly string[];
}

const SCHEMA_LINE = /^# yaml-language-server: \$schema=.*$/m;
const VALID_NAME = /^[a-z0-9][a-z0-9._-]*$/;
const LONGEST_NAME = 64;
const STUB_NAME = "weather-expert";

export async function writeStarter(o: StarterOptions): Promise<Result<Starter>> {
  const file = resolve(o.file);
  const dir = dirname(file);
  if (existsSync(file) && o.overwrite !== true)
    return err({ code: "init/exists", message: `${o.file} is already there`, hint: "Name another file, or pass --force to replace it.", exit: EXIT.usage });
  if (o.name !== undefined && (!VALID_NAME.test(o.name) || o.name.length > LONGEST_NAME))
    return err({
      code: "init/bad-name",
      message: `\`${o.name}\` cannot be a recipe's name`,
      hint: "Use lower-case letters, digits, dots, dashes and underscores, at most 64.",
      exit: EXIT.usage,
    });
  const stub = o.source?.stub;
  if (typeof stub === "string" && !STUB_NAMES.some((name) => name === stub)) {
    const near = nearest(stub, STUB_NAMES);
    const hint = near === undefined ? `There are: ${STUB_NAMES.join(", ")}.` : `Did you mean \`${near}\`?`;
    return err({ code: "init/bad-stub", message: `there is no stub \`${stub.slice(0, 100)}\``, hint, exit: EXIT.usage });
  }
  const name = o.name ?? (o.source === undefined ? STUB_NAME : nameFromFolder(dir));
  try {
    await mkdir(dir, { recursive: true });
    const schema = await placeSchema(dir);
    writeFileAtomic(file, await starterText(name, o.source, schema));
    const ignored = await addIgnored(dir, [".mcp-forge/", `dist/${name}/`, `dist/${name}-*/`, `dist/${name}.edited-*/`]);
    return ok({ file, name, schema, ignored });
  } catch (error) {
    const failure = fsFailure(error, `write ${o.file}`);
    if (failure === undefined) throw error;
    return err(failure);
  }
}

/** The default recipe with other values. Edited as a YAML document, so that comments and order stay. */
async function starterText(name: string, source: ToolSource | undefined, schema: string): Promise<string> {
  const text = await readFile(join(packageRoot(), "forge.yaml"), "utf8");
  const document = parseDocument(text.replace(SCHEMA_LINE, `# yaml-language-server: $schema=${schema}`));
  document.set("name", name);
  document.setIn(["bundle", "output"], `dist/${name}`);
  if (source !== undefined) document.setIn(["tools", 0], document.createNode(source));
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** The installed package's own schema where there is one, so that it keeps up with the program; else a copy. */
async function placeSchema(dir: string): Promise<string> {
  const shipped = join(packageRoot(), "schemas", "forge.schema.json");
  const installed = join(dir, "node_modules", "mcp-forge", "schemas", "forge.schema.json");
  if (existsSync(installed)) return "./node_modules/mcp-forge/schemas/forge.schema.json";
  const near = relative(dir, shipped);
  if (!near.startsWith("..")) return `./${near}`;
  const copy = "forge.schema.json";
  writeFileAtomic(join(dir, copy), await readFile(shipped, "utf8"));
  return `./${copy}`;
}

/** Adds the lines that the folder's .gitignore lacks (a wider `dist` counts for what is in it), and returns them. */
async function addIgnored(dir: string, wanted: readonly string[]): Promise<string[]> {
  const file = join(dir, ".gitignore");
  const text = existsSync(file) ? await readFile(file, "utf8") : "";
  const plain = (line: string): string => line.trim().replace(/^\//, "").replace(/\/$/, "");
  const present = new Set(text.split("\n").map(plain));
  const missing = wanted.filter((line) => !present.has(plain(line)) && !present.has(line.split("/")[0] as string));
  if (missing.length > 0) writeFileAtomic(file, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${missing.join("\n")}\n`);
  return missing;
}

function nameFromFolder(dir: string): string {
  const name = basename(dir)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, LONGEST_NAME);
  return name === "" ? "my-expert" : name;
}
