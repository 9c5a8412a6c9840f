/**
 * What is the same for every MCP server, over stdio and over HTTP: shakes hands, reads every page of its tools, and makes
 * calls. Whatever goes wrong is a failure that names the cause; whatever a tool answers is data. Nothing takes
 * longer than its timeout, and a list of tools is bounded in number and size.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ErrorCode, McpError, ResultSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import type { JsonObject } from "../../platform/json.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { interrupted, noTools } from "../failures.ts";
import { resultText } from "../result-text.ts";
import { MAX_TOOLS, normaliseTools, type RawTool } from "../toolset.ts";
import type { OpenSource, ToolDefinition, ToolResult } from "../types.ts";

/** A way to one server: how messages travel, and what it means when they do not. */
export interface ServerLink {
  readonly transport: Transport;
  /** The failure for a server that breaks the protocol; `what` is a clause. */
  protocol(what: string): Failure;
  /** Why a request came back with an exception. */
  diagnose(e: unknown, what: string): Promise<Failure>;
  /** Ends the connection and what was started for it. May be called twice. */
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Kind and name of the source in the toolset. */
  readonly source: ToolDefinition["source"];
  readonly origin: string;
  /** See `normaliseTools`. */
  readonly wanted?: (name: string) => boolean;
  /** Takes the server's own secrets out of what it says, should it repeat them. */
  readonly mask?: (text: string) => string;
}

const MAX_PAGES = 100;
/** Characters of JSON that all definitions of one server may have together. */
const MAX_LIST = 16_000_000;
/** How often a list that changes while it is read is read again. */
const MAX_READINGS = 3;

/** Connects and lists the tools. On failure nothing is left running. */
export async function openMcpClient(link: ServerLink, o: ClientOptions): Promise<Result<OpenSource>> {
  const client = new Client({ name: "mcp-forge", version: "1" }, { capabilities: {} });
  const giveUp = async (failure: Failure): Promise<Result<never>> => {
    await link.close();
    return err(o.signal?.aborted ? interrupted() : failure);
  };
  if (o.signal?.aborted) return giveUp(interrupted());
  let changes = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    changes++;
  });
  try {
    await client.connect(link.transport, requestOptions(o, o.timeoutMs));
  } catch (e) {
    return giveUp(await link.diagnose(e, "initialize"));
  }
  const raw = await readList(client, link, o, () => changes);
  if (!raw.ok) return giveUp(raw.error);
  if (raw.value.length === 0) return giveUp(noTools(o.origin));
  const tools = await normaliseTools(raw.value, o.source, o.origin, o.wanted);
  if (!tools.ok) return giveUp(tools.error);

  return ok({
    tools: tools.value,
    supportsExecution: true,
    call: (name, args, c) => callTool(client, link, o, name, args, c),
    close: () => link.close(),
  });
}

const requestOptions = (o: ClientOptions, timeout: number): { timeout: number; maxTotalTimeout: number; signal?: AbortSignal } => ({
  timeout,
  maxTotalTimeout: timeout,
  ...(o.signal === undefined ? {} : { signal: o.signal }),
});

/** Reads the list again when the server says that it changed between two pages: half of one list and half of another is neither. */
async function readList(client: Client, link: ServerLink, o: ClientOptions, changes: () => number): Promise<Result<RawTool[]>> {
  const deadline = performance.now() + o.timeoutMs;
  for (let reading = 0; reading < MAX_READINGS; reading++) {
    const before = changes();
    const { value: tools, pages, error } = await listTools(client, link, o, deadline);
    if (error !== undefined) return err(error);
    if (pages === 1 || changes() === before) return ok(tools);
  }
  return err(link.protocol(`its list of tools changed while it was read, ${MAX_READINGS} times`));
}

