/** Tries one prompt on a bundle. */
import type { Result } from "../platform/result.ts";
import type { TryOutcome } from "./types.ts";

export declare function tryBundle(
  dir: string,
  prompt: string,
  o?: { readonly threads?: number; readonly signal?: AbortSignal; readonly allowServers?: boolean; readonly maxSteps?: number },
): Promise<Result<TryOutcome>>;
