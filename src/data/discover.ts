/**
 * Looks around before data is made: asks a session's reading tools which files and folders exist, so that requests name
 * real ones and calls can really be executed. Reads only; a bounded number of calls; finds nothing where there is nothing.
 */
import type { JsonObject, JsonValue } from "../platform/json.ts";
import type { Executor } from "./execute.ts";
import { changes } from "./kinds.ts";
import { readProperties } from "./schema.ts";
import type { ToolDefinition, Toolset } from "./types.ts";

/** What exists, as absolute paths or paths as the server gives them. */
export interface Known {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

export const NOTHING_KNOWN: Known = { files: [], folders: [] };

const MOST_FOLDERS = 60;
const MOST_FILES = 400;
const PATH_NAME = /^(path|dir|directory|folder|root)$/i;

/** Files and folders that the tools show. Deterministic for a deterministic server. */
export async function discover(toolset: Toolset, executor: Executor): Promise<Known> {
  const readers = toolset.tools.filter((t) => !changes(t));
  const lister = pickLister(readers);
  if (lister === null) return NOTHING_KNOWN;
  const roots = await findRoots(readers, executor);
  const files = new Set<string>();
  const folders = new Set<string>();
  let level = roots;
  for (let depth = 0; depth < 5 && level.length > 0 && folders.size < MOST_FOLDERS && files.size < MOST_FILES; depth++) {
    const calls = level.map((path) => ({ name: lister.tool.name, args: { [lister.param]: path } as JsonObject }));
    await executor.run(calls);
    const next: string[] = [];
    for (const [i, path] of level.entries()) {
      const outcome = executor.outcome(lister.tool.name, (calls[i] as (typeof calls)[number]).args);
      if (!outcome || outcome.isError || outcome.timedOut) continue;
      folders.add(path);
      for (const e of entriesOf(outcome.text)) {
        const full = join(path, e.name);
        if (e.folder) next.push(full);
        else if (files.size < MOST_FILES) files.add(full);
      }
    }
    level = next.slice(0, MOST_FOLDERS - folders.size);
  }
  return { files: [...files], folders: [...folders] };
}

/** The tool that lists one folder: reads, has one required path, and says so in its name. */
function pickLister(tools: readonly ToolDefinition[]): { tool: ToolDefinition; param: string } | null {
  for (const re of [/^(list_?directory|list_?files|list_?dir|ls)$/i, /list.*(dir|folder|file)/i]) {
    for (const tool of tools) {
      const required = readProperties(tool).filter((p) => p.required);
      const [only] = required;
      if (re.test(tool.name) && only && required.length === 1 && only.type === "string" && PATH_NAME.test(only.name)) return { tool, param: only.name };
    }
  }
  return null;
}

/** Paths that tools without arguments name, else the usual beginnings. */
async function findRoots(tools: readonly ToolDefinition[], executor: Executor): Promise<string[]> {
  const free = tools.filter((t) => readProperties(t).every((p) => !p.required && !p.nullWhenUnsaid)).slice(0, 6);
  await executor.run(free.map((t) => ({ name: t.name, args: {} })));
  const found = new Set<string>();
  for (const t of free) {
    const outcome = executor.outcome(t.name, {});
    if (!outcome || outcome.isError) continue;
    for (const m of outcome.text.matchAll(/(?:^|[\s"'])((?:\/|[A-Za-z]:\\)[^\s"',\]]*)/g)) if (m[1] && found.size < 8) found.add(m[1]);
  }
  return found.size > 0 ? [...found] : [".", "/"];
}

interface Entry {
  readonly name: string;
  readonly folder: boolean;
}

/** Entries of a listing: `[DIR] a` / `[FILE] b` lines, or JSON with names and types. */
function entriesOf(text: string): Entry[] {
  const out: Entry[] = [];
  for (const line of text.split("\n")) {
    const m = /^\[(DIR|FILE)\]\s(.+)$/.exec(line.trim());
    if (m !== null) out.push({ name: (m[2] as string).trim(), folder: m[1] === "DIR" });
  }
  if (out.length > 0) return out.filter((e) => safeName(e.name));
  try {
    const value = JSON.parse(text) as JsonValue;
    const items = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
    for (const item of items) {
      if (typeof item !== "object" || item === null || Array.isArray(item)) continue;
      const o = item as JsonObject;
      if (typeof o.name === "string") out.push({ name: o.name, folder: o.type === "directory" || o.type === "dir" || o.type === "folder" });
    }
  } catch {
    // not JSON: a listing of another kind, which is not read
  }
  return out.filter((e) => safeName(e.name));
}

/** A plain name: no separators, no control characters, not a way up. */
const safeName = (name: string): boolean => name !== "" && name !== "." && name !== ".." && name.length <= 100 && /^[\p{L}\p{N} ._+@()-]+$/u.test(name);

const join = (folder: string, name: string): string =>
  folder.endsWith("/") || folder.endsWith("\\") ? `${folder}${name}` : `${folder}${/^[A-Za-z]:\\/.test(folder) ? "\\" : "/"}${name}`;
