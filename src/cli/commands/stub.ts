/** `forge stub`: runs a stand-in tool server, a real MCP server over stdio. */
import { Command } from "commander";
import { EXIT } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";

export function define(context: CliContext): Command {
  return new Command("stub")
    .description(
      "Runs a deterministic stand-in tool server that speaks MCP on stdin and stdout, until stdin closes.\nStubs: weather (get_weather, get_forecast, get_alerts), filesystem (a folder in memory).",
    )
    .argument("<name>", "weather or filesystem")
    .addHelpText("after", '\nExample (any MCP client may start it):\n  $ forge tools inspect --server "forge stub weather"')
    .action(
      action(context, async (name: string) => {
        const { runStub } = await import("../../tools/stubs/serve.ts");
        const ended = await runStub(name);
        if (ended.ok) return EXIT.ok;
        const { fail } = await import("../failure.ts");
        return fail(context, ended.error);
      }),
    );
}
