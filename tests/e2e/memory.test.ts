/** What is foreign and too much: the command as a whole stays under 512 MB, ends by itself, and says what is wrong. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "./support/forge.ts";

const LIMIT_MB = 512;

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.remove());

/** Runs the command; what it ended with, and the most memory that it held at once, in MB. */
async function measured(args: readonly string[]) {
  const told = join(world.root, "peak");
  const hook = world.write(
    "peak.mjs",
    `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(process.env.MCP_FORGE_TEST_PEAK, String(process.resourceUsage().maxRSS)));`,
  );
  const ended = await world.run([...args], { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}`, MCP_FORGE_TEST_PEAK: told });
  return { ended, megabytes: Number(readFileSync(told, "utf8")) / 1024 };
}

/** A recipe of one server over stdio, whose whole text is `code`. */
function recipe(code: string, execute = "none"): void {
  world.write("server.mjs", code);
  world.write(
    "forge.yaml",
    `version: 1\nname: big\ntools:\n  - mcp: { command: node, args: [server.mjs], timeout: 5 }\n    execute: ${execute}\ndata: { samples: 20, min_per_tool: 1, scenarios: { standard: 1, no_tool: 0, error: 0, ambiguous: 0, edge: 0 } }\n`,
  );
}

const SPEAKS = `
import { createInterface } from "node:readline";
const send = (m) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...m }) + "\\n");
const tool = (name) => ({ name, description: "Looks up " + name, inputSchema: { type: "object", properties: { city: { type: "string", description: "x".repeat(LENGTH) } }, required: ["city"] } });
createInterface({ input: process.stdin }).on("line", (line) => {
  const m = JSON.parse(line);
  if (m.method === "initialize") send({ id: m.id, result: { protocolVersion: m.params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "fake", version: "1" } } });
  if (m.method === "tools/list") list(m);
  if (m.method === "tools/call") call(m);
});
process.stdin.on("end", () => process.exit());
`;
const flood = (piece: string) =>
  `const go = () => { while (process.stdout.write(${piece})) {} process.stdout.once("drain", go); }; go(); setTimeout(() => process.exit(), 60000);`;

describe("inspecting", () => {
  it.each<[string, string]>([
    ["a line that never ends", flood(`"x".repeat(1 << 16)`)],
    ["lines of garbage without end", flood(`"no JSON at all\\n".repeat(4000)`)],
    [
      "messages without end that nobody asked for",
      flood(`('{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"' + "x".repeat(1000) + '"}}\\n').repeat(64)`),
    ],
    ["a flood on stderr", `${flood("").replaceAll("stdout.write()", 'stderr.write("x".repeat(1 << 16))').replaceAll("stdout", "stderr")}`],
    [
      "10,000 tools",
      `const LENGTH = 100;${SPEAKS}const call = () => {}; const list = (m) => send({ id: m.id, result: { tools: Array.from({ length: 10000 }, (_, i) => tool("t" + i)) } });`,
    ],
    [
      "pages without end",
      `const LENGTH = 100000;${SPEAKS}let n = 0; const call = () => {}; const list = (m) => send({ id: m.id, result: { tools: Array.from({ length: 50 }, () => tool("t" + n++)), nextCursor: "c" + n } });`,
    ],
  ])("%s", { timeout: 90_000 }, async (_, code) => {
    recipe(code);
    const { ended, megabytes } = await measured(["tools", "inspect"]);
    expect(ended.signal).toBeNull();
    expect(ended.code, ended.err).toBe(1);
    expect(ended.err.length).toBeGreaterThan(20);
    expect(ended.err.length).toBeLessThan(20_000);
    expect(megabytes).toBeLessThan(LIMIT_MB);
    expect(world.processes()).toEqual([]);
  });

  it("an answer over HTTP that never ends", { timeout: 90_000 }, async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const go = (): void => {
        while (!response.destroyed && response.write("[".repeat(1 << 16)));
        if (!response.destroyed) response.once("drain", go);
      };
      go();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      world.write(
        "forge.yaml",
        `version: 1\nname: big\ntools:\n  - mcp: { url: "http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp", timeout: 20 }\n`,
      );
      const { ended, megabytes } = await measured(["tools", "inspect"]);
      expect([ended.code, ended.err]).toEqual([1, expect.stringContaining("16 MiB")]);
      expect(megabytes).toBeLessThan(LIMIT_MB);
    } finally {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  });
});

describe("making data", () => {
  it("with a tool whose result never ends", { timeout: 120_000 }, async () => {
    recipe(
      `const LENGTH = 20;${SPEAKS}const list = (m) => send({ id: m.id, result: { tools: [tool("ping_city")] } }); const call = () => { ${flood(`"x".repeat(1 << 16)`)} };`,
      "all",
    );
    const { ended, megabytes } = await measured(["apply", "--until", "generate"]);
    expect(ended.signal).toBeNull();
    expect(ended.code, ended.err).toBe(1);
    expect(megabytes).toBeLessThan(LIMIT_MB);
    expect(world.processes()).toEqual([]);
  });
});

describe("reading", () => {
  it.each<[string, string]>([
    ["10 MB of YAML", `version: 1\nname: big\ntools:\n${'  - stub: "weather"\n'.repeat(500_000)}`],
    [
      "an alias bomb",
      `version: 1\nname: big\na: &a [x,x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, i) => `${"bcdefghij"[i]}: &${"bcdefghij"[i]} [${`*${"abcdefghi"[i]},`.repeat(10)}]`).join("\n")}\n`,
    ],
    ["deep nesting", `version: 1\nname: ${"[".repeat(200_000)}`],
  ])("%s", { timeout: 60_000 }, async (_, text) => {
    world.write("forge.yaml", text);
    const { ended, megabytes } = await measured(["plan"]);
    expect(ended.code, ended.err).toBe(4);
    expect(ended.err.length).toBeLessThan(20_000);
    expect(megabytes).toBeLessThan(LIMIT_MB);
  });
});
