/** Types first; see below. */
import type { StageEvent } from "../engine/stage.ts";
import type { Failure, Result } from "../platform/result.ts";
import type { Family } from "../schemas/generated/family.ts";

export interface BaseModel {
	readonly ggufPath: string;
	readonly licensePath: string;
	readonly digest: string;
}
export declare function ensureBase(
	family: Family,
	source: string,
	o: { signal: AbortSignal; onProgress?: (event: StageEvent) => void },
): Promise<Result<BaseModel, Failure>>;
