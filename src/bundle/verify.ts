/** Checks an Agent Bundle. */
import type { Result } from "../platform/result.ts";
import type { BundleCheck, VerifyOutcome } from "./types.ts";

export declare function verifyBundle(
  dir: string,
  o?: { readonly deep?: boolean; readonly threads?: number; readonly signal?: AbortSignal; readonly onCheck?: (check: BundleCheck) => void },
): Promise<Result<VerifyOutcome>>;
