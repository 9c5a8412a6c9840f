/**
 * The base model lines that forge knows: one data file each under families/, and a row in a table here. A project
 * may bring files of its own (family-file.ts), of the very same form.
 * A family says where its weights come from, how it is talked to, and how it wants to be trained; nothing
 * else in the program knows a family by name.
 */
import { EXIT } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { wellKnown, wellKnownHint } from "../recipe/well-known.ts";
import type { Family, FolderSource, HubSource, PackageSource, RepositorySource, WheelSource } from "../schemas/generated/family.ts";
import deepseekR1 from "./families/deepseek-r1.json" with { type: "json" };
import gemma3 from "./families/gemma-3.json" with { type: "json" };
import glm4 from "./families/glm-4.json" with { type: "json" };
import llama31 from "./families/llama-3.1.json" with { type: "json" };
import llama32 from "./families/llama-3.2.json" with { type: "json" };
import mistral from "./families/mistral.json" with { type: "json" };
import nano from "./families/nano.json" with { type: "json" };
import phi4 from "./families/phi-4.json" with { type: "json" };
import qwen25 from "./families/qwen-2.5.json" with { type: "json" };
import qwen3 from "./families/qwen-3.json" with { type: "json" };
import smollm2 from "./families/smollm2.json" with { type: "json" };
import type { UsedTemplate } from "./rendering.ts";

export type { Family, FolderSource, HubSource, PackageSource, RepositorySource, WheelSource };
export type FamilySource = WheelSource | HubSource | PackageSource | FolderSource | RepositorySource;
/** A source whose bytes are known. */
export type PinnedSource = Exclude<FamilySource, RepositorySource>;

/** A family of the project's own, or a model of the hub that a lockfile pins. */
export interface ProjectFamily extends Family {
  /** Absolute path of the file that it was read from. */
  readonly file: string;
  /** The model's own template, where `chat` says that it is talked to by that. */
  readonly official?: UsedTemplate;
}

/** Family files are part of the program and checked against schemas/family.schema.json by a test, not at run time. */
const FAMILIES: ReadonlyMap<string, Family> = new Map(
  [deepseekR1, gemma3, glm4, llama31, llama32, mistral, nano, phi4, qwen25, qwen3, smollm2].map((f) => [f.name, f as unknown as Family]),
);

/** Names of all families that come with forge, sorted. */
export const familyNames = (): string[] => [...FAMILIES.keys()].sort();

/** The file of a project's own family; undefined for one that comes with forge. */
export const fileOf = (family: Family): string | undefined => ("file" in family && typeof family.file === "string" ? family.file : undefined);

/** The model's own template, where a family is talked to by it. */
export const officialOf = (family: Family): UsedTemplate | undefined => ("official" in family ? (family as ProjectFamily).official : undefined);

/** The family of that name; the failure lists the known ones. */
export function getFamily(name: string): Result<Family> {
  const family = FAMILIES.get(name);
  if (family !== undefined) return ok(family);
  const known = wellKnown(name);
  return err({
    code: "models/unknown-family",
    message: `there is no model family \`${name}\``,
    hint:
      known === undefined
        ? `Use one of: ${familyNames().join(", ")}; or the path of a family file (\`forge models add\` writes one).`
        : `Did you mean it so? ${wellKnownHint(known)[0]?.toUpperCase()}${wellKnownHint(known).slice(1)}.`,
    exit: EXIT.usage,
  });
}

/** Whether forge knows everything of the family of that name, its control tokens too, and nobody has to be asked: `nano`, `smollm2`. */
export function isComplete(name: string): boolean {
  const family = FAMILIES.get(name);
  const first = family === undefined ? undefined : getSource(family, "default");
  return first?.ok === true && first.value.kind !== "repository";
}

/** The families that forge knows everything of, sorted. */
export const completeFamilies = (): string[] => familyNames().filter(isComplete);

/** The word for the family whose model has that id, as bundles and GGUF files name it: `smollm2`, `qwen-2.5/7b`. */
export function familyByHubId(id: string): string | undefined {
  for (const family of FAMILIES.values()) {
    if (family.hub_id === id) return family.name;
    for (const [size, source] of Object.entries(family.sources)) if (source?.kind === "repository" && source.repository === id) return `${family.name}/${size}`;
  }
  return undefined;
}

/** The family's source of that name (`default` where the recipe names none). */
export function getSource(family: Family, name: string): Result<FamilySource> {
  if (Object.hasOwn(family.sources, name)) {
    const source = family.sources[name];
    if (source?.kind === "same") return getSource(family, source.as);
    if (source !== undefined) return ok(source);
  }
  return err({
    code: "models/unknown-source",
    message: `the family \`${family.name}\` has no source \`${name}\``,
    hint: `Use one of: ${Object.keys(family.sources).sort().join(", ")}.`,
    exit: EXIT.usage,
  });
}

/** What pins a source's weights, the same on every machine: part of the recipe keys of everything that reads the model. */
export function basePin(family: Family, source: string): Result<JsonObject> {
  const found = getSource(family, source);
  if (!found.ok) return found;
  const s = found.value;
  return ok({ family: family.name, source, ...pinOf(s) });
}

function pinOf(source: FamilySource): JsonObject {
  if (source.kind === "wheel") return { sha256: source.member_sha256 };
  if (source.kind === "repository") return { repository: source.repository };
  const files = Object.fromEntries(Object.entries(source.files).map(([name, file]) => [name, file.sha256]));
  return source.kind === "hub" ? { repository: source.repository, revision: source.revision, files } : { files };
}
