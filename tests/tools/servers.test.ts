/** Real and fake MCP servers over stdio: what is read from them, and that nothing of them is left. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { openTools } from "../../src/tools/open.ts";
import type { OpenToolsOptions, ToolSession, ToolSource } from "../../src/tools/types.ts";
import { alive, fakeServer, stubEntry, temporaryFolder } from "./rig.ts";

async function open(source: ToolSource, dir: string, more: Partial<OpenToolsOptions> = {}): Promise<ToolSession> {
  const session = await openTools([source], { dir, ...more });
  if (!session.ok) throw new Error(`${session.error.code}: ${session.error.message} ${session.error.details ?? ""}`);
  return session.value;
}

async function failure(source: ToolSource, dir: string, more: Partial<OpenToolsOptions> = {}) {
  const session = await openTools([source], { dir, ...more });
  if (session.ok) {
    await session.value.close();
    throw new Error("it opened");
  }
  return session.error;
}

describe("the stubs, as real servers", () => {
  it("opens weather, calls it, and leaves no process", async () => {
    const session = await open({ stub: "weather" }, temporaryFolder(), { stubEntry: await stubEntry() });
    expect(session.toolset.tools.map((t) => [t.name, t.origin, t.source])).toEqual([
      ["get_weather", "stub:weather", "stub"],
      ["get_forecast", "stub:weather", "stub"],
      ["get_alerts", "stub:weather", "stub"],
    ]);
    expect(session.canExecute("get_weather")).toBe(true);
    const first = await session.call("get_weather", { location: "Paris" });
    expect(JSON.parse(first.text)).toMatchObject({ location: "Paris" });
    expect(await session.call("get_weather", { location: "Paris" })).toMatchObject({ text: first.text, isError: false, executed: true });
    expect(await session.call("get_weather", { location: "Atlantis" })).toMatchObject({ isError: true, text: expect.stringContaining("Atlantis") });
    expect(await session.call("get_forecast", { location: "Oslo", days: 15 })).toMatchObject({ isError: true, text: expect.stringContaining("days") });
    expect(await session.call("get_alerts", { location: "Point Nemo" })).toMatchObject({ isError: false, text: "" });
    const late = await session.call("get_weather", { location: "Null Island" });
    expect(late).toMatchObject({ isError: true, timedOut: false });
    expect(late.ms).toBeGreaterThanOrEqual(450);
    await session.close();
    await session.close();
  });

  it("takes the stub's slow answer as a timeout when the limit is shorter", async () => {
    const session = await open({ stub: "weather" }, temporaryFolder(), { stubEntry: await stubEntry() });
    expect(await session.call("get_weather", { location: "Null Island" }, { timeoutMs: 100 })).toMatchObject({
      timedOut: true,
      isError: true,
      executed: true,
      text: "The tool did not answer within 0.1 s.",
    });
    expect(await session.call("get_weather", { location: "Lima" })).toMatchObject({ isError: false });
    await session.close();
  });

  it("opens both stubs as one toolset", async () => {
    const session = await openTools([{ stub: "weather" }, { stub: "filesystem" }], { dir: temporaryFolder(), stubEntry: await stubEntry() });
    if (!session.ok) throw new Error(session.error.message);
    expect(session.value.toolset.tools).toHaveLength(17);
    expect((await session.value.call("read_text_file", { path: "todo.txt", head: 1 })).text).toBe("Call the printer about the flyers");
    await session.value.close();
  });
});

describe("reading tools", () => {
  it("follows pages", async () => {
    const { source, dir } = fakeServer(
      `on["tools/list"] = (p) => p.cursor === "2" ? { tools: [tool("c")] } : p.cursor === "1" ? { tools: [tool("b")], nextCursor: "2" } : { tools: [tool("a")], nextCursor: "1" };`,
    );
    const session = await open(source, dir);
    expect(session.toolset.tools.map((t) => t.name)).toEqual(["a", "b", "c"]);
    await session.close();
  });

  it.each([
    ["a circle", `on["tools/list"] = (p) => ({ tools: [tool("t" + (p.cursor ?? "x"))], nextCursor: p.cursor === "1" ? "2" : "1" });`, "circle"],
    ["pages without end", `let n = 0; on["tools/list"] = () => ({ tools: [tool("t" + n)], nextCursor: String(n++) });`, "no end"],
    ["no list", `on["tools/list"] = () => ({ tools: "many" });`, "no list"],
  ])("refuses %s", async (_, code, words) => {
    const { source, dir } = fakeServer(code);
    expect(await failure(source, dir)).toMatchObject({ code: "tools/server-protocol", message: expect.stringContaining(words), exit: 1 });
  });

  it.each([
    ["none listed", `on["tools/list"] = () => ({ tools: [] });`, "tools/no-tools"],
    ["method unknown", `delete on["tools/list"];`, "tools/no-tools"],
    ["a name that is a path", `on["tools/list"] = () => ({ tools: [tool("../../etc/passwd")] });`, "tools/invalid-name"],
    ["a name of dots", `on["tools/list"] = () => ({ tools: [tool("..")] });`, "tools/invalid-name"],
    ["__proto__", `on["tools/list"] = () => ({ tools: [tool("__proto__")] });`, "tools/invalid-name"],
    ["no name", `on["tools/list"] = () => ({ tools: [{ inputSchema: {} }] });`, "tools/invalid-name"],
    ["no schema", `on["tools/list"] = () => ({ tools: [tool("a", { inputSchema: undefined })] });`, "tools/invalid-schema"],
    ["a schema of a string", `on["tools/list"] = () => ({ tools: [tool("a", { inputSchema: { type: "string" } })] });`, "tools/invalid-schema"],
    [
      "a schema that is none",
      `on["tools/list"] = () => ({ tools: [tool("a", { inputSchema: { type: "object", properties: { x: { type: "colour" } } } })] });`,
      "tools/invalid-schema",
    ],
    [
      "a reference to elsewhere",
      `on["tools/list"] = () => ({ tools: [tool("a", { inputSchema: { type: "object", properties: { x: { $ref: "https://example.com/x.json" } } } })] });`,
      "tools/invalid-schema",
    ],
    ["the same name twice", `on["tools/list"] = () => ({ tools: [tool("a"), tool("a")] });`, "tools/duplicate-name"],
  ])("refuses %s", async (_, code, expected) => {
    const { source, dir } = fakeServer(code);
    expect((await failure(source, dir)).code).toBe(expected);
  });
});

describe("servers that fail", () => {
  it("says that a command was not found", async () => {
    expect(await failure({ mcp: { command: "no-such-server-here" } }, temporaryFolder())).toMatchObject({
      code: "tools/server-not-found",
      message: expect.stringContaining("no-such-server-here"),
      exit: 6,
    });
    expect((await failure({ mcp: { command: "npx -y thing" } }, temporaryFolder())).hint).toContain("`args`");
  });

  it("shows the end of stderr of one that exits at once", async () => {
    const { source, dir } = fakeServer(`console.error("Error: \\u001b[31mno API key\\u001b[0m given"); process.exit(3);`);
    expect(await failure(source, dir)).toMatchObject({
      code: "tools/server-exited",
      message: expect.stringContaining("with code 3"),
      details: "Error: no API key given",
    });
  });

  it("gives up on one that hangs, and ends it with what it started", async () => {
    const { source, dir } = fakeServer(
      `import { spawn } from "node:child_process"; import { writeFileSync } from "node:fs";
       on.initialize = () => undefined; process.on("SIGTERM", () => {});
       const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
       writeFileSync("pids", process.pid + " " + child.pid); setInterval(() => {}, 1000);`,
    );
    const started = performance.now();
    expect(await failure(source, dir, { timeoutMs: 600 })).toMatchObject({
      code: "tools/server-timeout",
      message: expect.stringContaining("`initialize` within 0.6 s"),
    });
    expect(performance.now() - started).toBeLessThan(6000);
    await sleep(50);
    for (const pid of readFileSync(join(dir, "pids"), "utf8").split(" ")) expect(alive(Number(pid))).toBe(false);
  });

  it("stops one that floods stdout", async () => {
    const { source, dir } = fakeServer(`on.initialize = () => undefined; setInterval(() => { for (let i = 0; i < 500; i++) console.log("noise"); }, 1);`);
    expect(await failure(source, dir)).toMatchObject({ code: "tools/server-protocol", details: expect.stringContaining("noise") });
  });

  it("puts up with a line on stdout that is no message", async () => {
    const { source, dir } = fakeServer(`console.log("Server starting...");`);
    const session = await open(source, dir);
    expect((await session.call("ping", {})).text).toBe("pong");
    await session.close();
  });

  it("tells a server that died from a tool that failed", async () => {
    const { source, dir } = fakeServer(
      `on["tools/call"] = (p) => p.arguments.die ? process.exit(9) : Object.assign(new Error("no such row"), { code: p.arguments.code ?? -32602 });`,
    );
    const session = await open(source, dir);
    expect(await session.call("ping", {})).toMatchObject({ isError: true, executed: true, text: "no such row" });
    // The codes that the SDK itself uses for a closed connection and a time that is up.
    for (const code of [-32000, -32001])
      expect(await session.call("ping", { code })).toMatchObject({ isError: true, executed: true, timedOut: false, text: "no such row" });
    expect((await session.call("ping", {})).failure).toBeUndefined();
    expect(await session.call("ping", { die: true })).toMatchObject({ executed: false, failure: { code: "tools/server-exited" } });
    expect((await session.call("ping", {})).failure?.code).toBe("tools/server-exited");
    await session.close();
  });

  it("stops when it is interrupted", async () => {
    const { source, dir } = fakeServer(`on.initialize = () => undefined;`);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 200);
    expect(await failure(source, dir, { signal: abort.signal })).toMatchObject({ code: "tools/interrupted", exit: 130 });
  });
});

describe("the environment of a server", () => {
  it("is allow-listed; a secret reaches the server alone and is masked when it comes back", async () => {
    process.env.UNRELATED_TOKEN_OF_THE_USER = "hands-off";
    const code = `on["tools/call"] = () => ({ content: [{ type: "text", text: JSON.stringify([process.env.KEY, process.env.UNRELATED_TOKEN_OF_THE_USER ?? null]) }] }); console.error("key is " + process.env.KEY);`;
    const { source, dir } = fakeServer(code, { env: { KEY: "Bearer-${secret:MY_TEST_SECRET}" } });
    const logged: string[] = [];
    const session = await open(source, dir, { env: { MY_TEST_SECRET: "s3cr3t-value-1" }, onLog: (line) => logged.push(line) });
    expect((await session.call("ping", {})).text).toBe('["Bearer-[redacted]",null]');
    await session.close();
    expect(logged.join("\n")).toContain("key is Bearer-[redacted]");
    delete process.env.UNRELATED_TOKEN_OF_THE_USER;
  });

  it("does not come out by a schema either", async () => {
    const code = `on["tools/list"] = () => ({ tools: [tool("t", { description: "with " + process.env.KEY, inputSchema: { type: "object", properties: { db: { type: "string", default: process.env.KEY, description: "default: " + process.env.KEY, enum: [process.env.KEY, "other"] } } }, outputSchema: { type: "object", properties: { db: { const: process.env.KEY } } } })] });`;
    const { source, dir } = fakeServer(code, { env: { KEY: "${secret:MY_TEST_SECRET}" } });
    const session = await open(source, dir, { env: { MY_TEST_SECRET: "hunter2-very-secret" } });
    await session.close();
    expect(JSON.stringify(session.toolset)).not.toContain("hunter2");
    expect(session.toolset.tools[0]?.input_schema).toMatchObject({ properties: { db: { default: "[redacted]", description: "default: [redacted]" } } });
  });

  it("names a secret that is not set", async () => {
    const { source, dir } = fakeServer("", { env: { KEY: "${secret:MY_MISSING_SECRET}" } });
    expect(await failure(source, dir, { env: {} })).toMatchObject({
      code: "tools/missing-secret",
      exit: 6,
      message: expect.stringContaining("MY_MISSING_SECRET"),
    });
  });
});

describe("what may be executed", () => {
  const TOOLS = `on["tools/list"] = () => ({ tools: [tool("look", { annotations: { readOnlyHint: true } }), tool("erase")] });
    import { appendFileSync } from "node:fs"; on["tools/call"] = (p) => { appendFileSync("calls", p.name + "\\n"); return { content: [{ type: "text", text: "done" }] }; };`;

  it.each([
    [undefined, ["look"]],
    ["read_only" as const, ["look"]],
    ["none" as const, []],
    ["all" as const, ["look", "erase"]],
    [["erase"], ["erase"]],
  ])("execute: %j allows %j and sends nothing else", async (execute, allowed) => {
    const { source, dir } = fakeServer(TOOLS);
    writeFileSync(join(dir, "calls"), "");
    const session = await open({ mcp: source.mcp, ...(execute === undefined ? {} : { execute }) }, dir);
    for (const name of ["look", "erase", "unknown"]) {
      expect(session.canExecute(name)).toBe((allowed as string[]).includes(name));
      expect((await session.call(name, {})).executed).toBe((allowed as string[]).includes(name));
    }
    await session.close();
    expect(readFileSync(join(dir, "calls"), "utf8").split("\n").filter(Boolean)).toEqual(allowed);
  });

  it("refuses a policy that names no tool of the source", async () => {
    const { source, dir } = fakeServer(TOOLS, {}, ["eraze"]);
    expect(await failure(source, dir)).toMatchObject({ code: "tools/unknown-tool", exit: 4 });
  });

  it("names both sources of a clash, and closes what it opened", async () => {
    const pid = `import { writeFileSync } from "node:fs"; writeFileSync("pid", String(process.pid));`;
    const a = fakeServer(pid);
    const session = await openTools([a.source, a.source], { dir: a.dir });
    expect(session).toMatchObject({ ok: false, error: { code: "tools/duplicate-name", message: expect.stringMatching(/tools\[0\].*tools\[1\]/) } });
    expect(alive(Number(readFileSync(join(a.dir, "pid"), "utf8")))).toBe(false);
  });
});
