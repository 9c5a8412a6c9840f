/**
 * The last words of a run: what it took, how the figures stand against the gates, where the bundle is,
 * and what to type next. One or two lines when nothing had to run.
 */
import { join } from "node:path";
import type { RunOutcome } from "../../engine/apply.ts";
import { EXIT } from "../../platform/exit.ts";
import type { LoadedRecipe } from "../../recipe/types.ts";
import type { Pipeline } from "../../stages/pipeline.ts";
import type { Terminal } from "../terminal.ts";
import { duration, plural } from "../words.ts";
import { quote, shortPath } from "./path.ts";

type Paint = Pick<Terminal, "paint">;
type Place = Pick<LoadedRecipe, "file" | "projectRoot" | "variant">;

/** @param recipe what was applied, for the commands that are advised */
export async function closingWords(run: RunOutcome, pipeline: Pick<Pipeline, "name" | "bundle">, recipe: Place, terminal: Paint): Promise<string> {
  const { paint } = terminal;
  const bundle = shortPath(pipeline.bundle);
  const packed = run.nodes.some((n) => n.id === "pack" && (n.status === "cached" || n.status === "done"));
  const ran = run.nodes.filter((n) => n.status === "done");
  const lines: string[] = [];
  if (run.exit === EXIT.ok && ran.length === 0) {
    lines.push(
      `${paint("green", "up to date:")} ${pipeline.name}, ${plural(run.nodes.length, "step")} unchanged (${duration(run.seconds)})${packed ? `, bundle in ${paint("bold", bundle)}` : ""}`,
    );
    return `${lines.join("\n")}\n`;
  }
  const { gateTable } = await import("./gate-table.ts");
  const table = gateTable(run, terminal);
  if (table.length > 0) lines.push("", ...table, "");
  switch (run.exit) {
    case EXIT.ok:
      lines.push(
        `${paint("green", "done")} in ${duration(run.seconds)}: ${plural(ran.length, "stage")} ran${packed ? `, bundle in ${paint("bold", bundle)}` : ""}`,
      );
      if (packed) lines.push(`try it: ${paint("bold", `forge try ${quote(bundle)} ${quote(await examplePrompt(run), true)}`)}`);
      break;
    case EXIT.gate: {
      const refused = run.gates.filter((g) => !g.passed);
      lines.push(`${paint("red", "refused")} after ${duration(run.seconds)}: ${refused.map((g) => g.id).join(", ")}; nothing was packed`);
      for (const advice of new Set(refused.flatMap((g) => g.advice))) lines.push(`  try: ${advice}`);
      lines.push(`  or pack it all the same, marked as unproven: ${packCommand(recipe)}`);
      break;
    }
    case EXIT.interrupted:
      lines.push(`${paint("yellow", "stopped")} after ${duration(run.seconds)}; what was done is kept, the same command goes on from here`);
      break;
    default:
      lines.push(`${paint("red", "failed")} after ${duration(run.seconds)}; finished stages are kept, the same command goes on from here`);
  }
  return `${lines.join("\n")}\n`;
}

/** The command that packs this very recipe; one that was made from flags has to be saved first. */
function packCommand({ file, projectRoot, variant }: Place): string {
  if (file.startsWith(join(projectRoot, ".mcp-forge"))) return "the same command with --save-recipe forge.yaml, then forge pack forge.yaml --unproven";
  return `forge pack ${quote(shortPath(file))}${variant === undefined ? "" : ` --variant ${variant}`} --unproven`;
}

/** A request from the evaluation data, short enough to type; "…" where there is none. */
async function examplePrompt(run: RunOutcome): Promise<string> {
  const path = run.nodes.find((n) => n.id === "generate")?.outputs.heldout;
  if (path === undefined) return "…";
  const [{ readFile }, { safeText }] = await Promise.all([import("node:fs/promises"), import("../../platform/redact.ts")]);
  try {
    for (const line of (await readFile(path, "utf8")).split("\n")) {
      if (line === "") continue;
      const { messages, expect, fault } = JSON.parse(line) as { messages?: { role?: string; content?: unknown }[]; expect?: unknown; fault?: unknown };
      const text = messages?.at(-1);
      if (
        text?.role === "user" &&
        typeof text.content === "string" &&
        expect &&
        !fault &&
        text.content.length <= 70 &&
        !text.content.includes("\n") &&
        !text.content.includes("!")
      )
        return safeText(text.content);
    }
  } catch {
    // Only an example; the run itself is done.
  }
  return "…";
}
