/**
 * A family of the project's own: a JSON file of the form of src/models/families/*.json, named by a recipe or written by
 * `forge models add`. It may come with a recipe from anywhere: bounded, checked against the schema, and then against what a schema cannot
 * say. Guarantees: nothing in it names a package to fetch, a file of the program, or a file that could hold code.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { errorCode } from "../platform/fs.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { locate } from "../recipe/locate.ts";
import { parseTree, Source } from "../recipe/source.ts";
import type { RecipePath } from "../recipe/types.ts";
import type { Family } from "../schemas/generated/family.ts";
import { getFamily, type ProjectFamily } from "./family.ts";
import { checkFamily, FAMILY_HINT } from "./family-check.ts";
import type { UsedTemplate } from "./rendering.ts";

/** Whether a recipe's `model.family` is the path of a file. */
export const isFamilyFile = (family: string): boolean => family.endsWith(".json");

/**
 * What a word of a flag means as a recipe's `model`: a family file, a family, or a family and one of its sources (`qwen-2.5/7b`). OWNER/NAME of the hub is none of these, and stays
 * whole: whoever looks for a family of that name can say which it is.
 */
export function modelOfWord(word: string): { readonly family: string; readonly source?: string } {
  const at = isFamilyFile(word) ? -1 : word.indexOf("/");
  return at < 0 || !getFamily(word.slice(0, at)).ok ? { family: word } : { family: word.slice(0, at), source: word.slice(at + 1) };
}

/** Where a project keeps its family files, beside the recipe. */
export const FAMILY_FOLDER = "models";

/** What a family file may have. */
export const FAMILY_BYTES = 1 << 20;
/** What the file of a model's own template may have: what official/template.ts reads, in UTF-8. */
const MOST_TEMPLATE_BYTES = 256 << 10;

/** The name under which a model of the hub is kept: `Qwen/Qwen2.5-0.5B-Instruct` → `qwen2.5-0.5b-instruct`. */
export function slugOf(text: string): string {
  const last =
    text
      .replace(/[/\\]+$/, "")
      .split(/[/\\]/)
      .at(-1) ?? "";
  const slug = last
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64)
    .replace(/[-.]+$/, "");
  return slug === "" ? "model" : slug;
}

/** Path of a file as a person in this folder would type it. */
export const shownPath = (file: string): string => {
  const path = relative(process.cwd(), file);
  return path === "" || path.startsWith(`..${sep}..${sep}..`) ? file : path;
};

/**
 * Reads a family file. Failures (exit 4) point at the line.
 * @param path absolute
 */
export function readFamilyFile(path: string): Result<ProjectFamily> {
  const shown = shownPath(path);
  const text = readText(path, shown);
  if (!text.ok) return text;
  let data: unknown;
  try {
    data = JSON.parse(text.value);
  } catch (e) {
    return err(failure(`${shown} is not JSON: ${(e as Error).message}`, "Write it anew: forge models add."));
  }
  const family = checkFamily(data);
  if (family.ok) {
    const official = readOfficial(family.value, path);
    if (!official.ok) return err({ ...official.error, ...placesIn(shown, text.value)(["chat", "file"]) });
    return ok({ ...family.value, file: path, ...(official.value === undefined ? {} : { official: official.value }) });
  }
  const { message, hint, form, path: at } = family.error;
  return err({ ...failure(form ? `${shown} is no family file: ${message}` : `${shown}: ${message}`, hint), ...placesIn(shown, text.value)(at) });
}

/** The text of the model's own template, as it was pinned; undefined where the family uses none. Whether it can be used is found out where it is (render.ts). */
function readOfficial({ chat }: Family, path: string): Result<UsedTemplate | undefined> {
  if (chat?.template !== "official") return ok(undefined);
  const file = join(dirname(path), chat.file);
  const shown = shownPath(file);
  const anew = "Take it from where the family file came from, or pin the model anew: forge models add … --template official --force.";
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) return err(failure(`the model's own chat template ${shown} is not there`, anew));
    if (found.size > MOST_TEMPLATE_BYTES) return err(failure(`${shown} has ${found.size} bytes; a chat template may have ${MOST_TEMPLATE_BYTES}`, anew));
    const bytes = readFileSync(file);
    if (createHash("sha256").update(bytes).digest("hex") !== chat.sha256) return err(failure(`${shown} is not the chat template that was pinned`, anew));
    const { rewrites, spacing, bos_token, eos_token } = chat;
    return ok({
      text: bytes.toString("utf8"),
      rewrites,
      spacing,
      ...(bos_token === undefined ? {} : { bos_token }),
      ...(eos_token === undefined ? {} : { eos_token }),
    });
  } catch (e) {
    if (errorCode(e) === "") throw e;
    return err(failure(`${shown} cannot be read (${errorCode(e)})`, anew));
  }
}

