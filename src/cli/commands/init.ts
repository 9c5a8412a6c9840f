/** `forge init`: a starter recipe. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import type { ToolSource } from "../../tools/types.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { DEFAULT_RECIPE } from "../recipe.ts";
import { quote } from "../render/path.ts";

interface Flags {
  readonly name?: string;
  readonly server?: string;
  readonly stub?: string;
  readonly force?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("init")
    .description(
      "Writes a starter recipe with comments, for the weather stub or for your own MCP server, puts its schema where an editor finds it, and keeps forge's own folders out of git.",
    )
    .argument("[file]", "the recipe to write", DEFAULT_RECIPE)
    .option("--name <name>", "name of the model and its bundle")
    .option("--server <command>", "start from this MCP server (quoted as in a shell)")
    .option("--stub <name>", "start from this stub: weather, filesystem")
    .option("--force", "replace the file if it is there")
    .addHelpText(
      "after",
      '\nExamples:\n  $ forge init\n  $ forge init files.yaml --name file-clerk --server "npx -y @modelcontextprotocol/server-filesystem ."',
    )
    .action(action(context, (file: string, flags: Flags) => run(context, file, flags)));
}

async function run(context: CliContext, file: string, flags: Flags): Promise<ExitCode> {
  if (flags.server !== undefined && flags.stub !== undefined) return fail(context, usage("conflict", "name --server or --stub, not both"));
  let source: ToolSource | undefined;
  if (flags.stub !== undefined) source = { stub: flags.stub, execute: "all" };
  if (flags.server !== undefined) {
    const { splitCommandLine } = await import("../shell-words.ts");
    const words = splitCommandLine(flags.server);
    if (!words.ok) return fail(context, words.error);
    const [command = "", ...args] = words.value;
    source = { mcp: { command, args }, execute: "read_only" };
  }
  const { writeStarter } = await import("../../stages/init.ts");
  const written = await writeStarter({ file, name: flags.name, source, overwrite: flags.force === true });
  if (!written.ok) return fail(context, written.error);
  const recipe = file === DEFAULT_RECIPE ? "" : ` ${quote(file)}`;
  const { name, schema, ignored } = written.value;
  context.terminal.out(
    `wrote ${file} (${name}); an editor completes it from ${schema}\n${ignored.length > 0 ? `added to .gitignore: ${ignored.join(", ")}\n` : ""}next: forge plan${recipe}, then forge apply${recipe}\n`,
  );
  return EXIT.ok;
}
