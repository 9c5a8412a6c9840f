/** `forge why STAGE`: whether it would run, why, and everything that could make it. */
import { Command } from "commander";
import { NEVER_RAN } from "../../engine/decide.ts";
import type { Explanation } from "../../engine/explain.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { safeText } from "../../platform/redact.ts";
import type { Unfinished } from "../../stages/unfinished.ts";
import { action, type CliContext } from "../context.ts";
import { fail } from "../failure.ts";
import { jsonText } from "../json.ts";
import { openRecipe } from "../recipe.ts";
import { unfinishedWords } from "../render/phrases.ts";
import type { Terminal } from "../terminal.ts";
import { duration } from "../words.ts";

interface Flags {
  readonly variant?: string;
  readonly json?: boolean;
}

export function define(context: CliContext): Command {
  return new Command("why")
    .description(
      "Says of one stage or gate whether apply would run it and why, when its result was first made and how long it last took, which part of the recipe it reads, and what waits for it. It starts nothing.\nA stage is an id (export:q8_0) or the part before the colon.",
    )
    .argument("<stage>", "the stage or gate")
    .argument("[recipe]", "the recipe (default: $MCP_FORGE_CONFIG, else forge.yaml)")
    .option("--variant <name>", "lay this variant of the recipe over it")
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExample:\n  $ forge why train")
    .action(action(context, (stage: string, recipe: string | undefined, flags: Flags) => run(context, stage, recipe, flags)));
}

async function run(context: CliContext, stage: string, recipe: string | undefined, flags: Flags): Promise<ExitCode> {
  const [opened, { planRun }, { buildGraph }, { readLast }, { explain }, { unfinishedStages }] = await Promise.all([
    openRecipe(context, recipe, flags),
    import("../../engine/plan.ts"),
    import("../../engine/graph.ts"),
    import("../../engine/inspect.ts"),
    import("../../engine/explain.ts"),
    import("../../stages/unfinished.ts"),
  ]);
  if (!opened.ok) return fail(context, opened.error);
  const { nodes, projectRoot, lockfile, variant } = opened.value.pipeline;
  const plan = await planRun({ nodes, projectRoot, lockfile, variant });
  if (!plan.ok) return fail(context, plan.error);
  const last = readLast(projectRoot, lockfile, variant);
  if (!last.ok) return fail(context, last.error);
  const explained = explain(buildGraph(nodes), plan.value, last.value, stage);
  if (!explained.ok) return fail(context, explained.error);
  const unfinished = await unfinishedStages(opened.value.pipeline, plan.value.nodes, last.value);
  const told = explained.value.map((e): Told => ({ ...e, unfinished: unfinished.get(e.id) ?? null }));
  context.terminal.out(flags.json === true ? jsonText(told) : told.map((e) => words(e, context.terminal)).join("\n"));
  return EXIT.ok;
}

/** What is known of a stage, with how a run left it that did not come to its end. */
type Told = Explanation & { readonly unfinished: Unfinished | null };

const STATUS: Readonly<Record<Explanation["status"], string>> = {
  cached: "is up to date",
  run: "will run",
  maybe: "may run",
  blocked: "is blocked",
};

function words(e: Told, { paint }: Pick<Terminal, "paint">): string {
  const lines = [`${paint("bold", e.id)} ${STATUS[e.status]}`];
  const say = (name: string, values: readonly string[]): void => {
    for (const [i, value] of values.entries()) lines.push(`  ${(i === 0 ? name : "").padEnd(11)}${safeText(value)}`);
  };
  const { unfinished } = e;
  // That there is no record says nothing of a stage that a run began.
  say(
    "because",
    e.reasons.filter((reason) => unfinished === null || reason !== NEVER_RAN),
  );
  if (unfinished !== null) say("last run", [`${unfinished.state} ${unfinishedWords(unfinished)}`.trim()]);
  const sources = [...new Set(e.reads.map((r) => r.stage))];
  say(
    "reads",
    sources.map((id) => {
      const { status, reasons } = e.reads.find((r) => r.stage === id) as Explanation["reads"][number];
      return status === "cached" ? id : `${id}, which ${STATUS[status as Explanation["status"]]}${reasons.length > 0 ? `: ${reasons.join("; ")}` : ""}`;
    }),
  );
  if (e.after.length > 0) say("after", [e.after.join(", ")]);
  if (e.recipe.length > 0) say("the recipe", [e.recipe.map((path) => `\`${path}\``).join(", ")]);
  say("files", e.files);
  if (e.before.length > 0) say("then", [e.before.join(", ")]);
  if (e.last !== null)
    say("first made", [
      `${e.last.at.slice(0, 16).replace("T", " ")} UTC; took ${duration(e.last.seconds)}${e.last.summary === "" ? "" : `: ${e.last.summary}`}`,
    ]);
  return `${lines.join("\n")}\n`;
}
