/**
 * The base models that a project can use: those that come with forge, by their sizes where they have several, and the family files in its folder `models/`. Reads,
 * and changes nothing.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Vram } from "../schemas/generated/family.ts";
import { cachedBase } from "./base.ts";
import { type Family, type FamilySource, familyNames, fileOf, getFamily, type ProjectFamily } from "./family.ts";
import { FAMILY_FOLDER, readFamilyFile, shownPath } from "./family-file.ts";
import { memoryOf } from "./memory.ts";
import { pinnedModel, pinsOfFolder } from "./pin.ts";
import { architectureOfSize, contextOf, licenceOfSize, type Size, sizeOf, templateOf, unpinned } from "./registry.ts";

export interface SourceRow {
  readonly name: string;
  readonly kind: FamilySource["kind"];
  /** What else this source is called (`default`). */
  readonly also?: readonly string[];
  /** Where from, in words. */
  readonly from: string;
  /** Of what is fetched or read; null where only the hub knows. */
  readonly bytes: number | null;
  readonly quantization: string | null;
  readonly cached: boolean;
  /** Where this is a model of its own size. */
  readonly model?: SizeRow;
}

/** A model among the several of a family. */
export interface SizeRow {
  readonly hub_id: string;
  readonly parameters: number;
  readonly context_tokens: number;
  readonly licence: string;
  /** HF_TOKEN is needed, of somebody who has accepted the licence on the hub. */
  readonly gated: boolean;
  readonly architecture: string;
  readonly template: string;
  readonly vram: Vram;
  readonly memory: ModelRow["memory"];
  /** The commit that the lockfile where the user stands pins. */
  readonly pinned: string | null;
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
  /** `general.architecture` of its GGUF files. */
  readonly gguf_architecture: string;
  readonly tokenizer: string;
  readonly template: string;
  /** Whose chat template it is talked to by, and what is known of the model's own; null where nobody looked. */
  readonly chat: { readonly template: "ours" | "official"; readonly reason: string | null };
  readonly tool_call_syntax: string;
  readonly thinking: Family["thinking"];
  readonly stop_tokens: readonly string[];
  readonly lora: Family["lora"];
  /** How the bundle's Modelfile is made; null where nobody said. */
  readonly ollama: NonNullable<Family["ollama"]> | null;
  readonly runtime: NonNullable<Family["runtime"]> | null;
  /** With the base in 4 bits; null where nobody reckoned it. */
  readonly vram: Vram | null;
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
    return family.ok ? [rowOf(family.value, dir)] : [];
  });
  const wrong: WrongFamily[] = [];
  const folder = join(dir, FAMILY_FOLDER);
  for (const name of statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder).sort() : []) {
    if (!name.endsWith(".json")) continue;
    const family = readFamilyFile(join(folder, name));
    if (family.ok) models.push(rowOf(family.value, dir));
    else wrong.push({ family: shownPath(join(folder, name)), problem: family.error.message });
  }
  return { models, wrong };
}

/** @param dir the folder whose forge.lock may pin sizes of the family; default: where the user stands */
export function rowOf(family: Family, dir: string = process.cwd()): ModelRow {
  const { name, title, hub_id, licence, parameters, context_tokens, architecture, tokenizer, template, stop_tokens, thinking, lora, training } = family;
  const file = fileOf(family);
  return {
    family: file === undefined ? name : shownPath(file),
    ...{ name, title, hub_id: hub_id ?? null, licence, parameters, context_tokens, architecture },
    gguf_architecture: family.gguf_architecture ?? (architecture === "mistral" ? "llama" : architecture),
    ...{ tokenizer, template },
    chat: { template: family.chat?.template ?? "ours", reason: family.chat?.reason ?? null },
    tool_call_syntax: family.tool_call_syntax ?? "hermes",
    ...{ thinking, stop_tokens, lora },
    ...{ ollama: family.ollama ?? null, runtime: family.runtime ?? null, vram: family.vram ?? sizeOf(family, "default")?.source.vram ?? null },
    memory: memoryRow(family),
    training,
    sources: sourceRows(family, dir),
  };
}

const memoryRow = (family: Pick<Family, "training" | "parameters">): ModelRow["memory"] => ({
  bytes: memoryOf(family),
  measured: family.training.memory_gb !== undefined,
});

function sourceRows(family: Family, dir: string): SourceRow[] {
  const named = Object.entries(family.sources);
  return named.flatMap(([name, source]) => {
    if (source === undefined || source.kind === "same") return [];
    const also = named.flatMap(([other, s]) => (s?.kind === "same" && s.as === name ? [other] : []));
    const size = sizeOf(family, name);
    return [{ ...(size === undefined ? sourceRow(family, name, source) : sizeRow(size, dir)), ...(also.length === 0 ? {} : { also }) }];
  });
}

function sourceRow(family: Family, name: string, source: FamilySource): SourceRow {
  const quantization = source.kind === "repository" ? null : source.quantization;
  return { name, kind: source.kind, from: whence(source), bytes: bytesOf(source), quantization, cached: cachedBase(family, name) !== undefined };
}

function sizeRow(size: Size, dir: string): SourceRow {
  const { source } = size;
  const pinned = pinnedHere(size, dir);
  const from = pinned?.sources.default ?? source;
  const row = sourceRow(pinned ?? unpinned(size), "default", from.kind === "same" ? source : from);
  return {
    ...{ ...row, name: size.name, kind: source.kind },
    model: {
      hub_id: source.repository,
      parameters: source.parameters,
      context_tokens: contextOf(size),
      licence: licenceOfSize(size),
      gated: source.gated === true,
      architecture: architectureOfSize(size),
      template: templateOf(size),
      vram: source.vram,
      memory: memoryRow(unpinned(size)),
      pinned: from.kind === "hub" ? from.revision : null,
    },
  };
}

/** What the lockfile of that folder pins; one that cannot be read is told of where it is used. */
function pinnedHere(size: Size, dir: string): ProjectFamily | undefined {
  const found = pinnedModel(size, pinsOfFolder(dir));
  return found.ok ? found.value : undefined;
}

function bytesOf(source: FamilySource): number | null {
  if (source.kind === "repository") return null;
  return source.kind === "wheel" ? source.bytes : Object.values(source.files).reduce((sum, f) => sum + f.bytes, 0);
}

function whence(source: FamilySource): string {
  switch (source.kind) {
    case "wheel":
      return `${source.package} ${source.version} of the Python registry`;
    case "hub":
      return `${source.repository}@${source.revision.slice(0, 12)} of the model hub`;
    case "repository":
      return `${source.repository} of the model hub`;
    case "package":
      return "this package";
    case "folder":
      return source.folder;
  }
}
