/** Compiled code is kept where everything else is that is kept per user. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { compiledFolder } from "../../src/cli/compiled.ts";
import { cacheDir } from "../../src/platform/paths.ts";

test.each([
  { HOME: "/home/me" },
  { HOME: "/home/me", XDG_CACHE_HOME: "/var/cache/me" },
  { HOME: "/home/me", XDG_CACHE_HOME: "relative" },
  { HOME: "/home/me", XDG_CACHE_HOME: "/var/cache/me", MCP_FORGE_CACHE_DIR: "/big/forge" },
  { HOME: "/home/me", MCP_FORGE_CACHE_DIR: "some/where" },
  { HOME: "", MCP_FORGE_CACHE_DIR: "" },
  {},
])("%j", (env) => {
  expect(compiledFolder(env)).toBe(join(cacheDir(env), "compiled"));
});
