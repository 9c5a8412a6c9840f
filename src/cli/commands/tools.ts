/** `forge tools inspect`: what a server, a stub or a recipe's sources offer. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { ToolSource } from "../../tools/types.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage, warn } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { recipePath } from "../recipe.ts";

interface Options {
  readonly server?: string;
  readonly stub?: string;
  readonly variant?: string;
  readonly output?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  const inspect = new Command("inspect")
    .summary("connect, and list each tool with its description and parameters")
    .description(
      "Connects to a tool server and lists its tools: name, description, parameters (* is required).\nWithout --server and --stub the sources of the recipe are asked. No tool is called.",
    )
    .argument("[recipe]", "recipe whose sources are asked (default: forge.yaml)")
    .option("--server <command>", "start this MCP server (quoted as in a shell)")
    .option("--stub <name>", "ask the stub of that name: weather, filesystem")
    .option("--variant <name>", "variant of the recipe")
    .option("-o, --output <file>", "save the toolset as JSON (a path, not overwritten by anything else)")
    .option("--timeout <seconds>", "how long to wait for an answer", "30")
    .option("--json", "print the toolset as JSON")
    .addHelpText(
      "after",
      `\nExamples:\n  $ forge tools inspect --stub weather\n  $ forge tools inspect --server "npx -y @modelcontextprotocol/server-filesystem ." --output tools.json`,
    )
    .action(action(context, (recipe: string | undefined, options: Options) => run(context, recipe, options)));
  return new Command("tools").description("Looks at tools. No tool is called.").addCommand(inspect);
}

async function run(context: CliContext, recipe: string | undefined, options: Options): Promise<ExitCode> {
  const timeout = Number(options.timeout);
  if (!(timeout > 0 && timeout <= 3600)) return fail(context, usage("bad-value", `--timeout takes seconds between 0 and 3600, not \`${options.timeout}\``));
  const sources = await chooseSources(context, recipe, options);
  if (!sources.ok) return fail(context, sources.error);
  const [{ openTools }, { safeText }] = await Promise.all([import("../../tools/open.ts"), import("../../platform/redact.ts")]);
  const interrupt = listenForInterrupt(() => undefined);
  const log: string[] = [];
  const opened = await openTools(sources.value.list, {
    dir: sources.value.dir,
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
  if (options.output !== undefined) {
    const { fsFailure, writeFileAtomic } = await import("../../platform/fs.ts");
    const { resolve } = await import("node:path");
    try {
      writeFileAtomic(resolve(options.output), jsonText(toolset));
    } catch (error) {
      const failure = fsFailure(error, `write ${options.output}`);
      if (failure === undefined) throw error;
      return fail(context, failure);
    }
  }
  if (options.json === true) context.terminal.out(jsonText(toolset));
  else {
    const { describeTools } = await import("../render/tools.ts");
    context.terminal.out(`${describeTools(toolset, context.terminal, safeText).join("\n")}\n`);
    if (options.output !== undefined) context.terminal.out(`saved in ${options.output}\n`);
  }
  return EXIT.ok;
}

async function chooseSources(
  context: CliContext,
  recipe: string | undefined,
  options: Options,
): Promise<Result<{ list: readonly ToolSource[]; dir: string }, readonly Failure[]>> {
  const named = [options.server !== undefined, options.stub !== undefined, recipe !== undefined].filter(Boolean).length;
  if (named > 1) return err([usage("conflict", "name one of --server, --stub and a recipe, not several")]);
  const dir = process.cwd();
  if (options.stub !== undefined) return ok({ list: [{ stub: options.stub, execute: "all" }], dir });
  if (options.server !== undefined) {
    const { splitCommandLine } = await import("../shell-words.ts");
    const words = splitCommandLine(options.server);
    if (!words.ok) return err([words.error]);
    const [command = "", ...args] = words.value;
    return ok({ list: [{ mcp: { command, args }, execute: "read_only" }], dir });
  }
  const { loadRecipe } = await import("../../recipe/load.ts");
  const loaded = await loadRecipe(recipePath(context, recipe), { variant: options.variant });
  if (!loaded.ok) return err(loaded.error);
  warn(context, loaded.value.warnings);
  return ok({ list: loaded.value.recipe.tools as readonly ToolSource[], dir: loaded.value.dir });
}
