/** Signatures of the engine's two entries; filled in the next commits. */
import type { JsonObject } from "../platform/json.ts";
import type { ExitCode } from "../platform/exit.ts";
import type { Failure, Result } from "../platform/result.ts";
import type { RunListener } from "./events.ts";
import type { NodeDefinition, Resources, Verdict } from "./stage.ts";

export type NodeStatus = "cached" | "done" | "failed" | "interrupted" | "passed" | "refused" | "skipped";

/** How one node ended. */
export interface NodeOutcome {
  readonly id: string;
  readonly kind: "stage" | "gate";
  readonly title: string;
  readonly status: NodeStatus;
  /** Seconds in this run; 0 for cached stages and gates. */
  readonly seconds: number;
  readonly summary: string;
  readonly figures: JsonObject;
  /** Absolute path of each output's artifact; empty unless cached or done. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly failure?: Failure;
}

export interface GateOutcome {
  readonly id: string;
  readonly stage: string;
  readonly passed: boolean;
  readonly verdicts: readonly Verdict[];
  readonly advice: readonly string[];
}

export interface RunOutcome {
  readonly run: string;
  readonly nodes: readonly NodeOutcome[];
  readonly gates: readonly GateOutcome[];
  readonly seconds: number;
  readonly exit: ExitCode;
}

export interface ApplyOptions {
  readonly nodes: readonly NodeDefinition[];
  /** Absolute path of the folder that has (or gets) `.mcp-forge`. */
  readonly projectRoot: string;
  /** The recipe's name, for the events. */
  readonly name: string;
  /** Absolute path of NAME.lock. */
  readonly lockfile: string;
  readonly variant?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: RunListener;
  /** Stop after this node: its id, or the part before the colon for all its instances. */
  readonly until?: string;
  /** Nodes (ids or prefixes) that run though their record stands. */
  readonly force?: readonly string[];
  /** Fail, with exit 4, when a recipe key is not the lockfile's; the lockfile is not written. */
  readonly locked?: boolean;
  /** Seconds to wait for another process's lock; default 0. */
  readonly waitLockSeconds?: number;
  /** Capacity of each slot; default 1 cpu, 1 gpu, 4 api. */
  readonly slots?: Resources;
}

export declare function applyRun(o: ApplyOptions): Promise<Result<RunOutcome>>;
