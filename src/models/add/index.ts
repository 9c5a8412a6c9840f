/**
 * `forge models add`: looks at a model in a folder, in a GGUF file or on the hub, and writes the project's family file for it, and beside it the model's own
 * chat template where it is to be talked to by that. Nothing of the model is run but its template, within bounds; each file is written whole, and never over
 * another one unless that is asked for.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { errorCode, fsFailure, writeFileAtomic } from "../../platform/fs.ts";
import { digestFileUntil, hexOf } from "../../platform/hash.ts";
import { outputTarget } from "../../platform/output-file.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { Family, FolderSource, HubFile, HubSource } from "../../schemas/generated/family.ts";
import { isComplete, type ProjectFamily } from "../family.ts";
import { checkFamily } from "../family-check.ts";
import { FAMILY_BYTES, FAMILY_FOLDER, readFamilyFile, shownPath, slugOf } from "../family-file.ts";
import type { UsedTemplate } from "../rendering.ts";
import type { Described, Said } from "./describe.ts";
import { describeFiles } from "./describe.ts";
import { folderFiles, interrupted, LARGE, unfit } from "./files.ts";
import { describeGguf } from "./gguf.ts";
import { type HubLookOptions, isHubId, lookAtHub } from "./hub.ts";

export interface AddOptions extends Said, HubLookOptions {
  /** Where to write; default `models/NAME.json` in the folder that the user stands in. */
  readonly output?: string;
  /** Write over another family file. */
  readonly force?: boolean;
  readonly onFile?: (name: string) => void;
}

export interface Added {
  readonly family: ProjectFamily;
  /** `unchanged`: the very file was there. */
  readonly written: "new" | "replaced" | "unchanged";
}

/** A family without its name, with its weights. */
type Found = Described & { readonly title: string; readonly hub_id?: string; readonly source: FolderSource | HubSource; readonly official?: UsedTemplate };

/** @param what a folder, a GGUF file, or OWNER/NAME[@REVISION] */
export async function addModel(what: string, o: AddOptions): Promise<Result<Added>> {
  const wrong = wrongWords(o);
  if (wrong !== undefined) return err(wrong);
  const there = statSync(what, { throwIfNoEntry: false });
  const [id = "", revision, ...more] = what.split("@");
  const onHub = there === undefined && more.length === 0 && isHubId(id) && revision !== "";
  if (there === undefined && (!onHub || meansPath(what)))
    return err(
      unfit(
        "no-model",
        onHub
          ? `there is no \`${what.slice(0, 200)}\` here`
          : `there is no folder and no file \`${what.slice(0, 200)}\`, and it is no OWNER/NAME of the model hub`,
        onHub
          ? "Check the path. A repository of the model hub of that name is added from a folder that holds none called as its owner."
          : "Name a folder in the hub's form, a GGUF file, or OWNER/NAME[@REVISION].",
      ),
    );
  const place = placeFor(o.name ?? slugOf((onHub ? id : basename(resolve(what))).replace(/\.gguf$/i, "")), o);
  if (!place.ok) return place;
  if (!onHub) {
    const { name, file } = place.value;
    const found = there?.isDirectory() ? await fromFolder(what, file, o) : await fromGguf(what, file, o);
    return found.ok ? write(file, toFamily(name, file, found.value), what, o) : found;
  }
  const found = await fromHub(id, revision ?? "main", o);
  if (!found.ok) return found;
  // A repository that was renamed is looked for, and found, under its name of today.
  const now = placeFor(o.name ?? slugOf(found.value.hub_id ?? id), o);
  return now.ok ? write(now.value.file, toFamily(now.value.name, now.value.file, found.value), what, o) : now;
}

/** Whether OWNER/NAME looks like a path here that was mistyped: nobody is to be asked for it. */
const meansPath = (what: string): boolean => /\.gguf$/i.test(what) || statSync(what.split("/")[0] || ".", { throwIfNoEntry: false })?.isDirectory() === true;

/** What the family is called, and where its file goes. */
function placeFor(name: string, o: AddOptions): Result<{ readonly name: string; readonly file: string }> {
  if (isComplete(name)) return err(unfit("bad-value", `\`${name}\` is the name of a family that comes with forge`, "Give it another: --name NAME."));
  const file = resolve(o.output ?? join(FAMILY_FOLDER, `${name}.json`));
  if (!file.endsWith(".json")) return err(unfit("bad-value", `--output ${shownPath(file)} does not end in .json`, "A recipe knows a family file by that."));
  return ok({ name, file });
}

