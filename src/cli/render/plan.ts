/** A plan: made, and in words: one line a node, its reasons below. */
import type { Plan, PlanNode, PlanOptions } from "../../engine/plan.ts";
import { EXIT, type ExitCode } from "../../platform/exit.ts";
import { safeText } from "../../platform/redact.ts";
import type { CliContext } from "../context.ts";
import { fail, warn } from "../failure.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { jsonText } from "../json.ts";
import type { OpenRecipe } from "../recipe.ts";
import type { Style, Terminal } from "../terminal.ts";
import { duration, lastTimeWords, plural, replies } from "../words.ts";

const WORDS: Readonly<Record<PlanNode["status"], { readonly mark: string; readonly word: string; readonly style: Style }>> = {
  cached: { mark: "=", word: "unchanged", style: "dim" },
  run: { mark: "+", word: "will run", style: "green" },
  maybe: { mark: "?", word: "may run", style: "yellow" },
  blocked: { mark: "!", word: "blocked", style: "red" },
};

const WIDEST = Math.max(...Object.values(WORDS).map((w) => w.word.length));

/** What `plan` and `apply --dry-run` print; with `refresh` the tool servers are asked first. */
export async function planAsTold(context: CliContext, opened: OpenRecipe, flags: Shown & { readonly refresh?: boolean }): Promise<ExitCode> {
  if (flags.refresh !== true) return showPlan(context, opened, flags);
  const { changedTools } = await import("../../stages/refresh.ts");
  const interrupt = listenForInterrupt(() => undefined);
  const because = await changedTools(opened.pipeline, interrupt.signal);
  interrupt.release();
  return because.ok ? showPlan(context, opened, { ...flags, because: because.value }) : fail(context, because.error);
}

type Shown = Pick<PlanOptions, "until" | "only" | "force" | "from" | "because" | "locked"> & { readonly json?: boolean; readonly quiet?: boolean };

/** Makes the plan of a graph and prints it; exit 2 where there is work, 3 where a gate refuses and nothing else is to be done. Starts nothing, writes nothing. */
async function showPlan(context: CliContext, { loaded, pipeline }: OpenRecipe, flags: Shown): Promise<ExitCode> {
  const { unpinned } = pipeline;
  if (unpinned !== undefined && (await import("../../stages/base-readers.ts")).readsBase(pipeline, flags)) {
    const [{ sizeWord }, { lockedOut }] = await Promise.all([import("../../models/registry.ts"), import("../pin.ts")]);
    const word = sizeWord(unpinned);
    if (flags.locked === true) return fail(context, lockedOut(word, pipeline.pins));
    if (flags.json !== true && flags.quiet !== true)
      context.terminal.err(
        `${word} is not pinned yet: \`forge apply\` asks the model hub which files it is made of, and \`${pipeline.pins.command(word)}\` does only that\n`,
      );
  }
  const { planRun } = await import("../../engine/plan.ts");
  const plan = await planRun({
    nodes: pipeline.nodes,
    projectRoot: loaded.projectRoot,
    lockfile: pipeline.lockfile,
    variant: loaded.variant,
    until: flags.until,
    only: flags.only,
    force: flags.force,
    from: flags.from,
    because: flags.because,
    locked: flags.locked,
  });
  if (!plan.ok) return fail(context, plan.error);
  if (flags.json === true) context.terminal.out(jsonText(plan.value));
  else if (flags.quiet !== true) context.terminal.out(planWords(plan.value, context.terminal));
  const { unableToTrain } = await import("../../stages/unable.ts");
  const unable = await unableToTrain(pipeline, flags);
  if (unable !== undefined) warn(context, [unable]);
  if (plan.value.kept.length > 0) return EXIT.usage;
  return plan.value.work ? EXIT.planned : plan.value.refused.length > 0 ? EXIT.gate : EXIT.ok;
}

export function planWords(plan: Plan, terminal: Pick<Terminal, "paint">): string {
  const { paint } = terminal;
  const width = Math.max(...plan.nodes.map((n) => n.id.length), 0);
  const lines: string[] = [];
  for (const node of plan.nodes) {
    const { mark, word, style } = WORDS[node.status];
    const took = lastTimeWords(node);
    const time = node.status === "cached" || took === "" ? [] : [`last time ${took}`];
    const told = node.status !== "cached" || node.views !== undefined;
    const [first, ...more] = [...(told ? node.reasons.map((reason) => safeText(reason)) : []), ...time];
    lines.push(
      `${paint(style, `${mark} ${node.id.padEnd(width)}  ${first === undefined ? word : word.padEnd(WIDEST)}`)}${first === undefined ? "" : `  ${first}`}`,
    );
    for (const reason of more) lines.push(`${" ".repeat(width + WIDEST + 6)}${reason}`);
  }
  const count = (status: PlanNode["status"]): number => plan.nodes.filter((n) => n.status === status).length;
  const ahead = plan.nodes.filter((n) => n.status === "run" || n.status === "maybe");
  const seconds = ahead.reduce((sum, n) => sum + (n.estimateSeconds ?? 0), 0);
  const usd = ahead.reduce((sum, n) => sum + (n.estimateUsd ?? 0), 0);
  const time = seconds > 0 ? `, about ${duration(seconds)} by the last times${usd > 0 ? `, ${replies(usd)}` : ""}` : "";
  const views = plan.nodes.reduce((sum, n) => sum + (n.views?.length ?? 0), 0);
  const copies = views === 0 ? "" : `; ${views === 1 ? "1 copy" : `${views} copies`} to be written again`;
  lines.push(
    "",
    ahead.length > 0
      ? `${plural(count("run"), "step")} will run, ${count("maybe")} may run, ${count("blocked")} blocked, ${count("cached")} unchanged${time}${copies}`
      : count("blocked") > 0
        ? `nothing can run: ${plan.refused.length > 0 ? `refused by ${plan.refused.join(", ")}; ` : ""}${count("blocked")} blocked, ${count("cached")} unchanged${copies}`
        : plan.work
          ? `nothing is to run: all ${plural(plan.nodes.length, "step")} unchanged${copies}`
          : `nothing to do: all ${plural(plan.nodes.length, "step")} unchanged`,
  );
  return `${lines.join("\n")}\n`;
}