function readText(path: string, shown: string): Result<string> {
  try {
    const found = statSync(path);
    if (!found.isFile()) return err(failure(`\`${shown}\` is not a file`, "Name a family file, or write one: forge models add."));
    if (found.size > FAMILY_BYTES) return err(failure(`${shown} has ${found.size} bytes; a family file has at most ${FAMILY_BYTES}`, FAMILY_HINT));
    // Some editors begin a file with a mark of its encoding.
    return ok(readFileSync(path, "utf8").replace(/^\uFEFF/, ""));
  } catch (e) {
    const why = (e as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : `cannot be read (${(e as NodeJS.ErrnoException).code ?? "unknown"})`;
    return err(failure(`the family file \`${shown}\` ${why}`, "Check the path, or write one: forge models add FOLDER, FILE.gguf or OWNER/NAME."));
  }
}

const failure = (message: string, hint: string): Failure => ({ code: "models/family-file", message, hint, exit: EXIT.usage });

/** The project's family files for a base model, by its id on the hub or its name, as GGUF files name it; relative to `dir`, sorted. */
export function projectFamilies(base: string, dir: string): string[] {
  const folder = join(dir, FAMILY_FOLDER);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder)
    .sort()
    .filter((name) => {
      const family = name.endsWith(".json") ? readFamilyFile(join(folder, name)) : undefined;
      return family?.ok === true && (family.value.hub_id ?? family.value.name) === base;
    })
    .map((name) => `${FAMILY_FOLDER}/${name}`);
}

/** Where in the text a value stands: JSON is YAML, and the recipe's reader knows its places. */
function placesIn(shown: string, text: string): (path: RecipePath) => Pick<Failure, "place"> {
  const source = new Source(shown, text);
  const tree = parseTree(source);
  return (path) => (tree.ok ? { place: source.place(locate(tree.value, path).range) } : {});
}

/** Which family a recipe's `model` means, and what in it is wrong where it means none. */
export type FoundFamily = Result<Family, { readonly failure: Failure; readonly path: RecipePath }>;

export interface ModelWords {
  readonly family?: string;
  readonly hf_id?: string;
  readonly revision?: string;
  readonly template?: string;
}

/**
 * The family that a recipe's words mean: one that comes with forge, a file, or the file that pins a model of the hub.
 * @param dir folder of the recipe, absolute
 */
export function familyOfModel(model: ModelWords, dir: string): FoundFamily {
  const at = <T>(path: string, result: Result<T>): Result<T, { readonly failure: Failure; readonly path: RecipePath }> =>
    result.ok ? result : err({ failure: result.error, path: ["model", path] });
  if (model.hf_id !== undefined) return pinned(model.hf_id, model, dir);
  const name = model.family ?? "";
  return at("family", isFamilyFile(name) ? readFamilyFile(resolve(dir, name)) : getFamily(name));
}

/** What a recipe may call the template of a family, the usual word first. */
const templateWords = ({ template, chat }: Family): readonly string[] => (chat?.template === "official" ? ["official"] : [template, "ours"]);

/** The project's file for a model of the hub. */
function pinned(id: string, { revision, template }: ModelWords, dir: string): FoundFamily {
  const file = join(dir, FAMILY_FOLDER, `${slugOf(id)}.json`);
  const shown = shownPath(file);
  const no = (path: string, message: string, hint: string): FoundFamily =>
    err({ failure: { code: "models/hf-id", message, hint, exit: EXIT.usage }, path: ["model", path] });
  const add = `forge models add ${id}${revision === undefined ? "" : `@${revision}`}`;
  const command = shown === join(FAMILY_FOLDER, `${slugOf(id)}.json`) ? add : `${add} --output ${shown}`;
  if (statSync(file, { throwIfNoEntry: false }) === undefined)
    return no("hf_id", `\`${id}\` is not pinned in this project: there is no ${shown}`, `Pin it: ${command}`);
  const family = readFamilyFile(file);
  if (!family.ok) return err({ failure: family.error, path: ["model", "hf_id"] });
  const source = family.value.sources.default;
  if (source?.kind !== "hub") return no("hf_id", `${shown} pins a folder, not ${id}`, `Pin it: ${command} --force; or name a file of its own in \`family\`.`);
  if (source.repository.toLowerCase() !== id.toLowerCase())
    return no(
      "hf_id",
      `${shown} pins ${source.repository}, not ${id}`,
      `Where that is what is meant, or what the hub calls it now, write \`hf_id: ${source.repository}\`; else pin it: ${command} --force.`,
    );
  if (revision !== undefined && revision !== source.revision)
    return no(
      "revision",
      `${shown} pins the revision ${source.revision} of ${id}, not \`${revision}\``,
      `Take \`revision\` away, write that one, or pin anew: ${command} --force`,
    );
  const has = templateWords(family.value);
  if (template !== undefined && !has.some((word) => word.replace(/\.jinja$/, "") === template.replace(/\.jinja$/, "")))
    return no(
      "template",
      `${shown} has the chat template ${has[0]}, not \`${template}\``,
      `Take \`template\` away, or pin anew: ${command} --template ${template} --force`,
    );
  return ok(family.value);
}
