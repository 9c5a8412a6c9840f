/** Writes an Agent Bundle. */
import type { Result } from "../platform/result.ts";
import type { PackInput, PackOutcome } from "./types.ts";

export declare function packBundle(input: PackInput): Promise<Result<PackOutcome>>;
