/**
 * From a model's files in the hub's form to what a family file says of it. Nothing is run and no weight is read; what cannot be found out is
 * asked for by name, and what cannot be trained is refused.
 */
import { err, ok, type Result } from "../../platform/result.ts";
import type { Family } from "../../schemas/generated/family.ts";
import { LICENCE_FILES } from "../convert-base.ts";
import { PIECES } from "../known.ts";
import type { UsedTemplate } from "../rendering.ts";
import { architectureOf } from "./architecture.ts";
import { licenceOf, licenceOfCard, trainingFor } from "./defaults.ts";
import { jsonObject, type ModelFiles, safetensorsHeader, unfit } from "./files.ts";
import { type Shapes, shapeProblem } from "./shapes.ts";
import { type Talk, talkOf, type Vocabulary, vocabularyOf } from "./vocabulary.ts";

/** What the user says of a model. */
export interface Said {
  readonly template?: string;
  readonly licence?: string;
  /** What the licence is where the model's files name none. */
  readonly otherwiseLicence?: string;
  readonly name?: string;
  /** The model is to think aloud. */
  readonly thinking?: boolean;
}

/** A family without where its weights come from. */
export type Described = Omit<Family, "sources" | "name" | "title">;

export interface DescribedFiles {
  readonly family: Described;
  /** The files that the conversion reads, and the licence. */
  readonly names: readonly string[];
  readonly quantization: "BF16" | "F16";
  /** The model's own chat template, where it is to be talked to by that. */
  readonly official?: UsedTemplate;
}

const INDEX = "model.safetensors.index.json";
/** What is taken beside the weights, where it is there. */
const BESIDE = ["config.json", "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"];
const TEXT_BYTES = 1 << 20;
/** Shards of one model. */
const MOST_SHARDS = 500;
const SHARD = /^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$/;

/** `licence`: what the place where the files are says of it. */
export async function describeFiles(files: ModelFiles, said: Said, licence: string | undefined): Promise<Result<DescribedFiles>> {
  const { shown } = files;
  const config = await jsonObject(files, "config.json");
  if (!config.ok) return config;
  if (config.value === undefined) return err(noConfig(files));
  const architecture = architectureOf(config.value, shown);
  if (!architecture.ok) return architecture;
  const vocabulary = await readVocabulary(files, config.value);
  if (!vocabulary.ok) return vocabulary;
  const weights = await readWeights(files);
  if (!weights.ok) return weights;
  const misfit = shapeProblem(config.value, weights.value.shapes);
  if (misfit !== undefined)
    return err(unfit("misfit", `${shown} is no whole model: ${misfit}`, "Fetch config.json and the weights again, both of one revision."));
  const talk = talkOf(vocabulary.value, said.template, shown, said.thinking);
  if (!talk.ok) return talk;
  const named = said.licence ?? licence ?? (await licenceOfFolder(files)) ?? said.otherwiseLicence;
  if (named === undefined) return err(licenceNeeded(shown));
  const { parameters, names, quantization } = weights.value;
  const own = LICENCE_FILES.find((name) => (files.sizes.get(name) ?? TEXT_BYTES + 1) <= TEXT_BYTES && (files.sizes.get(name) ?? 0) > 0);
  return ok({
    family: familyOf({ ...architecture.value, parameters, licence: named, tokenizer: vocabulary.value.tokenizer, talk: talk.value }),
    // An empty file says nothing, and cannot be pinned.
    names: [
      ...(vocabulary.value.tokenizer === PIECES ? [...BESIDE, "tokenizer.model"] : BESIDE).filter((name) => (files.sizes.get(name) ?? 0) > 0),
      ...names,
      ...(own === undefined ? [] : [own]),
    ].sort(),
    quantization,
    ...(talk.value.official === undefined ? {} : { official: talk.value.official }),
  });
}

/** The parts of a family in the order in which files of families have them. */
export const familyOf = (o: {
  readonly architecture: string;
  readonly contextTokens: number;
  readonly parameters: number;
  readonly licence: string;
  readonly tokenizer: string;
  readonly talk: Talk;
}): Described => ({
  licence: o.licence,
  parameters: o.parameters,
  context_tokens: o.contextTokens,
  architecture: o.architecture,
  tokenizer: o.tokenizer,
  template: o.talk.template,
  // Where it is by its own, index.ts says so once it knows where the text lies.
  chat: { template: "ours", reason: o.talk.reason },
  thinking: o.talk.thinking === null ? null : { ...o.talk.thinking },
  stop_tokens: [...o.talk.stopTokens],
  special_tokens: [...o.talk.specialTokens],
  lora: { targets: "all-linear" },
  training: o.talk.thinking === null && o.talk.official?.rewrites !== true ? trainingFor(o.parameters) : withoutExamples(trainingFor(o.parameters)),
});

/** A family that thinks, or whose template rewrites turns, learns each turn whole, and once: a part of one would break off in the thought. */
const withoutExamples = ({ examples: _, ...training }: Family["training"]): Family["training"] => training;

