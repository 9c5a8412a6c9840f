/** Measures a data set. */
import type { QaReport } from "../schemas/generated/qa-report.ts";
import type {
	EvaluationCase,
	GenerationStatistics,
	Sample,
	SynthesisPlan,
	Toolset,
} from "./types.ts";

export interface QaInput {
	readonly samples: readonly Sample[];
	readonly heldout: readonly EvaluationCase[];
	readonly toolset: Toolset;
	readonly plan?: SynthesisPlan;
	readonly statistics?: GenerationStatistics;
}

/** Measures what came out of generation (or any data set in our form). */
export function measureQuality(_input: QaInput): QaReport {
	throw new Error("measureQuality: being written");
}

/** The report for people. */
export function qaMarkdown(_report: QaReport): string {
	throw new Error("qaMarkdown: being written");
}
