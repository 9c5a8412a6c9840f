/**
 * Opens one MCP server over stdio: starts it, shakes hands, reads every page of its tools, and makes
 * calls. Whatever goes wrong is a failure that names the cause; whatever a tool answers is data.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { ErrorCode, McpError, ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { JsonObject } from "../../platform/json.ts";
import { safeText } from "../../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import { interrupted, noTools, serverExited, serverNotFound, serverNotStarted, serverProtocol, serverSilent } from "../failures.ts";
import { resultText } from "../result-text.ts";
import { MAX_TOOLS, normaliseTools, type RawTool } from "../toolset.ts";
import type { OpenSource, ToolDefinition, ToolResult } from "../types.ts";
import { type ChildServer, ChildTransport, type Ending } from "./stdio.ts";

export interface McpServerOptions extends ChildServer {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Kind and name of the source in the toolset. */
  readonly source: ToolDefinition["source"];
  readonly origin: string;
  /** Takes the server's own secrets out of what it says, should it repeat them. */
  readonly mask?: (text: string) => string;
}

const MAX_PAGES = 100;

/** Starts the server and lists its tools. On failure nothing is left running. */
export async function openMcpServer(o: McpServerOptions): Promise<Result<OpenSource>> {
  if (o.signal?.aborted) return err(interrupted());
  const transport = new ChildTransport(o);
  const client = new Client({ name: "mcp-forge", version: "1" }, { capabilities: {} });
  const request = { timeout: o.timeoutMs, maxTotalTimeout: o.timeoutMs, ...(o.signal === undefined ? {} : { signal: o.signal }) };
  const giveUp = async (failure: Failure): Promise<Result<never>> => {
    await transport.close();
    return err(failure);
  };

  try {
    await client.connect(transport, request);
  } catch (e) {
    return giveUp(await diagnose(e, "initialize", transport, o));
  }
  const raw = await listTools(client, request, transport, o);
  if (!raw.ok) return giveUp(raw.error);
  if (raw.value.length === 0) return giveUp(noTools(o.origin));
  const tools = await normaliseTools(raw.value, o.source, o.origin);
  if (!tools.ok) return giveUp(tools.error);

  return ok({
    tools: tools.value,
    supportsExecution: true,
    call: (name, args, c) => callTool(client, transport, o, name, args, c),
    close: () => transport.close(),
  });
}

/** All pages of `tools/list`. A cursor that comes again, or pages without end, are the server's fault and said so. */
async function listTools(
  client: Client,
  request: { timeout: number; signal?: AbortSignal },
  transport: ChildTransport,
  o: McpServerOptions,
): Promise<Result<RawTool[]>> {
  const tools: RawTool[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; ; page++) {
    if (page >= MAX_PAGES || tools.length > MAX_TOOLS)
      return err(serverProtocol(o.command, `its list of tools has no end (${tools.length} tools in ${page} pages)`, ""));
    let result: Record<string, unknown>;
    try {
      result = await client.request({ method: "tools/list", params: cursor === undefined ? {} : { cursor } }, ResultSchema, request);
    } catch (e) {
      // A server without tools need not know the method.
      if (e instanceof McpError && e.code === ErrorCode.MethodNotFound) return ok([]);
      return err(await diagnose(e, "tools/list", transport, o));
    }
    if (!Array.isArray(result.tools)) return err(serverProtocol(o.command, "its answer to `tools/list` holds no list of tools", ""));
    for (const tool of result.tools as unknown[]) tools.push(rawTool(tool, o.mask ?? same));
    if (typeof result.nextCursor !== "string" || result.nextCursor === "") return ok(tools);
    cursor = result.nextCursor;
    if (cursors.has(cursor)) return err(serverProtocol(o.command, "its list of tools goes in a circle (a cursor came twice)", ""));
    cursors.add(cursor);
  }
}

function rawTool(stated: unknown, mask: (text: string) => string): RawTool {
  if (stated === null || typeof stated !== "object") return { name: "" };
  const tool = stated as { name?: unknown; description?: unknown; inputSchema?: unknown; annotations?: unknown };
  return {
    name: typeof tool.name === "string" ? tool.name : "",
    description: typeof tool.description === "string" ? mask(tool.description) : "",
    input_schema: tool.inputSchema ?? null, // the specification requires one
    annotations: tool.annotations,
  };
}

async function callTool(
  client: Client,
  transport: ChildTransport,
  o: McpServerOptions,
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
    if (isTimeout(e)) return done({ text: `The tool did not answer within ${timeout / 1000} s.`, isError: true, timedOut: true });
    // Errors of the protocol (unknown tool, invalid arguments) are answers too: a model must see and survive them.
    if (isAnswer(e)) return done({ text: mask(plainMessage(e)).slice(0, 4000), isError: true, timedOut: false });
    return done({ text: "", isError: true, timedOut: false, executed: false, failure: await diagnose(e, `tools/call ${name}`, transport, o) });
  } finally {
    signal?.removeEventListener("abort", forward);
  }
}

const same = (text: string): string => text;

/** The SDK puts its own prefix before a server's words. */
const plainMessage = (e: McpError): string => e.message.replace(/^MCP error -?\d+: /, "");

/**
 * The SDK tells of a closed connection and of a time that is up by error codes (-32000, -32001) that servers use for
 * errors of their own; only the words tell whose they are.
 */
const isTimeout = (e: unknown): e is McpError =>
  e instanceof McpError && e.code === ErrorCode.RequestTimeout && /request timed out|total timeout/i.test(e.message);
const isClosed = (e: unknown): e is McpError => e instanceof McpError && e.code === ErrorCode.ConnectionClosed && plainMessage(e) === "Connection closed";
/** Whether the server itself answered with an error. */
const isAnswer = (e: unknown): e is McpError => e instanceof McpError && !isTimeout(e) && !isClosed(e);

/** Why a request failed: the process's end says more than the SDK's "connection closed". */
async function diagnose(e: unknown, what: string, transport: ChildTransport, o: McpServerOptions): Promise<Failure> {
  if (o.signal?.aborted) return interrupted();
  const timedOut = isTimeout(e);
  // A server that refuses in words has not died: the SDK closes the connection itself when `initialize` is refused.
  const ending = timedOut ? transport.ending : isAnswer(e) ? undefined : await transport.endsWithin(500);
  const output = safeText(transport.output);
  if (transport.broken !== undefined) return serverProtocol(o.command, transport.broken, output);
  if (ending !== undefined) return fromEnding(ending, o, output);
  if (timedOut && transport.noisy)
    return serverProtocol(o.command, `it did not answer \`${what}\` within ${o.timeoutMs / 1000} s, and what it prints on stdout is no MCP message`, output);
  if (timedOut) return serverSilent(o.command, what, o.timeoutMs / 1000, output);
  const words = e instanceof McpError ? plainMessage(e) : String(e instanceof Error ? e.message : e);
  return serverProtocol(o.command, `it answered \`${what}\` with an error (${safeText(words, 300)})`, output);
}

function fromEnding(ending: Ending, o: McpServerOptions, output: string): Failure {
  if (ending.started) {
    const { exitCode, signal } = ending.result;
    return serverExited(o.command, signal === null ? `with code ${exitCode}` : `by ${signal}`, output);
  }
  if (ending.failure.code === "process/not-found") return serverNotFound(o.command);
  return serverNotStarted(ending.failure.message);
}
