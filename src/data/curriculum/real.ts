/**
 * Toolsets from the tools of real servers: some of one server's tools at a time. Their authors write longer, and otherwise,
 * than any catalogue of ours. Pure; each one follows from the seed and its number.
 */

import { rngFor } from "../../platform/rng.ts";
import { toolsetHash } from "../../tools/toolset.ts";
import type { Toolset } from "../types.ts";

/** Characters of a tool's definition beyond which it is left out, and of a toolset's: a prompt of about 2,000 tokens. */
const LONGEST_TOOL = 3000;
const LONGEST_TOOLSET = 8000;
const MOST_TOOLS = 8;

/**
 * Some tools of one of the servers.
 * @param most at most so many, for a curriculum that goes from short to long
 * @returns null where the server that was drawn has no tool that is short enough
 */
export function realToolset(servers: readonly Toolset[], seed: number, index: number, most = Number.POSITIVE_INFINITY): Toolset | null {
  const rng = rngFor(seed, "server", index);
  const server = servers[rng.int(0, servers.length - 1)];
  const size = rng.int(1, Math.min(MOST_TOOLS, most));
  let room = LONGEST_TOOLSET;
  const tools = rng
    .shuffle(server?.tools ?? [])
    .map((tool) => ({ tool, length: JSON.stringify([tool.description, tool.input_schema]).length }))
    .filter(({ length }) => length <= LONGEST_TOOL)
    .slice(0, size)
    .flatMap(({ tool, length }) => {
      room -= length;
      return room >= 0 ? [tool] : [];
    });
  return tools.length === 0 ? null : { version: 1, hash: toolsetHash(tools), tools };
}
