/** How a run ended, as data: for exit codes, summaries and `--json`. */
import type { ExitCode } from "../platform/exit.ts";
import type { JsonObject } from "../platform/json.ts";
import type { Failure } from "../platform/result.ts";
import type { Verdict } from "./stage.ts";

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
  /** Id of the run: the name of its folder under .mcp-forge/runs. */
  readonly run: string;
  /** In the graph's order. */
  readonly nodes: readonly NodeOutcome[];
  readonly gates: readonly GateOutcome[];
  readonly seconds: number;
  /** 130 when interrupted, else that of the first failure, else 3 when a gate refused, else 0. */
  readonly exit: ExitCode;
}
