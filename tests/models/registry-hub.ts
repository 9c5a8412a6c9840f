/**
 * A model hub on this machine that has repositories of a family's sizes: in miniature, each with the config and the vocabulary of its kind, at a commit that can move on.
 */
import { createHash } from "node:crypto";
import { gitBlob } from "../../src/models/add/files.ts";
import { TEMPLATES } from "../../src/models/known.ts";
import { architectureOfSize, contextOf, licenceOfSize, type Size, templateOf } from "../../src/models/registry.ts";
import { give, listen } from "./hub-server.ts";
import { QWEN2, safetensors, split } from "./own-model.ts";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface Repository {
  /** As the hub spells it. */
  readonly id: string;
  commit: string;
  files: Map<string, Buffer>;
  licence: string;
  /** 401 or 403, to whoever has no right. */
  refuses?: number;
}

export interface RegistryHub {
  readonly endpoint: string;
  readonly asked: { readonly path: string; readonly token: string | undefined }[];
  readonly repositories: Map<string, Repository>;
  close(): Promise<void>;
}

/** Serves these repositories; every answer is as the hub gives it (https://huggingface.co/docs/hub/api). */
export async function startRegistryHub(repositories: Iterable<Repository>): Promise<RegistryHub> {
  const all = new Map([...repositories].map((r) => [r.id, r]));
  const asked: RegistryHub["asked"] = [];
  const server = await listen((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    asked.push({ path, token: request.headers.authorization });
    const [, id = ""] = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\//.exec(path) ?? [];
    const repository = all.get(id);
    if (repository === undefined) return void response.writeHead(404).end("Repository not found");
    if (repository.refuses !== undefined) return void response.writeHead(repository.refuses).end("Access to this model is restricted");
    const { commit, files, licence } = repository;
    if ([`/api/models/${id}/revision/main?blobs=true`, `/api/models/${id}/revision/${commit}?blobs=true`].includes(path)) {
      const siblings = [...files].map(([rfilename, body]) => ({
        rfilename,
        size: body.length,
        ...(rfilename.endsWith(".safetensors") ? { lfs: { sha256: sha256(body), size: body.length } } : { blobId: gitBlob(body) }),
      }));
      return void response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ id, sha: commit, siblings, cardData: { license: licence } }));
    }
    const name = path.split("/").at(-1) ?? "";
    const body = files.get(name);
    if (body === undefined || path !== `/${id}/resolve/${commit}/${name}`) return void response.writeHead(404).end("Entry not found");
    give(body, request.headers.range, response);
  });
  return { endpoint: server.address, asked, repositories: all, close: () => server.close() };
}

export const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

/** The hub's word for a licence. */
const hubWord = (licence: string): string => licence.replace(/^LicenseRef-/, "").toLowerCase();

/** transformers' words for an architecture of llama.cpp's. */
const TYPES: Readonly<Record<string, readonly [type: string, architecture: string]>> = {
  gemma3: ["gemma3_text", "Gemma3ForCausalLM"],
  glm4: ["glm4", "Glm4ForCausalLM"],
  llama: ["llama", "LlamaForCausalLM"],
  mistral: ["mistral", "MistralForCausalLM"],
  phi3: ["phi3", "Phi3ForCausalLM"],
  qwen2: ["qwen2", "Qwen2ForCausalLM"],
  qwen3: ["qwen3", "Qwen3ForCausalLM"],
};

const LLAMA3 = split(QWEN2.replace("|\\p{N}|", "|\\p{N}{1,3}|"));
const TEKKEN = split(
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
);
const SMOLLM = {
  type: "Sequence",
  pretokenizers: [
    { type: "Digits", individual_digits: true },
    { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  ],
};
const GEMMA = { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false };

/** How a vocabulary of a pre-tokenizer of llama.cpp's is written in a tokenizer.json. */
function vocabulary(pre: string): object {
  if (pre === "default")
    return {
      normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
      pre_tokenizer: GEMMA,
      model: { type: "BPE", byte_fallback: true, vocab: { a: 9 }, merges: [] },
    };
  const cuts: Readonly<Record<string, object>> = { dbrx: LLAMA3, glm4: LLAMA3, "llama-bpe": LLAMA3, qwen2: split(QWEN2), smollm: SMOLLM, tekken: TEKKEN };
  return { normalizer: null, pre_tokenizer: cuts[pre], model: { type: "BPE", ignore_merges: pre === "llama-bpe", vocab: { a: 9 }, merges: [] } };
}

/** What a size's repository holds, in miniature: its header of safetensors says the true number of parameters. */
export function standIn(size: Size, changes: Readonly<Record<string, object | undefined>> = {}): Repository {
  const { family, source } = size;
  const [type, architecture] = TYPES[architectureOfSize(size)] as [string, string];
  const template = templateOf(size);
  const tokens = [...new Set([...family.special_tokens, ...(TEMPLATES[template]?.needs ?? []), "<|one_of_its_own|>"])];
  const gemma = type === "gemma3_text";
  const config = {
    ...{
      model_type: type,
      architectures: [architecture],
      max_position_embeddings: contextOf(size),
      eos_token_id: tokens.indexOf(family.stop_tokens[0] as string),
    },
    ...(gemma
      ? {
          hidden_activation: "gelu_pytorch_tanh",
          num_hidden_layers: 6,
          sliding_window: 512,
          sliding_window_pattern: 6,
          head_dim: 256,
          query_pre_attn_scalar: 256,
        }
      : { hidden_act: "silu", sliding_window: null }),
    ...(type === "glm4" ? { hidden_size: 64, num_attention_heads: 4, head_dim: 16, partial_rotary_factor: 0.5, attention_bias: true } : {}),
    ...(type === "phi3" ? { hidden_size: 64, num_attention_heads: 4 } : {}),
  };
  const files: Record<string, object | Buffer | undefined> = {
    "config.json": config,
    "generation_config.json": { eos_token_id: family.stop_tokens.map((t) => tokens.indexOf(t)) },
    "tokenizer.json": { ...vocabulary(source.tokenizer ?? family.tokenizer), added_tokens: tokens.map((content, id) => ({ id, content, special: true })) },
    "tokenizer_config.json": { eos_token: family.stop_tokens[0] },
    "model.safetensors": weights(source.parameters),
    ...(gemma ? { "tokenizer.model": Buffer.from("pieces") } : {}),
    ...changes,
  };
  const bytes = (content: object | Buffer): Buffer => (Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content)));
  return {
    ...{ id: source.repository, commit: COMMIT, licence: hubWord(licenceOfSize(size)) },
    files: new Map(Object.entries(files).flatMap(([name, content]) => (content === undefined ? [] : [[name, bytes(content)] as const]))),
  };
}

/** A file of safetensors that says so many parameters and holds none. */
function weights(parameters: number): Buffer {
  const empty = safetensors({});
  const header = Buffer.from(JSON.stringify({ w: { dtype: "BF16", shape: [parameters], data_offsets: [0, 0] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, empty]);
}
