/**
 * Well-known MCP servers whose tools a curriculum may hold beside the made-up ones. Their definitions are read when a training is
 * prepared and are kept beside it, not in the repository. None of them is one that a model is judged on (bench/).
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Toolset } from "../src/schemas/generated/toolset.ts";
import { openTools } from "../src/tools/open.ts";

/** Packages of the npm registry, pinned; each lists its tools without a key. */
export const PACKAGES: readonly string[] = [
  "@modelcontextprotocol/server-github@2025.4.8",
  "@notionhq/notion-mcp-server@2.5.2",
  "@playwright/mcp@0.0.83",
  "@upstash/context7-mcp@4.1.1",
  "chrome-devtools-mcp@1.11.0",
  "exa-mcp-server@3.4.1",
  "firecrawl-mcp@3.26.0",
  "tavily-mcp@0.2.22",
];
/** Seconds that a server may take to be installed and to answer. */
const TIMEOUT = 180;

/** The servers' tools, from `file` where an earlier run left them. Throws with what to do when a server cannot be read. */
export async function readServers(folder: string, signal: AbortSignal): Promise<Toolset[]> {
  const file = join(folder, "servers.json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Toolset[];
  const toolsets: Toolset[] = [];
  for (const name of PACKAGES) {
    const session = await openTools([{ mcp: { command: "npx", args: ["-y", name], timeout: TIMEOUT } }], { dir: folder, signal });
    if (!session.ok) throw new Error(`${name}: ${session.error.message}\n${session.error.hint ?? ""}`);
    toolsets.push(session.value.toolset);
    await session.value.close();
    console.log(`${name}: ${session.value.toolset.tools.length} tools`);
  }
  writeFileSync(file, JSON.stringify(toolsets));
  return toolsets;
}
