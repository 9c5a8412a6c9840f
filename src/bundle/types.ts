/**
 * What goes into an Agent Bundle and what the checks of one say. Types only.
 */
import type { Renderer } from "../models/render.ts";
import type { Agent } from "../schemas/generated/agent.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { Family } from "../schemas/generated/family.ts";
import type { LoopRecord } from "../schemas/generated/loop-record.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";
import type { ToolSource } from "../tools/types.ts";

/** One judged conversation with the packed model, as `forge benchmark --json` reports it. */
export interface RecordedCase {
  /** The case's id. */
  readonly id: string;
  readonly calls: readonly { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }[];
  readonly answer: string | null;
  readonly ok: boolean;
}

/** The tools as OpenAI's interface wants them in a request. */
export const OPENAI_TOOLS = "tools.openai.json";
/** The adapter alone. */
export const ADAPTER = "adapter.gguf";

/** A row of the README's table of figures. */
export interface FigureRow {
  readonly figure: string;
  readonly value: number | null;
  readonly n?: number;
  /** 95 % interval, when known. */
  readonly interval?: readonly [number, number];
  /** The untuned base model's value. */
  readonly base?: number | null;
}

export interface PackInput {
  /** Folder to fill; made when missing, must be empty. */
  readonly outputDir: string;
  readonly name: string;
  /** Default `1.0.0`. */
  readonly version?: string;
  /** ISO 8601, UTC: when the record of what is packed was first published. Never "now". */
  readonly createdAt: string;
  /** The model files; the first becomes model.gguf, the others model.FORMAT.gguf. */
  readonly models: readonly { readonly format: string; readonly path: string; readonly measured?: ModelMeasures }[];
  /** The LoRA adapter alone (GGUF), to travel beside the models; becomes adapter.gguf. */
  readonly adapter?: string;
  readonly toolset: Toolset;
  /** With settings by name (`${env:NAME}`): they travel. */
  readonly sources: readonly ToolSource[];
  readonly family: Family;
  readonly renderer: Renderer;
  /** The base model's licence text, copied to LICENSE. */
  readonly licensePath: string;
  readonly contextLength: number;
  readonly baseModel: Agent["base_model"];
  readonly training: Agent["training"];
  readonly dataset: Agent["dataset"];
  readonly validation: Agent["validation"];
  readonly benchmark: Agent["benchmark"];
  /** False where the reports do not say that they measured this very model. Default true. */
  readonly measuredHere?: boolean;
  /** Rows of the README's table. */
  readonly figures: readonly FigureRow[];
  /** Held-out cases and what the first model did with them: the smoke tests are chosen among these. */
  readonly cases: readonly EvaluationCase[];
  readonly records: readonly RecordedCase[];
  /** `constrained`: the figures were reached with the grammar, which is then shipped. Default `free`. */
  readonly decoding?: "free" | "constrained";
  /** GBNF grammar to ship (tools.gbnf). */
  readonly grammar?: string;
  /** Set by `pack --unproven`: the gates that said no, and reports that do not say what they measured. Every file then says so. */
  readonly unproven?: { readonly reasons: readonly string[] };
}

/** How a model file came out of its export, as far as that was measured. */
export interface ModelMeasures {
  readonly bits_per_weight?: number;
  /** Mean KL divergence in nats from what it was made of: the trained model for f16, the f16 file for all others. */
  readonly kl?: number;
  /** Over training samples, of the file and of what it was made of. */
  readonly perplexity?: number;
  readonly perplexity_reference?: number;
}

export interface PackOutcome {
  readonly files: number;
  readonly bytes: number;
  readonly smokeTests: number;
  /** How many of them the model got right when they were recorded. */
  readonly rightSmokeTests: number;
}

/** One line of `forge verify-bundle`. */
export interface BundleCheck {
  /** `manifest`, `files`, `schema`, `names`, `toolset`, `template`, `licence`, `model`, `load`, `smoke`. */
  readonly check: string;
  readonly passed: boolean;
  readonly message: string;
  readonly hint?: string;
}

export interface VerifyOutcome {
  readonly passed: boolean;
  readonly checks: readonly BundleCheck[];
  readonly unproven: boolean;
}

export interface TryOutcome {
  readonly calls: readonly {
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
    readonly result: string;
    readonly executed: boolean;
    readonly isError: boolean;
  }[];
  /** What the model said to the user, whole where `ended` is `answer`; null where it said nothing. */
  readonly answer: string | null;
  /** How the loop ended (schemas/loop-record.schema.json); anything but `answer` is no good end, and a note says why. */
  readonly ended: LoopRecord["ended"];
  /** Why there is no answer, or what to know about it. */
  readonly notes: readonly string[];
  readonly unproven: boolean;
}
