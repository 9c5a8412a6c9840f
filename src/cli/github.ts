/**
 * What GitHub Actions shows of a run: annotations on the recipe's lines, and a summary of the gates. Only where
 * GITHUB_ACTIONS is `true`. Annotations go to stderr, which GitHub reads too, so that stdout stays what a script
 * expects. Foreign text is escaped: it can neither end a workflow command nor begin one.
 * https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
 */
import { appendFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { RunOutcome } from "../engine/apply.ts";
import { EXIT } from "../platform/exit.ts";
import { safeText } from "../platform/redact.ts";
import type { Failure } from "../platform/result.ts";
import type { LoadedRecipe } from "../recipe/types.ts";
import type { CliContext } from "./context.ts";
import { gateRows } from "./render/gate-table.ts";
import { verdictWords } from "./render/phrases.ts";
import { duration } from "./words.ts";

export const onGitHub = (env: NodeJS.ProcessEnv): boolean => env.GITHUB_ACTIONS === "true";

/** As the runner unescapes them (actions/toolkit, command.ts): `%`, CR and LF everywhere, `:` and `,` in properties. */
const escapeData = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const escapeProperty = (text: string): string => escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");

/** One failure as a workflow command, with a final newline. */
export function annotation(failure: Failure, severity: "error" | "warning", env: NodeJS.ProcessEnv): string {
  const { place } = failure;
  const properties: string[] = [];
  if (place !== undefined) {
    const file = env.GITHUB_WORKSPACE ? relative(env.GITHUB_WORKSPACE, resolve(place.file)) : place.file;
    properties.push(`file=${escapeProperty(safeText(file))}`, `line=${place.line}`, `col=${place.column}`);
    if (place.length !== undefined) properties.push(`endColumn=${place.column + place.length}`);
  }
  properties.push(`title=${escapeProperty(failure.code)}`);
  const text = failure.hint === undefined ? failure.message : `${failure.message}\n${failure.hint}`;
  return `::${severity} ${properties.join(",")}::${escapeData(safeText(text))}\n`;
}

/** Annotates the thresholds that refused, and appends the gates to the step's summary. */
export function reportRun(context: CliContext, run: RunOutcome, loaded: LoadedRecipe): void {
  const { env, terminal } = context;
  if (!onGitHub(env)) return;
  for (const gate of run.gates)
    for (const verdict of gate.verdicts)
      if (!verdict.passed) {
        const section = gate.stage.replace(/:.*/, "");
        const advice = gate.advice.find((a) => a.startsWith(`${verdict.figure}: `));
        terminal.err(
          annotation(
            {
              code: `gate/${gate.stage}`,
              message: verdictWords(verdict),
              ...(advice === undefined ? {} : { hint: advice }),
              place: loaded.placeOf(["gates", section, verdict.figure]),
              exit: EXIT.gate,
            },
            "error",
            env,
          ),
        );
      }
  const file = env.GITHUB_STEP_SUMMARY;
  if (!file) return;
  try {
    appendFileSync(file, summary(run, loaded.name));
  } catch {
    // A summary that cannot be written is no reason to fail a run.
  }
}

const END: Readonly<Record<number, string>> = { 0: "done", 3: "refused by a gate", 130: "stopped" };

function summary(run: RunOutcome, name: string): string {
  const rows = gateRows(run);
  const line = (cells: readonly string[]): string => `| ${cells.map((c) => safeText(c).replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  const table = rows === undefined ? [] : ["", line(rows.head), line(rows.head.map(() => "---")), ...rows.rows.map((r) => line(r.cells))];
  const failed = run.nodes.filter((n) => n.status === "failed").map((n) => `- \`${n.id}\`: ${safeText(n.failure?.message ?? "").replaceAll("\n", " ")}`);
  const advice = [...new Set(run.gates.filter((g) => !g.passed).flatMap((g) => g.advice))].map((a) => `- ${safeText(a)}`);
  return `${[`### ${safeText(name)}: ${END[run.exit] ?? "failed"} (${duration(run.seconds)})`, ...table, ...(failed.length > 0 ? ["", ...failed] : []), ...(advice.length > 0 ? ["", ...advice] : [])].join("\n")}\n\n`;
}
