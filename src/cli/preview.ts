/** `forge generate --preview`: what the recipe's teacher writes, and what the whole would cost, before it is paid for. */
import { EXIT, type ExitCode } from "../platform/exit.ts";
import type { Sample } from "../schemas/generated/sample.ts";
import type { Preview } from "../stages/preview.ts";
import type { CliContext } from "./context.ts";
import { fail } from "./failure.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { jsonText } from "./json.ts";
import { openRecipe } from "./recipe.ts";
import { type RunFlags, waitSeconds } from "./run.ts";
import { plural } from "./words.ts";

export async function runPreview(context: CliContext, recipe: string | undefined, n: number, flags: RunFlags): Promise<ExitCode> {
  const { terminal } = context;
  const opened = await openRecipe(context, recipe, flags);
  if (!opened.ok) return fail(context, opened.error);
  const { goOffline, isOffline } = await import("../platform/offline.ts");
  if (flags.offline === true || isOffline(context.env)) goOffline();
  // Whatever the teacher: nothing here reads the base model, so a preview pins none.
  const { pipeline } = opened.value;
  const [{ previewData }, { acquireLock }, { safeText }] = await Promise.all([
    import("../stages/preview.ts"),
    import("../engine/lock.ts"),
    import("../platform/redact.ts"),
  ]);
  const interrupt = listenForInterrupt((line) => terminal.err(`${line}\n`));
  // Two that pay at the same time would know nothing of each other's budget.
  const lock = await acquireLock(opened.value.loaded.projectRoot, { signal: interrupt.signal, waitSeconds: waitSeconds(flags.waitLock) });
  if (!lock.ok) {
    interrupt.release();
    return fail(context, lock.error);
  }
  try {
    const made = await previewData(pipeline.context, n, {
      signal: interrupt.signal,
      emit: (e) => {
        const tells = e.type === "log" && (e.level === "warning" || (e.level === "info" && flags.quiet !== true && flags.json !== true));
        if (tells) terminal.err(`${safeText(e.message)}\n`);
      },
    });
    if (!made.ok) return fail(context, made.error);
    if (flags.json === true) terminal.out(jsonText(made.value));
    else terminal.out(words(made.value, context, safeText));
    return EXIT.ok;
  } finally {
    lock.value.release();
    interrupt.release();
  }
}

function words(
  { samples, short, written, spent, wholeUsd }: Preview,
  { terminal: { paint } }: CliContext,
  safe: (text: string, most?: number) => string,
): string {
  const lines = samples.flatMap((sample, i) => [
    `${paint("bold", `${i + 1}`)}  ${sample.scenario}/${safe(sample.kind)}${sample.tool_name === null ? "" : `, ${safe(sample.tool_name)}`}`,
    ...turns(sample).map(([who, text]) => `   ${paint("dim", who.padEnd(9))}  ${safe(text, MOST_SHOWN).replaceAll(/\s*\n\s*/g, " ")}`),
    "",
  ]);
  for (const { slot, reason } of short) lines.push(`${safe(slot)} came to nothing: ${safe(reason)}`);
  lines.push(`${plural(samples.length, "conversation")} of ${written} that the teacher writes for this recipe`);
  if (spent !== undefined) {
    const cost = spent.usd === null ? "what they cost is not known: set `data.teacher.price_usd`" : `they cost $${spent.usd.toFixed(4)}`;
    lines.push(`${spent.requests} ${spent.requests === 1 ? "reply" : "replies"}, ${spent.kept} of them kept from before; ${cost}`);
    if (wholeUsd !== null) lines.push(`at this rate the whole recipe takes about $${wholeUsd.toFixed(2)}; these replies are kept and not paid for again`);
  }
  return `${lines.join("\n")}\n`;
}

/** Characters of a message that are shown. */
const MOST_SHOWN = 400;

function turns(sample: Sample): [string, string][] {
  return sample.messages.flatMap((m): [string, string][] => {
    if (m.role === "system") return [];
    if (m.role === "assistant" && m.tool_calls !== undefined) return m.tool_calls.map((c) => ["call", `${c.function.name} ${c.function.arguments}`]);
    return [[m.role === "tool" ? "result" : m.role, m.content ?? ""]];
  });
}
