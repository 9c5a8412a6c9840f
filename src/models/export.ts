/**
 * From a trained adapter to the files that run: f16 GGUF (merged in float32, converted by llama.cpp's own converter),
 * its quantizations (llama.cpp's own quantizer), the importance matrix that these may ask for, and the adapter alone. All run as Python steps. Guarantees: an output appears whole or
 * not at all, and only after the f16 file has been compared with the trained model; its bytes depend on the inputs
 * named here alone.
 */
import { mkdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { bitsOf, type ExportFormat, isModelFormat, type ModelFormat } from "../recipe/formats.ts";
import { runStep, type StepOptions } from "../runners/local.ts";
import type { Family } from "../schemas/generated/family.ts";
import { officialOf } from "./family.ts";
import { availableThreads, SMALL_MODEL_BYTES } from "./llama/threads.ts";
import { findLlamaFiles } from "./llama-files.ts";
import { templateFile } from "./rendering.ts";

/** Positions at which the f16 file is compared with the trained model. */
export const F16_POSITIONS = 2000;
/** Positions at which a quantization is compared with the f16 file: a figure to read, not a proof, so fewer do. */
export const QUANTIZED_POSITIONS = 500;

/** What the file says of its making. All of it ends up in the file: nothing here may depend on the clock or the machine. */
export interface ExportMetadata {
  readonly name: string;
  readonly toolsetHash: string;
  readonly tools: readonly string[];
  /** Figures of the training; those that time and memory decide are left out (`TRAINING_FIGURES`). */
  readonly training: JsonObject;
  /** Digest of the rendered samples that were trained on. */
  readonly datasetHash?: string;
  /** Digest of how the recipe has it trained; undefined where no recipe is at hand. */
  readonly recipeHash?: string;
}

export interface ExportSpec {
  readonly base: { readonly gguf: string; readonly sha256: string };
  readonly family: Family;
  /** PEFT folder. */
  readonly adapter: string;
  /** rendered.jsonl: what the models are compared on. */
  readonly rows: string;
  readonly output: string;
  readonly metadata: ExportMetadata;
  /** Default `F16_POSITIONS`. */
  readonly positions?: number;
  /** False: the file is taken unproven, without figures of the comparison. Default true. */
  readonly verify?: boolean;
}

export interface QuantizeSpec {
  /** The f16 GGUF. */
  readonly input: string;
  readonly output: string;
  /** Any but `f16` and `lora`. */
  readonly format: ExportFormat;
  /** What `makeImatrix` wrote; undefined: every weight counts the same. */
  readonly imatrix?: string;
  /** rendered.jsonl: what the files are compared on. */
  readonly rows: string;
  /** Default `QUANTIZED_POSITIONS`. */
  readonly positions?: number;
  /** False: no comparison. Default true. */
  readonly verify?: boolean;
}

export interface ImatrixSpec {
  /** The f16 GGUF. */
  readonly input: string;
  /** rendered.jsonl: what is looked at. */
  readonly rows: string;
  readonly output: string;
}

export interface LoraSpec extends Omit<ExportSpec, "positions"> {
  /** The f16 GGUF that base and adapter are compared with. */
  readonly merged: string;
}

/** The untuned base in the format of an export. */
export interface BaseSpec extends Pick<ExportSpec, "base" | "family" | "output"> {
  readonly format: ModelFormat;
  /** Whether forge made the base's GGUF of safetensors, with the converter that exports: its weights are as published, none quantized. */
  readonly converted: boolean;
  /** rendered.jsonl: what an importance matrix is found on; undefined: without one. */
  readonly imatrixRows?: string;
}

/** `tensors` in the matrix, `positions` that it was taken from. */
export type ImatrixFigures = JsonObject & { readonly bytes: number; readonly seconds: number; readonly tensors: number; readonly positions: number };

/** `bytes` of the file; `seconds` taken; `kl` (mean, nats) and `top1`, `top1_clear` (shares) over `positions`; more in verify.py. */
export type ExportFigures = JsonObject & { readonly bytes: number; readonly seconds: number; readonly kl?: number; readonly top1?: number };

/** Figures of training that the same inputs give again; times, rates and memory would make every file another one. */
const TRAINING_FIGURES = ["examples", "epochs", "steps", "rank", "final_loss", "learned_tokens"] as const;

/**
 * Merges, converts to f16 GGUF and proves the file equal to the trained model (mean KL at most 1e-3 nats, the same
 * first choice wherever the margin is clear). Failures: exit 6 for what the environment lacks (disk, llama.cpp),
 * exit 1 for a file that is not the model.
 */
export async function exportF16(spec: ExportSpec, o: StepOptions): Promise<Result<ExportFigures>> {
  return figuresOf(
    await writeF16(
      { ...spec, metadata: ggufMetadata(spec.metadata, spec.family) },
      {
        adapter: spec.adapter,
        ...(spec.family.thinking === null ? {} : { thinking: { ...spec.family.thinking } }),
        ...(spec.verify === false
          ? {}
          : { verify: { rows: spec.rows, positions: spec.positions ?? F16_POSITIONS }, speed: { threads: threadsFor(spec.family.parameters * 2) } }),
      },
      o,
    ),
    spec.verify !== false,
  );
}

/**
 * Puts the untuned base through the export that a trained model goes through: read in float32, rounded once to f16, written by the same converter, and quantized
 * by the same quantizer, with a matrix of its own where the format has one. Nothing is compared: the code is proven on the trained model. Of a base that forge
 * converted itself llama.cpp's quantizer writes the f16 file, in a fraction of the time and memory: the tensors are the same, bit for bit (a test has it for every
 * architecture). The figures are `bytes` and `seconds`. Failures as `exportF16`'s.
 */
export async function exportBase(spec: BaseSpec, o: StepOptions): Promise<Result<ExportFigures>> {
  const f16 = spec.format === "f16" ? spec.output : join(o.scratch, "base-f16.gguf");
  try {
    const written = figuresOf(await baseF16(spec, f16, o), false);
    if (!written.ok || spec.format === "f16") return written;
    const matrix = spec.imatrixRows === undefined ? undefined : join(o.scratch, "base-imatrix.gguf");
    if (matrix !== undefined) {
      const found = await makeImatrix({ input: f16, rows: spec.imatrixRows as string, output: matrix }, o);
      if (!found.ok) return found;
    }
    const made = await quantizeModel(
      { input: f16, output: spec.output, format: spec.format, rows: "", verify: false, ...(matrix === undefined ? {} : { imatrix: matrix }) },
      o,
    );
    return made.ok ? ok({ ...made.value, seconds: made.value.seconds + written.value.seconds }) : made;
  } finally {
    if (f16 !== spec.output) await rm(f16, { force: true });
  }
}

async function baseF16(spec: BaseSpec, output: string, o: StepOptions): Promise<Result<JsonObject>> {
  if (spec.converted) {
    const files = findLlamaFiles();
    if (!files.ok) return files;
    const space = await enoughSpace(dirname(output), spec.family.parameters * 2, "the f16 model");
    if (space !== undefined) return err(space);
    const rounded = await runStep("quantize", { v: 1, input: spec.base.gguf, output, format: "f16", libraries: files.value.libraries }, o);
    if (rounded.ok || rounded.error.code !== BEYOND_F16) return rounded;
  }
  return writeF16({ ...spec, output, metadata: { "general.name": "base" } }, {}, o);
}

/** What the step `quantize` says of weights that float16 has no number for: the export keeps them in float32. */
const BEYOND_F16 = "export/beyond-f16";

/** The f16 file of a base and what of `more` is laid over it and asked of it. */
async function writeF16(
  spec: Pick<ExportSpec, "base" | "family" | "output"> & { readonly metadata: JsonObject },
  more: JsonObject,
  o: StepOptions,
): Promise<Result<JsonObject>> {
  const files = findLlamaFiles();
  if (!files.ok) return files;
  const weights = spec.family.parameters;
  // float32 folder and f16 candidate in scratch, f16 output.
  const space = (await enoughSpace(o.scratch, weights * 6, "the merged model")) ?? (await enoughSpace(dirname(spec.output), weights * 2, "the f16 model"));
  if (space !== undefined) return err(space);
  return runStep(
    "export",
    {
      v: 1,
      base: { ...spec.base },
      template: await templateOf(spec.family, o.scratch),
      stop_tokens: spec.family.stop_tokens,
      output: spec.output,
      metadata: spec.metadata,
      converter: { ...files.value.converter },
      libraries: files.value.libraries,
      scratch: join(o.scratch, "export"),
      ...more,
    },
    o,
  );
}

/** The file of the chat template that goes into the GGUF: the very text that the samples were rendered with. */
async function templateOf(family: Family, scratch: string): Promise<string> {
  const official = officialOf(family);
  if (official === undefined) return templateFile(family.template);
  // Not the file beside the family's: nobody is to change it between reading and writing.
  const file = join(scratch, "chat-template.jinja");
  await mkdir(scratch, { recursive: true });
  await writeFile(file, official.text);
  return file;
}

/** Threads that a model of so many bytes is fastest with, as when it is used. */
const threadsFor = (bytes: number): number => (bytes < SMALL_MODEL_BYTES ? 1 : availableThreads());

/** Finds out which weights matter on the training samples. Failures as `exportF16`'s. */
export async function makeImatrix(spec: ImatrixSpec, o: StepOptions): Promise<Result<ImatrixFigures>> {
  const files = findLlamaFiles();
  if (!files.ok) return files;
  // llama.cpp stops after every product to be looked at: threads that wait for each other cost even more than they do otherwise.
  const threads = threadsFor((await stat(spec.input).catch(() => undefined))?.size ?? 0);
  const made = stepFigures(await runStep("imatrix", { v: 1, ...spec, threads, libraries: files.value.libraries }, o));
  if (!made.ok) return made;
  return hasNumbers(made.value, ["bytes", "seconds", "tensors", "positions"])
    ? ok(made.value as ImatrixFigures)
    : err({ code: "step/protocol", message: "the step did not say what it looked at", exit: EXIT.failed });
}

/**
 * Writes the adapter alone as GGUF, and proves that over the base's own file it is what was trained: as close to the merged file as the
 * base's quantization lets it be. Failures as `exportF16`'s.
 */
export async function exportLora(spec: LoraSpec, o: StepOptions): Promise<Result<ExportFigures>> {
  const files = findLlamaFiles();
  if (!files.ok) return files;
  return figuresOf(
    await runStep(
      "export_lora",
      {
        v: 1,
        base: { ...spec.base },
        adapter: spec.adapter,
        output: spec.output,
        metadata: ggufMetadata(spec.metadata, spec.family),
        converter: { ...files.value.converter },
        libraries: files.value.libraries,
        scratch: join(o.scratch, "lora"),
        ...(spec.verify === false ? {} : { verify: { merged: spec.merged, rows: spec.rows, positions: QUANTIZED_POSITIONS } }),
      },
      o,
    ),
    spec.verify !== false,
  );
}

/** Quantizes the f16 GGUF and measures how far the result strays from it. Failures as `exportF16`'s. */
export async function quantizeModel(spec: QuantizeSpec, o: StepOptions): Promise<Result<ExportFigures>> {
  const files = findLlamaFiles();
  if (!files.ok) return files;
  if (!isModelFormat(spec.format) || spec.format === "f16") throw new Error(`${spec.format} is no quantization`);
  const { size } = await stat(spec.input);
  const bytes = sizeOf(size, spec.format);
  // With a matrix the same format is made without it too, for comparison, and is gone again.
  const space = await enoughSpace(dirname(spec.output), spec.imatrix === undefined ? bytes : 2 * bytes, `the ${spec.format} model`);
  if (space !== undefined) return err(space);
  return figuresOf(
    await runStep(
      "quantize",
      {
        v: 1,
        input: spec.input,
        output: spec.output,
        format: spec.format,
        libraries: files.value.libraries,
        ...(spec.imatrix === undefined ? {} : { imatrix: spec.imatrix }),
        ...(spec.verify === false
          ? {}
          : { verify: { rows: spec.rows, positions: spec.positions ?? QUANTIZED_POSITIONS }, speed: { threads: threadsFor(bytes) } }),
      },
      o,
    ),
    spec.verify !== false,
  );
}

/** Bytes that a format takes at most, from those of the f16 file: where rows do not fit its blocks it comes out larger than its name says. */
const sizeOf = (f16Bytes: number, format: ModelFormat): number => Math.ceil((f16Bytes * Math.max(bitsOf(format), FALLBACK_BITS)) / 16);
/** q5_0's, which is what a q4_k tensor falls back to; the embedding takes q8_0. */
const FALLBACK_BITS = 6;

/** The metadata as keys of a GGUF. Exported for its test. */
export function ggufMetadata(m: ExportMetadata, family: Family): JsonObject {
  const out: Record<string, JsonValue> = {
    "general.name": m.name,
    "general.license": family.licence.toLowerCase(),
    "general.description": `${family.title}, fine-tuned by MCP-Forge to call ${m.tools.length === 1 ? "one tool" : `${m.tools.length} tools`}`,
    "mcp_forge.base_model": family.hub_id ?? family.name,
    "mcp_forge.toolset_hash": m.toolsetHash,
  };
  if (m.tools.length > 0) out["mcp_forge.tools"] = [...m.tools]; // a GGUF cannot hold an empty array
  if (m.datasetHash !== undefined) out["mcp_forge.dataset_hash"] = m.datasetHash;
  if (m.recipeHash !== undefined) out["mcp_forge.recipe_hash"] = m.recipeHash;
  for (const name of TRAINING_FIGURES) {
    const value = m.training[name];
    if (typeof value === "number") out[`mcp_forge.training.${name}`] = value;
  }
  return out;
}

/** A failure when the file system of `folder` (or of its nearest parent that exists) has fewer than `bytes` free. */
async function enoughSpace(folder: string, bytes: number, what: string): Promise<Failure | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found === undefined) {
      if (dirname(at) === at) return undefined;
      continue;
    }
    const free = found.bavail * found.bsize;
    if (free >= bytes) return undefined;
    return {
      code: "models/no-space",
      message: `${what} needs ${gigabytes(bytes)} of disk, and ${at} has ${gigabytes(free)} free`,
      hint: "Free some disk space, or put the project on another disk.",
      exit: EXIT.environment,
    };
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 0)} GB`;

/** Codes of the steps that speak of the environment, not of the model. */
const ENVIRONMENT_CODES = new Set(["export/converter", "export/llama-cpp-library", "export/llama-cpp-release", "export/llama-cpp-layout"]);

const stepFigures = (result: Result<JsonObject>): Result<JsonObject> =>
  !result.ok && ENVIRONMENT_CODES.has(result.error.code) ? err({ ...result.error, exit: EXIT.environment }) : result;

function figuresOf(found: Result<JsonObject>, verified: boolean): Result<ExportFigures> {
  const result = stepFigures(found);
  if (!result.ok) return result;
  return hasFigures(result.value, verified)
    ? ok(result.value)
    : err({ code: "step/protocol", message: "the export step did not say how large and how faithful its file is", exit: EXIT.failed });
}

const hasNumbers = (f: JsonObject, names: readonly string[]): boolean => names.every((name) => typeof f[name] === "number");
const hasFigures = (f: JsonObject, verified: boolean): f is ExportFigures => hasNumbers(f, ["bytes", "seconds", ...(verified ? ["kl", "top1"] : [])]);
