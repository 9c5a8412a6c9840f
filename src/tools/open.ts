/** Opens every tool source of a recipe as one session. */
import type { Result } from "../platform/result.ts";
import type { OpenToolsOptions, ToolSession, ToolSource } from "./types.ts";

export declare function openTools(sources: readonly ToolSource[], o: OpenToolsOptions): Promise<Result<ToolSession>>;
