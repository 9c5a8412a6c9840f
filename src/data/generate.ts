/** Fills a synthesis plan with samples and held-out cases. */
import type { Result } from "../platform/result.ts";
import type { GenerateInput, Generation } from "./types.ts";

/** Fills every slot of the plan. */
export async function generate(
	_input: GenerateInput,
): Promise<Result<Generation>> {
	throw new Error("generate: being written");
}
