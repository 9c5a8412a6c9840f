/**
 * A few of the conversations that the recipe's teacher will write, before the whole is paid for. They are the first of the recipe's own plan, and
 * what was paid for them is kept: the run that follows finds it. Nothing else is recorded.
 */
import type { Sample } from "../data/types.ts";
import type { StageContext } from "../engine/stage.ts";
import type { Spending } from "../models/hosted/client.ts";
import { err, ok, type Result } from "../platform/result.ts";
import type { PipelineContext } from "./context.ts";
import { makeData, nothingMade, planOf } from "./generate.ts";
import { teacherFile } from "./teacher.ts";
import { openSession } from "./tool-session.ts";

export interface Preview {
  readonly samples: readonly Sample[];
  /** Conversations that came to nothing, and why. */
  readonly short: readonly { readonly slot: string; readonly reason: string }[];
  /** How many conversations the teacher writes for the whole recipe; the others vary them. */
  readonly written: number;
  readonly spent: Spending | undefined;
  /** US dollars that the whole recipe would take at this rate; null where the price is not known or nothing can be charged. */
  readonly wholeUsd: number | null;
}

/** Stands where a run has the base model's own answer. */
const PLAIN = "(the base model answers this itself)";

/** @param n conversations wanted */
export async function previewData(c: PipelineContext, n: number, o: Pick<StageContext, "signal" | "emit">): Promise<Result<Preview>> {
  const [{ seedsOf }, opened] = await Promise.all([import("../data/augment.ts"), openSession(c, undefined, o)]);
  if (!opened.ok) return opened;
  const session = opened.value;
  const { toolset } = session;
  const whole = await planOf(c, toolset);
  const varied = seedsOf(whole.train, c.recipe.data.augment.factor);
  const written = whole.train.filter((slot) => !varied.has(slot.id));
  const plan = { ...whole, train: written.slice(0, n), evaluation: [] };
  const { teacher: file } = teacherFile(c);
  const made = await makeData(c, {
    toolset,
    plan,
    whole,
    open: async () => ok(session),
    ...(file !== undefined && { file }),
    plainAnswer: PLAIN,
    factor: 1,
    ...o,
  }).finally(() => session.close());
  if (!made.ok) return made;
  const { generation, spent, cut } = made.value;
  if (generation.train.length === 0 && plan.train.length > 0) return err(nothingMade(c, generation.statistics, cut));
  const shown = plan.train.length;
  const wholeUsd = spent === undefined || spent.usd === null || shown === 0 ? null : (spent.usd / shown) * (written.length + whole.evaluation.length);
  return ok({ samples: generation.train, short: generation.statistics.short, written: written.length + whole.evaluation.length, spent, wholeUsd });
}
