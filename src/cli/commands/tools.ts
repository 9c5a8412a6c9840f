/** `forge tools inspect`: what a server, a stub, a file or a recipe's sources offer. `forge tools import`: a file as a toolset. */
import { resolve } from "node:path";
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { ToolSource, Toolset } from "../../tools/types.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage, warn } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { missingFile, unwritable } from "../named-files.ts";
import { recipePath } from "../recipe.ts";

interface Options {
  readonly server?: string;
  readonly stub?: string;
  readonly openai?: string;
  readonly file?: string;
  readonly header: readonly string[];
  readonly variant?: string;
  readonly output?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  const inspect = new Command("inspect")
    .summary("connect, and list each tool with its description and parameters")
    .description(
      "Connects to a tool server and lists its tools: name, description, parameters (* is required).\nWithout --server, --stub, --openai and --file the sources of the recipe are asked. No tool is called.",
    )
    .argument("[recipe]", "recipe whose sources are asked (default: forge.yaml)")
    .option("--server <command>", "start this MCP server (quoted as in a shell); or its address, http://… or https://…")
    .option(
      "--header <line>",
      'send this header to the address, for example "Authorization: Bearer ${secret:TOKEN}"; may be repeated',
      (line: string, all: readonly string[]) => [...all, line],
      [],
    )
    .option("--stub <name>", "ask the stub of that name: weather, filesystem")
    .option("--openai <file>", "read OpenAI function definitions (JSON)")
    .option("--file <file>", "read a YAML or JSON file of tools")
    .option("--variant <name>", "variant of the recipe")
    .option("-o, --output <file>", "save the toolset as JSON; a file that is there is replaced")
    .option("--timeout <seconds>", "how long to wait for an answer", "30")
    .option("--json", "print the toolset as JSON")
    .addHelpText(
      "after",
      `\nExamples:\n  $ forge tools inspect --stub weather\n  $ forge tools inspect --server "npx -y @modelcontextprotocol/server-filesystem ." --output tools.json`,
    )
    .action(action(context, (recipe: string | undefined, options: Options) => run(context, recipe, options)));
  const bring = new Command("import")
    .summary("turn OpenAI functions, or tools of your own, into a toolset file")
    .description(
      "Reads tool definitions (OpenAI functions JSON in both shapes, or YAML or JSON with name, description and input_schema), checks them, and writes them as a toolset file, which `file:` and `stub: {from: …}` take.",
    )
    .requiredOption("--from <file>", "OpenAI functions JSON, or YAML or JSON of your own")
    .requiredOption("-o, --output <file>", "the toolset file to write (JSON)")
    .option("--json", "print the toolset as JSON, too")
    .addHelpText("after", "\nExample:\n  $ forge tools import --from functions.json --output tools.json")
    .action(action(context, (options: ImportOptions) => importFile(context, options)));
  return new Command("tools").description("Looks at tools. No tool is called.").addCommand(inspect).addCommand(bring);
}

interface ImportOptions {
  readonly from: string;
  readonly output: string;
  readonly json?: boolean;
}

async function importFile(context: CliContext, options: ImportOptions): Promise<ExitCode> {
  const problem = missingFile("--from", options.from) ?? (await unwritable(options.output, [options.from]));
  if (problem !== undefined) return fail(context, problem);
  const [{ readDefinitions }, { makeToolset }] = await Promise.all([import("../../tools/definitions.ts"), import("../../tools/toolset.ts")]);
  const read = await readDefinitions("any", options.from, process.cwd());
  if (!read.ok) return fail(context, read.error);
  const toolset = makeToolset(read.value);
  return toolset.ok ? show(context, toolset.value, options) : fail(context, toolset.error);
}

async function run(context: CliContext, recipe: string | undefined, options: Options): Promise<ExitCode> {
  const timeout = Number(options.timeout);
  if (!(timeout > 0 && timeout <= 3600)) return fail(context, usage("bad-value", `--timeout takes seconds between 0 and 3600, not \`${options.timeout}\``));
  const missing =
    (options.openai === undefined ? undefined : missingFile("--openai", options.openai)) ??
    (options.file === undefined ? undefined : missingFile("--file", options.file));
  if (missing !== undefined) return fail(context, missing);
  const sources = await chooseSources(context, recipe, options);
  if (!sources.ok) return fail(context, sources.error);
  const blocked = options.output === undefined ? undefined : await unwritable(options.output, readFor(sources.value));
  if (blocked !== undefined) return fail(context, blocked);
  const { openTools } = await import("../../tools/open.ts");
  const interrupt = listenForInterrupt(() => undefined);
  const log: string[] = [];
  const opened = await openTools(sources.value.list, {
    dir: sources.value.dir,
    stated: sources.value.stated,
    signal: interrupt.signal,
    timeoutMs: timeout * 1000,
    onLog: (line) => log.push(line),
  });
  if (!opened.ok) {
    interrupt.release();
    return fail(context, interrupt.signal.aborted ? { code: "cli/interrupted", message: "interrupted", exit: EXIT.interrupted } : opened.error);
  }
  const { toolset } = opened.value;
  await opened.value.close();
  interrupt.release();
  return show(context, toolset, options);
}

