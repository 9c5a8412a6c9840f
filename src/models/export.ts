/**
 * From a trained adapter to the files that run: f16 GGUF (merged in float32, converted by llama.cpp's own converter),
 * and its quantizations (llama.cpp's own quantizer). Both run as Python steps. Guarantees: an output appears whole or
 * not at all, and only after the f16 file has been compared with the trained model; its bytes depend on the inputs
 * named here alone.
 */
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EXIT } from "../platform/exit.ts";
import type { JsonObject, JsonValue } from "../platform/json.ts";
import { packageRoot } from "../platform/paths.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { runStep, type StepOptions } from "../runners/local.ts";
import type { Family } from "../schemas/generated/family.ts";
import { findLlamaFiles } from "./llama-files.ts";

/** Formats that `quantizeModel` makes; `f16` is `exportF16`'s. */
export const QUANTIZATIONS = ["q8_0", "q4_k_m", "q4_k_s", "q5_k_m"] as const;

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
  readonly recipeKey?: string;
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
  /** One of `QUANTIZATIONS`. */
  readonly format: string;
  /** rendered.jsonl: what the files are compared on. */
  readonly rows: string;
  /** Default `QUANTIZED_POSITIONS`. */
  readonly positions?: number;
  /** False: no comparison. Default true. */
  readonly verify?: boolean;
}

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
  const files = findLlamaFiles();
  if (!files.ok) return files;
  const weights = spec.family.parameters;
  // float32 folder and f16 candidate in scratch, f16 output.
  const space = (await enoughSpace(o.scratch, weights * 6, "the merged model")) ?? (await enoughSpace(dirname(spec.output), weights * 2, "the f16 model"));
  if (space !== undefined) return err(space);
  return figuresOf(
    await runStep(
      "export",
      {
        v: 1,
        base: { ...spec.base },
        adapter: spec.adapter,
        template: join(packageRoot(), "templates", "chat", spec.family.template),
        stop_tokens: spec.family.stop_tokens,
        output: spec.output,
        metadata: ggufMetadata(spec.metadata, spec.family),
        converter: { ...files.value.converter },
        libraries: files.value.libraries,
        scratch: join(o.scratch, "export"),
        ...(spec.family.thinking === null ? {} : { thinking: { ...spec.family.thinking } }),
        ...(spec.verify === false ? {} : { verify: { rows: spec.rows, positions: spec.positions ?? F16_POSITIONS } }),
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
  const { stat } = await import("node:fs/promises");
  const space = await enoughSpace(dirname(spec.output), (await stat(spec.input)).size * 0.6, `the ${spec.format} model`);
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
        ...(spec.verify === false ? {} : { verify: { rows: spec.rows, positions: spec.positions ?? QUANTIZED_POSITIONS } }),
      },
      o,
    ),
    spec.verify !== false,
  );
}

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
  if (m.recipeKey !== undefined) out["mcp_forge.recipe_key"] = m.recipeKey;
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

function figuresOf(result: Result<JsonObject>, verified: boolean): Result<ExportFigures> {
  if (!result.ok) return ENVIRONMENT_CODES.has(result.error.code) ? err({ ...result.error, exit: EXIT.environment }) : result;
  return hasFigures(result.value, verified)
    ? ok(result.value)
    : err({ code: "step/protocol", message: "the export step did not say how large and how faithful its file is", exit: EXIT.failed });
}

const hasFigures = (f: JsonObject, verified: boolean): f is ExportFigures =>
  ["bytes", "seconds", ...(verified ? ["kl", "top1"] : [])].every((name) => typeof f[name] === "number");
