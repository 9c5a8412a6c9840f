/**
 * The rig of the tool tests: the stubs as real child processes, and fake servers whose misbehaviour is
 * written in a few lines, without the SDK, so that the client meets what it may meet outside.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { afterAll } from "vitest";
import { packageRoot } from "../../src/platform/paths.ts";
import type { ToolSource } from "../../src/tools/types.ts";

let entry: Promise<string> | undefined;

/** A program that runs `node FILE stub NAME`, built from the sources once a test process. */
export function stubEntry(): Promise<string> {
  entry ??= (async () => {
    const root = packageRoot();
    const file = join(root, "node_modules", ".cache", "mcp-forge-tests", `stub-${process.pid}.mjs`);
    mkdirSync(dirname(file), { recursive: true });
    litter.push(file);
    await build({
      stdin: {
        contents: `import { runStub } from "./src/tools/stubs/serve.ts";\nconst value = (flag) => process.argv.find((a) => a.startsWith(flag))?.slice(flag.length);
const from = value("--from=");
await runStub(from === undefined ? process.argv[3] : { from, seed: Number(value("--seed=")) });`,
        resolveDir: root,
        loader: "ts",
      },
      outfile: file,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      logLevel: "error",
    });
    return file;
  })();
  return entry;
}

const litter: string[] = [];
afterAll(() => {
  for (const path of litter.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A new folder, removed when the test file is done. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(realpathSync(tmpdir()), "forge-tools-"));
  litter.push(dir);
  return dir;
}

/** Shakes hands; `tools` and `call` are bodies of functions of `(params, reply)` that may do anything. */
const PRELUDE = `
import { createInterface } from "node:readline";
const send = (m) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...m }) + "\\n");
const tool = (name, more) => ({ name, description: name, inputSchema: { type: "object", properties: {} }, ...more });
const on = {
  initialize: (p) => ({ protocolVersion: p.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "fake", version: "1" } }),
  "tools/list": () => ({ tools: [tool("ping")] }),
  "tools/call": () => ({ content: [{ type: "text", text: "pong" }] }),
};
createInterface({ input: process.stdin }).on("line", async (line) => {
  const m = JSON.parse(line);
  if (m.id === undefined) return;
  const handler = on[m.method];
  if (!handler) return send({ id: m.id, error: { code: -32601, message: "Method not found" } });
  const result = await handler(m.params ?? {});
  if (result instanceof Error) return send({ id: m.id, error: { code: result.code ?? -32000, message: result.message } });
  if (result !== undefined) send({ id: m.id, result });
});
`;

/** A source whose server is the prelude and then this code (it changes `on`, prints, exits, hangs, …). */
export function fakeServer(
  code: string,
  more: Partial<NonNullable<ToolSource["mcp"]>> = {},
  execute: ToolSource["execute"] = "all",
): { source: ToolSource; dir: string } {
  const dir = temporaryFolder();
  writeFileSync(join(dir, "server.mjs"), `${PRELUDE}\n${code}\n`);
  return { source: { mcp: { command: process.execPath, args: ["server.mjs"], ...more }, execute }, dir };
}

/** Whether a process is there. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
