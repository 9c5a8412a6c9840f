/**
 * Tools from a file: definitions only, nothing that could be executed. Reads OpenAI's functions in both
 * shapes (`{type: "function", function: {…}}` and the bare function), and our own YAML or JSON
 * (`name`, `description`, `input_schema`; MCP's `inputSchema` is taken too, so a saved `tools/list` works).
 */

import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { parse as parseYaml } from "yaml";
import { EXIT } from "../platform/exit.ts";
import { safeText } from "../platform/redact.ts";
import { err, ok, type Result } from "../platform/result.ts";
import { emptyFile, unreadableFile } from "./failures.ts";
import { MAX_TOOLS, normaliseTools, type RawTool } from "./toolset.ts";
import type { OpenSource, ToolDefinition } from "./types.ts";

const MAX_BYTES = 5 * 1024 * 1024;
const SHAPE = "Write a list of tools, or an object with one under `tools`: each with name, description and input_schema (OpenAI: parameters).";

/** Opens a file of definitions as a source that supports no execution. */
export async function openDefinitions(kind: "openai" | "file", file: string, dir: string, wanted?: (name: string) => boolean): Promise<Result<OpenSource>> {
  const tools = await readDefinitions(kind, file, dir, wanted);
  if (!tools.ok) return tools;
  return ok({
    tools: tools.value,
    supportsExecution: false,
    call: () => Promise.resolve({ text: "", isError: true, timedOut: false, ms: 0, executed: false }),
    close: () => Promise.resolve(),
  });
}

/**
 * The checked definitions of a file; a relative path starts at `dir`.
 * @param stated the file's kind; "any" looks at what is in it
 * @param wanted see `normaliseTools`
 */
export async function readDefinitions(
  stated: "openai" | "file" | "any",
  file: string,
  dir: string,
  wanted?: (name: string) => boolean,
): Promise<Result<ToolDefinition[]>> {
  const text = await readText(file, dir);
  if (!text.ok) return text;
  const parsed = parse(text.value, stated, file);
  if (!parsed.ok) return parsed;
  const list = toolList(parsed.value);
  if (list === undefined) return err(unreadableFile(file, "it holds no list of tools", SHAPE));
  const kind = stated === "any" ? (list.every(isOpenAi) ? "openai" : "file") : stated;
  const origin = `${kind}:${file}`;
  if (list.length === 0) return err(emptyFile(file, SHAPE));
  if (list.length > MAX_TOOLS)
    return err(unreadableFile(file, `it holds ${list.length} tools, more than ${MAX_TOOLS}`, "Keep only the tools that the model shall learn."));
  const tools = await normaliseTools(list.map(rawTool), kind, origin, wanted);
  // What is wrong in a file is the user's to mend, unlike what a server offers.
  return tools.ok ? tools : err({ ...tools.error, exit: EXIT.usage });
}

async function readText(file: string, dir: string): Promise<Result<string>> {
  const path = isAbsolute(file) ? file : join(dir, file);
  try {
    if ((await stat(path)).size > MAX_BYTES)
      return err(unreadableFile(file, `it is larger than ${MAX_BYTES / 1024 / 1024} MiB`, "Keep only the tools that the model shall learn."));
    return decode(await readFile(path), file);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : `it cannot be read (${code})`;
    return err(unreadableFile(file, why, "Correct the path; it is relative to the recipe's folder."));
  }
}

/** UTF-8, with or without its mark; anything else would silently become other letters. */
function decode(bytes: Buffer, file: string): Result<string> {
  try {
    return ok(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    const wide = bytes[0] === 0xff || bytes[0] === 0xfe || bytes.subarray(0, 200).includes(0);
    return err(unreadableFile(file, `its text is not UTF-8${wide ? " (it looks like UTF-16)" : ""}`, "Save it as UTF-8."));
  }
}

function parse(text: string, kind: "openai" | "file" | "any", file: string): Result<unknown> {
  try {
    if (kind === "openai" || /^\s*[[{]/.test(text)) return ok(JSON.parse(text) as unknown);
    return ok(parseYaml(text, { maxAliasCount: 100, prettyErrors: true }) as unknown);
  } catch (e) {
    return err(
      unreadableFile(
        file,
        `it is no valid ${kind === "openai" ? "JSON" : "YAML or JSON"} (${safeText((e as Error).message.split("\n")[0] ?? "", 200)})`,
        SHAPE,
      ),
    );
  }
}

function toolList(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (value === null || typeof value !== "object") return undefined;
  for (const key of ["tools", "functions"]) {
    const list: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
    if (Array.isArray(list)) return list;
  }
  return undefined;
}

/** OpenAI's shapes: `function` around it, or `parameters` where we and MCP say input schema. */
function isOpenAi(stated: unknown): boolean {
  const tool = asObject(stated);
  return tool.type === "function" || "parameters" in tool;
}

function rawTool(stated: unknown): RawTool {
  const outer = asObject(stated);
  const tool = outer.type === "function" && outer.function !== undefined ? asObject(outer.function) : outer;
  return {
    name: typeof tool.name === "string" ? tool.name : "",
    description: tool.description,
    // OpenAI: left out, or null, means that there are none.
    input_schema: tool.input_schema ?? tool.inputSchema ?? tool.parameters ?? undefined,
    output_schema: tool.output_schema ?? tool.outputSchema,
    annotations: tool.annotations,
  };
}

const asObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
