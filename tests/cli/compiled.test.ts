/** Compiled code is kept where everything else is that is kept per user: the entry says that by itself, before it imports anything. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { transformSync } from "esbuild";
import { expect, test } from "vitest";
import { cacheDir } from "../../src/platform/paths.ts";

const source = /function userCache[\s\S]*?\n}\n/.exec(readFileSync("src/cli/main.ts", "utf8"))?.[0] ?? "";
const { code } = transformSync(source, { loader: "ts" });
const userCache = new Function("join", "resolve", `${code}; return userCache;`)(join, resolve) as typeof cacheDir;

test.each([
  { HOME: "/home/me" },
  { HOME: "/home/me", XDG_CACHE_HOME: "/var/cache/me" },
  { HOME: "/home/me", XDG_CACHE_HOME: "relative" },
  { HOME: "/home/me", XDG_CACHE_HOME: "/var/cache/me", MCP_FORGE_CACHE_DIR: "/big/forge" },
  { HOME: "/home/me", MCP_FORGE_CACHE_DIR: "some/where" },
  { HOME: "", MCP_FORGE_CACHE_DIR: "" },
  {},
])("%j", (env) => {
  expect(userCache(env)).toBe(cacheDir(env));
});
