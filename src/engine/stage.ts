/**
 * What the engine knows of a stage: named inputs and outputs, the slice of the recipe that it reads,
 * and how to run it. The engine never looks inside; it knows nothing of machine learning.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Failure, Result } from "../platform/result.ts";

/** An output of an upstream stage, handed to a stage as a path. */
export interface InputRef {
  readonly stage: string;
  readonly output: string;
}

/** What a stage may claim while it runs; the scheduler never exceeds the capacity of a slot. */
export type Resources = Readonly<Partial<Record<"cpu" | "gpu" | "api", number>>>;

/** Progress of a stage, in its own unit. */
export type StageEvent =
  | { readonly type: "progress"; readonly done: number; readonly total: number; readonly unit: string; readonly etaSeconds?: number; readonly message?: string }
  | { readonly type: "metric"; readonly name: string; readonly value: number; readonly step?: number }
  | { readonly type: "log"; readonly level: "debug" | "info" | "warning" | "error"; readonly message: string };

export interface StageContext {
  /** Absolute path of each input artifact (file or folder), by input name. Read only. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Absolute path to write each output to, by output name, inside a staging folder; published together on success. */
  readonly outputs: Readonly<Record<string, string>>;
  /** A folder that survives an interrupted run with the same fingerprint (checkpoints, paid answers). Removed after success. */
  readonly scratch: string;
  /** When this fingerprint's record was first published, or will be (ISO 8601, UTC): the one time that an output may carry. */
  readonly recordedAt: string;
  /** Aborted when the run is interrupted: save what can be resumed and return within 10 s. */
  readonly signal: AbortSignal;
  readonly emit: (event: StageEvent) => void;
  /** File for free text of this stage's processes (their stderr). */
  readonly logFile: string;
}

/** What a finished stage says of itself; kept with its record, shown in reports, summarised in the lockfile. */
export interface StageOutcome {
  /** Headline figures, small. */
  readonly figures: JsonObject;
  /** One line for people: "300 samples, 100 cases". */
  readonly summary: string;
}

interface NodeBase {
  /** `train`, or an instance: `export:q8_0`. Unique in its graph. */
  readonly id: string;
  readonly title: string;
  /** Raised whenever the code of the node changes what it puts out. Part of the recipe key. */
  readonly version: number;
  /** Path in the recipe → value, everything in it that the node reads. Part of the recipe key, and the words of `plan`'s reasons. */
  readonly recipe: Readonly<Record<string, JsonValue | undefined>>;
  /** Inputs by name. */
  readonly inputs: Readonly<Record<string, InputRef>>;
  /** Nodes that must have succeeded first though nothing is read from them (gates). Not part of any key. */
  readonly after?: readonly string[];
}

export interface StageDefinition extends NodeBase {
  readonly kind: "stage";
  /** Declared settings that are no part of the recipe but change the output, the same on every machine (pinned digests, …). Part of the recipe key. */
  readonly settings?: JsonObject;
  /** Versions of the local runtime that can change the output. Part of the fingerprint only. */
  readonly runtime?: JsonObject;
  /** Files of the user's that the stage reads: name → absolute path. Their digests are part of the fingerprint; handed to `run` under `inputs`. */
  readonly files?: Readonly<Record<string, string>>;
  /** Output names, each with what it is. */
  readonly outputs: Readonly<Record<string, "file" | "folder">>;
  /** Outputs that only people read (a curve, a log): part of no key and of no lockfile, so that a record from before there was one stands without it. */
  readonly reports?: Readonly<Record<string, "file" | "folder">>;
  readonly resources?: Resources;
  /** Names of what only one stage may use at a time, whatever slots are free: a server that is written to, a device. */
  readonly exclusive?: readonly string[];
  /**
   * Why a record that stands by its keys is to be made again all the same, given its figures: something that is part of no key, as most changes of it change nothing, had cut the
   * outcome short, and now allows more. Undefined: it stands. Pure and quick: asked in every plan.
   */
  readonly outdated?: (figures: JsonObject) => string | undefined;
  /** Name of the figure that says what its outcome costs, in US dollars, where nothing of it is kept from before; `plan` tells it. */
  readonly costFigure?: string;
  /** Whether every byte of its inputs is compared with their digests before it runs: for what leaves the project. Elsewhere stats stand in for bytes. */
  readonly verifyInputs?: boolean;
  /** Where a copy of an output is kept for people, absolute path by output name (`dist/NAME`, `.mcp-forge/data/train.jsonl`). Remade when missing. */
  readonly views?: Readonly<Record<string, string>>;
  readonly run: (context: StageContext) => Promise<Result<StageOutcome, Failure>>;
}

/** One threshold judged. */
export interface Verdict {
  readonly figure: string;
  readonly value: number | null;
  readonly threshold: number;
  readonly passed: boolean;
  /** e.g. "n = 20: 0.98 means 20 of 20". */
  readonly note?: string;
}

export interface GateDefinition extends NodeBase {
  readonly kind: "gate";
  /** Judges the figures of its one input stage (the stage's recorded `StageOutcome.figures`). Pure and fast: it runs in every plan. */
  readonly stage: string;
  readonly judge: (figures: JsonObject) => { readonly verdicts: readonly Verdict[]; readonly advice: readonly string[] };
}

export type NodeDefinition = StageDefinition | GateDefinition;
