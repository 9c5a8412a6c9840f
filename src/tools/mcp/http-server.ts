/**
 * A tool server that is reached by address: streamable HTTP first, and where the server knows only that, the older
 * transport over server-sent events (as the MCP specification asks of clients that want both). The protocol is the
 * official SDK's; what is added is the end of everything that could hang.
 */
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type JSONRPCMessage, McpError } from "@modelcontextprotocol/sdk/types.js";
import { safeText } from "../../platform/redact.ts";
import { err, type Failure, type Result } from "../../platform/result.ts";
import { badHeader, badUrl, interrupted, plainUrl, serverHttpProtocol, serverHttpSilent } from "../failures.ts";
import type { OpenSource } from "../types.ts";
import { type ClientOptions, isAnswer, isTimeout, openMcpClient, plainMessage } from "./client.ts";
import { guardedFetch, HttpProblem, requestId } from "./http-fetch.ts";

export interface HttpServerOptions extends ClientOptions {
  readonly url: string;
  /** With the secrets in place. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Headers that the protocol itself sets. */
const RESERVED = new Set(
  "host content-length content-type accept connection transfer-encoding upgrade mcp-session-id mcp-protocol-version last-event-id".split(" "),
);
/** Statuses with which a server that knows only the older transport answers a POST to its address. */
const OLD = new Set([400, 404, 405, 406, 415, 501]);
/** What saying goodbye may take. */
const GOODBYE_MS = 1000;
/** How long after the end of a stream its last message may still be on its way through the parser. */
const SETTLE_MS = 100;
const MAX_ANSWERING = 1000;

/** Connects and lists the tools. On failure no connection is left open. */
export async function openHttpServer(o: HttpServerOptions): Promise<Result<OpenSource>> {
  if (o.signal?.aborted) return err(interrupted());
  const url = URL.canParse(o.url) ? new URL(o.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return err(badUrl("it is no address of the web"));
  if (url.username !== "" || url.password !== "") return err(badUrl("it holds a user or a password"));
  const wrong = wrongHeader(o.headers);
  if (wrong !== undefined) return err(wrong);
  const transport = new HttpTransport(url, o);
  return openMcpClient(
    {
      transport,
      protocol: (what) => serverHttpProtocol(transport.name, what),
      diagnose: (e, what) => Promise.resolve(diagnose(e, what, transport, o)),
      close: () => transport.close(),
    },
    o,
  );
}

/** Node's own message about an invalid header repeats its value; ours names it only. */
function wrongHeader(headers: Readonly<Record<string, string>>): Failure | undefined {
  for (const [name, value] of Object.entries(headers)) {
    if (RESERVED.has(name.toLowerCase())) return badHeader(name, "the protocol sets it itself");
    try {
      new Headers([[name, value]]);
    } catch {
      return badHeader(
        safeText(name, 80),
        /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ? "its value holds a character that no header may have" : "that is no name of a header",
      );
    }
  }
  return undefined;
}

/** The transport of the SDK that the server understands, chosen when the first message is sent. */
class HttpTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** The address as it may be shown. */
  readonly name: string;
  /** Why the connection is of no more use. */
  broken: Failure | undefined;

  #inner: StreamableHTTPClientTransport | SSEClientTransport;
  #chosen = false;
  #closed = false;
  /** Requests that wait for their answer. */
  readonly #waiting = new Set<string | number>();
  /** Answers to its own requests that are on their way. */
  #answering = 0;
  readonly #url: URL;
  readonly #o: HttpServerOptions;
  #problem: HttpProblem | undefined;

  constructor(url: URL, o: HttpServerOptions) {
    this.#url = url;
    this.#o = o;
    this.name = plainUrl(url.href);
    this.#inner = this.#wire(new StreamableHTTPClientTransport(url, this.#options(false)));
  }

  async start(): Promise<void> {
    await this.#inner.start();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) throw new Error("the connection is closed");
    const id = "method" in message && "id" in message ? message.id : undefined;
    if (id !== undefined) this.#waiting.add(id);
    const answers = !("method" in message);
    if (answers && this.#answering >= MAX_ANSWERING) {
      this.broken ??= serverHttpProtocol(this.name, `it asks faster than it takes answers: ${MAX_ANSWERING} wait for it`);
      void this.close();
      throw new Error(this.broken.message);
    }
    if (answers) this.#answering++;
    try {
      await this.#inner.send(message);
    } catch (e) {
      const old = !this.#chosen && e instanceof HttpProblem && e.status !== undefined && OLD.has(e.status);
      if (!old || !(await this.#goBack())) throw e;
      await this.#inner.send(message);
    } finally {
      this.#chosen = true;
      if (answers) this.#answering--;
    }
  }

  setProtocolVersion(version: string): void {
    this.#inner.setProtocolVersion(version);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const inner = this.#inner;
    if (inner instanceof StreamableHTTPClientTransport && inner.sessionId !== undefined && this.broken === undefined) {
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, GOODBYE_MS);
      });
      await Promise.race([inner.terminateSession().catch(() => undefined), enough]);
      clearTimeout(timer);
    }
    await inner.close();
  }