function wrongWords(o: AddOptions) {
  if (o.name !== undefined && (!/^[a-z0-9][a-z0-9.-]*$/.test(o.name) || o.name.length > 64))
    return unfit("bad-value", `\`${o.name.slice(0, 100)}\` cannot name a family`, "Use lower-case letters, digits, dots and dashes, at most 64.");
  if (o.licence !== undefined && (!/^[A-Za-z0-9][A-Za-z0-9.+-]*$/.test(o.licence) || o.licence.length > 100))
    return unfit("bad-value", `--licence \`${o.licence.slice(0, 100)}\` is no SPDX identifier`, "For example: --licence Apache-2.0, MIT, LicenseRef-llama3.2.");
  return undefined;
}

/**
 * The failure that names the right folder, where `folder` is a repository in the hub's own cache: the files of each revision lie in
 * snapshots/COMMIT (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), and refs/main says which is the newest. Undefined for any other.
 */
function cachedRepository(folder: string): Failure | undefined {
  const [, name] = /^models--.+?--(.+)$/.exec(basename(resolve(folder))) ?? [];
  if (name === undefined) return undefined;
  try {
    const revisions = readdirSync(join(folder, "snapshots")).sort();
    const main = join(folder, "refs", "main");
    const newest = existsSync(main) ? readFileSync(main, "utf8").trim() : undefined;
    const revision = revisions.find((r) => r === newest) ?? revisions[0];
    if (revision === undefined) return undefined;
    const path = shownPath(join(resolve(folder), "snapshots", revision));
    return unfit(
      "no-model",
      `${shownPath(resolve(folder))} is a repository in the hub's cache: its files lie in ${revisions.length === 1 ? "a folder" : "folders"} of their revision`,
      `Name that one: forge models add ${path} --name ${slugOf(name)}`,
    );
  } catch {
    return undefined; // No such folder: something else that is called so.
  }
}

async function fromFolder(folder: string, file: string, o: AddOptions): Promise<Result<Found>> {
  const cached = cachedRepository(folder);
  if (cached !== undefined) return err(cached);
  const files = folderFiles(resolve(folder), o);
  if (!files.ok) return files;
  const described = await describeFiles(files.value, o, undefined);
  if (!described.ok) return described;
  const { family, names, quantization, official } = described.value;
  const pins = await files.value.pin(names);
  if (!pins.ok) return pins;
  const source: FolderSource = { kind: "folder", folder: relativeTo(file, folder), files: pins.value, quantization };
  return ok({ ...family, title: titleOf(basename(resolve(folder))), source, official });
}

async function fromGguf(path: string, file: string, o: AddOptions): Promise<Result<Found>> {
  const shown = shownPath(resolve(path));
  const name = basename(path);
  // Whoever opened a pipe would wait for it.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$/.test(name) || statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
    return err(
      unfit(
        "no-model",
        `\`${shown}\` is neither a folder nor a file NAME.gguf`,
        "Name a folder in the hub's form, or a GGUF file (letters, digits, dots, dashes, underscores).",
      ),
    );
  const described = describeGguf(path, shown, o);
  if (!described.ok) return described;
  let pin: HubFile;
  try {
    const { size } = statSync(path);
    if (size >= LARGE) o.onFile?.(name);
    pin = { sha256: hexOf(await digestFileUntil(path, o.signal)), bytes: size };
  } catch (e) {
    if (o.signal.aborted) return err(interrupted());
    if (errorCode(e) === "") throw e;
    return err(unfit("unreadable", `${shown} cannot be read (${errorCode(e)})`));
  }
  const source: FolderSource = { kind: "folder", folder: relativeTo(file, dirname(path)), files: { [name]: pin }, quantization: described.value.quantization };
  return ok({ ...described.value.family, title: titleOf(described.value.title ?? name.replace(/\.gguf$/i, "")), source, official: described.value.official });
}

async function fromHub(id: string, revision: string, o: AddOptions): Promise<Result<Found>> {
  const found = await lookAndDescribe(id, revision, o);
  const spelled = found.ok ? found.value.hub_id : undefined;
  if (spelled !== undefined && spelled.toLowerCase() !== id.toLowerCase())
    o.onWarning?.(`the hub calls ${id} ${spelled} now: in a recipe, write \`hf_id: ${spelled}\``);
  return found;
}

/** What a repository of the hub is as a family of that name; written nowhere, and talked to by a template of forge's. */
export async function familyOfHub(id: string, revision: string, name: string, o: Said & HubLookOptions): Promise<Result<Family>> {
  const found = await lookAndDescribe(id, revision, o);
  return found.ok ? ok(toFamily(name, "", found.value).family) : found;
}

