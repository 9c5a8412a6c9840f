/**
 * The recipe's tool sources with settings by name: what a toolset or a bundle says of a server. The value of `${env:NAME}` counts as part of
 * the recipe, but many a server takes its key among its arguments, so it leaves this machine by name only.
 */
import type { JsonValue } from "../platform/json.ts";
import { settingsByName } from "./substitute.ts";
import type { McpServer, RecipePath, ToolSource } from "./types.ts";

/**
 * @param tools with settings in place and defaults applied
 * @param written the recipe before any setting was put in
 */
export function statedTools(tools: readonly ToolSource[], written: JsonValue): readonly ToolSource[] {
  return tools.map((source, i) => {
    if (source.mcp === undefined) return source;
    const text = (value: string, ...path: RecipePath): string => {
      const whole = ["tools", i, "mcp", ...path];
      const found = valueAt(written, whole);
      return typeof found === "string" ? settingsByName(found, whole) : value;
    };
    return { ...source, mcp: statedServer(source.mcp, text) };
  });
}

function statedServer(server: McpServer, text: (value: string, ...path: RecipePath) => string): McpServer {
  const { command, args, env, url, headers } = server;
  const members = (key: "env" | "headers", given: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(given).map(([name, value]) => [name, text(value, key, name)]));
  return {
    ...server,
    ...(command === undefined ? {} : { command: text(command, "command") }),
    ...(args === undefined ? {} : { args: args.map((word, i) => text(word, "args", i)) }),
    ...(env === undefined ? {} : { env: members("env", env) }),
    ...(url === undefined ? {} : { url: text(url, "url") }),
    ...(headers === undefined ? {} : { headers: members("headers", headers) }),
  };
}

function valueAt(value: JsonValue | undefined, path: RecipePath): JsonValue | undefined {
  const [key, ...rest] = path;
  if (key === undefined || value === null || typeof value !== "object") return path.length === 0 ? value : undefined;
  return valueAt(Array.isArray(value) ? value[Number(key)] : (value as { readonly [key: string]: JsonValue })[key], rest);
}
