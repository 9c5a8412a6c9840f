/**
 * A tool server that is started as a child process and spoken to over stdin and stdout. Its exit, its
 * stderr and what it prints by mistake say why it does not answer.
 */
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { safeText } from "../../platform/redact.ts";
import { err, type Failure, type Result } from "../../platform/result.ts";
import { interrupted, serverExited, serverNotFound, serverNotStarted, serverProtocol, serverSilent } from "../failures.ts";
import type { OpenSource } from "../types.ts";
import { type ClientOptions, isAnswer, isTimeout, openMcpClient, plainMessage } from "./client.ts";
import { type ChildServer, ChildTransport, type Ending } from "./stdio.ts";

export interface McpServerOptions extends ChildServer, ClientOptions {}

/** Starts the server and lists its tools. On failure nothing is left running. */
export async function openMcpServer(o: McpServerOptions): Promise<Result<OpenSource>> {
  if (o.signal?.aborted) return err(interrupted());
  const transport = new ChildTransport(o);
  return openMcpClient(
    {
      transport,
      protocol: (what) => serverProtocol(o.command, what, ""),
      diagnose: (e, what) => diagnose(e, what, transport, o),
      close: () => transport.close(),
    },
    o,
  );
}

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