async function lookAndDescribe(id: string, revision: string, o: Said & HubLookOptions): Promise<Result<Found>> {
  const repository = await lookAtHub(id, revision, o);
  if (!repository.ok) return repository;
  const { files, revision: commit, id: spelled, licence } = repository.value;
  const described = await describeFiles(files, o, licence);
  if (!described.ok) return described;
  const pins = await files.pin(described.value.names);
  if (!pins.ok) return pins;
  const source: HubSource = { kind: "hub", repository: spelled, revision: commit, files: pins.value, quantization: described.value.quantization };
  const { family, official } = described.value;
  return ok({ ...family, title: titleOf(spelled.split("/")[1] ?? spelled), hub_id: spelled, source, official });
}

/** What is written: the family, and the text of the model's own template where that lies beside it. */
interface Written {
  readonly family: Family;
  readonly template?: { readonly file: string; readonly text: string };
}

function toFamily(name: string, file: string, found: Found): Written {
  const { title, hub_id, source, licence, parameters, context_tokens, architecture, tokenizer, template, chat, official, ...rest } = found;
  const family: Family = {
    ...{ name, title, ...(hub_id === undefined ? {} : { hub_id }), licence, parameters, context_tokens, architecture, tokenizer },
    sources: { default: source },
    template,
    ...(chat === undefined ? {} : { chat }),
    ...rest,
  };
  if (official === undefined) return { family };
  const { text, ...words } = official;
  const beside = `${slugOf(basename(file).replace(/\.json$/, ""))}.jinja`;
  const sha256 = createHash("sha256").update(text).digest("hex");
  return {
    family: { ...family, chat: { template: "official", reason: chat?.reason ?? "", file: beside, sha256, ...words } },
    template: { file: join(dirname(file), beside), text },
  };
}

/** A name from a file or a folder, made fit for one line. */
const titleOf = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 200) || "model";

/** The way from a file to a folder, as it is the same on every machine; absolute only where there is none (another drive). */
const relativeTo = (file: string, folder: string): string => (relative(dirname(file), resolve(folder)) || ".").split(sep).join("/");

/** A failure where another text is in the place of a template. */
function otherTemplate({ file, text }: NonNullable<Written["template"]>): Failure | undefined {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there === undefined || (there.isFile() && there.size === Buffer.byteLength(text) && readFileSync(file, "utf8") === text)) return undefined;
  return unfit(
    "exists",
    `${shownPath(file)} is already there, and is another chat template`,
    "Name another file with --output, or pass --force to replace it.",
  );
}

/** Writes what a recipe can read, and nothing else. */
function write(file: string, { family, template }: Written, what: string, { force = false, signal }: AddOptions): Result<Added> {
  const shown = shownPath(file);
  const text = `${JSON.stringify(family, null, 2)}\n`;
  const fit = checkFamily(family);
  const size = Buffer.byteLength(text);
  const wrong = !fit.ok ? fit.error.message : size > FAMILY_BYTES ? `it would have ${size} bytes, and may have ${FAMILY_BYTES}` : undefined;
  if (wrong !== undefined)
    return err(unfit("unsupported", `forge cannot describe ${what.slice(0, 200)} in a family file: ${wrong}`, "Nothing was written. Use another model."));
  const there = statSync(file, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) return err(unfit("exists", `${shown} is no file`, "Name another file with --output."));
  try {
    const same = there !== undefined && readFileSync(file, "utf8") === text;
    if (there !== undefined && !same && !force)
      return err(unfit("exists", `${shown} is already there, and says something else`, "Name another file with --output, or pass --force to replace it."));
    const other = template === undefined || force ? undefined : otherTemplate(template);
    if (other !== undefined) return err(other);
    if (signal.aborted) return err(interrupted());
    if (!same || template !== undefined) mkdirSync(dirname(file), { recursive: true });
    // The template first: a family without it would be broken.
    if (template !== undefined) writeFileAtomic(outputTarget(template.file).path, template.text);
    if (!same) writeFileAtomic(outputTarget(file).path, text);
    // What was written is what a recipe will read.
    const read = readFamilyFile(file);
    return read.ok ? ok({ family: read.value, written: same ? "unchanged" : there ? "replaced" : "new" }) : read;
  } catch (e) {
    const failure = fsFailure(e, `write ${shown}`);
    if (failure === undefined) throw e;
    return err(failure);
  }
}
