/** `forge stub`: runs a stand-in tool server, a real MCP server over stdio. */
import { Command } from "commander";
import { EXIT } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";

interface Options {
  readonly from?: string;
  readonly seed: string;
}

export function define(context: CliContext): Command {
  return new Command("stub")
    .description(
      "Runs a deterministic stand-in tool server that speaks MCP on stdin and stdout, until stdin closes.\nStubs: weather (get_weather, get_forecast, get_alerts), filesystem (a folder in memory); --from fakes the tools of a file.",
    )
    .argument("[name]", "weather or filesystem")
    .option("--from <file>", "fake the tools of this file (JSON or YAML): results are made from their schemas")
    .option("--seed <number>", "what the made-up results are drawn from", "7")
    .addHelpText(
      "after",
      '\nExamples (any MCP client may start it):\n  $ forge tools inspect --server "forge stub weather"\n  $ forge tools inspect --server "forge stub --from tools.json"',
    )
    .action(
      action(context, async (name: string | undefined, options: Options) => {
        const { fail, usage } = await import("../failure.ts");
        if ((name === undefined) === (options.from === undefined))
          return fail(context, usage("conflict", "name a stub (weather, filesystem) or a file with --from, one of them"));
        const seed = Number(options.seed);
        if (!/^\d{1,10}$/.test(options.seed) || seed > 4294967295)
          return fail(context, usage("bad-value", `--seed takes a whole number from 0 to 4294967295, not \`${options.seed}\``));
        const { missingFile } = await import("../named-files.ts");
        const missing = options.from === undefined ? undefined : missingFile("--from", options.from);
        if (missing !== undefined) return fail(context, missing);
        const { runStub } = await import("../../tools/stubs/serve.ts");
        const ended = await runStub(name ?? { from: options.from ?? "", seed });
        return ended.ok ? EXIT.ok : fail(context, ended.error);
      }),
    );
}
