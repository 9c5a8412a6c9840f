/** `forge try`: one prompt to a bundle; shows the call, the result, the answer. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";

interface Flags {
  readonly json?: boolean;
  readonly allowServers?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("try")
    .description(
      "Gives a bundle's model one prompt and shows what it calls, what came back, and what it answers.\nStubs are executed. A server that a bundle names is started only with --allow-servers: it runs commands that the bundle's maker chose.",
    )
    .argument("<bundle>", "folder of the bundle")
    .argument("<prompt>", "what to ask, in quotes")
    .option("--allow-servers", "start the tool servers that the bundle names")
    .option("--json", "print calls, results and answer as JSON")
    .addHelpText("after", '\nExample:\n  $ forge try dist/weather-expert "Is it raining in Seattle?"')
    .action(action(context, (bundle: string, prompt: string, flags: Flags) => run(context, bundle, prompt, flags)));
}

async function run(context: CliContext, bundle: string, prompt: string, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ tryBundle }, { safeText }] = await Promise.all([import("../../bundle/try.ts"), import("../../platform/redact.ts")]);
  const interrupt = listenForInterrupt(() => undefined);
  const tried = await tryBundle(bundle, prompt, { signal: interrupt.signal, allowServers: flags.allowServers === true });
  interrupt.release();
  if (!tried.ok) return fail(context, tried.error);
  const outcome = tried.value;
  const whole = outcome.ended === "answer";
  const code = whole ? EXIT.ok : EXIT.failed;
  if (flags.json === true) {
    terminal.out(jsonText(outcome));
    return code;
  }
  const { paint } = terminal;
  for (const call of outcome.calls) {
    terminal.out(`${paint("cyan", "call")}    ${paint("bold", safeText(call.name))} ${safeText(JSON.stringify(call.arguments))}\n`);
    const word = call.isError ? paint("red", "error  ") : paint("dim", call.executed ? "result " : "made up");
    terminal.out(`${word} ${safeText(call.result).replaceAll("\n", "\n        ")}\n`);
  }
  if (outcome.answer !== null) terminal.out(`${paint(whole ? "green" : "red", "answer")}  ${safeText(outcome.answer).replaceAll("\n", "\n        ")}\n`);
  for (const note of outcome.notes) terminal.err(`note: ${safeText(note)}\n`);
  if (outcome.unproven) terminal.err("note: this bundle is unproven; its README.md says why\n");
  return code;
}
