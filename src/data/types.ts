/**
 * The words that the data layer speaks: what generation takes and gives, and the two ports it
 * needs from below (a session that executes calls, a base model that answers plain questions).
 */
import type { JsonObject } from "../platform/json.ts";
import type { Failure, Result } from "../platform/result.ts";
import type { EvaluationCase } from "../schemas/generated/case.ts";
import type { GenerationStatistics, TakenOut } from "../schemas/generated/generation.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { SynthesisPlan } from "../schemas/generated/synthesis-plan.ts";
import type { Toolset } from "../schemas/generated/toolset.ts";

export type { EvaluationCase, GenerationStatistics, Sample, SynthesisPlan, TakenOut, Toolset };
export type Slot = SynthesisPlan["train"][number];
export type ToolDefinition = Toolset["tools"][number];
export type Scenario = Sample["scenario"];
export type Message = Sample["messages"][number];

/** Share of each scenario; the weights sum to 1. */
export type ScenarioWeights = Readonly<Partial<Record<Scenario, number>>>;

/** The part of a tool session that generation uses; the session of src/tools satisfies it. */
export interface CallPort {
  /** Whether the recipe's `execute` lets this tool be called. */
  canExecute(name: string): boolean;
  call(name: string, args: JsonObject, o?: { signal?: AbortSignal }): Promise<CallOutcome>;
}

/** What came back from an executed call. */
export interface CallOutcome {
  readonly text: string;
  readonly isError: boolean;
  readonly timedOut: boolean;
  /** False: the call was refused and never sent. */
  readonly executed?: boolean;
  /** Set when the session cannot go on (its server died): nothing after it would be executed. */
  readonly failure?: Failure;
}

/** Answers plain questions as the untuned base model does; answers in the order of the questions. */
export type AnswerPlain = (questions: string[]) => Promise<Result<string[]>>;

export interface GenerateInput {
  readonly toolset: Toolset;
  readonly plan: SynthesisPlan;
  readonly seed: number;
  /** Null: nothing is executed, every result is simulated. */
  readonly session: CallPort | null;
  readonly answerPlain: AnswerPlain;
  /** Which conversations the model's window holds; all of them if left out. */
  readonly fits?: (conversations: readonly Sample["messages"][]) => Promise<Result<boolean[]>>;
  /** Whether the model that is to learn from the samples thinks aloud: a teacher that can is then asked what it thinks (`Teacher.think`). */
  readonly thinking?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, unit: string) => void;
  /** How many samples each one that the teacher writes becomes (default 1; augment.ts). */
  readonly augment?: number;
  /** Whether the teacher rewords these variations (default: they are varied without it). */
  readonly reword?: boolean;
  /** Codes of the languages that the conversations to be varied are in (default: any, as recognised). */
  readonly languages?: readonly string[];
  /** Calls in flight at once (default 8). */
  readonly concurrency?: number;
  /** Most distinct calls that are sent to one tool server; results of later ones are made up (default 2,000). */
  readonly callsPerServer?: number;
}

export interface Generation {
  readonly train: Sample[];
  readonly heldout: EvaluationCase[];
  readonly statistics: GenerationStatistics;
  /** Of the conversations that somebody brought (teacher/file) those that were refused, in that order. */
  readonly refused: readonly RefusedConversation[];
}

/** A conversation of somebody's own that is not among the samples, though it had a slot. */
export interface RefusedConversation {
  readonly id: string;
  /** In the words of `dropped`. */
  readonly reason: string;
  /** What is wrong with it, where a check says so. Words of its own may be in it. */
  readonly message?: string;
}
