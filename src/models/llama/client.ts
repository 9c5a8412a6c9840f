/** Types first; see below. */
import type { Result } from "../../platform/result.ts";
import type { LlamaEngine, OpenLlamaOptions } from "./types.ts";
export declare function openLlama(o: OpenLlamaOptions): Promise<Result<LlamaEngine>>;
