/** The tool layer's front door. Cheap to import: the MCP SDK is loaded only when a server is opened. */
export { openTools } from "./open.ts";
export { makeToolset, toolsetHash } from "./toolset.ts";
export type { ExecutePolicy, OpenToolsOptions, ServerSource, ToolDefinition, ToolResult, ToolSession, ToolSource, Toolset } from "./types.ts";
