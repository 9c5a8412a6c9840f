/** `forge try`: a prompt to a bundle, or a chat with it; shows the call, the result, the answer. */
import { Command } from "commander";
import type { Chat } from "../../bundle/try.ts";
import type { TryOutcome } from "../../bundle/types.ts";
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
      "Gives a bundle's model one prompt and shows what it calls, what came back, and what it answers.\nWithout a prompt it is a chat: each line of the input is a message, and the model reads what was said before (Ctrl-D ends it).\nStubs are executed. A server that a bundle names is started only with --allow-servers: it runs commands that the bundle's maker chose.",
    )
    .argument("<bundle>", "folder of the bundle")
    .argument("[prompt]", "what to ask, in quotes; left out: a chat")
    .option("--allow-servers", "start the tool servers that the bundle names")
    .option("--json", "print calls, results and answer as JSON; of a chat one line a message")
    .addHelpText("after", '\nExamples:\n  $ forge try dist/weather-expert "Is it raining in Seattle?"\n  $ forge try dist/weather-expert')
    .action(action(context, (bundle: string, prompt: string | undefined, flags: Flags) => run(context, bundle, prompt, flags)));
}

async function run(context: CliContext, bundle: string, prompt: string | undefined, flags: Flags): Promise<ExitCode> {
  const { openChat, tryBundle } = await import("../../bundle/try.ts");
  const interrupt = listenForInterrupt(() => undefined);
  const options = { signal: interrupt.signal, allowServers: flags.allowServers === true };
  try {
    if (prompt === undefined) {
      const chat = await openChat(bundle, options);
      if (!chat.ok) return fail(context, chat.error);
      try {
        return await converse(context, chat.value, interrupt.signal, flags);
      } finally {
        await chat.value.close();
      }
    }
    const tried = await tryBundle(bundle, prompt, options);
    if (!tried.ok) return fail(context, tried.error);
    if (flags.json === true) context.terminal.out(jsonText(tried.value));
    else await show(context, tried.value);
    if (tried.value.unproven && flags.json !== true) context.terminal.err(UNPROVEN);
    return codeOf(tried.value);
  } finally {
    interrupt.release();
  }
}

const UNPROVEN = "note: this bundle is unproven; its README.md says why\n";
const codeOf = (outcome: TryOutcome): ExitCode => (outcome.ended === "answer" ? EXIT.ok : EXIT.failed);

/** Messages from the input, line by line, until it ends. The exit code is that of the worst answer; in a chat by hand, of none. */
async function converse(context: CliContext, chat: Chat, signal: AbortSignal, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const byHand = process.stdin.isTTY === true;
  let worst: ExitCode = EXIT.ok;
  let first = true;
  if (byHand) terminal.err("Ctrl-D ends the chat.\n");
  for await (const line of byHand ? typed(terminal.paintErr("bold", "you     "), signal) : piped(signal)) {
    if (line.trim() === "") continue;
    const told = await chat.say(line);
    if (!told.ok) {
      const code = fail(context, told.error);
      // A message that is too long is no reason to end a chat by hand.
      if (byHand && told.error.exit === EXIT.usage) continue;
      return code;
    }
    if (flags.json === true) terminal.out(`${JSON.stringify(told.value)}\n`);
    else await show(context, told.value);
    if (first && told.value.unproven && flags.json !== true) terminal.err(UNPROVEN);
    first = false;
    if (!byHand && codeOf(told.value) !== EXIT.ok) worst = codeOf(told.value);
  }
  return signal.aborted ? EXIT.interrupted : worst;
}

/** Lines that somebody types, each asked for. The prompt is no result: it goes where notes go. */
async function* typed(prompt: string, signal: AbortSignal): AsyncGenerator<string> {
  const { createInterface } = await import("node:readline");
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt });
  let closed = false;
  lines.once("close", () => {
    closed = true;
  });
  // In a terminal readline takes Ctrl-C for itself.
  lines.on("SIGINT", () => process.emit("SIGINT"));
  signal.addEventListener("abort", () => lines.close(), { once: true });
  lines.prompt();
  for await (const line of lines) {
    yield line;
    // Ctrl-D while the model answers.
    if (!closed) lines.prompt();
  }
  process.stderr.write("\n");
}

/** Bytes of a line that are held; a message has fewer, and more is refused as too long. */
const MAX_LINE = 1 << 17;

/** Lines of a file or a program. */
async function* piped(signal: AbortSignal): AsyncGenerator<string> {
  const { LineSplitter } = await import("../../platform/lines.ts");
  const ready: string[] = [];
  const lines = new LineSplitter((line) => ready.push(line), MAX_LINE);
  const { stdin } = process;
  // Nothing more may come for hours.
  signal.addEventListener("abort", () => stdin.destroy(), { once: true });
  try {
    for await (const chunk of stdin) {
      lines.push(Buffer.from(chunk as Buffer | string));
      while (ready.length > 0) yield ready.shift() as string;
    }
  } catch (e) {
    if (!signal.aborted) throw e;
  }
  if (signal.aborted) return;
  lines.end();
  yield* ready;
}

async function show({ terminal }: CliContext, outcome: TryOutcome): Promise<void> {
  const { safeText } = await import("../../platform/redact.ts");
  const { paint } = terminal;
  for (const call of outcome.calls) {
    terminal.out(`${paint("cyan", "call")}    ${paint("bold", safeText(call.name))} ${safeText(JSON.stringify(call.arguments))}\n`);
    const word = call.isError ? paint("red", "error  ") : paint("dim", call.executed ? "result " : "made up");
    terminal.out(`${word} ${safeText(call.result).replaceAll("\n", "\n        ")}\n`);
  }
  const whole = outcome.ended === "answer";
  if (outcome.answer !== null) terminal.out(`${paint(whole ? "green" : "red", "answer")}  ${safeText(outcome.answer).replaceAll("\n", "\n        ")}\n`);
  for (const note of outcome.notes) terminal.err(`note: ${safeText(note)}\n`);
}
