/**
 * Plans which samples will be made: one slot a sample, by scenario, kind and tool. Slots are dealt
 * one after the other by the Webster / Sainte-Laguë rule, so slot k of N samples is also slot k of
 * M > N: raising `samples` keeps every slot that was already made. Pure; the same input gives the same plan.
 */
import { kindsOf } from "./kinds.ts";
import type { Scenario, ScenarioWeights, Slot, SynthesisPlan, Toolset } from "./types.ts";

export interface PlanInput {
  readonly toolset: Toolset;
  /** Training samples wanted. */
  readonly samples: number;
  /** Fewest training samples about a tool; slots are added beyond `samples` where the quotas give fewer. */
  readonly minPerTool: number;
  readonly scenarios: ScenarioWeights;
  /** Held-out cases wanted, planned apart with the same weights. */
  readonly evaluationSamples: number;
  readonly seed: number;
}

/** Order in which equal claims are served. */
export const SCENARIOS: readonly Scenario[] = ["standard", "no_tool", "error", "ambiguous", "edge", "chain"];

/** Fewest held-out cases of a tool, and of a scenario, when any are wanted. */
const EVALUATION_FLOOR = 2;

/** Exact quotas by scenario and tool. A toolset without tools gets no_tool slots only. */
export function planSynthesis(input: PlanInput): SynthesisPlan {
  const { toolset, samples, minPerTool, scenarios, evaluationSamples, seed } = input;
  const train = deal(toolset, scenarios, samples, "", minPerTool, 1);
  const evaluation = evaluationSamples > 0 ? deal(toolset, scenarios, evaluationSamples, "eval/", EVALUATION_FLOOR, EVALUATION_FLOOR) : [];
  return {
    version: 1,
    seed,
    toolset_hash: toolset.hash,
    samples,
    evaluation_samples: evaluationSamples,
    min_per_tool: minPerTool,
    scenarios: { ...scenarios },
    train,
    evaluation,
    cells: cellsOf(train),
  };
}

/** The next receiver of a seat: the largest weight / (2 x seats + 1), ties to the earlier one (Sainte-Laguë, 1910; Webster, 1832). */
export function nextSeat(weights: readonly number[], seats: readonly number[]): number {
  let best = -1;
  let claim = 0;
  for (let i = 0; i < weights.length; i++) {
    const c = (weights[i] ?? 0) / (2 * (seats[i] ?? 0) + 1);
    if (c > claim + 1e-12) {
      best = i;
      claim = c;
    }
  }
  return best;
}

function deal(toolset: Toolset, weights: ScenarioWeights, samples: number, prefix: string, perTool: number, perScenario: number): Slot[] {
  const dealer = new Dealer(toolset, prefix);
  const names = SCENARIOS.filter((s) => (weights[s] ?? 0) > 0 && dealer.possible(s));
  if (names.length === 0) return [];
  const shares = names.map((s) => weights[s] ?? 0);
  const seats = names.map(() => 0);
  for (let k = 0; k < samples; k++) {
    const i = nextSeat(shares, seats);
    seats[i] = (seats[i] ?? 0) + 1;
    dealer.add(names[i] as Scenario, false);
  }
  if (samples > 0) {
    for (const [i, s] of names.entries()) for (let k = seats[i] ?? 0; k < perScenario; k++) dealer.add(s, true);
    const home = names.find((s) => s !== "no_tool");
    if (home) for (const tool of toolset.tools) while (dealer.total(tool.name) < perTool && dealer.addTo(home, tool.name, true));
  }
  return dealer.slots;
}

/** Deals slots to tools and kinds, always to whoever has least, so that every prefix is balanced. */
class Dealer {
  readonly slots: Slot[] = [];
  private readonly kinds: ReturnType<typeof kindsOf>;
  private readonly cell = new Map<string, number>();
  private readonly perKind = new Map<string, number>();
  private readonly totals = new Map<string, number>();

  constructor(
    private readonly toolset: Toolset,
    private readonly prefix: string,
  ) {
    this.kinds = kindsOf(toolset);
  }

