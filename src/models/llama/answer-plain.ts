/** Types first; see below. */
import type { Result } from "../../platform/result.ts";
import type { Renderer } from "../render.ts";
import type { LlamaEngine } from "./types.ts";
export declare function answerPlain(engine: LlamaEngine, renderer: Renderer): (questions: readonly string[]) => Promise<Result<string[]>>;
