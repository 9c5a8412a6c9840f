/** `forge benchmark`: the recipe's stage, a GGUF on made or given cases, or a bundle on cases of one's own. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { type RunFlags, runRecipe, withRunFlags } from "../run.ts";
import { defineStepFlags, runStepCommand } from "../step.ts";
import type { StepFlagName } from "../step-flags.ts";

const FLAGS: readonly StepFlagName[] = ["model", "tools", "stub", "server", "execute", "baseline", "samples", "seed", "family", "output"];

interface Flags extends RunFlags {
  readonly cases?: string;
  readonly allowServers?: boolean;
  readonly model?: string;
}

export function define(context: CliContext): Command {
  const command = withRunFlags(new Command("benchmark"))
    .description(
      "With a recipe: measures every exported format, tables and latency included (apply, up to that stage).\nWith --cases: runs a bundle (or a GGUF in one) on cases of your own, one JSON object a line.\nWith --model: measures one GGUF on made cases (or --cases), beside the untuned base or --baseline.",
    )
    .argument("[what]", "a recipe (default: $MCP_FORGE_CONFIG, else forge.yaml); with --cases the folder of a bundle")
    .option("--cases <file>", "cases to run a bundle on")
    .option("--allow-servers", "with --cases: start the tool servers that the bundle names")
    .addHelpText(
      "after",
      "\nExamples:\n  $ forge benchmark forge.yaml\n  $ forge benchmark dist/weather-expert --cases my-cases.jsonl --json\n  $ forge benchmark --model new.gguf --tools tools.json --stub weather --baseline old.gguf",
    )
    .action(action(context, (what: string | undefined, flags: Flags) => choose(context, what, flags)));
  defineStepFlags(command, {
    step: "benchmark",
    flags: FLAGS,
    texts: { model: "a GGUF, or the folder of a bundle", samples: "how many cases are made (20)", output: "the report (JSON); Markdown beside it" },
  });
  return command;
}

async function choose(context: CliContext, what: string | undefined, flags: Flags): Promise<ExitCode> {
  const named = FLAGS.filter((name) => (flags as Readonly<Record<string, unknown>>)[name] !== undefined);
  if (flags.model !== undefined) return runStepCommand(context, what, flags, "benchmark");
  if (named.length > 0 && what === undefined) return runStepCommand(context, what, flags, "benchmark");
  if (named.length > 0)
    return fail(context, usage("conflict", `--${named[0]} goes with --model, not with \`${what}\``, "name the model by flag: forge benchmark --model FILE …"));
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
