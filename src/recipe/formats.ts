/**
 * The formats of exported models: what each is called, how large it comes out, and what an importance matrix is to it. What the quantizer is told is in
 * python/forge_steps/llama_structs.py; a test compares the two.
 */
import type { Recipe } from "../schemas/generated/forge.ts";

type Stated = NonNullable<Recipe["exports"]>[number];
/** A word of the schema. */
export type ExportFormat = Extract<Stated, string>;
/** A format that is a model by itself: what is validated, benchmarked and packed. */
export type ModelFormat = Exclude<ExportFormat, "lora">;

/** What is to be made, nothing left out. */
export interface ExportChoice {
  readonly format: ExportFormat;
  /** Whether the quantizer is told which weights matter on the training samples. */
  readonly imatrix: boolean;
}

interface Row {
  /** Bits a weight of a model whose rows fit the blocks; what llama.cpp's README for `quantize` says of Llama 3.1 8B, rounded up. */
  readonly bits: number;
  /** `never`: no matrix changes it. `needed`: llama.cpp refuses to round so few bits without one. */
  readonly imatrix: "never" | "possible" | "needed";
}

const row = (bits: number, imatrix: Row["imatrix"] = "possible"): Row => ({ bits, imatrix });

const ROWS: Readonly<Record<ModelFormat, Row>> = {
  q8_0: row(8.6, "never"),
  q4_k_m: row(5),
  q4_k_s: row(4.8),
  q5_k_m: row(5.8),
  f16: row(16.1, "never"),
  bf16: row(16.1, "never"),
  f32: row(32, "never"),
  q6_k: row(6.7),
  q5_k_s: row(5.7),
  q5_1: row(6.2),
  q5_0: row(5.7),
  q4_1: row(5.2),
  q4_0: row(4.8),
  q3_k_l: row(4.4),
  q3_k_m: row(4.1),
  q3_k_s: row(3.8),
  q2_k: row(3.3),
  q2_k_s: row(3.1, "needed"),
  iq4_nl: row(4.8),
  iq4_xs: row(4.6),
  iq3_m: row(3.9),
  iq3_s: row(3.8),
  iq3_xs: row(3.6, "needed"),
  iq3_xxs: row(3.4, "needed"),
  iq2_m: row(3.1, "needed"),
  iq2_s: row(2.9, "needed"),
  iq2_xs: row(2.7, "needed"),
  iq2_xxs: row(2.5, "needed"),
};

export const MODEL_FORMATS = Object.keys(ROWS) as readonly ModelFormat[];
export const EXPORT_FORMATS: readonly ExportFormat[] = [...MODEL_FORMATS, "lora"];

/** Bits a weight, at most where rows fit the format's blocks. */
export const bitsOf = (format: ModelFormat): number => ROWS[format].bits;
export const imatrixOf = (format: ExportFormat): Row["imatrix"] => (format === "lora" ? "never" : ROWS[format].imatrix);
export const isModelFormat = (format: ExportFormat): format is ModelFormat => format !== "lora";

/** An entry of `exports` with its default. */
export function exportChoice(stated: Stated): ExportChoice {
  const { format, imatrix } = typeof stated === "string" ? { format: stated, imatrix: undefined } : stated;
  return { format, imatrix: imatrix ?? imatrixOf(format) === "needed" };
}
