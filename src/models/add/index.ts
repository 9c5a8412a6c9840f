/**
 * `forge models add`: looks at a model in a folder, in a GGUF file or on the hub, and writes the project's family file for it. Nothing of the
 * model is run; the file is written whole, and never over another one unless that is asked for.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fsFailure, writeFileAtomic } from "../../platform/fs.ts";
import { digestFile } from "../../platform/hash.ts";
import { err, ok, type Result } from "../../platform/result.ts";
import type { Family, FolderSource, HubSource } from "../../schemas/generated/family.ts";
import { getFamily, type ProjectFamily } from "../family.ts";
import { FAMILY_FOLDER, readFamilyFile, shownPath, slugOf } from "../family-file.ts";
import type { Described, Said } from "./describe.ts";
import { describeFiles } from "./describe.ts";
import { folderFiles, LARGE, unfit } from "./files.ts";
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
type Found = Described & { readonly title: string; readonly hub_id?: string; readonly source: FolderSource | HubSource };

/** @param what a folder, a GGUF file, or OWNER/NAME[@REVISION] */
export async function addModel(what: string, o: AddOptions): Promise<Result<Added>> {
  const wrong = wrongWords(o);
  if (wrong !== undefined) return err(wrong);
  const there = statSync(what, { throwIfNoEntry: false });
  const [id = "", revision, ...more] = what.split("@");
  const onHub = there === undefined && more.length === 0 && isHubId(id) && revision !== "";
  if (there === undefined && !onHub)
    return err(
      unfit(
        "no-model",
        `there is no folder and no file \`${what.slice(0, 200)}\`, and it is no OWNER/NAME of the model hub`,
        "Name a folder in the hub's form, a GGUF file, or OWNER/NAME[@REVISION].",
      ),
    );
  const name = o.name ?? slugOf((onHub ? id : basename(resolve(what))).replace(/\.gguf$/i, ""));
  if (getFamily(name).ok) return err(unfit("bad-value", `\`${name}\` is the name of a family that comes with forge`, "Give it another: --name NAME."));
  const file = resolve(o.output ?? join(FAMILY_FOLDER, `${name}.json`));
  if (!file.endsWith(".json")) return err(unfit("bad-value", `--output ${shownPath(file)} does not end in .json`, "A recipe knows a family file by that."));
  const found = onHub ? await fromHub(id, revision ?? "main", o) : there?.isDirectory() ? await fromFolder(what, file, o) : await fromGguf(what, file, o);
  return found.ok ? write(file, toFamily(name, found.value), o.force === true) : found;
}

function wrongWords(o: AddOptions) {
  if (o.name !== undefined && (!/^[a-z0-9][a-z0-9.-]*$/.test(o.name) || o.name.length > 64))
    return unfit("bad-value", `\`${o.name.slice(0, 100)}\` cannot name a family`, "Use lower-case letters, digits, dots and dashes, at most 64.");
  if (o.licence !== undefined && (!/^[A-Za-z0-9][A-Za-z0-9.+-]*$/.test(o.licence) || o.licence.length > 100))
    return unfit("bad-value", `--licence \`${o.licence.slice(0, 100)}\` is no SPDX identifier`, "For example: --licence Apache-2.0, MIT, LicenseRef-llama3.2.");
  return undefined;
}

async function fromFolder(folder: string, file: string, o: AddOptions): Promise<Result<Found>> {
  const files = folderFiles(resolve(folder), o);
  if (!files.ok) return files;
  const described = await describeFiles(files.value, o, undefined);
  if (!described.ok) return described;
  const { family, names, quantization } = described.value;
  const pins = await files.value.pin(names);
  if (!pins.ok) return pins;
  const source: FolderSource = { kind: "folder", folder: relativeTo(file, folder), files: pins.value, quantization };
  return ok({ ...family, title: titleOf(basename(resolve(folder))), source });
}

async function fromGguf(path: string, file: string, o: AddOptions): Promise<Result<Found>> {
  const shown = shownPath(resolve(path));
  const name = basename(path);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$/.test(name))
    return err(
      unfit(
        "no-model",
        `\`${shown}\` is neither a folder nor a file NAME.gguf`,
        "Name a folder in the hub's form, or a GGUF file (letters, digits, dots, dashes, underscores).",
      ),
    );
  const described = describeGguf(path, shown, o);
  if (!described.ok) return described;
  if (statSync(path).size >= LARGE) o.onFile?.(name);
  const sha256 = (await digestFile(path)).slice("sha256:".length);
  const files = { [name]: { sha256, bytes: statSync(path).size } };
  const source: FolderSource = { kind: "folder", folder: relativeTo(file, dirname(path)), files, quantization: described.value.quantization };
  return ok({ ...described.value.family, title: titleOf(described.value.title ?? name.replace(/\.gguf$/i, "")), source });
}

async function fromHub(id: string, revision: string, o: AddOptions): Promise<Result<Found>> {
  const repository = await lookAtHub(id, revision, o);
  if (!repository.ok) return repository;
  const { files, revision: commit, id: spelled, licence } = repository.value;
  const described = await describeFiles(files, o, licence);
  if (!described.ok) return described;
  const pins = await files.pin(described.value.names);
  if (!pins.ok) return pins;
  const source: HubSource = { kind: "hub", repository: spelled, revision: commit, files: pins.value, quantization: described.value.quantization };
  return ok({ ...described.value.family, title: titleOf(spelled.split("/")[1] ?? spelled), hub_id: spelled, source });
}

const toFamily = (name: string, { title, hub_id, source, licence, parameters, context_tokens, architecture, tokenizer, ...rest }: Found): Family => ({
  name,
  title,
  ...(hub_id === undefined ? {} : { hub_id }),
  licence,
  parameters,
  context_tokens,
  architecture,
  tokenizer,
  sources: { default: source },
  ...rest,
});

/** A name from a file or a folder, made fit for one line. */
const titleOf = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 200) || "model";

/** The way from a file to a folder, as it is the same on every machine; absolute only where there is none (another drive). */
const relativeTo = (file: string, folder: string): string => (relative(dirname(file), resolve(folder)) || ".").split(sep).join("/");

function write(file: string, family: Family, force: boolean): Result<Added> {
  const text = `${JSON.stringify(family, null, 2)}\n`;
  const shown = shownPath(file);
  const there = existsSync(file);
  if (there && !statSync(file).isFile()) return err(unfit("exists", `${shown} is a folder`, "Name another file with --output."));
  const same = there && readFileSync(file, "utf8") === text;
  if (there && !same && !force)
    return err(unfit("exists", `${shown} is already there, and says something else`, "Name another file with --output, or pass --force to replace it."));
  try {
    if (!same) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileAtomic(file, text);
    }
  } catch (e) {
    const failure = fsFailure(e, `write ${shown}`);
    if (failure === undefined) throw e;
    return err(failure);
  }
  // What was written is what a recipe will read.
  const read = readFamilyFile(file);
  return read.ok ? ok({ family: read.value, written: same ? "unchanged" : there ? "replaced" : "new" }) : read;
}
