/**
 * Runs a stub as a real MCP server on this process's stdin and stdout, through the official SDK. It
 * ends when stdin is closed, so it cannot outlive whoever started it.
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";
import type { JsonObject } from "../../platform/json.ts";
import { err, ok, type Result } from "../../platform/result.ts";
import type { ArgumentCheck } from "../arguments.ts";
import { unknownStub } from "../failures.ts";
import { isStubName, STUB_NAMES, type StubName } from "./names.ts";
import type { Stub, StubAnswer } from "./stub.ts";

/** How long a stub's on-purpose timeout takes when nothing else is said (ms). */
export const LATE_MS = 500;

export interface StubOptions {
  /** After how many milliseconds a call that "times out" is answered. Default 500. */
  readonly lateMs?: number;
  /** filesystem: keep what calls change. By default every call finds the folder as it was at the start. */
  readonly stateful?: boolean;
  readonly stdin?: NodeJS.ReadStream;
  readonly stdout?: NodeJS.WriteStream;
}

/** Loads a stub. */
export async function loadStub(name: StubName, o: Pick<StubOptions, "stateful"> = {}): Promise<Stub> {
  if (name === "weather") return (await import("./weather.ts")).weather;
  return (await import("./filesystem.ts")).createFilesystem({ stateful: o.stateful ?? false });
}

const loadNamed = async (name: string, o: StubOptions): Promise<Result<Stub>> =>
  isStubName(name) ? ok(await loadStub(name, o)) : err(unknownStub(name, STUB_NAMES));

async function loadFake(from: string, seed: number): Promise<Result<Stub>> {
  const [{ readDefinitions }, { createFake }] = await Promise.all([import("../definitions.ts"), import("./fake.ts")]);
  const tools = await readDefinitions("file", from, process.cwd());
  return tools.ok ? ok(createFake(tools.value, seed)) : tools;
}

/** What to serve: a stub by name, or the tools of a file (its path starts at the working directory), faked. */
export type ServedStub = string | { readonly from: string; readonly seed: number };

/** Serves the stub until stdin ends. Fails only for a name that is none, or a file that cannot be used. */
export async function runStub(what: ServedStub, o: StubOptions = {}): Promise<Result<void>> {
  const loaded = typeof what === "string" ? await loadNamed(what, o) : await loadFake(what.from, what.seed);
  if (!loaded.ok) return loaded;
  const stub = loaded.value;
  const stdin = o.stdin ?? process.stdin;
  const server = new Server({ name: `mcp-forge-stub-${stub.name}`, version: "1" }, { capabilities: { tools: {} } });
  const pending = new Set<NodeJS.Timeout>();

  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: stub.tools.map((t) => ({ ...t, inputSchema: { ...t.inputSchema } })) }));
  server.setRequestHandler(CallToolRequestSchema, async (request) => {
    const answer = await answerCall(stub, request.params.name, (request.params.arguments ?? {}) as JsonObject);
    if (answer.late === true) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          pending.delete(timer);
          resolve();
        }, o.lateMs ?? LATE_MS);
        pending.add(timer);
      });
    }
    return { content: answer.content.map((part) => ({ ...part })), ...(answer.isError === true ? { isError: true } : {}) };
  });

  const closed = new Promise<void>((resolve) => {
    server.onclose = () => resolve();
    for (const event of ["end", "close"]) stdin.once(event, () => resolve());
  });
  await server.connect(new StdioServerTransport(stdin, o.stdout ?? process.stdout));
  await closed;
  for (const timer of pending) clearTimeout(timer);
  await server.close();
  return ok(undefined);
}

const checks = new WeakMap<Stub, ReadonlyMap<string, ArgumentCheck>>();

/** One call: unknown tools are a protocol error, wrong arguments a tool error that says what is wrong. */
export async function answerCall(stub: Stub, name: string, args: JsonObject): Promise<StubAnswer> {
  const tool = stub.tools.find((t) => t.name === name);
  if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, `Tool ${name} not found`);
  const { argumentChecks } = await import("../arguments.ts"); // ajv, only once a call comes
  let check = checks.get(stub);
  if (check === undefined) {
    check = argumentChecks(stub.tools.map((t) => ({ name: t.name, input_schema: t.inputSchema })));
    checks.set(stub, check);
  }
  const verdict = check.get(name)?.(args);
  if (verdict?.valid === false)
    return { content: [{ type: "text", text: `Invalid arguments for tool ${name}: ${verdict.problems.join("; ")}` }], isError: true };
  return stub.call(name, args);
}
