/** `forge doctor`: is this machine ready, and if not, what mends it? */
import { Command } from "commander";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { safeText } from "../../platform/redact.ts";
import type { Needs } from "../../stages/doctor.ts";
import type { Finding } from "../../stages/finding.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import { recipePath } from "../recipe.ts";

export function define(context: CliContext): Command {
  return new Command("doctor")
    .description(
      "Says what this machine has for a run of the recipe and what it lacks, each with what mends it. Without --fix it installs nothing.\nExit code 0: ready. 6: something is missing.",
    )
    .argument("[recipe]", "the recipe whose needs count (default: forge.yaml where there is one, else those of the default recipe)")
    .option("--variant <name>", "variant of the recipe")
    .option("--fix", "make forge's Python environment, and that of the recipe's backend, and fetch the base model now")
    .option("--offline", "fetch nothing")
    .option("--json", "print the findings as JSON")
    .addHelpText("after", "\nExamples:\n  $ forge doctor\n  $ forge doctor forge.yaml --fix")
    .action(action(context, (recipe: string | undefined, flags: Flags) => run(context, recipe, flags)));
}

interface Flags {
  readonly variant?: string;
  readonly fix?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

async function run(context: CliContext, recipe: string | undefined, flags: Flags): Promise<ExitCode> {
  const { terminal } = context;
  const [{ examine, mend }, { existsSync }] = await Promise.all([import("../../stages/doctor.ts"), import("node:fs")]);
  if (flags.offline === true) (await import("../../platform/offline.ts")).goOffline();
  let needs: Needs | undefined;
  if (recipe !== undefined || existsSync(recipePath(context, recipe))) {
    const { loadRecipe } = await import("../../recipe/load.ts");
    const loaded = await loadRecipe(recipePath(context, recipe), { variant: flags.variant });
    if (!loaded.ok) return fail(context, loaded.error);
    const { model, exports, data, tools, train, evaluation } = loaded.value.recipe;
    const { exportChoice } = await import("../../recipe/formats.ts");
    const [{ secretNames }, { usesKit }] = await Promise.all([import("../../tools/secrets.ts"), import("../../stages/teacher.ts")]);
    const secrets = secretNames(tools.flatMap(({ mcp }) => [...Object.values(mcp?.env ?? {}), ...Object.values(mcp?.headers ?? {})]));
    const [{ resolveModel }, { pinsOfRecipe }] = await Promise.all([import("../../models/resolve.ts"), import("../../models/pin.ts")]);
    const { backendOf } = await import("../../models/backend.ts");
    const base = resolveModel(model, loaded.value.dir, [pinsOfRecipe(loaded.value.file, flags.variant)]);
    if (!base.ok) return fail(context, { place: loaded.value.placeOf(base.error.path), ...base.error.failure });
    needs = {
      secrets,
      family: base.value.family,
      source: base.value.source,
      backend: backendOf(base.value.family, train),
      ...(train.gpus === undefined ? {} : { gpus: train.gpus }),
      plan: (await import("../../stages/doctor-memory.ts")).planOf(loaded.value.recipe, base.value.family),
      exports: exports.map((e) => exportChoice(e).format),
      baseline: evaluation.baseline && evaluation.benchmark,
      teacher: data.teacher.provider,
      kit: usesKit(loaded.value.recipe),
    };
  }
  if (flags.fix === true) {
    const interrupt = listenForInterrupt((line) => terminal.err(`${line}\n`));
    let told = "";
    const mended = await mend({
      needs,
      signal: interrupt.signal,
      onProgress: (event) => {
        if (event.type === "metric" || event.message === undefined || event.message === told) return;
        told = event.message;
        terminal.err(`${safeText(event.message)}\n`);
      },
    });
    interrupt.release();
    if (!mended.ok) return fail(context, mended.error);
  }
  const report = await examine({ projectDir: process.cwd(), needs, env: context.env });
  const missing = report.findings.filter((f) => f.status === "missing");
  const exit = missing.length === 0 ? EXIT.ok : EXIT.environment;
  if (flags.json === true) {
    terminal.out(jsonText({ ...report, exit }));
    return exit;
  }
  const marks: Readonly<Record<Finding["status"], string>> = {
    ok: terminal.paint("green", "✓"),
    note: terminal.paint("yellow", "-"),
    missing: terminal.paint("red", "✗"),
  };
  terminal.out(`mcp-forge ${report.version}\n`);
  for (const finding of report.findings) {
    terminal.out(`${marks[finding.status]} ${finding.check.padEnd(8)}  ${finding.message}\n`);
    if (finding.fix !== undefined)
      terminal.out(`            ${terminal.paint("dim", `${finding.status === "missing" ? "to mend it: " : ""}${finding.fix}`)}\n`);
  }
  if (exit === EXIT.ok) terminal.out(`Ready to train: ${report.ready.join(", ")}\n`);
  else terminal.out(`Not ready: ${missing.map((f) => f.check).join(", ")}\n`);
  return exit;
}