/** All pages of `tools/list`, within one timeout. A cursor that comes again, or pages without end, are the server's fault and said so. */
async function listTools(
  client: Client,
  link: ServerLink,
  o: ClientOptions,
  deadline: number,
): Promise<{ readonly value: RawTool[]; readonly pages: number; readonly error?: Failure }> {
  const tools: RawTool[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  let characters = 0;
  for (let pages = 0; ; ) {
    const done = (error?: Failure) => ({ value: tools, pages, ...(error === undefined ? {} : { error }) });
    if (pages >= MAX_PAGES) return done(link.protocol(`its list of tools has no end (${tools.length} tools in ${pages} pages)`));
    let result: Record<string, unknown>;
    try {
      const left = Math.max(1, deadline - performance.now());
      result = await client.request({ method: "tools/list", params: cursor === undefined ? {} : { cursor } }, ResultSchema, requestOptions(o, left));
    } catch (e) {
      // A server without tools need not know the method.
      if (e instanceof McpError && e.code === ErrorCode.MethodNotFound) return { value: [], pages: 1 };
      return done(await link.diagnose(e, "tools/list"));
    }
    pages++;
    if (!Array.isArray(result.tools)) return done(link.protocol("its answer to `tools/list` holds no list of tools"));
    if (tools.length + result.tools.length > MAX_TOOLS)
      return done(link.protocol(`it offers more than ${MAX_TOOLS} tools (${tools.length + result.tools.length} in ${pages} page${pages === 1 ? "" : "s"})`));
    for (const tool of result.tools as unknown[]) tools.push(rawTool(tool, o.mask ?? same));
    const size = sizeOf(result.tools);
    if (size === undefined) return done(link.protocol("its list of tools is nested too deeply"));
    characters += size;
    if (characters > MAX_LIST) return done(link.protocol(`its list of tools is larger than ${MAX_LIST / 1e6} million characters`));
    if (typeof result.nextCursor !== "string" || result.nextCursor === "") return done();
    cursor = result.nextCursor;
    if (cursors.has(cursor)) return done(link.protocol("its list of tools goes in a circle (a cursor came twice)"));
    cursors.add(cursor);
  }
}

/** Characters of a value as JSON; undefined when it is nested more deeply than the stack allows. */
function sizeOf(value: unknown): number | undefined {
  try {
    return JSON.stringify(value).length;
  } catch {
    return undefined;
  }
}

function rawTool(stated: unknown, mask: (text: string) => string): RawTool {
  if (stated === null || typeof stated !== "object") return { name: "" };
  const tool = stated as { name?: unknown; description?: unknown; inputSchema?: unknown; outputSchema?: unknown; annotations?: unknown };
  return {
    name: typeof tool.name === "string" ? tool.name : "",
    description: typeof tool.description === "string" ? mask(tool.description) : "",
    input_schema: masked(tool.inputSchema ?? null, mask), // the specification requires one
    output_schema: masked(tool.outputSchema, mask),
    annotations: tool.annotations,
  };
}

/** Every text in a value masked, names aside; a value that is nested too deeply is left to the check of its depth. */
function masked(value: unknown, mask: (text: string) => string): unknown {
  if (mask === same) return value;
  try {
    return JSON.parse(JSON.stringify(value) ?? "null", (_, v: unknown) => (typeof v === "string" ? mask(v) : v)) ?? value;
  } catch {
    return value;
  }
}

async function callTool(
  client: Client,
  link: ServerLink,
  o: ClientOptions,
  name: string,
  args: JsonObject,
  c: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<ToolResult> {
  const started = performance.now();
  const timeout = c.timeoutMs ?? o.timeoutMs;
  const mask = o.mask ?? same;
  const done = (r: Omit<ToolResult, "ms" | "executed"> & { executed?: boolean }): ToolResult => ({ executed: true, ...r, ms: performance.now() - started });
  const signal = c.signal ?? o.signal;
  // The SDK never takes its listener off the signal again: a signal of the call's own keeps thousands of calls from piling up.
  const own = new AbortController();
  const forward = (): void => own.abort(signal?.reason);
  if (signal?.aborted) forward();
  signal?.addEventListener("abort", forward, { once: true });
  try {
    const result = await client.request({ method: "tools/call", params: { name, arguments: args } }, ResultSchema, {
      timeout,
      maxTotalTimeout: timeout,
      signal: own.signal,
    });
    const { text, isError } = resultText(result);
    return done({ text: mask(text), isError, timedOut: false });
  } catch (e) {
    if (own.signal.aborted) return done({ text: "", isError: true, timedOut: false, executed: false, failure: interrupted() });
    if (isTimeout(e)) return done({ text: `The tool did not answer within ${timeout / 1000} s.`, isError: true, timedOut: true });
    // Errors of the protocol (unknown tool, invalid arguments) are answers too: a model must see and survive them.
    if (isAnswer(e)) return done({ text: mask(plainMessage(e)).slice(0, 4000), isError: true, timedOut: false });
    return done({ text: "", isError: true, timedOut: false, executed: false, failure: await link.diagnose(e, `tools/call ${name}`) });
  } finally {
    signal?.removeEventListener("abort", forward);
  }
}

const same = (text: string): string => text;

/** The SDK puts its own prefix before a server's words. */
export const plainMessage = (e: McpError): string => e.message.replace(/^MCP error -?\d+: /, "");

/**
 * The SDK tells of a closed connection and of a time that is up by error codes (-32000, -32001) that servers use for
 * errors of their own; only the words tell whose they are.
 */
export const isTimeout = (e: unknown): e is McpError =>
  e instanceof McpError && e.code === ErrorCode.RequestTimeout && /request timed out|total timeout/i.test(e.message);
const isClosed = (e: unknown): e is McpError => e instanceof McpError && e.code === ErrorCode.ConnectionClosed && plainMessage(e) === "Connection closed";
/** Whether the server itself answered with an error. */
export const isAnswer = (e: unknown): e is McpError => e instanceof McpError && !isTimeout(e) && !isClosed(e);
