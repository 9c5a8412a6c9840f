/**
 * `${env:NAME}` in a tool server that a bundle names. A recipe's own settings are put in when it is read (recipe/substitute.ts); a bundle
 * carries them by name, and they are looked up where it is used, at the moment of opening.
 */
import { err, ok, type Result } from "../platform/result.ts";
import { missingSetting } from "./failures.ts";
import { originOf } from "./open.ts";
import type { ServerSource, ToolSource } from "./types.ts";

/** A reference with the default that it may have, or `$${env:`, which is the text `${env:`. */
const REFERENCE_OR_TEXT = /\$\$\{env:|\$\{env:([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}/g;

/** Puts the settings in. One that is not set, or empty, and has no default is a failure that names it. */
export function resolveSettings(sources: readonly ToolSource[], environment: NodeJS.ProcessEnv): Result<ToolSource[]> {
  const resolved: ToolSource[] = [];
  for (const source of sources) {
    let missing: string | undefined;
    const put: Put = (text, written = (value) => value) =>
      text.replace(REFERENCE_OR_TEXT, (found: string, name: string | undefined, otherwise: string | undefined) => {
        if (name === undefined) return found.slice(1);
        const value = environment[name];
        if (value !== undefined && value !== "") return written(value);
        if (otherwise === undefined) missing ??= name;
        return otherwise?.slice(2) ?? "";
      });
    const server = source.mcp === undefined ? undefined : withSettings(source.mcp, put);
    if (missing !== undefined) return err(missingSetting(missing, `\`${originOf(source)}\``));
    resolved.push(server === undefined ? source : { ...source, mcp: server });
  }
  return ok(resolved);
}

/** A text with its settings in place, each value as `written` writes it. */
type Put = (text: string, written?: (value: string) => string) => string;

function withSettings(server: ServerSource, put: Put): ServerSource {
  const { command, args, env, url, headers } = server;
  // Secrets are put in afterwards: what only looks like one in a setting's value is text.
  const members = (given: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(given).map(([name, text]) => [name, put(text, (value) => value.replaceAll("${secret:", () => "$${secret:"))]));
  return {
    ...server,
    ...(command === undefined ? {} : { command: put(command) }),
    ...(args === undefined ? {} : { args: args.map((word) => put(word)) }),
    ...(env === undefined ? {} : { env: members(env) }),
    ...(url === undefined ? {} : { url: put(url) }),
    ...(headers === undefined ? {} : { headers: members(headers) }),
  };
}
