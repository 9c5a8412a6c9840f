/** The base models that a project can use: those that come with forge, and the family files in its folder `models/`. Reads, and changes nothing. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { cachedBase } from "./base.ts";
import { type Family, type FamilySource, familyNames, fileOf, getFamily } from "./family.ts";
import { FAMILY_FOLDER, readFamilyFile, shownPath } from "./family-file.ts";
import { memoryOf } from "./memory.ts";

export interface SourceRow {
  readonly name: string;
  readonly kind: FamilySource["kind"];
  /** Where from, in words. */
  readonly from: string;
  /** Of what is fetched or read. */
  readonly bytes: number;
  readonly quantization: string;
  readonly cached: boolean;
}

export interface ModelRow {
  /** What a recipe writes under `model.family`. */
  readonly family: string;
  readonly name: string;
  readonly title: string;
  readonly hub_id: string | null;
  readonly licence: string;
  readonly parameters: number;
  readonly context_tokens: number;
  readonly architecture: string;
  readonly tokenizer: string;
  readonly template: string;
  /** Whose chat template it is talked to by, and what is known of the model's own; null where nobody looked. */
  readonly chat: { readonly template: "ours" | "official"; readonly reason: string | null };
  readonly stop_tokens: readonly string[];
  /** Bytes that training takes: measured, or estimated by the size. */
  readonly memory: { readonly bytes: number; readonly measured: boolean };
  readonly training: Family["training"];
  readonly sources: readonly SourceRow[];
}

/** A file in the folder that is no family. */
export interface WrongFamily {
  readonly family: string;
  readonly problem: string;
}

/** All of them, those of the project in `dir` last. */
export function listModels(dir: string): { readonly models: ModelRow[]; readonly wrong: WrongFamily[] } {
  const models = familyNames().flatMap((name) => {
    const family = getFamily(name);
    return family.ok ? [rowOf(family.value)] : [];
  });
  const wrong: WrongFamily[] = [];
  const folder = join(dir, FAMILY_FOLDER);
  for (const name of statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder).sort() : []) {
    if (!name.endsWith(".json")) continue;
    const family = readFamilyFile(join(folder, name));
    if (family.ok) models.push(rowOf(family.value));
    else wrong.push({ family: shownPath(join(folder, name)), problem: family.error.message });
  }
  return { models, wrong };
}

export function rowOf(family: Family): ModelRow {
  const { name, title, hub_id, licence, parameters, context_tokens, architecture, tokenizer, template, stop_tokens, training } = family;
  const file = fileOf(family);
  return {
    family: file === undefined ? name : shownPath(file),
    ...{ name, title, hub_id: hub_id ?? null, licence, parameters, context_tokens, architecture, tokenizer, template, stop_tokens },
    chat: { template: family.chat?.template ?? "ours", reason: family.chat?.reason ?? null },
    memory: { bytes: memoryOf(family), measured: training.memory_gb !== undefined },
    training,
    sources: Object.entries(family.sources).flatMap(([source, value]) => (value === undefined ? [] : [sourceRow(family, source, value)])),
  };
}

function sourceRow(family: Family, name: string, source: FamilySource): SourceRow {
  const bytes = source.kind === "wheel" ? source.bytes : Object.values(source.files).reduce((sum, f) => sum + f.bytes, 0);
  const cached = cachedBase(family, name) !== undefined;
  return { name, kind: source.kind, from: whence(source), bytes, quantization: source.quantization, cached };
}

function whence(source: FamilySource): string {
  switch (source.kind) {
    case "wheel":
      return `${source.package} ${source.version} of the Python registry`;
    case "hub":
      return `${source.repository}@${source.revision.slice(0, 12)} of the model hub`;
    case "package":
      return "this package";
    case "folder":
      return source.folder;
  }
}
