/** Signatures; filled in the next commits. */
import type { Result } from "../platform/result.ts";
import type { NodeDefinition } from "./stage.ts";

export type PlanStatus = "cached" | "run" | "maybe" | "blocked";

export interface PlanNode {
  readonly id: string;
  readonly kind: "stage" | "gate";
  readonly title: string;
  readonly status: PlanStatus;
  /** Why, in the recipe's words. Empty for what is cached. */
  readonly reasons: readonly string[];
  readonly estimateSeconds?: number;
}

export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Whether anything would or may run: exit 2. */
  readonly work: boolean;
}

export interface PlanOptions {
  readonly nodes: readonly NodeDefinition[];
  readonly projectRoot: string;
  readonly lockfile: string;
  readonly variant?: string;
  readonly until?: string;
  readonly force?: readonly string[];
}

export declare function planRun(o: PlanOptions): Promise<Result<Plan>>;
