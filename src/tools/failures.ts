/** The failures of the tool layer, each worded once: a stable code, one sentence, a fix. */
import { EXIT } from "../platform/exit.ts";
import { safeText } from "../platform/redact.ts";
import type { Failure } from "../platform/result.ts";

/** A foreign name, short and fit for a terminal. */
const quote = (name: string): string => `\`${shorten(safeText(name.slice(0, 1000)))}\``;
const shorten = (name: string): string => (name.length > 80 ? `${name.slice(0, 77)}...` : name);

export const serverNotFound = (command: string): Failure => ({
  code: "tools/server-not-found",
  message: `the tool server's command ${quote(command)} was not found`,
  hint: /\s/.test(command)
    ? "put the program alone under `command` and its arguments, one each, under `args`"
    : "install it, or correct `command` in the recipe's `tools` (relative paths start at the recipe's folder)",
  exit: EXIT.environment,
});

export const serverNotStarted = (why: string): Failure => ({
  code: "tools/server-not-started",
  message: `${why} (a tool server)`,
  hint: "check that the file may be executed, and try the command by hand",
  exit: EXIT.environment,
});

export const serverExited = (command: string, how: string, output: string): Failure => ({
  code: "tools/server-exited",
  message: `the tool server ${quote(command)} ended ${how} before it answered`,
  hint: "run the command by hand to see why; a missing argument, package or key is the usual reason (`env` in the recipe hands keys over)",
  ...(output === "" ? {} : { details: output }),
  exit: EXIT.failed,
});

export const serverSilent = (command: string, what: string, seconds: number, output: string): Failure => ({
  code: "tools/server-timeout",
  message: `the tool server ${quote(command)} did not answer \`${what}\` within ${seconds} s`,
  hint: "check that the command starts an MCP server on stdin and stdout; raise `timeout` (seconds) if it is only slow to start",
  ...(output === "" ? {} : { details: output }),
  exit: EXIT.failed,
});

export const serverProtocol = (command: string, what: string, output: string): Failure => ({
  code: "tools/server-protocol",
  message: `the tool server ${quote(command)} does not speak MCP as expected: ${what}`,
  hint: "check that the command starts an MCP server that uses stdin and stdout, and that it prints nothing else on stdout",
  ...(output === "" ? {} : { details: output }),
  exit: EXIT.failed,
});

