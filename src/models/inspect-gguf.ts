/**
 * What a GGUF is, for people and scripts: its architecture and size, how it is quantized, its vocabulary and chat template, and what forge wrote
 * into it (tools, digests, training, licence). Nothing is run, and no weight is read; the file may come from anywhere.
 */
import { statSync } from "node:fs";
import { EXIT } from "../platform/exit.ts";
import { errorCode, fsFailure } from "../platform/fs.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { type GgufContents, type GgufList, ggufContents, truncatedGguf } from "./gguf.ts";

/** ggml's names of the types of tensors, by their numbers (`enum ggml_type`). */
const TYPES: Readonly<Record<number, string>> = {
  ...{ 0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K" },
  ...{ 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16" },
  ...{ 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0" },
};
/** What a file as a whole is called, by the number of `general.file_type` (`enum llama_ftype`). */
const FILE_TYPES: Readonly<Record<number, string>> = {
  ...{ 0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k", 11: "q3_k_s", 12: "q3_k_m", 13: "q3_k_l", 14: "q4_k_s" },
  ...{ 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m", 18: "q6_k", 19: "iq2_xxs", 20: "iq2_xs", 21: "q2_k_s", 22: "iq3_xs", 23: "iq3_xxs", 24: "iq1_s" },
  ...{ 25: "iq4_nl", 26: "iq3_s", 27: "iq3_m", 28: "iq2_s", 29: "iq2_m", 30: "iq4_xs", 31: "iq1_m", 32: "bf16", 36: "tq1_0", 37: "tq2_0" },
};

/** What a GGUF calls its own quantization (`q4_k_m`); undefined where it says nothing that is known, or cannot be read. */
export function quantizationOf(path: string): string | undefined {
  const contents = ggufContents(path);
  const type = typeof contents === "string" ? undefined : contents.metadata.get("general.file_type");
  return typeof type === "number" ? FILE_TYPES[type] : undefined;
}

type Scalar = string | number | boolean;

export interface GgufInspection {
  readonly file: string;
  readonly bytes: number;
  /** Why the weights cannot all be there; null where they are. */
  readonly damaged: string | null;
  /** `model`, or what else the file says that it is: `adapter`, `imatrix`. */
  readonly kind: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly licence: string | null;
  readonly architecture: string | null;
  readonly parameters: number;
  /** Of all tensors; null where a type is not known. */
  readonly bits_per_weight: number | null;
  /** `context_length`, `embedding_length`, `block_count`, … as far as they are there. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly quantization: {
    /** What the file calls itself: `q4_k_m`. */
    readonly format: string | null;
    /** Number of tensors by type. */
    readonly tensors: Readonly<Record<string, number>>;
    /** Of an importance matrix, where one was used. */
    readonly imatrix: { readonly dataset: string | null; readonly entries: number | null; readonly chunks: number | null } | null;
  };
  readonly tokenizer: {
    readonly model: string | null;
    readonly pre: string | null;
    readonly tokens: number;
    /** Control tokens by their role (`bos`, `eos`, …). */
    readonly special: Readonly<Record<string, { readonly id: number; readonly text: string | null }>>;
  } | null;
  readonly chat_template: string | null;
  /** What forge wrote; null where it did not make the file. */
  readonly forge: {
    readonly base_model: string | null;
    readonly toolset_hash: string | null;
    readonly tools: readonly string[];
    readonly recipe_hash: string | null;
    readonly dataset_hash: string | null;
    readonly training: Readonly<Record<string, Scalar>>;
  } | null;
  /** Everything else, its lists cut. */
  readonly other: Readonly<Record<string, Scalar | { readonly count: number; readonly first: readonly Scalar[] }>>;
}

const SIZES = [
  "context_length",
  "block_count",
  "embedding_length",
  "feed_forward_length",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.sliding_window",
  "rope.freq_base",
] as const;
/** Longer texts of the metadata are cut; a chat template of many tools has some tens of thousands. */
const MOST_TEXT = 1 << 18;
const MOST_OTHER_TEXT = 1000;
const SHOWN_ITEMS = 8;

/** Reads a file; a failure where it is no GGUF, or one that cannot be. */
export function inspectGguf(path: string): Result<GgufInspection> {
  try {
    const found = statSync(path);
    if (!found.isFile())
      return err(unreadable(path, found.isDirectory() ? "is a folder" : "is no ordinary file", "name the file itself, for example dist/NAME/model.gguf"));
    const contents = ggufContents(path);
    if (typeof contents === "string")
      return err(unreadable(path, `cannot be read as a GGUF: ${contents}`, "copy or download it again, or make it anew: forge export"));
    return ok(described(path, found.size, contents));
  } catch (e) {
    if (errorCode(e) === "ENOENT") return err(unreadable(path, "does not exist", "check the path; it is relative to the folder that you stand in"));
    const failure = fsFailure(e, `read ${path}`);
    if (failure === undefined) throw e;
    return err({ ...failure, exit: EXIT.usage });
  }
}

const unreadable = (path: string, why: string, hint: string): Failure => ({ code: "models/not-gguf", message: `\`${path}\` ${why}`, hint, exit: EXIT.usage });

function described(file: string, bytes: number, { metadata, tensors, tokens }: GgufContents): GgufInspection {
  const used = new Set<string>();
  const value = (key: string): Scalar | GgufList | undefined => {
    used.add(key);
    return metadata.get(key);
  };
  const text = (key: string, most = MOST_TEXT): string | null => {
    const found = value(key);
    return typeof found === "string" ? cutText(found, most) : null;
  };
  const number = (key: string): number | null => {
    const found = value(key);
    return typeof found === "number" && Number.isFinite(found) ? found : null;
  };
  const architecture = text("general.architecture", MOST_OTHER_TEXT);
  const sizes = Object.fromEntries(SIZES.flatMap((name) => entry(name, number(`${architecture}.${name}`))));
  const parameters = tensors.reduce((sum, t) => sum + t.elements, 0);
  const stored = tensors.reduce<number | undefined>((sum, t) => (sum === undefined || t.bytes === undefined ? undefined : sum + t.bytes), 0);
  const fileType = number("general.file_type");
  const matrix = [
    text("quantize.imatrix.dataset", MOST_OTHER_TEXT),
    number("quantize.imatrix.entries_count"),
    number("quantize.imatrix.chunks_count"),
  ] as const;
  const special = [...metadata.keys()].flatMap((key) => {
    const role = /^tokenizer\.ggml\.(\w+)_token_id$/.exec(key)?.[1];
    const id = role === undefined ? null : number(key);
    return role === undefined || id === null ? [] : [[role, { id, text: cutOrNull(tokens.get(id)) }] as const];
  });
  const vocabulary = value("tokenizer.ggml.tokens");
  const model = text("tokenizer.ggml.model", MOST_OTHER_TEXT);
  for (const key of ["merges", "scores", "token_type"]) used.add(`tokenizer.ggml.${key}`);
  const template = text("tokenizer.chat_template");
  return {
    file,
    bytes,
    damaged: truncatedGguf(file) ?? null,
    kind: text("general.type", MOST_OTHER_TEXT) ?? "model",
    name: text("general.name", MOST_OTHER_TEXT),
    description: text("general.description", MOST_OTHER_TEXT),
    licence: text("general.license", MOST_OTHER_TEXT),
    architecture,
    parameters,
    bits_per_weight: stored === undefined || parameters === 0 ? null : Math.round((800 * stored) / parameters) / 100,
    sizes,
    quantization: {
      format: fileType === null ? null : (FILE_TYPES[fileType] ?? `number ${fileType}`),
      tensors: counted(tensors.map((t) => TYPES[t.type] ?? `number ${t.type}`)),
      imatrix: matrix.every((v) => v === null) ? null : { dataset: matrix[0], entries: matrix[1], chunks: matrix[2] },
    },
    tokenizer:
      model === null && !isList(vocabulary)
        ? null
        : { model, pre: text("tokenizer.ggml.pre", MOST_OTHER_TEXT), tokens: isList(vocabulary) ? vocabulary.count : 0, special: Object.fromEntries(special) },
    chat_template: template,
    forge: ofForge(metadata, value, text),
    other: Object.fromEntries([...metadata].filter(([key]) => !used.has(key)).map(([key, found]) => [cutText(key, 200), short(found)])),
  };
}

function ofForge(
  metadata: GgufContents["metadata"],
  value: (key: string) => Scalar | GgufList | undefined,
  text: (key: string, most: number) => string | null,
): GgufInspection["forge"] {
  const ours = [...metadata.keys()].filter((key) => key.startsWith("mcp_forge."));
  if (ours.length === 0) return null;
  const tools = value("mcp_forge.tools");
  const training = ours.flatMap((key): [string, Scalar][] => {
    const name = /^mcp_forge\.training\.(\w+)$/.exec(key)?.[1];
    const found = name === undefined ? undefined : value(key);
    return name === undefined || found === undefined || isList(found) ? [] : [[name, short(found) as Scalar]];
  });
  return {
    base_model: text("mcp_forge.base_model", MOST_OTHER_TEXT),
    toolset_hash: text("mcp_forge.toolset_hash", MOST_OTHER_TEXT),
    tools: isList(tools) ? tools.first.map((t) => cutText(String(t), 200)) : [],
    recipe_hash: text("mcp_forge.recipe_hash", MOST_OTHER_TEXT),
    dataset_hash: text("mcp_forge.dataset_hash", MOST_OTHER_TEXT),
    training: Object.fromEntries(training),
  };
}

const isList = (value: Scalar | GgufList | undefined): value is GgufList => typeof value === "object";
const entry = (name: string, value: number | null): [string, number][] => (value === null ? [] : [[name, value]]);
const cutText = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
const cutOrNull = (text: string | undefined): string | null => (text === undefined ? null : cutText(text, 200));

function short(found: Scalar | GgufList): GgufInspection["other"][string] {
  const one = (v: Scalar): Scalar => (typeof v === "string" ? cutText(v, MOST_OTHER_TEXT) : typeof v === "number" && !Number.isFinite(v) ? String(v) : v);
  return isList(found) ? { count: found.count, first: found.first.slice(0, SHOWN_ITEMS).map(one) } : one(found);
}

function counted(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
}
