/** `forge completion`: a script that lets a shell complete commands and flags. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";

export function define(context: CliContext): Command {
  return new Command("completion")
    .description("Prints a script that lets your shell complete forge's commands and flags. It asks nothing of forge while you type.")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText(
      "after",
      '\nExamples:\n  $ forge completion bash > ~/.local/share/bash-completion/completions/forge\n  $ forge completion zsh > "${fpath[1]}/_forge"\n  $ forge completion fish > ~/.config/fish/completions/forge.fish',
    )
    .action(action(context, (shell: string) => run(context, shell)));
}

async function run(context: CliContext, shell: string): Promise<ExitCode> {
  const { SHELLS, describe } = await import("../completion.ts");
  const write = Object.hasOwn(SHELLS, shell) ? SHELLS[shell as keyof typeof SHELLS] : undefined;
  if (write === undefined)
    return fail(context, usage("bad-value", `there is no completion for \`${shell}\``, `choose one of ${Object.keys(SHELLS).join(", ")}`));
  context.terminal.out(write(await describe(context)));
  return EXIT.ok;
}
