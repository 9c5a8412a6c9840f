/** `forge benchmark`: the recipe's stage, or a bundle on cases of one's own. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { type RunFlags, runRecipe, withRunFlags } from "../run.ts";

interface Flags extends RunFlags {
  readonly cases?: string;
  readonly allowServers?: boolean;
}

export function define(context: CliContext): Command {
  return withRunFlags(new Command("benchmark"))
    .description(
      "With a recipe: measures every exported format, tables and latency included (apply, up to that stage).\nWith --cases: runs a bundle (or a GGUF in one) on cases of your own, one JSON object a line.",
    )
    .argument("[what]", "a recipe (default: $MCP_FORGE_CONFIG, else forge.yaml); with --cases the folder of a bundle")
    .option("--cases <file>", "cases to run a bundle on")
    .option("--allow-servers", "with --cases: start the tool servers that the bundle names")
    .addHelpText("after", "\nExamples:\n  $ forge benchmark forge.yaml\n  $ forge benchmark dist/weather-expert --cases my-cases.jsonl --json")
    .action(action(context, (what: string | undefined, flags: Flags) => choose(context, what, flags)));
}

async function choose(context: CliContext, what: string | undefined, flags: Flags): Promise<ExitCode> {
  if (flags.cases === undefined) {
    const { existsSync } = await import("node:fs");
    const { join } = await import("node:path");
    const bundle = what !== undefined && (what.endsWith(".gguf") || existsSync(join(what, "agent.yaml")));
    if (!bundle) return runRecipe(context, what, { ...flags, until: "gate:benchmark" });
    return fail(
      context,
      usage("missing-option", `\`${what}\` is a bundle: it needs cases to run`, "add --cases FILE, one case a line (docs/recipe.md, evaluation)"),
    );
  }
  if (what === undefined) return fail(context, usage("missing-argument", "--cases runs a bundle, and none is named", "forge benchmark dist/NAME --cases FILE"));
  return benchmark(context, what, { ...flags, cases: flags.cases });
}

async function benchmark(context: CliContext, bundle: string, flags: Flags & { readonly cases: string }): Promise<ExitCode> {
  const { terminal } = context;
  const [{ benchmarkBundle }, { safeText }] = await Promise.all([import("../../stages/benchmark-bundle.ts"), import("../../platform/redact.ts")]);
  const interrupt = listenForInterrupt((line) => terminal.err(`${line}\n`));
  const counting = process.stderr.isTTY === true && flags.quiet !== true;
  const measured = await benchmarkBundle(bundle, {
    cases: flags.cases,
    allowServers: flags.allowServers === true,
    signal: interrupt.signal,
    onProgress: (done, total) => {
      if (counting) terminal.err(`\r${done}/${total} cases${done === total ? "\n" : ""}`);
    },
  });
  interrupt.release();
  if (!measured.ok) return fail(context, measured.error);
  for (const note of measured.value.notes) terminal.err(`note: ${safeText(note)}\n`);
  terminal.out(flags.json === true ? jsonText(measured.value.json) : `${safeText(measured.value.markdown)}\n`);
  return EXIT.ok;
}