export const licenceNeeded = (shown: string) =>
  unfit(
    "licence-needed",
    `forge does not know the licence of ${shown}`,
    "Name it, in SPDX's words: --licence Apache-2.0. The bundle says it to everybody who gets the model.",
  );

function noConfig({ shown, sizes }: ModelFiles) {
  const ready = [...sizes.keys()].filter((name) => name.endsWith(".gguf"));
  const hint =
    ready.length > 0
      ? `It holds ${ready.slice(0, 3).join(", ")}: name one of them instead.`
      : "A model in the hub's form has config.json, tokenizer.json and *.safetensors.";
  return unfit("no-model", `${shown} holds no model: there is no config.json`, hint);
}

async function readVocabulary(files: ModelFiles, config: Readonly<Record<string, unknown>>): Promise<Result<Vocabulary>> {
  const { shown, sizes } = files;
  const [tokenizer, about, generation] = [
    await jsonObject(files, "tokenizer.json"),
    await jsonObject(files, "tokenizer_config.json"),
    await jsonObject(files, "generation_config.json"),
  ];
  for (const read of [tokenizer, about, generation]) if (!read.ok) return read;
  if (!tokenizer.ok || !about.ok || !generation.ok) throw new Error("unreachable");
  if (tokenizer.value === undefined)
    return err(
      sizes.has("tokenizer.model")
        ? unfit("unsupported", `forge cannot fine-tune ${shown}: its vocabulary is SentencePiece's (tokenizer.model), which forge does not cut text with yet`)
        : unfit("no-model", `${shown} holds no tokenizer.json`, "Fetch the repository with all its files."),
    );
  const template = sizes.has("chat_template.jinja") ? await files.read("chat_template.jinja", TEXT_BYTES) : undefined;
  if (template?.ok === false) return template;
  return vocabularyOf(
    {
      tokenizer: tokenizer.value,
      about: about.value ?? {},
      config,
      generation: generation.value ?? {},
      template: template?.value.toString("utf8"),
      pieces: sizes.has("tokenizer.model"),
    },
    shown,
  );
}

interface Weights {
  readonly parameters: number;
  readonly names: readonly string[];
  readonly quantization: "BF16" | "F16";
  readonly shapes: Shapes;
}

async function readWeights(files: ModelFiles): Promise<Result<Weights>> {
  const { shown, sizes } = files;
  const names = await weightFiles(files);
  if (!names.ok) return names;
  const shards = names.value.filter((name) => name.endsWith(".safetensors"));
  const types = new Set<string>();
  const shapes = new Map<string, readonly number[]>();
  let parameters = 0;
  for (const name of shards) {
    if (!sizes.has(name)) return err(unfit("no-weights", `${shown} lacks ${name}, which ${INDEX} names`, "Fetch the repository with all its files."));
    const header = await safetensorsHeader(files, name);
    if (!header.ok) return header;
    parameters += header.value.parameters;
    for (const type of header.value.types) types.add(type);
    for (const [tensor, shape] of header.value.shapes) shapes.set(tensor, shape);
  }
  const strange = [...types].find((type) => !["BF16", "F16", "F32"].includes(type));
  if (strange !== undefined)
    return err(
      unfit("unsupported", `forge cannot fine-tune ${shown}: its weights are ${strange.slice(0, 20)}`, "Use the original weights (BF16, F16 or F32)."),
    );
  if (!Number.isSafeInteger(parameters) || parameters < 1) return err(unfit("no-weights", `${shown} has no weights`));
  return ok({ parameters, names: names.value, quantization: types.size === 1 && types.has("F16") ? "F16" : "BF16", shapes });
}

/** The files of weights: one, or the shards that the index names and the index. */
async function weightFiles(files: ModelFiles): Promise<Result<string[]>> {
  const { shown, sizes } = files;
  if (sizes.has("model.safetensors") && !sizes.has(INDEX)) return ok(["model.safetensors"]);
  const index = await jsonObject(files, INDEX);
  if (!index.ok) return index;
  if (index.value === undefined) {
    const pickled = [...sizes.keys()].find((name) => /\.(bin|pth?|pt)$/.test(name));
    return err(
      pickled === undefined
        ? unfit("no-weights", `${shown} holds no model.safetensors`)
        : unfit("no-weights", `${shown} has its weights in ${pickled}, which can hold code`, "Use a repository with *.safetensors."),
    );
  }
  const map = index.value.weight_map;
  const shards = [...new Set(Object.values(typeof map === "object" && map !== null ? map : {}))];
  if (shards.length === 0 || shards.length > MOST_SHARDS || !shards.every((s): s is string => typeof s === "string" && SHARD.test(s)))
    return err(unfit("no-weights", `${INDEX} of ${shown} names no files of safetensors`));
  return ok([INDEX, ...shards.sort()]);
}

async function licenceOfFolder(files: ModelFiles): Promise<string | undefined> {
  const card = (files.sizes.get("README.md") ?? TEXT_BYTES + 1) <= TEXT_BYTES ? await files.read("README.md", TEXT_BYTES) : undefined;
  if (card?.ok === true) return licenceOfCard(card.value.toString("utf8"));
  return licenceOf(undefined);
}
