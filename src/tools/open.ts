/**
 * Opens every tool source of a recipe as one session, and enforces what may be executed: a call that
 * the policy forbids is never sent, whoever asks.
 */
import { basename, join } from "node:path";
import { packageRoot } from "../platform/paths.ts";
import { childEnv } from "../platform/process.ts";
import { redact } from "../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import { duplicateTool, plainUrl, serverNotFound, unknownPolicyTool, unknownStub } from "./failures.ts";
import { withPrefix } from "./prefix.ts";
import { resolveSecrets } from "./secrets.ts";
import { isSelected, select } from "./select.ts";
import { isStubName, STUB_NAMES } from "./stubs/names.ts";
import { toldSource } from "./told.ts";
import { makeToolset } from "./toolset.ts";
import type { ExecutePolicy, OpenSource, OpenToolsOptions, ServerSource, ToolDefinition, ToolResult, ToolSession, ToolSource } from "./types.ts";

/** The reference's default for every answer of a server. */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** The seed of a stub that fakes a file's tools, when the recipe gives none. */
const DEFAULT_STUB_SEED = 7;

/** A call's arguments may not be larger than this when sent (characters of JSON). */
const MAX_ARGUMENTS = 1_000_000;

/**
 * Starts or reads every source, in parallel. On any failure all of them are closed again and the first
 * failure, in the recipe's order, is returned.
 */
