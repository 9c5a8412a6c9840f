/** Tool servers over HTTP: the SDK's own over both transports, what may be executed there, and where headers go. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { openTools } from "../../src/tools/open.ts";
import type { OpenToolsOptions, ToolSession, ToolSource } from "../../src/tools/types.ts";
import { listen, oldServer, rawServer, streamableServer, tunnel } from "./http-rig.ts";
import { temporaryFolder } from "./rig.ts";

const o = (more: Partial<OpenToolsOptions> = {}): OpenToolsOptions => ({ dir: temporaryFolder(), timeoutMs: 5000, ...more });

async function open(source: ToolSource, more: Partial<OpenToolsOptions> = {}): Promise<ToolSession> {
  const session = await openTools([source], o(more));
  if (!session.ok) throw new Error(`${session.error.code}: ${session.error.message} ${session.error.details ?? ""}`);
  return session.value;
}

async function failure(source: ToolSource, more: Partial<OpenToolsOptions> = {}) {
  const session = await openTools([source], o(more));
  if (!session.ok) return session.error;
  await session.value.close();
  throw new Error("it opened");
}

describe("the SDK's own servers", () => {
  it.each([
    ["streamable HTTP with event streams", () => streamableServer()],
    ["streamable HTTP with JSON answers", () => streamableServer({ json: true })],
    ["the older transport over server-sent events", () => oldServer()],
  ])("opens %s, executes what may be executed and nothing else", async (_, start) => {
    const server = await start();
    const session = await open({ mcp: { url: server.url } });
    expect(session.toolset.tools.map((t) => [t.name, t.source, t.origin])).toEqual([
      ["add", "mcp", `mcp:${server.url}`],
      ["forget_note", "mcp", `mcp:${server.url}`],
    ]);
    expect([session.canExecute("add"), session.canExecute("forget_note")]).toEqual([true, false]);
    expect(await session.call("add", { a: 2, b: 3 })).toMatchObject({ text: "5", isError: false, executed: true });
    expect(await session.call("add", { a: "two" })).toMatchObject({ isError: true, executed: true, text: expect.stringContaining("Invalid") });
    expect(await session.call("forget_note", { id: "1" })).toMatchObject({ executed: false });
    const several = await Promise.all([1, 2, 3, 4].map((a) => session.call("add", { a, b: 0 })));
    expect(several.map((r) => r.text)).toEqual(["1", "2", "3", "4"]);
    await session.close();
    await session.close();
    expect(server.calls.filter((c) => !c.startsWith("add"))).toEqual([]);
    expect(server.calls).toHaveLength(6);
  });

  it("says goodbye to a session", async () => {
    const server = await streamableServer();
    await (await open({ mcp: { url: server.url } })).close();
    expect(server.requests.at(-1)).toBe("DELETE");
  });
});

describe("a proxy that the environment names", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("carries every request, and none where NO_PROXY says so; one that is no address is named", async () => {
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"]) vi.stubEnv(name, undefined);
    const server = await streamableServer();
    const proxy = await tunnel();
    vi.stubEnv("HTTP_PROXY", proxy.url);
    const session = await open({ mcp: { url: server.url } });
    expect(await session.call("add", { a: 2, b: 3 })).toMatchObject({ text: "5", executed: true });
    await session.close();
    expect(proxy.tunnelled()).toEqual([new URL(server.url).host]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    await (await open({ mcp: { url: server.url } })).close();
    expect(proxy.tunnelled()).toHaveLength(1);
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("HTTP_PROXY", "user:hidden at nowhere");
    const found = await failure({ mcp: { url: server.url } });
    expect(found).toMatchObject({ code: "tools/server-unreachable", exit: 6, message: expect.stringContaining("HTTP_PROXY is not the address of a proxy") });
    expect(JSON.stringify(found)).not.toContain("hidden");
  });
});

describe("headers", () => {
  it("are sent with every request, secrets put in at the last moment", async () => {
    const server = await streamableServer({ token: "tok-90210-abc" });
    const source: ToolSource = { mcp: { url: server.url, headers: { Authorization: "Bearer ${secret:FORGE_TEST_TOKEN}", "X-Team": "blue" } } };
    const session = await open(source, { env: { FORGE_TEST_TOKEN: "tok-90210-abc" } });
    await session.call("add", { a: 1, b: 1 });
    await session.close();
    expect(new Set(server.headers.map((h) => `${h.authorization} ${h["x-team"]}`))).toEqual(new Set(["Bearer tok-90210-abc blue"]));
    expect(JSON.stringify(session.toolset)).not.toContain("90210");
  });

  it("are asked for by name when the secret is not set, and refused by the server when it is wrong", async () => {
    const server = await streamableServer({ token: "right-token" });
    const source: ToolSource = { mcp: { url: server.url, headers: { Authorization: "Bearer ${secret:FORGE_TEST_TOKEN}" } } };
    expect(await failure(source, { env: {} })).toMatchObject({ code: "tools/missing-secret", exit: 6, message: expect.stringContaining("FORGE_TEST_TOKEN") });
    expect(server.requests).toEqual([]);
    const wrong = await failure(source, { env: { FORGE_TEST_TOKEN: "wrong-token-4711" } });
    expect(wrong).toMatchObject({ code: "tools/server-unauthorized", exit: 6 });
    expect(JSON.stringify(wrong)).not.toContain("4711");
  });

  it("never reach another origin, whichever request is redirected", async () => {
    const other = await streamableServer();
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await listen((_, res) => res.writeHead(status, { location: `${other.url}?key=hidden` }).end());
      const found = await failure({ mcp: { url: server.url, headers: { Authorization: "Bearer abcdefghijkl" } } });
      expect(found).toMatchObject({ code: "tools/server-redirect", exit: 4, message: expect.stringContaining(other.url) });
      expect(JSON.stringify(found)).not.toMatch(/hidden|abcdefghijkl/);
    }
    expect(other.requests).toEqual([]);
  });

  it("do not follow an old server's event stream or its message address to another origin", async () => {
    const other = await listen((_, res) => res.writeHead(200, { "content-type": "text/event-stream" }).end());
    const stream = await listen((req, res) => (req.method === "GET" ? res.writeHead(302, { location: other.url }).end() : res.writeHead(405).end()));
    expect(await failure({ mcp: { url: stream.url } })).toMatchObject({ code: "tools/server-redirect" });
    const endpoint = await listen((req, res) => {
      if (req.method !== "GET") return res.writeHead(405).end();
      res.writeHead(200, { "content-type": "text/event-stream" }).write(`event: endpoint\ndata: ${other.origin}/messages\n\n`);
    });
    expect(await failure({ mcp: { url: endpoint.url } })).toMatchObject({ code: "tools/server-http" });
    expect(other.requests).toEqual([]);
  });

  it("follow a redirect within the origin", async () => {
    const server = await rawServer({});
    const here = await listen(async (req, res, body) => {
      if (req.url === "/mcp") return res.writeHead(307, { location: "/v2" }).end();
      const reply = await fetch(server.url, {
        method: req.method ?? "POST",
        headers: { "content-type": "application/json" },
        ...(body === "" ? {} : { body }),
      });
      res.writeHead(reply.status, { "content-type": reply.headers.get("content-type") ?? "" }).end(await reply.text());
    });
    const session = await open({ mcp: { url: here.url } });
    expect(session.toolset.tools.map((t) => t.name)).toEqual(["ping"]);
    await session.close();
  });

  it("are refused without showing their value when they cannot be sent", async () => {
    const bad = { mcp: { url: "http://127.0.0.1:9/mcp", headers: { "X-Key": "${secret:FORGE_TEST_TOKEN}" } } };
    const found = await failure(bad, { env: { FORGE_TEST_TOKEN: "line-one-77\nline-two-88" } });
    expect(found).toMatchObject({ code: "tools/invalid-header", exit: 4, message: expect.stringContaining("X-Key") });
    expect(JSON.stringify(found)).not.toMatch(/77|88/);
    expect(await failure({ mcp: { url: "http://127.0.0.1:9/mcp", headers: { Host: "x" } } })).toMatchObject({ code: "tools/invalid-header" });
  });

  it("masks a secret that the server repeats", async () => {
    const server = await rawServer({ "tools/call": () => ({ content: [{ type: "text", text: "your key is s3cr3t-value" }] }) });
    const source: ToolSource = { mcp: { url: server.url, headers: { "X-Key": "${secret:FORGE_TEST_TOKEN}" } }, execute: "all" };
    const session = await open(source, { env: { FORGE_TEST_TOKEN: "s3cr3t-value" } });
    expect((await session.call("ping", {})).text).toBe("your key is [redacted]");
    await session.close();
  });
});
