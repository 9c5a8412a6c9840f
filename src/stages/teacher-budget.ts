/**
 * Data that a teacher's budget has cut short. It stands as what it is, under a key that has no budget in it: so its figures say by which budget, and under a larger one
 * it is made again, from the replies that are kept and those that there is room for now (docs/decisions/0011-hosted-teachers.md).
 */
import { seedsOf } from "../data/augment.ts";
import { BUDGET_ENDED } from "../data/generate.ts";
import type { GenerationStatistics, SynthesisPlan } from "../data/types.ts";
import type { Ended, Spending } from "../models/hosted/client.ts";
import type { ResolvedRecipe } from "../recipe/types.ts";

const MARGIN = 1.4;

/** Slots that were left because of the budget. */
const left = ({ short }: Pick<GenerationStatistics, "short">): Set<string> => new Set(short.filter((s) => s.reason === BUDGET_ENDED).map((s) => s.slot));

/** Whether the budget is why something is short. */
export const isCut = (statistics: Pick<GenerationStatistics, "short">): boolean => left(statistics).size > 0;

/**
 * About what a larger budget has to be: what was spent; what those that are left cost at the rate of those that are there, and two fifths more, as the last ones take more
 * answers and tries than the first (measured: 1.2 to 1.3 times as much); and the worst that one request may cost, which has to be free before it is sent, and what follows on it. In US dollars, rounded up to two figures.
 */
export function budgetToGoOn(recipe: ResolvedRecipe, plan: SynthesisPlan, statistics: GenerationStatistics, spent: Spending, ended: Ended): number {
  const { augment } = recipe.data;
  const missing = left(statistics);
  // What varies a conversation costs nothing, unless the teacher says it anew.
  const free = augment.by === "builtin" ? seedsOf(plan.train, augment.factor) : new Map<string, string>();
  const written = [...plan.train, ...plan.evaluation].filter((slot) => !free.has(slot.id));
  const open = written.filter((slot) => missing.has(slot.id)).length;
  const there = written.length - open;
  const each = there === 0 || spent.usd === null ? ended.worst : spent.usd / there;
  return roundedUp(ended.spent + MARGIN * Math.max(1, open) * each + 2 * ended.worst);
}

export const sayCut = (statistics: GenerationStatistics, ended: Ended, limit: number, needed: number): string =>
  `the teacher's budget has ended (${ended.books}): ${left(statistics).size} of ${statistics.planned + statistics.heldout_planned} conversations are not there. To go on, raise \`data.teacher.budget_usd\` from ${limit} to about ${needed}: what was paid for is kept, and only the rest is asked for`;

function roundedUp(usd: number): number {
  const unit = 10 ** (Math.floor(Math.log10(Math.max(usd, 1e-6))) - 1);
  return Number((Math.ceil(usd / unit - 1e-9) * unit).toPrecision(3));
}