  possible(scenario: Scenario): boolean {
    return this.kinds.some((k) => k.scenario === scenario && (k.tools === null || k.tools.length > 0));
  }

  /** Samples about a tool so far, whatever the scenario (no_tool does not count). */
  total(tool: string): number {
    return this.totals.get(tool) ?? 0;
  }

  add(scenario: Scenario, extra: boolean): void {
    if (scenario === "no_tool") {
      const kinds = this.kinds.filter((k) => k.scenario === "no_tool" && (k.tools === null || k.tools.length > 0));
      const i = nextSeat(
        kinds.map((k) => k.weight),
        kinds.map((k) => this.perKind.get(`no_tool/${k.kind}`) ?? 0),
      );
      const kind = kinds[i];
      if (!kind) return;
      const tool = kind.tools === null ? null : this.least(kind.tools, `no_tool/${kind.kind}`);
      this.push("no_tool", kind.kind, tool, extra);
      return;
    }
    const able = this.toolset.tools.map((t) => t.name).filter((t) => this.kinds.some((k) => k.scenario === scenario && k.tools?.includes(t)));
    const tool = this.least(able, scenario);
    if (tool !== null) this.addTo(scenario, tool, extra);
  }

  /** Adds a slot about this tool; false when the scenario cannot be about it. */
  addTo(scenario: Scenario, tool: string, extra: boolean): boolean {
    const kinds = this.kinds.filter((k) => k.scenario === scenario && k.tools?.includes(tool));
    let best = kinds[0];
    let claim = -1;
    for (const k of kinds) {
      const own = this.cell.get(`${scenario}/${k.kind}/${tool}`) ?? 0;
      const all = this.perKind.get(`${scenario}/${k.kind}`) ?? 0;
      const c = k.weight / (2 * own + 1) + (1e-3 * k.weight) / (2 * all + 1); // the second term breaks ties towards the rarer kind
      if (c > claim) [best, claim] = [k, c];
    }
    if (!best) return false;
    this.push(scenario, best.kind, tool, extra);
    return true;
  }

  private least(tools: readonly string[], scenario: string): string | null {
    let best: string | null = null;
    let key = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const t of tools) {
      const k = [this.cell.get(`${scenario}/${t}`) ?? 0, this.total(t)];
      if ((k[0] as number) < (key[0] as number) || (k[0] === key[0] && (k[1] as number) < (key[1] as number))) [best, key] = [t, k];
    }
    return best;
  }

  private push(scenario: Scenario, kind: string, tool: string | null, extra: boolean): void {
    const bump = (map: Map<string, number>, key: string): number => {
      const n = (map.get(key) ?? 0) + 1;
      map.set(key, n);
      return n;
    };
    bump(this.perKind, `${scenario}/${kind}`);
    const column = scenario === "no_tool" ? `no_tool/${kind}` : scenario;
    if (scenario !== "no_tool") bump(this.cell, `${scenario}/${kind}/${tool}`);
    if (tool !== null && scenario !== "no_tool") bump(this.totals, tool);
    const ordinal = bump(this.cell, `${column}/${tool ?? ""}`) - 1;
    const id = `${this.prefix}${column}/${tool === null ? "" : `${tool}/`}${String(ordinal).padStart(4, "0")}`;
    this.slots.push({
      id,
      scenario,
      kind,
      tool,
      ...(extra ? { extra: true } : {}),
    });
  }
}

function cellsOf(slots: readonly Slot[]): SynthesisPlan["cells"] {
  const counts = new Map<string, SynthesisPlan["cells"][number]>();
  for (const s of slots) {
    const key = `${s.scenario}\u0000${s.kind}\u0000${s.tool ?? ""}`;
    const cell = counts.get(key);
    if (cell) cell.count++;
    else
      counts.set(key, {
        scenario: s.scenario,
        kind: s.kind,
        tool: s.tool,
        count: 1,
      });
  }
  return [...counts.values()];
}
