/**
 * Models of several sizes under one family's name: `model: { family: qwen-2.5, source: 7b }`. The family's file says what each is and where the hub has it;
 * which commit that is, its files and its control tokens nobody knows before the hub was asked, and that is pinned in the recipe's lockfile (pin.ts).
 */
import { isDeepStrictEqual } from "node:util";
import type { Family, RepositorySource } from "../schemas/generated/family.ts";
import { trainingFor } from "./add/defaults.ts";
import { getSource } from "./family.ts";
import { TEMPLATES } from "./known.ts";

/** One of the sizes. */
export interface Size {
  readonly family: Family;
  /** The family's name of it, never `default`. */
  readonly name: string;
  readonly source: RepositorySource;
}

/** The size that a source's name means; undefined where the family has no such source, or knows its bytes. */
export function sizeOf(family: Family, name: string): Size | undefined {
  const found = getSource(family, name);
  if (!found.ok || found.value.kind !== "repository") return undefined;
  const named = family.sources[name];
  return { family, name: named?.kind === "same" ? named.as : name, source: found.value };
}

/** All of a family's sizes, as its file has them. */
export const sizesOf = (family: Family): Size[] =>
  Object.entries(family.sources).flatMap(([name, source]) => (source?.kind === "repository" ? [{ family, name, source }] : []));

/** The word for a size, in lockfiles and messages: `qwen-2.5/7b`. */
export const sizeWord = ({ family, name }: Size): string => `${family.name}/${name}`;

/** What the model of a size is called as a family of its own: in keys, in the cache and in bundles. */
export const sizeName = ({ family, name }: Size): string => `${family.name}-${name}`;

/** The file name of the chat template that a size is talked to by. */
export const templateOf = ({ family, source }: Size): string => source.template ?? family.template;
export const licenceOfSize = ({ family, source }: Size): string => source.licence ?? family.licence;
export const contextOf = ({ family, source }: Size): number => source.context_tokens ?? family.context_tokens;
export const architectureOfSize = ({ family, source }: Size): string => source.architecture ?? family.architecture;

/** What the family's file says of all its models, and the files of none. */
export function sharedWords({ family, source }: Size): Partial<Family> {
  const { english_only, tool_call_syntax, ollama, runtime, gguf_architecture } = family;
  const words = { english_only, tool_call_syntax, ollama, runtime, gguf_architecture, vram: source.vram, shape: source.shape };
  return Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined));
}

/** How a size is trained: by its parameters as the family's file has them, whatever a lockfile says. */
export function trainingOfSize({ family, source }: Size): Family["training"] {
  const { examples, ...training } = trainingFor(source.parameters);
  return family.thinking === null && examples !== undefined ? { ...training, examples } : training;
}

/**
 * The model of a size as far as it is known before the hub was asked: good to plan with, and not to make anything of. Its control tokens are those that its
 * template writes.
 */
export function unpinned(size: Size): Family {
  const { family, source } = size;
  const template = templateOf(size);
  return {
    name: sizeName(size),
    title: source.repository.split("/")[1] ?? source.repository,
    hub_id: source.repository,
    licence: licenceOfSize(size),
    parameters: source.parameters,
    context_tokens: contextOf(size),
    architecture: architectureOfSize(size),
    tokenizer: source.tokenizer ?? family.tokenizer,
    sources: { default: source },
    template,
    ...sharedWords(size),
    thinking: family.thinking,
    stop_tokens: [...family.stop_tokens],
    special_tokens: [...new Set([...family.special_tokens, ...(TEMPLATES[template]?.needs ?? [])])],
    lora: family.lora,
    training: trainingOfSize(size),
  };
}

/** Where what was found under a size's address is another model than its family says, as the end of a sentence; undefined where it agrees. */
export function disagreement(size: Size, found: Family): string | undefined {
  const { family, source } = size;
  const from = found.sources.default;
  if (from?.kind !== "hub" || from.repository !== source.repository)
    return `it comes from ${from?.kind === "hub" ? from.repository : "elsewhere"}, not from ${source.repository}`;
  if (found.hub_id !== source.repository) return `it calls itself ${found.hub_id ?? "a model of no repository"}, not ${source.repository}`;
  if (found.name !== sizeName(size)) return `its name is ${found.name}, not ${sizeName(size)}`;
  const architecture = architectureOfSize(size);
  if (found.architecture !== architecture) return `its architecture is ${found.architecture}, not ${architecture}`;
  const template = templateOf(size);
  if (found.template !== template) return `it is talked to by ${found.template}, not by ${template}`;
  if (found.chat !== undefined && found.chat.template !== "ours") return "it is talked to by its own template, not by ours";
  if (found.thinking?.add !== undefined) return `its vocabulary has no ${found.thinking.open}`;
  // A lockfile has its keys in another order.
  if (!isDeepStrictEqual(found.thinking, family.thinking)) return found.thinking === null ? "it does not think" : "it thinks";
  const context = contextOf(size);
  if (found.context_tokens < context) return `it was trained for ${found.context_tokens} tokens, not for ${context}`;
  return undefined;
}

/** What is stored twice (embeddings, and a head that is tied to them) counts twice: that much more or less is no other size. */
const OTHER_SIZE = 1.5;

/** What is to be told where a model that was found is the right one, and not quite as the family's file has it. */
export function surprises(size: Size, found: Family): string[] {
  const { repository, parameters } = size.source;
  const ratio = found.parameters / parameters;
  const licence = licenceOfSize(size);
  return [
    ...(ratio > OTHER_SIZE || ratio < 1 / OTHER_SIZE
      ? [`${repository} has ${found.parameters} parameters, and forge knew it with ${parameters}: what it says of memory is of another size`]
      : []),
    ...(found.licence === licence ? [] : [`${repository} is said to be under ${found.licence}; forge knew it under ${licence}`]),
  ];
}
