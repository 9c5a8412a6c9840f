/** `forge benchmark`: the recipe's stage, a GGUF on made or given cases, or a bundle on cases of one's own. */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { action, type CliContext } from "../context.ts";
import { fail, usage } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { type RunFlags, runRecipe, withRunFlags } from "../run.ts";
import { defineStepFlags, runStepCommand } from "../step.ts";
import { type StepFlagName, thresholdsIn, withThresholds } from "../step-flags.ts";

const FLAGS: readonly StepFlagName[] = ["model", "tools", "stub", "server", "execute", "baseline", "samples", "seed", "family", "output"];

interface Flags extends RunFlags {
  readonly cases?: string;
  readonly allowServers?: boolean;
  readonly model?: string;
}

const NOT_WITH_BUNDLES = ["variant", "force", "from", "keepGoing", "dryRun", "locked", "waitLock", "refresh"] as const;

export function define(context: CliContext): Command {
  const command = withRunFlags(new Command("benchmark"))
    .description(
      "With a recipe: measures every exported format, tables and latency included (apply, up to that stage).\nWith --cases: runs a bundle (or a GGUF in one) on cases of your own, one JSON object a line.\nWith --model: measures one GGUF on made cases (or --cases), beside the untuned base or --baseline.\nThe thresholds of `validate` go with a bundle and --cases, where one run gives all figures.",
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
  return withThresholds(command, "validate");
}

async function choose(context: CliContext, what: string | undefined, flags: Flags): Promise<ExitCode> {
  const given = flags as Readonly<Record<string, unknown>>;
  const validate = thresholdsIn(given, "validate");
  const [foreign] = Object.keys(validate);
  if (foreign !== undefined && (flags.model !== undefined || flags.cases === undefined))
    return fail(
      context,
      usage(
        "conflict",
        `--${foreign.replaceAll("_", "-")} goes with a bundle and --cases; elsewhere it is a figure of \`validate\``,
        flags.model !== undefined ? `judge the model by it: forge validate --model ${flags.model} …` : `set \`gates.validate.${foreign}\` in the recipe`,
      ),
    );
  if (flags.model !== undefined) return runStepCommand(context, what, flags, "benchmark");
  const named = FLAGS.find((name) => given[name] !== undefined);
  const thresholds = { ...validate, ...thresholdsIn(given, "benchmark") };
  const [threshold] = Object.keys(thresholds);
  if (what === undefined && (named !== undefined || (threshold !== undefined && flags.cases === undefined)))
    return runStepCommand(context, what, flags, "benchmark");
  if (named !== undefined)
    return fail(context, usage("conflict", `--${named} goes with --model, not with \`${what}\``, "name the model by flag: forge benchmark --model FILE …"));
  if (flags.cases === undefined) {
    const { existsSync } = await import("node:fs");
    const { join } = await import("node:path");
    const bundle = what !== undefined && (what.endsWith(".gguf") || existsSync(join(what, "agent.yaml")));
    if (!bundle && threshold !== undefined)
      return fail(
        context,
        usage(
          "conflict",
          `--${threshold.replaceAll("_", "-")} goes with --model or --cases, not with a recipe`,
          `set \`gates.benchmark.${threshold}\` in the recipe`,
        ),
      );
    if (!bundle) return runRecipe(context, what, { ...flags, until: "gate:benchmark" });
    return fail(
      context,
      usage("missing-option", `\`${what}\` is a bundle: it needs cases to run`, "add --cases FILE, one case a line (docs/recipe.md, evaluation)"),
    );
  }
  if (what === undefined) return fail(context, usage("missing-argument", "--cases runs a bundle, and none is named", "forge benchmark dist/NAME --cases FILE"));
  const stray = NOT_WITH_BUNDLES.find((name) => given[name] !== undefined);
  if (stray !== undefined)
    return fail(
      context,
      usage("conflict", `--${stray.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} goes with a recipe, not with the bundle \`${what}\``, "leave it out"),
    );
  return benchmark(context, what, { ...flags, cases: flags.cases }, thresholds);
}

async function benchmark(
  context: CliContext,
  bundle: string,
  flags: Flags & { readonly cases: string },
  thresholds: Readonly<Record<string, number>>,
): Promise<ExitCode> {
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
  const { report } = measured.value;
  let exit: ExitCode = EXIT.ok;
  for (const [name, threshold] of Object.entries(thresholds)) {
    const value = name === "overall_score" ? report.overall_score : (report.figures[name]?.value ?? null);
    if (threshold <= 0 || (value !== null && value >= threshold)) continue;
    terminal.err(`${terminal.paintErr("red", "refused")}: ${name} is ${value ?? "not measured"}, ${threshold} is wanted\n`);
    exit = EXIT.gate;
  }
  return exit;
}