  /** Tries the older transport; false when the server does not know that one either. */
  async #goBack(): Promise<boolean> {
    const first = this.#inner;
    const sse = new SSEClientTransport(this.#url, this.#options(true));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("late")), this.#o.timeoutMs);
    });
    const started = sse.start();
    started.catch(() => undefined);
    try {
      await Promise.race([started, late]);
    } catch {
      await sse.close();
      // An old server that sends us elsewhere says more than that it does not know the new transport.
      if (this.#problem?.failure.code === "tools/server-redirect" || this.#problem?.failure.code === "tools/server-unauthorized") throw this.#problem;
      return false;
    } finally {
      clearTimeout(timer);
    }
    first.onclose = undefined;
    await first.close();
    this.#inner = this.#wire(sse);
    return true;
  }

  #wire<T extends StreamableHTTPClientTransport | SSEClientTransport>(inner: T): T {
    inner.onclose = () => this.onclose?.();
    inner.onerror = (error) => this.onerror?.(error);
    inner.onmessage = (message) => {
      if (!("method" in message) && "id" in message && message.id !== undefined) this.#waiting.delete(message.id);
      this.onmessage?.(message);
    };
    return inner;
  }

  #options(old: boolean) {
    const guarded = guardedFetch({
      url: this.#url,
      timeoutMs: this.#o.timeoutMs,
      mask: this.#o.mask ?? ((text) => text),
      onBroken: (problem) => this.#break(problem.failure),
      onStreamEnd: (posted, resumable) => this.#streamEnded(posted, resumable, old),
    });
    const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
      try {
        return await guarded(url, init);
      } catch (e) {
        if (e instanceof HttpProblem) {
          this.#problem = e;
          // The older transport's event source would try again for ever; without its stream there is no answer.
          if (old && this.#chosen && init?.method !== "POST") this.#break(e.failure);
        }
        throw e;
      }
    };
    return { fetch, requestInit: { headers: { ...this.#o.headers } } };
  }

  /** A server that closes a stream without the answer that was due on it will not give it any more. */
  #streamEnded(posted: string, resumable: boolean, old: boolean): void {
    if (this.#closed || (resumable && !old)) return;
    if (old && posted === "") return void (this.#chosen && this.#break(serverHttpProtocol(this.name, "it closed its event stream")));
    const id = requestId(posted);
    if (old || id === undefined || !this.#waiting.has(id)) return;
    setTimeout(() => {
      if (this.#waiting.has(id) && !this.#closed) this.#break(serverHttpProtocol(this.name, "it closed the connection before it had answered"));
    }, SETTLE_MS).unref();
  }

  #break(failure: Failure): void {
    this.broken ??= failure;
    void this.close();
  }
}

function diagnose(e: unknown, what: string, transport: HttpTransport, o: HttpServerOptions): Failure {
  if (o.signal?.aborted) return interrupted();
  if (transport.broken !== undefined) return transport.broken;
  if (e instanceof HttpProblem) return e.failure;
  if (isTimeout(e)) return serverHttpSilent(transport.name, what, o.timeoutMs / 1000);
  if (isAnswer(e)) {
    const words = safeText((o.mask ?? String)(plainMessage(e)), 300);
    return serverHttpProtocol(transport.name, `it answered \`${what}\` with an error (${words})`);
  }
  // The SDK follows redirects within the origin, a few times.
  if (e instanceof StreamableHTTPError && (e.code ?? 0) >= 300 && (e.code ?? 0) < 400) return serverHttpProtocol(transport.name, "it redirects in a circle");
  if (e instanceof McpError) return serverHttpProtocol(transport.name, `it closed the connection before it had answered \`${what}\``);
  return serverHttpProtocol(transport.name, `its answer to \`${what}\` is no message of the protocol`);
}