/** The files that are read for the sources, a recipe's own included. */
function readFor({ list, dir, recipe }: Sources): string[] {
  const named = list.flatMap(({ file, openai, stub }) => file ?? openai ?? (typeof stub === "object" ? stub.from : []));
  return [...(recipe === undefined ? [] : [recipe]), ...named.map((path) => resolve(dir, path))];
}

/** Saves the toolset where the user wants it, and prints it. */
async function show(context: CliContext, toolset: Toolset, options: { readonly output?: string; readonly json?: boolean }): Promise<ExitCode> {
  if (options.output !== undefined) {
    const [{ fsFailure }, { OutputError, writeOutput }] = await Promise.all([import("../../platform/fs.ts"), import("../../platform/output-file.ts")]);
    try {
      await writeOutput(resolve(options.output), [jsonText(toolset)]);
    } catch (error) {
      const failure = fsFailure(error instanceof OutputError ? error.cause : error, `write ${options.output}`);
      if (failure === undefined) throw error;
      return fail(context, failure);
    }
  }
  if (options.json === true) context.terminal.out(jsonText(toolset));
  else {
    const [{ describeTools }, { safeText }] = await Promise.all([import("../render/tools.ts"), import("../../platform/redact.ts")]);
    context.terminal.out(`${describeTools(toolset, context.terminal, safeText).join("\n")}\n`);
    if (options.output !== undefined) context.terminal.out(`saved in ${options.output}\n`);
  }
  return EXIT.ok;
}

interface Sources {
  readonly list: readonly ToolSource[];
  readonly stated?: readonly ToolSource[];
  /** What their paths are relative to. */
  readonly dir: string;
  /** The recipe that names them, if one does. */
  readonly recipe?: string;
}

async function chooseSources(context: CliContext, recipe: string | undefined, options: Options): Promise<Result<Sources, readonly Failure[]>> {
  const { server, stub, openai, file } = options;
  if ([server, stub, openai, file, recipe].filter((given) => given !== undefined).length > 1)
    return err([usage("conflict", "name one of --server, --stub, --openai, --file and a recipe, not several")]);
  const address = server !== undefined && /^https?:\/\//i.test(server);
  if (options.header.length > 0 && !address) return err([usage("conflict", "--header goes with --server and an address (http://… or https://…)")]);
  const dir = process.cwd();
  if (stub !== undefined) return ok({ list: [{ stub, execute: "all" }], dir });
  if (openai !== undefined) return ok({ list: [{ openai }], dir });
  if (file !== undefined) return ok({ list: [{ file }], dir });
  if (address) {
    const headers: Record<string, string> = {};
    for (const line of options.header) {
      const colon = line.indexOf(":");
      // The line itself is not shown: its value may be a key.
      if (colon < 1) return err([usage("bad-value", '--header takes "NAME: VALUE"')]);
      headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
    }
    return ok({ list: [{ mcp: { url: server, headers }, execute: "read_only" }], dir });
  }
  if (server !== undefined) {
    const { splitCommandLine } = await import("../shell-words.ts");
    const words = splitCommandLine(server);
    if (!words.ok) return err([words.error]);
    const [command = "", ...args] = words.value;
    return ok({ list: [{ mcp: { command, args }, execute: "read_only" }], dir });
  }
  const { loadRecipe } = await import("../../recipe/load.ts");
  const path = recipePath(context, recipe);
  const loaded = await loadRecipe(path, { variant: options.variant });
  if (!loaded.ok) return err(loaded.error);
  warn(context, loaded.value.warnings);
  const { tools, statedTools } = loaded.value.recipe;
  return ok({ list: tools as readonly ToolSource[], stated: statedTools as readonly ToolSource[], dir: loaded.value.dir, recipe: path });
}