/** An address without what may be secret in it: no user, no query, no fragment. */
export function plainUrl(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return url.replace(/[?#].*$/s, "").replace(/\/\/[^/]*@/, "//");
  }
}

export const badUrl = (why: string): Failure => ({
  code: "tools/invalid-url",
  message: `the \`url\` of a tool server cannot be used: ${why}`,
  hint: "write it as https://HOST/PATH; a key goes into `headers` as ${secret:NAME}",
  exit: EXIT.usage,
});

export const badHeader = (name: string, why: string): Failure => ({
  code: "tools/invalid-header",
  message: `the header ${quote(name)} of a tool server cannot be sent: ${why}`,
  hint: "correct it under `headers`; where its value is a secret, look for a line break or a letter outside ASCII in the environment variable",
  exit: EXIT.usage,
});

export const serverUnreachable = (url: string, why: string): Failure => ({
  code: "tools/server-unreachable",
  message: `the tool server ${quote(url)} cannot be reached: ${why}`,
  hint: "check that it runs and that `url` names its host and port",
  exit: EXIT.environment,
});

export const serverTls = (url: string, why: string): Failure => ({
  code: "tools/server-tls",
  message: `the tool server ${quote(url)} offers no trustworthy TLS connection: ${why}`,
  hint: "mend the server's certificate; for an authority of your own set NODE_EXTRA_CA_CERTS to its file before you run forge",
  exit: EXIT.environment,
});

export const serverRedirects = (url: string, to: string, otherHost: boolean): Failure => ({
  code: "tools/server-redirect",
  message: otherHost
    ? `the tool server ${quote(url)} redirects to another origin, ${quote(to)}, which is not followed: your headers belong to the first`
    : `the tool server ${quote(url)} redirects to ${quote(to)} in a way that loses the request`,
  hint: "if you trust that address, write it as `url`",
  exit: EXIT.usage,
});

export const serverUnauthorized = (url: string, status: number): Failure => ({
  code: "tools/server-unauthorized",
  message: `the tool server ${quote(url)} refuses us (${status === 403 ? "403 Forbidden" : "401 Unauthorized"})`,
  hint: 'give it a valid key: `headers: { Authorization: "Bearer ${secret:NAME}" }`, with the environment variable NAME set',
  exit: EXIT.environment,
});

export const serverStatus = (url: string, what: string, status: number, text: string): Failure => ({
  code: "tools/server-http",
  message: `the tool server ${quote(url)} answered \`${what}\` with HTTP status ${status}`,
  hint:
    status >= 500
      ? "the server failed: look at its own log, and try again"
      : "check `url`: the address of an MCP endpoint often ends in /mcp, or /sse for an old server",
  ...(text === "" ? {} : { details: text }),
  exit: EXIT.failed,
});

export const serverHttpProtocol = (url: string, what: string): Failure => ({
  code: "tools/server-protocol",
  message: `the tool server ${quote(url)} does not speak MCP as expected: ${what}`,
  hint: "check `url`: the address of an MCP endpoint often ends in /mcp, or /sse for an old server",
  exit: EXIT.failed,
});

export const serverHttpSilent = (url: string, what: string, seconds: number): Failure => ({
  code: "tools/server-timeout",
  message: `the tool server ${quote(url)} did not answer \`${what}\` within ${seconds} s`,
  hint: "check that an MCP server answers at that address; raise `timeout` (seconds) if it is only slow",
  exit: EXIT.failed,
});

export const noTools = (origin: string): Failure => ({
  code: "tools/no-tools",
  message: `${quote(origin)} offers no tools`,
  hint: "check the server's arguments: some servers list tools only once they are given a folder, a key or a feature",
  exit: EXIT.failed,
});

export const badToolName = (origin: string, name: string): Failure => ({
  code: "tools/invalid-name",
  message: `${quote(origin)} has a tool named ${JSON.stringify(name.slice(0, 80))}, which is no usable name`,
  hint: "a name has 1 to 128 of the characters A-Z a-z 0-9 _ . : - and at least one letter or digit",
  exit: EXIT.failed,
});

export const badToolSchema = (origin: string, name: string, why: string): Failure => ({
  code: "tools/invalid-schema",
  message: `the input schema of tool ${quote(name)} of ${quote(origin)} cannot be used: ${why}`,
  hint: `it must be a JSON Schema of an object, complete in itself (no references to other documents), with patterns that are checked in few steps; or do without the tool: \`exclude: [${name}]\` beside the source`,
  exit: EXIT.failed,
});

export const duplicateTool = (name: string, first: string, second: string): Failure => ({
  code: "tools/duplicate-name",
  message: first === second ? `${quote(first)} lists the tool ${quote(name)} twice` : `the tool ${quote(name)} comes from two sources: ${first} and ${second}`,
  hint:
    first === second
      ? "the server must give every tool a name of its own"
      : "give one of the two sources a `prefix`, for example `prefix: a_`, which is put before the names of all its tools",
  exit: EXIT.failed,
});

export const missingSecret = (name: string, where: string): Failure => ({
  code: "tools/missing-secret",
  message: `the secret ${quote(name)} that ${where} needs is not set`,
  hint: `set the environment variable ${name} before you run forge; its value is stored nowhere`,
  exit: EXIT.environment,
});

export const missingSetting = (name: string, where: string): Failure => ({
  code: "tools/missing-setting",
  message: `the environment variable ${quote(name)} that ${where} needs is not set`,
  hint: `its maker handed it over as \${env:${name}}, and a bundle holds its name only: set it (export ${name}=…) before you run forge`,
  exit: EXIT.environment,
});

export const unknownStub = (name: string, known: readonly string[]): Failure => ({
  code: "tools/unknown-stub",
  message: `there is no stub named ${quote(name)}`,
  hint: `use one of: ${known.join(", ")}`,
  exit: EXIT.usage,
});

export const unreadableFile = (file: string, why: string, hint: string): Failure => ({
  code: "tools/unreadable-file",
  message: `the tools file ${quote(file)} cannot be used: ${why}`,
  hint,
  exit: EXIT.usage,
});

export const emptyFile = (file: string, hint: string): Failure => ({
  code: "tools/no-tools",
  message: `the tools file ${quote(file)} holds an empty list`,
  hint,
  exit: EXIT.usage,
});

export const unknownSelectedTool = (key: string, name: string, origin: string, known: readonly string[]): Failure => ({
  code: "tools/unknown-tool",
  message: `\`${key}\` of ${quote(origin)} names ${quote(name)}, which none of its tools is called`,
  hint: `its tools are: ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", ..." : ""}; names are as the model sees them, with the source's \`prefix\`, and \`*\` stands for any characters`,
  exit: EXIT.usage,
});

export const nothingSelected = (origin: string): Failure => ({
  code: "tools/no-tools",
  message: `\`include\` and \`exclude\` leave no tool of ${quote(origin)}`,
  hint: "name at least one tool in `include` that `exclude` does not name, or remove the source",
  exit: EXIT.usage,
});

export const unknownPolicyTool = (name: string, origin: string, known: readonly string[]): Failure => ({
  code: "tools/unknown-tool",
  message: `\`execute\` of ${quote(origin)} names ${quote(name)}, which is none of its tools`,
  hint: `its tools are: ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", ..." : ""}`,
  exit: EXIT.usage,
});

export const interrupted = (): Failure => ({ code: "tools/interrupted", message: "opening the tools was interrupted", exit: EXIT.interrupted });
