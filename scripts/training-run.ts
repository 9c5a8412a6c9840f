/** What the scripts that train a model share: ending on a failure, and a training step that is run once for the same inputs. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonObject } from "../src/platform/json.ts";
import type { Result } from "../src/platform/result.ts";
import { runStep } from "../src/runners/local.ts";

/** The value, or the end of the process with what went wrong. */
export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  console.error(`${result.error.message}\n${result.error.details ?? ""}${result.error.hint ?? ""}`);
  process.exit(1);
}

/** Ctrl-C, as a signal for steps: they save a checkpoint. */
export function interruptSignal(): AbortSignal {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  return stop.signal;
}

/**
 * The step's figures: of its last run, when that was of the same `identity` (`out`/trained.json says so), else of a run now. Tells its progress
 * every half a minute, removes an older `output` first, and writes the losses of a run that was not interrupted to `losses` (CSV), where that is given.
 */
export async function trainOnce(
  step: "train" | "pretrain",
  o: {
    readonly out: string;
    readonly identity: JsonObject;
    readonly spec: JsonObject;
    readonly output: string;
    readonly losses?: string;
    readonly signal: AbortSignal;
  },
): Promise<Record<string, number>> {
  const trained = join(o.out, "trained.json");
  const before = existsSync(trained) ? (JSON.parse(readFileSync(trained, "utf8")) as { identity: JsonObject; figures: Record<string, number> }) : undefined;
  if (before !== undefined && canonicalJson(before.identity) === canonicalJson(o.identity)) return before.figures;
  rmSync(o.output, { recursive: true, force: true });
  let told = 0;
  const losses: string[] = ["step,loss"];
  const figures = must(
    await runStep(step, o.spec, {
      scratch: join(o.out, "scratch"),
      logFile: join(o.out, "train.log"),
      signal: o.signal,
      onEvent: (e) => {
        if (e.type === "metric" && e.name === "loss") losses.push(`${e.step},${e.value.toFixed(5)}`);
        if (e.type !== "progress" || Date.now() - told < 30_000) return;
        told = Date.now();
        console.log(`${e.done}/${e.total} examples, loss ${losses.at(-1)?.split(",")[1] ?? "none"}, ${Math.round((e.etaSeconds ?? 0) / 60)} min left`);
      },
    }),
  ) as Record<string, number>;
  // A run that went on after an interruption has told only its own losses.
  if (o.losses !== undefined && figures.resumed_from === 0) writeFileSync(o.losses, `${losses.join("\n")}\n`);
  writeFileSync(trained, `${JSON.stringify({ identity: o.identity, figures }, null, 2)}\n`);
  return figures;
}
