/** The normalised toolset and its hash. */
import type { Result } from "../platform/result.ts";
import type { ToolDefinition, Toolset } from "./types.ts";

export declare function toolsetHash(tools: readonly Pick<ToolDefinition, "name" | "description" | "input_schema">[]): string;
export declare function makeToolset(tools: readonly ToolDefinition[]): Result<Toolset>;
