/**
 * Servers over HTTP for the tests: the official SDK's own, over both transports, and raw ones that misbehave in a
 * few lines. Everything listens on the loopback interface and is closed when the test file is done.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll } from "vitest";

const closers: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0)) await close();
});

export interface Heard {
  /** What came, in order: `POST tools/call`, `GET`, … */
  readonly requests: string[];
  readonly headers: IncomingMessage["headers"][];
  /** Calls that were executed: `NAME {"argument":…}`. */
  readonly calls: string[];
}

export interface HttpServer extends Heard {
  readonly url: string;
  readonly origin: string;
  close(): Promise<void>;
}

/** Listens with a handler that gets the request's body. */
export async function listen(handler: (req: IncomingMessage, res: ServerResponse, body: string) => unknown, path = "/mcp"): Promise<HttpServer> {
  const heard: Heard = { requests: [], headers: [], calls: [] };
  const sockets = new Set<Socket>();
  const server = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += String(chunk);
    const method = /"method":"([^"]+)"/.exec(body)?.[1];
    heard.requests.push([req.method, method].filter(Boolean).join(" "));
    heard.headers.push(req.headers);
    try {
      await handler(req, res, body);
    } catch {
      res.destroy();
    }
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    for (const socket of sockets) if (socket instanceof Socket) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  closers.push(close);
  return { ...heard, origin, url: origin + path, close };
}

/** The same server for both transports: adds numbers, forgets notes, and counts. */
function adder(calls: string[]): Server {
  const server = new Server({ name: "adder", version: "1" }, { capabilities: { tools: {} } });
  const number = { type: "number" };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [
      {
        name: "add",
        description: "Add two numbers.",
        inputSchema: { type: "object", properties: { a: number, b: number }, required: ["a", "b"] },
        annotations: { readOnlyHint: true },
      },
      { name: "forget_note", description: "Delete a note.", inputSchema: { type: "object", properties: { id: { type: "string" } }, required: ["id"] } },
    ],
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params: { name, arguments: args = {} } }) => {
    calls.push(`${name} ${JSON.stringify(args)}`);
    const { a, b } = args;
    if (name !== "add") return { content: [{ type: "text", text: "gone" }] };
    if (typeof a !== "number" || typeof b !== "number") return { content: [{ type: "text", text: "Invalid numbers" }], isError: true };
    return { content: [{ type: "text", text: String(a + b) }] };
  });
  return server;
}

/** The SDK's streamable HTTP server, with sessions. */
export async function streamableServer(o: { readonly json?: boolean; readonly token?: string } = {}): Promise<HttpServer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const http: HttpServer = await listen(async (req, res, body) => {
    if (o.token !== undefined && req.headers.authorization !== `Bearer ${o.token}`) return res.writeHead(401).end();
    const id = req.headers["mcp-session-id"];
    let transport = typeof id === "string" ? sessions.get(id) : undefined;
    if (transport === undefined) {
      if (req.method !== "POST") return res.writeHead(404).end();
      const fresh = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        enableJsonResponse: o.json === true,
        onsessioninitialized: (session) => void sessions.set(session, fresh),
      });
      await adder(http.calls).connect(fresh);
      transport = fresh;
    }
    await transport.handleRequest(req, res, body === "" ? undefined : JSON.parse(body));
  });
  return http;
}

/** The SDK's older server: GET opens the stream, messages are posted beside it. A POST to the address itself is not allowed. */
export async function oldServer(): Promise<HttpServer> {
  const sessions = new Map<string, SSEServerTransport>();
  const http: HttpServer = await listen(async (req, res, body) => {
    const at = new URL(req.url ?? "/", "http://x");
    if (req.method === "GET" && at.pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", res);
      sessions.set(transport.sessionId, transport);
      return adder(http.calls).connect(transport);
    }
    const transport = sessions.get(at.searchParams.get("sessionId") ?? "");
    if (req.method !== "POST" || transport === undefined) return res.writeHead(405).end();
    await transport.handlePostMessage(req, res, JSON.parse(body));
  }, "/sse");
  return http;
}

type Handler = (params: Record<string, unknown>, res: ServerResponse, id: unknown) => unknown;

/** A server that answers as JSON; each method's handler returns a result, or answers by itself and returns undefined. */
export function rawServer(handlers: Readonly<Record<string, Handler>>): Promise<HttpServer> {
  return listen(async (req, res, body) => {
    if (req.method !== "POST") return res.writeHead(405).end();
    const message = JSON.parse(body) as { id?: unknown; method: string; params?: Record<string, unknown> };
    const handler = handlers[message.method] ?? DEFAULTS[message.method];
    if (handler === undefined) return res.writeHead(202).end();
    const result = await handler(message.params ?? {}, res, message.id);
    if (result === undefined) return;
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
  });
}

const DEFAULTS: Readonly<Record<string, Handler>> = {
  initialize: (p) => ({ protocolVersion: p.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "raw", version: "1" } }),
  "tools/list": () => ({ tools: [{ name: "ping", description: "Ping.", inputSchema: { type: "object", properties: {} } }] }),
  "tools/call": () => ({ content: [{ type: "text", text: "pong" }] }),
};

/** A proxy that tunnels (CONNECT), and says to which hosts it did, each once. */
export async function tunnel(): Promise<{ readonly url: string; tunnelled(): string[] }> {
  const hosts = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(500).end());
  server.on("connect", (request, socket) => {
    hosts.add(request.url ?? "");
    const [host, port] = (request.url ?? "").split(":");
    const on = connect(Number(port), host ?? "", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      on.pipe(socket).pipe(on);
    });
    for (const end of [on, socket as Socket]) {
      sockets.add(end);
      end.on("error", () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tunnelled: () => [...hosts] };
}