export async function openTools(sources: readonly ToolSource[], o: OpenToolsOptions): Promise<Result<ToolSession>> {
  const told = (index: number): string => originOf(o.stated?.[index] ?? (sources[index] as ToolSource));
  const opened = await Promise.all(sources.map((source, index) => openSource(source, told(index), o)));
  const open = opened.flatMap((r) => (r.ok ? [r.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(open.map((s) => s.close()));
  };
  const at = (failure: Failure, index: number): Failure =>
    o.placeOf === undefined || failure.place !== undefined ? failure : { ...failure, place: o.placeOf(index) };
  const fail = async (failure: Failure): Promise<Result<never>> => {
    await close();
    return err(failure);
  };
  for (const [index, r] of opened.entries()) if (!r.ok) return fail(at(r.error, index));

  const owners = new Map<string, { source: OpenSource; index: number; executable: boolean }>();
  for (const [index, source] of open.entries()) {
    const policy = policyOf(sources[index] as ToolSource);
    const unknown = Array.isArray(policy) ? policy.find((name) => !source.tools.some((t) => t.name === name)) : undefined;
    if (unknown !== undefined)
      return fail(
        at(
          unknownPolicyTool(
            unknown,
            told(index),
            source.tools.map((t) => t.name),
          ),
          index,
        ),
      );
    for (const tool of source.tools) {
      const other = owners.get(tool.name);
      if (other !== undefined) {
        const place = (i: number): string => `\`${told(i)}\` (tools[${i}])`;
        return fail(at(duplicateTool(tool.name, place(other.index), place(index)), index));
      }
      owners.set(tool.name, { source, index, executable: source.supportsExecution && allows(policy, tool) });
    }
  }
  const toolset = makeToolset(open.flatMap((s) => s.tools));
  if (!toolset.ok) return fail(toolset.error);

  return ok({
    toolset: toolset.value,
    canExecute: (name) => owners.get(name)?.executable === true,
    call: (name, args, c) => {
      const owner = owners.get(name);
      if (owner === undefined) return Promise.resolve(refusal(`There is no tool named ${name.slice(0, 100)}.`));
      if (!owner.executable) return Promise.resolve(refusal(`The tool ${name} may not be executed here.`));
      if (JSON.stringify(args).length > MAX_ARGUMENTS) return Promise.resolve(refusal("The arguments are too large to send."));
      const signal = c?.signal ?? o.signal;
      return owner.source.call(name, args, { ...(signal === undefined ? {} : { signal }), ...(c?.timeoutMs === undefined ? {} : { timeoutMs: c.timeoutMs }) });
    },
    close,
  });
}

/** Which source a definition came from, in the recipe's words; secrets are only named in a recipe, and what is a key, or looks like one, is masked. */
export function originOf(source: ToolSource): string {
  if (source.stub !== undefined) return typeof source.stub === "string" ? `stub:${source.stub}` : `stub:${source.stub.from}`;
  if (source.openai !== undefined) return `openai:${source.openai}`;
  if (source.file !== undefined) return `file:${source.file}`;
  const { command, args = [], url = "" } = toldSource(source).mcp ?? {};
  const words = command === undefined ? plainUrl(url) : [basename(command), ...args].join(" ");
  return redact(`mcp:${words}`.slice(0, 200));
}

/** The policy of a source, its default by kind. */
export function policyOf(source: ToolSource): ExecutePolicy {
  return source.execute ?? (source.stub !== undefined ? "all" : "read_only");
}

function allows(policy: ExecutePolicy, tool: ToolDefinition): boolean {
  if (policy === "all") return true;
  if (policy === "none") return false;
  return policy === "read_only" ? tool.annotations?.readOnlyHint === true : policy.includes(tool.name);
}

const refusal = (text: string): ToolResult => ({ text, isError: true, timedOut: false, ms: 0, executed: false });

async function openSource(source: ToolSource, origin: string, o: OpenToolsOptions): Promise<Result<OpenSource>> {
  const wanted = (name: string): boolean => isSelected(`${source.prefix ?? ""}${name}`, source);
  const opened = await openKind(source, origin, o, wanted);
  const named = opened.ok && source.prefix !== undefined && source.prefix !== "" ? await withPrefix(opened.value, source.prefix, origin) : opened;
  return named.ok && (source.include !== undefined || source.exclude !== undefined) ? select(named.value, source, origin) : named;
}

type Wanted = (name: string) => boolean;

async function openKind(source: ToolSource, origin: string, o: OpenToolsOptions, wanted: Wanted): Promise<Result<OpenSource>> {
  if (source.stub !== undefined) return openStub(source.stub, origin, o);
  if (source.mcp !== undefined) return openServer(source.mcp, origin, o, wanted);
  const { openDefinitions } = await import("./definitions.ts");
  if (source.openai !== undefined) return openDefinitions("openai", source.openai, o.dir, wanted);
  if (source.file !== undefined) return openDefinitions("file", source.file, o.dir, wanted);
  throw new Error("a source of tools names none of stub, mcp, openai and file: the recipe's schema forbids that");
}

async function openStub(stub: NonNullable<ToolSource["stub"]>, origin: string, o: OpenToolsOptions): Promise<Result<OpenSource>> {
  if (typeof stub === "string" && !isStubName(stub)) return err(unknownStub(stub, STUB_NAMES));
  if (typeof stub !== "string") {
    // Read here first: what is wrong with the file is then said in our words, not by a child that ends.
    const { readDefinitions } = await import("./definitions.ts");
    const read = await readDefinitions("file", stub.from, o.dir);
    if (!read.ok) return read;
  }
  const entry = o.stubEntry ?? join(packageRoot(), "dist", "forge.js");
  const { openMcpServer } = await import("./mcp/stdio-server.ts");
  const words = typeof stub === "string" ? [stub] : [`--from=${stub.from}`, `--seed=${stub.seed ?? DEFAULT_STUB_SEED}`];
  return openMcpServer({
    command: process.execPath,
    args: [entry, "stub", ...words],
    env: childEnv(),
    cwd: o.dir,
    timeoutMs: o.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    source: "stub",
    origin,
    ...common(o),
  });
}

async function openServer(server: ServerSource, origin: string, o: OpenToolsOptions, wanted: Wanted): Promise<Result<OpenSource>> {
  const timeoutMs = server.timeout !== undefined ? server.timeout * 1000 : (o.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const shared = { timeoutMs, source: "mcp" as const, origin, wanted, ...common(o) };
  const secrets = resolveSecrets((server.url === undefined ? server.env : server.headers) ?? {}, `\`${origin}\``, o.env ?? process.env);
  if (server.url !== undefined) {
    if (!secrets.ok) return secrets;
    const { openHttpServer } = await import("./mcp/http-server.ts");
    return openHttpServer({ url: server.url, headers: secrets.value.env, mask: secrets.value.mask, ...shared });
  }
  const { command = "" } = server;
  if (command.trim() === "") return err(serverNotFound(command));
  if (!secrets.ok) return secrets;
  const { openMcpServer } = await import("./mcp/stdio-server.ts");
  return openMcpServer({ command, args: server.args ?? [], env: childEnv(secrets.value.env), cwd: o.dir, mask: secrets.value.mask, ...shared });
}

const common = (o: OpenToolsOptions): Pick<OpenToolsOptions, "signal"> & { onLog?: (line: string) => void } => ({
  ...(o.signal === undefined ? {} : { signal: o.signal }),
  ...(o.onLog === undefined ? {} : { onLog: (line: string) => o.onLog?.(redact(line)) }),
});
