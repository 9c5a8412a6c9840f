/** A request with a text for a body, against a server on this machine. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { textRequest } from "../../src/platform/text-request.ts";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): Promise<URL> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      body += part;
    });
    request.on("end", () => answer(request, response, body));
  });
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/x`);
}

const ask = (url: URL, o: { readonly mostBytes?: number; readonly signal?: AbortSignal } = {}) =>
  textRequest(url, { method: "POST", headers: new Headers({ "content-type": "application/json", "X-Key": "k" }), body: '{"é":1}', mostBytes: 1000, ...o });

describe("a request with a text", () => {
  it("sends the body and the headers, and hands on status, headers and body", async () => {
    const url = await serve((request, response, body) => {
      response.writeHead(429, { "retry-after": "3", "set-cookie": ["a=1", "b=2"] });
      response.end(JSON.stringify({ body, method: request.method, type: request.headers["content-type"], key: request.headers["x-key"] }));
    });
    const response = await ask(url);
    expect([response.status, response.ok, response.headers.get("retry-after"), response.headers.getSetCookie()]).toEqual([429, false, "3", ["a=1", "b=2"]]);
    expect(await response.json()).toEqual({ body: '{"é":1}', method: "POST", type: "application/json", key: "k" });
  });

  it.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ])("understands what a server packs unasked: %s", async (encoding, pack) => {
    const url = await serve((_, response) => {
      response.setHeader("content-encoding", encoding);
      response.end(pack("plain words"));
    });
    const response = await ask(url);
    expect([await response.text(), response.headers.get("content-encoding")]).toEqual(["plain words", null]);
  });

  it("reads no more than the bound, packed or not", async () => {
    const endless = await serve((_, response) => {
      const more = () => {
        while (response.write("x".repeat(500)));
      };
      response.on("drain", more);
      more();
    });
    await expect(ask(endless)).rejects.toThrow("an answer of more than");
    const bomb = await serve((_, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync(Buffer.alloc(200_000)));
    });
    await expect(ask(bomb)).rejects.toThrow("an answer of more than");
  });

  it("follows no redirect", async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked++;
      response.writeHead(307, { location: "/elsewhere" });
      response.end("there");
    });
    await expect(ask(url)).rejects.toThrow("redirect");
    expect(asked).toBe(1);
  });

  it("ends when it is told to, before the answer and in its midst", async () => {
    const never = await serve(() => undefined);
    await expect(ask(never, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: "TimeoutError" });
    const slow = await serve((_, response) => void response.write("a"));
    await expect(ask(slow, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("goes by the environment's proxy", async () => {
    const proxied: (string | undefined)[] = [];
    const proxy = createServer();
    proxy.on("connect", (request, socket) => {
      proxied.push(request.url);
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    servers.push(proxy);
    await new Promise<void>((ready) => proxy.listen(0, "127.0.0.1", ready));
    vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("no_proxy", "");
    await expect(ask(new URL("http://forge.invalid/v1"))).rejects.toThrow();
    expect(proxied).toEqual(["forge.invalid:80"]);
  });
});
