/**
 * The words of the tool layer: where tools come from, what may be executed, and what a call gives
 * back. Types only, so that anything may import them at no cost.
 */
import type { JsonObject } from "../platform/json.ts";
import type { Failure, Place } from "../platform/result.ts";
import type { ToolDefinition, Toolset } from "../schemas/generated/toolset.ts";

export type { ToolDefinition, Toolset };

/**
 * Which calls may really be executed: `read_only` (tools that the server annotates as reading only),
 * `all`, `none`, or a list of tool names. Everything else gets a simulated result from the caller.
 */
export type ExecutePolicy = "read_only" | "all" | "none" | readonly string[];

/**
 * A tool server: `command` (stdio) or `url` (HTTP). Like the recipe's, but anything with a default
 * may be left out, so that a command line can name one shortly.
 */
export interface ServerSource {
  /** Program to start; found on PATH, or a path relative to the recipe's folder when it holds a slash. */
  readonly command?: string;
  readonly args?: readonly string[];
  /** Added to the allow-listed environment. `${secret:NAME}` in a value is replaced at spawn only. */
  readonly env?: Readonly<Record<string, string>>;
  readonly url?: string;
  /** Of every request to `url`. `${secret:NAME}` in a value is replaced when the connection is opened only. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds to wait for an answer (initialize, a page of tools, a call). */
  readonly timeout?: number;
}

/** One source of tools: exactly one of stub, mcp, openai and file, as the recipe's schema demands. */
export interface ToolSource {
  readonly stub?: string | { readonly from: string; readonly seed?: number };
  readonly mcp?: ServerSource;
  readonly openai?: string;
  readonly file?: string;
  /** Put before the name of every tool of this source, so that two sources may have a tool of the same name. */
  readonly prefix?: string;
  /** Only these tools of the source, named as the model sees them (prefix included); `*` stands for any characters. Default: all. */
  readonly include?: readonly string[];
  /** All but these, named the same way. */
  readonly exclude?: readonly string[];
  /** Default: `all` for stubs, `read_only` for servers; files cannot execute anything. A list names tools as the model sees them, prefix included. */
  readonly execute?: ExecutePolicy;
}

/** What a call gave back, as the model will read it. Errors of the tool and timeouts are data. */
export interface ToolResult {
  /** Bounded text; structured content as compact JSON, pictures and resources as a placeholder. */
  readonly text: string;
  readonly isError: boolean;
  readonly timedOut: boolean;
  /** Wall time of the call in milliseconds. Never part of a stage's output. */
  readonly ms: number;
  /** False when the call was never sent: the policy forbids it, the tool is unknown, or the server is gone. */
  readonly executed: boolean;
  /** Set when the session cannot go on (the server died): a reason to stop, not a result to learn from. */
  readonly failure?: Failure;
}

/** An open connection to every tool source of a recipe. Close it; a forgotten one keeps its servers running. */
export interface ToolSession {
  readonly toolset: Toolset;
  /** Whether the policy and the source allow `name` to be executed. */
  canExecute(name: string): boolean;
  /** Executes one call, or refuses it (`executed: false`). Never throws for what a server does. */
  call(name: string, args: JsonObject, o?: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<ToolResult>;
  /** Ends every server: stdin closed, then SIGTERM, then SIGKILL of its process group. May be called twice. */
  close(): Promise<void>;
}

/** What one source offers, before the sources are put together. */
export interface OpenSource {
  readonly tools: readonly ToolDefinition[];
  /** False for files: they define tools and cannot run them. */
  readonly supportsExecution: boolean;
  call(name: string, args: JsonObject, o: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<ToolResult>;
  close(): Promise<void>;
}

export interface OpenToolsOptions {
  /** Folder that relative paths of the sources start from: the recipe's. */
  readonly dir: string;
  /** The same sources with settings by name, by index: what the toolset and messages call them. Default: the sources themselves. */
  readonly stated?: readonly ToolSource[];
  readonly signal?: AbortSignal;
  /** Free text of the servers (their stderr), line by line, redacted. */
  readonly onLog?: (line: string) => void;
  /** Where the source of an index stands in the recipe, for failures. */
  readonly placeOf?: (index: number) => Place;
  /** Default for sources that name no `timeout`; 30 s when left out. */
  readonly timeoutMs?: number;
  /** Where secrets are looked up; the process's own environment when left out. */
  readonly env?: NodeJS.ProcessEnv;
  /** Program file that runs a stub as `node FILE stub NAME`; the package's own when left out. */
  readonly stubEntry?: string;
}
